package draft

import (
	"fmt"
	"strings"

	"longhand/engine"
)

// Shares of the working context, in per cent. What is left after a compaction
// is for new text. Figures from the design, the outline's lower: a cycle must
// write more tokens than it decodes.
const (
	planShare    = 30 // of the request, while the plan is made
	requestShare = 10
	outlineShare = 8
	summaryShare = 8
	notesShare   = 4
	tailShare    = 15
	asideRoom    = 200 // tokens kept free for notes and summaries
)

// share is how many words fit so many per cent of the context.
func (r *run) share(percent int) int {
	return int(float64(r.info.Context*percent/100) / max(r.p.PerWord, 1))
}

// room says whether so many more tokens fit the transcript.
func (r *run) room(tokens int) bool {
	return len(r.p.Transcript) > 0 && !r.p.Stale && len(r.p.Transcript)+tokens+asideRoom <= r.info.Context
}

// need is how many tokens section k wants from here.
func (r *run) need(k int) int {
	s, plan := &r.p.Sections[k], r.p.Outline.Sections[k]
	target := max(s.Target, plan.Words)
	words := max(target-CountWords(s.Text), target/5)
	return int(float64(words)*max(r.p.PerWord, 1)*1.2) + 60*(len(plan.Beats)+2)
}

// compact builds the transcript anew: the request, the outline, what was told so
// far, and the last text verbatim. Notes and summaries are taken first, from the
// transcript that goes.
func (r *run) compact(k int) error {
	p := r.p
	summary, notes := append([]Summary(nil), p.Summary...), p.Notes
	if n := len(p.Transcript); n > 0 && !p.Stale && n+asideRoom <= r.info.Context {
		var err error
		if summary, err = r.summarise(k, summary); err != nil {
			return err
		}
		if notes, err = r.takeNotes(k); err != nil {
			return err
		}
		if summary, err = r.condense(k, summary); err != nil {
			return err
		}
	} else { // no transcript to ask: the plan must do
		for i := told(summary); i < k; i++ {
			s := p.Outline.Sections[i]
			summary = append(summary, Summary{i, i, s.Title + ": " + firstWords(s.Point, 20)})
		}
	}
	tail := r.tail(k)
	system, _ := r.info.Chat.Begin(systemText)
	pieces := system
	lead := r.material(k, summary, notes)
	if tail != "" {
		pieces = append(pieces, r.info.Chat.Ask(r.fold(lead+"\n\nThe text so far ends like this:"), false, tail)...)
		pieces = append(pieces, r.info.Chat.End())
	}
	ids, err := r.Engine.Tokenize(r.ctx, pieces...)
	if err != nil {
		return err
	}
	if len(ids)+asideRoom+200 > r.info.Context {
		return fmt.Errorf("draft: the request, the style notes and the outline do not fit a context of %d tokens; ask for a larger one or shorten them", r.info.Context)
	}
	for i, s := range p.Sections { // a turn that is open elsewhere ends with its transcript
		if n := len(s.Turns); n > 0 && s.Turns[n-1].Ended == "" {
			if err := r.cutTo(i, min(len(s.Text), s.Turns[n-1].Bytes)); err != nil {
				return err
			}
		}
	}
	r.fresh = p.Compactions > 0
	return r.commit(Compacted{Tokens: ids, Bare: tail == "", Notes: notes, Summary: summary, Cost: r.takeCost()})
}

// fold puts the system text before text where the model has no system turn.
func (r *run) fold(text string) string {
	if _, folded := r.info.Chat.Begin(systemText); folded {
		return systemText + "\n\n" + text
	}
	return text
}

// tail is the end of the text before section k's next turn.
func (r *run) tail(k int) string {
	text := r.p.Sections[k].Text
	if k > 0 {
		text = r.p.Sections[k-1].Text + "\n\n" + text
	}
	if strings.TrimSpace(text) == "" {
		return ""
	}
	if n := len(r.p.Sections[k].Turns); n > 0 && r.p.Sections[k].Turns[n-1].Ended == "loop" {
		return lastWords(text, loopWords)
	}
	return lastWords(text, r.share(tailShare))
}

