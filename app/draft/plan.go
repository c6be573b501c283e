package draft

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"longhand/engine"
)

// thinkTokens caps the thinking.
func (r *run) thinkTokens() int {
	if r.small() {
		return min(300, r.info.Context/8)
	}
	return min(2000, r.info.Context/4)
}

func (r *run) small() bool { return r.info.Parameters < smallModel }

// planTemperature keeps a small model on the matter.
func (r *run) planTemperature() float32 {
	if r.small() {
		return 0.5
	}
	return 0.7
}

// latin says that the plan keeps to Latin letters.
func (r *run) latin() bool {
	return r.small() && r.p.Request.Language == "" && latin(r.p.Request.Prompt)
}

// latin says whether most letters of text are Latin.
func latin(text string) bool {
	n := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Latin, r):
			n++
		case unicode.IsLetter(r):
			n--
		}
	}
	return n >= 0
}

func (r *run) sectionSize() int {
	if r.small() {
		return smallSectionWords
	}
	return sectionWords
}

// plan thinks and makes the outline, part by part where there are parts.
func (r *run) plan() error {
	p := r.p
	target, err := r.length()
	if err != nil {
		return err
	}
	p.Target = target // for the prompts; the log gets it with PlanDone
	if !p.Thought {
		if err := r.think(); err != nil {
			return err
		}
	}
	n := sectionCount(p.Target, r.sectionSize())
	groups := []int{n}
	if n > mostWithoutParts {
		groups = partSizes(n)
		if len(p.Parts.Parts) == 0 {
			if err := r.planParts(groups); err != nil {
				return err
			}
		}
	} else if n > 10 {
		groups = partSizes(n) // planned in groups, told as one
	}
	weights, err := r.planGroups(groups)
	if err != nil {
		return err
	}
	o := p.Outline
	o.Sections = append([]SectionPlan(nil), o.Sections...)
	for i, words := range shareWords(p.Target, weights) {
		s := &o.Sections[i]
		s.Words = words
		s.Beats = s.Beats[:min(len(s.Beats), beatCount(words, r.small()))]
	}
	if err := r.commit(o); err != nil {
		return err
	}
	return r.commit(PlanDone{Target: p.Target, Cost: r.takeCost()})
}

// planGroups plans the sections, group by group; each group is on disk before
// the next. It returns the weights, which an interrupted plan has kept as words.
func (r *run) planGroups(groups []int) ([]int, error) {
	p, first := r.p, 0
	beats := beatCount(p.Target/sectionCount(p.Target, r.sectionSize())*5/4, r.small())
	for g, n := range groups {
		if first += n; first <= len(p.Outline.Sections) {
			continue // planned before an interruption
		}
		o := p.Outline
		o.Sections = append([]SectionPlan(nil), o.Sections...)
		part, err := r.planTitles(&o, g, n)
		if err != nil {
			return nil, err
		}
		for i := first - n; i < first; i++ {
			if err := r.planSection(&o, i, part, beats); err != nil {
				return nil, err
			}
			if !r.yield(r.soFar(o, i+1), nil) {
				return nil, errStopped
			}
		}
		if err := r.commit(planned(o)); err != nil {
			return nil, err
		}
	}
	var weights []int
	for _, s := range p.Outline.Sections {
		weights = append(weights, s.Words)
	}
	return weights, nil
}

// soFar is the outline as it grows before the reader: n sections, each with an
// even share of the words.
func (r *run) soFar(o Outline, n int) Outline {
	o.Sections = append([]SectionPlan(nil), o.Sections[:n]...)
	for i := range o.Sections {
		o.Sections[i].Words = r.p.Target / sectionCount(r.p.Target, r.sectionSize())
	}
	return o
}

