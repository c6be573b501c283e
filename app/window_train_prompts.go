package main

import (
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"

	"longhand/app/draft"
	"longhand/rl"
)

// A request is what an earlier draft was asked for.
type request struct {
	prompt string
	words  int // wanted; 0: not known
	when   time.Time
}

// A promptPicker chooses what to train with: requests of earlier drafts, or a
// prompt file.
type promptPicker struct {
	requests []request
	left     map[string]bool // prompts that were taken out
	rows     []*toggle
	all      *toggle
	every    bool // all rows show, not only the first few
	words    rulers

	file     string // the prompt file; "": none
	lines    []rl.Prompt
	fromFile bool

	earlier, other *tab
	list, drafts   *fyne.Container
	more           *choice
	pick           *choice
	note           *quietText
	files          *fyne.Container
	content        fyne.CanvasObject
	changed        func()
}

const (
	rowsAtFirst = 6
	rowsMost    = 300
	fewPrompts  = 8
)

func newPromptPicker(changed, open func()) *promptPicker {
	p := &promptPicker{left: map[string]bool{}, words: rulers{}, changed: changed, note: newQuietText("", theme.SizeNameCaptionText)}
	p.earlier = newTab("Your earlier requests", func() { p.turn(false) })
	p.other = newTab("A prompt file", func() { p.turn(true) })
	p.all = newToggle("All of them", "", p.words, p.pickAll)
	p.list = container.New(layout.NewCustomPaddedVBoxLayout(0))
	p.more = newChoice("", "", func() { p.every = true; p.showRequests(p.requests) })
	p.drafts = container.New(layout.NewCustomPaddedVBoxLayout(0), p.all, p.list, p.more)
	p.pick = newChoice("Choose a file…", "JSON lines: prompt, min_words, max_words", open)
	p.files = container.New(layout.NewCustomPaddedVBoxLayout(0), p.pick)
	p.content = container.New(layout.NewCustomPaddedVBoxLayout(2), container.NewHBox(p.earlier, p.other), p.drafts, p.files, p.note)
	p.turn(false)
	return p
}

// turn shows the one or the other.
func (p *promptPicker) turn(toFile bool) {
	p.fromFile = toFile
	p.update()
}

// showRequests lists requests, the newest first. What was taken out stays out.
func (p *promptPicker) showRequests(requests []request) {
	p.requests = requests[:min(len(requests), rowsMost)]
	shown := len(p.requests)
	if shown > rowsAtFirst+1 && !p.every {
		shown = rowsAtFirst
	}
	p.rows = p.rows[:0]
	p.list.RemoveAll()
	for _, r := range p.requests[:shown] {
		row := newToggle(firstLine(r.prompt), r.detail(), p.words, func(on bool) {
			p.left[r.prompt] = !on
			p.update()
		})
		p.rows = append(p.rows, row)
		p.list.Add(row)
	}
	p.more.say("Show all "+grouped(len(p.requests)), "")
	showIf(p.more, shown < len(p.requests))
	p.update()
}

func (p *promptPicker) pickAll(on bool) {
	for _, r := range p.requests {
		p.left[r.prompt] = !on
	}
	p.update()
}

// take uses the prompts of a file.
func (p *promptPicker) take(file string, lines []rl.Prompt) {
	p.file, p.lines, p.fromFile = file, lines, true
	p.update()
}

// picked are the requests that are in.
func (p *promptPicker) picked() []request {
	var in []request
	for _, r := range p.requests {
		if !p.left[r.prompt] {
			in = append(in, r)
		}
	}
	return in
}

// count is how many prompts are in.
func (p *promptPicker) count() int {
	if p.fromFile {
		return len(p.lines)
	}
	return len(p.picked())
}

func (p *promptPicker) update() {
	p.earlier.say(p.earlier.text.Text, !p.fromFile)
	p.other.say(p.other.text.Text, p.fromFile)
	showIf(p.drafts, !p.fromFile && len(p.requests) > 0)
	showIf(p.files, p.fromFile)
	in := len(p.picked())
	for i, row := range p.rows {
		row.set(!p.left[p.requests[i].prompt])
	}
	p.all.set(in == len(p.requests))
	if in > 0 && in < len(p.requests) {
		p.all.partly = true
		p.all.Refresh()
	}
	showIf(p.all, len(p.requests) > 1)
	if p.file != "" {
		p.pick.say(filepath.Base(p.file), plural(len(p.lines), "prompt")+"  ·  choose another…")
	}
	p.note.say(p.advice())
	showIf(p.note, p.note.segment.Text != "")
	p.changed()
}

// advice says what the prompts are good for.
func (p *promptPicker) advice() string {
	n := p.count()
	switch {
	case n == 0 && p.fromFile, n == 0 && len(p.requests) > 0:
		return ""
	case n == 0:
		return "There are no drafts yet. Write some first, or take a prompt file."
	case n < fewPrompts:
		return "With so few prompts the model may learn them by heart. Twenty and more are better."
	}
	return ""
}

// detail is what a row says beside the prompt.
func (r request) detail() string {
	var say []string
	if r.words > 0 {
		say = append(say, plural(r.words, "word"))
	}
	if !r.when.IsZero() {
		say = append(say, r.when.Format("2 Jan"))
	}
	return strings.Join(say, "  ·  ")
}

func firstLine(s string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(s[:min(len(s), 400)], "")), " ")
}

// asked are the prompts as lines of a prompt file. A text of thousands of words
// cannot be practised thirty times a step, so that its beginning is; and each
// prompt comes with two lengths, so that the model learns to keep to a length,
// not one length by heart.
func asked(requests []request, words int) []rl.Prompt {
	var lines []rl.Prompt
	for _, n := range []int{words, max(10, words/2)} {
		for _, r := range requests {
			what := "Write about %d words."
			if max(r.words, draft.WordsAsked(r.prompt)) > n*3/2 {
				what = "Write only its beginning, about %d words."
			}
			lines = append(lines, rl.Prompt{Text: strings.TrimSpace(r.prompt) + "\n\n" + fmt.Sprintf(what, n), Min: n * 8 / 10, Max: n * 12 / 10})
		}
	}
	return lines
}

// readPrompts yields the prompts of a file.
func readPrompts(file string) iter.Seq2[[]rl.Prompt, error] {
	return func(yield func([]rl.Prompt, error) bool) { yield(rl.ReadPrompts(file)) }
}