// material is what the model must know to write section k.
func (r *run) material(k int, summary []Summary, notes string) string {
	p := r.p
	var b strings.Builder
	b.WriteString(requestText(p, r.share(requestShare)))
	fmt.Fprintf(&b, "\n\nThe text is called \"%s\". %s", p.Outline.Title, r.outlineText(k))
	if len(summary) > 0 {
		b.WriteString("\n\nTold so far:")
		for _, s := range summary {
			b.WriteString("\n- " + s.Text)
		}
	}
	if notes != "" {
		b.WriteString("\n\nKeep to this:\n" + notes)
	}
	return b.String()
}

// outlineText lists the sections around k, with their points from k on as far
// as the share goes, and the parts by title alone.
func (r *run) outlineText(k int) string {
	p, limit := r.p, r.share(outlineShare)
	var b strings.Builder
	if o := p.Outline.Sections; o[0].Part != "" {
		b.WriteString("Its parts: ")
		last := ""
		for _, s := range o {
			if s.Part != last {
				if last != "" {
					b.WriteString("; ")
				}
				if last = s.Part; CountWords(b.String()) > limit {
					b.WriteString("and others")
					break
				}
				b.WriteString(s.Part)
			}
		}
		b.WriteString(". ")
	}
	b.WriteString("Sections that follow:")
	for i := k; i < len(p.Outline.Sections); i++ {
		s := p.Outline.Sections[i]
		line := fmt.Sprintf("\n%s: %s", s.Title, firstWords(s.Point, 40))
		if i > k && CountWords(b.String()+line) > limit {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// summarise adds a line for every finished section before k that has none.
func (r *run) summarise(k int, have []Summary) ([]Summary, error) {
	for i := told(have); i < k; i++ {
		title := r.p.Outline.Sections[i].Title
		text, err := r.aside(r.p.Transcript, summaryPrompt(title), "", 60, uint64(1000+i))
		if err != nil {
			return nil, err
		}
		have = append(have, Summary{i, i, title + ": " + oneLine(text, 30)})
	}
	return have, nil
}

// told is the first section that no summary tells of.
func told(have []Summary) int {
	if n := len(have); n > 0 {
		return have[n-1].Last + 1
	}
	return 0
}

// condense makes one line of the older half while all are too long together. It
// is asked in a transcript of its own: the old one is given up in any case.
func (r *run) condense(k int, have []Summary) ([]Summary, error) {
	for limit := r.share(summaryShare); summaryWords(have) > limit && len(have) > 3; {
		n := len(have) / 2
		var texts []string
		for _, s := range have[:n] {
			texts = append(texts, s.Text)
		}
		text, err := r.aside(nil, firstWords(condensePrompt(texts), r.share(50)), "", 90, uint64(5000+k))
		if err != nil {
			return nil, err
		}
		have = append([]Summary{{have[0].First, have[n-1].Last, oneLine(text, 60)}}, have[n:]...)
	}
	return have, nil
}

func summaryWords(s []Summary) int {
	n := 0
	for _, x := range s {
		n += CountWords(x.Text)
	}
	return n
}

func (r *run) takeNotes(k int) (string, error) {
	text, err := r.aside(r.p.Transcript, notesPrompt, "", 110, uint64(3000+k))
	if err != nil {
		return "", err
	}
	var lines []string
	for line := range strings.Lines("- " + text) {
		line = strings.TrimSpace(line)
		if leak.MatchString(line) || CountWords(line) == 0 || len(lines) == 8 {
			continue
		}
		lines = append(lines, "- "+firstWords(strings.TrimLeft(line, "-*• 0123456789."), 20))
	}
	return firstWords(strings.Join(lines, "\n"), r.share(notesShare)), nil
}

// oneLine is the first line of text that says something, cut at n words.
func oneLine(text string, n int) string {
	text = leak.ReplaceAllString(text, "")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(strings.TrimLeft(line, "#-* ")); CountWords(line) > 2 {
			return firstWords(line, n)
		}
	}
	return ""
}

// ask appends a question to the transcript and opens the model's turn.
func (r *run) ask(k int, kind string, beat int, prompt, answer string) error {
	if r.p.Bare { // the first question carries the material
		prompt = r.fold(r.material(k, r.p.Summary, r.p.Notes) + "\n\n" + prompt)
	}
	ids, err := r.Engine.Tokenize(r.ctx, r.info.Chat.Ask(prompt, false, answer)...)
	if err != nil {
		return err
	}
	return r.commit(TurnBegun{Index: k, Kind: kind, Beat: beat, Tokens: ids})
}

var _ Generator = (*engine.Model)(nil)