// planTitles adds group g's n sections to o, by title alone.
func (r *run) planTitles(o *Outline, g, n int) (part string, err error) {
	var of *Part
	switch {
	case len(r.p.Parts.Parts) > 0:
		of, o.Title = &r.p.Parts.Parts[g], r.p.Parts.Title
		part = of.Title
	case g > 0:
		of = &Part{}
	}
	whole, answer := of == nil, "1."
	if whole {
		answer = "Title:"
	}
	text, err := r.planText(titlesPrompt(r.p, r.share(planShare), n, of, r.small()), answer, titlesGrammar(n, whole, r.latin()), uint64(100+g))
	if err != nil {
		return "", err
	}
	title, titles := parseTitles(text, whole)
	if len(titles) != n {
		return "", fmt.Errorf("draft: plan %d sections: the model wrote %d", n, len(titles))
	}
	if whole {
		o.Title = title
	}
	for _, t := range titles {
		o.Sections = append(o.Sections, SectionPlan{Index: len(o.Sections), Part: part, Title: t, Beats: []string{}, Flags: []string{}})
	}
	return part, nil
}

// planSection gives section i of o its point, weight and beats, and a title that
// no other has.
func (r *run) planSection(o *Outline, i int, part string, beats int) error {
	s, answer := &o.Sections[i], "1."
	if beats == 0 {
		answer = "In one sentence:"
	}
	for try := uint64(0); ; try++ {
		if err := r.planBeats(o, s, answer, part, beats, 200+10*uint64(i)+try); err != nil {
			return err
		}
		if !taken(o, i, func(t SectionPlan) string { return t.Title }) && !taken(o, i, func(t SectionPlan) string { return t.Point }) {
			return nil
		}
		if try == 2 {
			break
		}
		title, err := r.anotherTitle(s.Title, 5000+10*uint64(i)+try)
		if err != nil {
			return err
		}
		s.Title = title
	}
	s.Flags = append(s.Flags, "repeats")
	r.rename(o, i)
	return nil
}

func (r *run) planBeats(o *Outline, s *SectionPlan, answer, part string, beats int, salt uint64) error {
	s.Words = 2
	if beats == 0 && r.small() {
		s.Point = s.Title
		return nil
	}
	text, err := r.planText(sectionPlanPrompt(r.p, r.share(planShare), o, s.Title, part, beats, r.small()), answer, sectionGrammar(beats, r.small(), r.latin()), salt)
	if err != nil {
		return err
	}
	s.Point, s.Words, s.Beats = parseSection(text, beats)
	said := map[string]bool{normal(o.Title): true}
	for _, t := range o.Sections {
		said[normal(t.Title)] = true
		for _, b := range t.Beats {
			if s.Index != t.Index && !slices.Contains(sides, b) {
				said[normal(b)] = true
			}
		}
	}
	s.Beats = distinct(said, s.Beats, beats)
	if s.Point == "" { // a small model's point is what its headings say
		s.Point = strings.Join(s.Beats, "; ")
	}
	return nil
}

func (r *run) anotherTitle(title string, salt uint64) (string, error) {
	text, err := r.planText(requestText(r.p, 80)+"\n\n"+againPrompt(title), "1.", titlesGrammar(1, false, r.latin()), salt)
	if err != nil {
		return "", err
	}
	_, titles := parseTitles(text, false)
	if len(titles) == 0 {
		return title, nil
	}
	return titles[0], nil
}

// taken says whether another section of o, or the whole, says the same there,
// or whether it says nothing.
func taken(o *Outline, i int, what func(SectionPlan) string) bool {
	n := normal(what(o.Sections[i]))
	return n == "" || noTitle.MatchString(n) || repeats(o, i, what)
}

func repeats(o *Outline, i int, what func(SectionPlan) string) bool {
	n := normal(what(o.Sections[i]))
	if n == normal(o.Title) {
		return true
	}
	for j, t := range o.Sections {
		if j != i && normal(what(t)) == n {
			return true
		}
	}
	return false
}

