package draft

import (
	"fmt"
	"regexp"
	"strconv"
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
	if p.Thinking == "" {
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
		s.Beats = s.Beats[:min(len(s.Beats), beatCount(words))]
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
	var weights []int
	for _, s := range p.Outline.Sections {
		weights = append(weights, s.Words)
	}
	for g, n := range groups {
		if first += n; first <= len(p.Outline.Sections) {
			continue // planned before an interruption
		}
		lines, title, err := r.planGroup(g, first-n+1, first)
		if err != nil {
			return nil, err
		}
		o := p.Outline
		o.Sections = append([]SectionPlan(nil), o.Sections...)
		if len(p.Parts.Parts) > 0 {
			title = p.Parts.Title
		}
		if o.Title == "" {
			o.Title = title
		}
		for _, l := range lines {
			s := SectionPlan{Index: len(o.Sections), Title: l.title, Point: l.point, Beats: l.beats, Words: l.weight, Flags: []string{}}
			if s.Beats == nil {
				s.Beats = []string{}
			}
			if len(p.Parts.Parts) > 0 {
				s.Part = p.Parts.Parts[g].Title
			}
			if err := r.distinct(&o, &s); err != nil {
				return nil, err
			}
			o.Sections = append(o.Sections, s)
			weights = append(weights, l.weight)
		}
		if err := r.commit(planned(o)); err != nil {
			return nil, err
		}
	}
	return weights, nil
}

// planGroup has the model write sections first to last (from 1) of group g.
func (r *run) planGroup(g, first, last int) (lines []planLine, title string, err error) {
	beats := beatCount(r.p.Target / sectionCount(r.p.Target, r.sectionSize()) * 5 / 4)
	var part *Part
	if len(r.p.Parts.Parts) > 0 {
		part = &r.p.Parts.Parts[g]
	}
	whole := first == 1 && part == nil
	answer := fmt.Sprintf("%d. ", first)
	if whole {
		answer = "Title: "
	}
	text, err := r.planText(planPrompt(r.p, first, last, beats, part), answer, planGrammar(first, last, beats, whole), uint64(100+g))
	if err != nil {
		return nil, "", err
	}
	if !whole {
		text = answer + text
	}
	title, lines = parsePlan(text, whole)
	if len(lines) != last-first+1 {
		return nil, "", fmt.Errorf("draft: plan sections %d to %d: the model wrote %d of them", first, last, len(lines))
	}
	return lines, title, nil
}

func (r *run) planParts(sizes []int) error {
	text, err := r.planText(partsPrompt(r.p, len(sizes), sectionCount(r.p.Target, r.sectionSize())), "Title: ", titlesGrammar(len(sizes), true), 90)
	if err != nil {
		return err
	}
	title, lines := parsePlan(text, true)
	if len(lines) != len(sizes) {
		return fmt.Errorf("draft: plan %d parts: the model wrote %d of them", len(sizes), len(lines))
	}
	parts := Parts{Title: title}
	var o Outline
	for i, l := range lines {
		s := SectionPlan{Title: l.title, Point: l.point}
		if err := r.distinct(&o, &s); err != nil {
			return err
		}
		o.Sections = append(o.Sections, s)
		parts.Parts = append(parts.Parts, Part{Title: s.Title, Point: s.Point, Sections: sizes[i]})
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
	req := engine.Request{Prompt: ids, Grammar: grammar, Sampling: engine.Sampling{Temperature: r.temperature(), TopK: 60, TopP: 0.95, MinP: 0.05, Seed: r.seed(salt),
		DRY: engine.DRY{Multiplier: 1, Base: 1.75, AllowedLength: 3, Window: 1500, Breakers: []string{"\n", ":"}}}}
	var text strings.Builder
	err = r.generate(req, func(t engine.Token) (bool, error) {
		text.WriteString(t.Text)
		return !t.End, nil
	})
	return text.String(), err
}

// distinct gives a section another title and point while they repeat an earlier
// one's: two more tries of the model, then a title made from its point or beats.
func (r *run) distinct(o *Outline, s *SectionPlan) error {
	taken := func(title string) bool {
		n := normal(title)
		if n == "" || n == normal(o.Title) {
			return true
		}
		for _, t := range o.Sections {
			if normal(t.Title) == n {
				return true
			}
		}
		return false
	}
	said := func(point string) bool {
		for _, t := range o.Sections {
			if normal(t.Point) == normal(point) {
				return true
			}
		}
		return false
	}
	for try := 0; try < 2 && (taken(s.Title) || said(s.Point)); try++ {
		text, err := r.planText(requestText(r.p, 80)+"\n\n"+againPrompt(s.Title, s.Point), "1. ", titlesGrammar(1, false), uint64(700+10*len(o.Sections)+try))
		if err != nil {
			return err
		}
		if _, lines := parsePlan("1. "+text, false); len(lines) == 1 {
			s.Title, s.Point = lines[0].title, lines[0].point
		}
	}
	if taken(s.Title) || said(s.Point) {
		s.Flags = append(s.Flags, "repeats")
	}
	for _, from := range append([]string{s.Point}, s.Beats...) {
		if !taken(s.Title) {
			return nil
		}
		if t := firstWords(from, 6); CountWords(t) > 1 {
			s.Title = strings.TrimRight(t, " ,.;:")
		}
	}
	for n, base := 2, s.Title; taken(s.Title); n++ {
		s.Title = fmt.Sprintf("%s (%d)", base, n)
	}
	return nil
}

// think streams the model's thinking, under a cap of its own.
func (r *run) think() error {
	head, _ := r.info.Chat.Begin(systemText)
	chat := r.info.Chat
	answer := "<think>\n"
	if chat.Thinks {
		answer = "" // the model opens its thinking itself
	}
	ids, err := r.Engine.Tokenize(r.ctx, append(head, chat.Ask(r.fold(thinkPrompt(r.p)), true, answer)...)...)
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
	if err == nil && strings.TrimSpace(r.p.Thinking) == "" {
		err = r.commit(Think{Text: "(The model did not think aloud.)"})
	}
	return err
}

// length is the wanted number of words: stated, read from the prompt, or
// predicted by the model.
func (r *run) length() (int, error) {
	if n := r.p.Request.Words; n > 0 {
		return n, nil
	}
	if n := WordsAsked(r.p.Request.Prompt); n > 0 {
		return n, nil
	}
	if r.p.Target > 0 {
		return r.p.Target, nil
	}
	head, _ := r.info.Chat.Begin(systemText)
	ids, err := r.Engine.Tokenize(r.ctx, head...)
	if err != nil {
		return 0, err
	}
	text, err := r.aside(ids, rangePrompt(firstWords(r.p.Request.Prompt, r.share(30))), `{"range": [`, `root ::= number ", " number "]}"`+"\n"+`number ::= [1-9] [0-9]? "00"`, 16, 2)
	if err != nil {
		return 0, err
	}
	return midRange(text), nil
}

// midRange reads "low, high]}" and returns the middle, between 300 and 12,000.
func midRange(text string) int {
	f := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsDigit(r) })
	if len(f) < 2 {
		return 1000
	}
	low, _ := strconv.Atoi(f[0])
	high, _ := strconv.Atoi(f[1])
	return min(max((low+high)/2, 300), 12000)
}

var asked = []struct {
	form  *regexp.Regexp
	words int // of one
}{
	{regexp.MustCompile(`(?i)(\d[\d,.']*)\s*(k)?[\s-]*(words?|mots|palabras|parole|palavras|worte|wörter|woorden)\b`), 1},
	{regexp.MustCompile(`(\d[\d,.]*)\s*(千|万)?\s*(?:个)?(字|词)`), 1},
	{regexp.MustCompile(`(?i)(\d[\d,.']*)\s*()[\s-]*(pages?|seiten|páginas|pagine)\b`), 400},
}

// WordsAsked reads the number of words a prompt asks for, or 0.
func WordsAsked(prompt string) int {
	for _, a := range asked {
		m := a.form.FindStringSubmatch(prompt)
		if m == nil {
			continue
		}
		digits := strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return r
			}
			return -1
		}, m[1])
		n, err := strconv.Atoi(digits)
		if err != nil || n == 0 || n > 1_000_000 {
			continue
		}
		switch strings.ToLower(m[2]) {
		case "k", "千":
			n *= 1000
		case "万":
			n *= 10000
		}
		if n *= a.words; n >= 20 && n <= 1_000_000 {
			return n
		}
	}
	return 0
}