// rename makes a title from the section's beats or point, or numbers it.
func (r *run) rename(o *Outline, i int) {
	s := &o.Sections[i]
	title := func(t SectionPlan) string { return t.Title }
	for _, from := range append(append([]string(nil), s.Beats...), firstWords(s.Point, 6)) {
		if !taken(o, i, title) {
			return
		}
		if CountWords(from) > 0 {
			s.Title = strings.TrimRight(from, " ,.;:")
		}
	}
	for n, base := 2, s.Title; repeats(o, i, title); n++ {
		s.Title = fmt.Sprintf("%s (%d)", base, n)
	}
}

func (r *run) planParts(sizes []int) error {
	text, err := r.planText(titlesPrompt(r.p, r.share(planShare), len(sizes), nil, r.small()), "Title:", titlesGrammar(len(sizes), true, r.latin()), 90)
	if err != nil {
		return err
	}
	title, titles := parseTitles(text, true)
	if len(titles) != len(sizes) {
		return fmt.Errorf("draft: plan %d parts: the model wrote %d", len(sizes), len(titles))
	}
	o := Outline{Title: title}
	for _, t := range titles {
		o.Sections = append(o.Sections, SectionPlan{Title: t})
	}
	parts := Parts{Title: title}
	for i := range o.Sections {
		s := &o.Sections[i]
		for try := uint64(0); try < 2 && taken(&o, i, func(t SectionPlan) string { return t.Title }); try++ {
			if s.Title, err = r.anotherTitle(s.Title, 9000+10*uint64(i)+try); err != nil {
				return err
			}
		}
		r.rename(&o, i)
		parts.Parts = append(parts.Parts, Part{Title: s.Title, Sections: sizes[i]})
	}
	return r.commit(parts)
}

// planText asks for a piece of the plan under a grammar.
func (r *run) planText(prompt, answer, grammar string, salt uint64) (string, error) {
	head, _ := r.info.Chat.Begin(systemText)
	ids, err := r.Engine.Tokenize(r.ctx, append(head, r.info.Chat.Ask(r.fold(prompt), false, answer)...)...)
	if err != nil {
		return "", err
	}
	req := engine.Request{Prompt: ids, Grammar: grammar, Sampling: engine.Sampling{Temperature: min(r.temperature(), r.planTemperature()), TopK: 40, TopP: 0.9, MinP: 0.05, Seed: r.seed(salt)}}
	var text strings.Builder
	err = r.generate(req, func(t engine.Token) (bool, error) {
		text.WriteString(t.Text)
		return !t.End, nil
	})
	return text.String(), err
}

// think streams the model's thinking, under a cap of its own.
func (r *run) think() error {
	head, _ := r.info.Chat.Begin(systemText)
	chat := r.info.Chat
	answer := "<think>\n" + r.p.Thinking // an interrupted thought goes on
	if chat.Thinks && r.p.Thinking == "" {
		answer = "" // the model opens its thinking itself
	}
	ids, err := r.Engine.Tokenize(r.ctx, append(head, chat.Ask(r.fold(thinkPrompt(r.p, r.share(planShare), r.small())), true, answer)...)...)
	if err != nil {
		return err
	}
	req := engine.Request{Prompt: ids, MaxTokens: r.thinkTokens(), Sampling: engine.Sampling{Temperature: r.temperature(), TopK: 60, TopP: 0.95, MinP: 0.05, Seed: r.seed(1),
		DRY: engine.DRY{Multiplier: 0.8, AllowedLength: 3, Window: 1000, Breakers: []string{"\n"}}}}
	tags := tagReader{}
	err = r.generate(req, func(t engine.Token) (bool, error) {
		if t.End {
			return false, nil
		}
		for _, part := range tags.read(t.Text) {
			switch part.tag {
			case "":
				if err := r.commit(Think{Text: part.text}); err != nil {
					return false, err
				}
			case "</think>", "<answer>":
				return false, nil
			}
		}
		return true, nil
	})
	if errors.Is(err, engine.ErrContextFull) {
		err = nil // as the cap
	}
	if err != nil {
		return err
	}
	if strings.TrimSpace(r.p.Thinking) == "" {
		if err := r.commit(Think{Text: "(The model did not think aloud.)"}); err != nil {
			return err
		}
	}
	return r.commit(Thought{})
}
