package draft

import (
	"strings"
	"unicode/utf8"
)

// Request is what the writer asked for.
type Request struct {
	Prompt   string  `json:"prompt"`
	Words    int     `json:"words"` // 0: read from the prompt, or predicted by the model
	Language string  `json:"language"`
	Style    string  `json:"style"` // style notes, and pages of the writer's own
	OnePass  bool    `json:"one_pass"`
	Heat     float64 `json:"temperature"` // 0: 0.8
	Free     bool    `json:"free"`        // the model ends each turn as it likes: no held length, no guards. For comparison
}

// Project is a draft as it stands: the fold of its records. Nothing else
// changes it, so what is read back from a log is what was there.
type Project struct {
	ID       string
	Started  Started
	Request  Request
	Target   int // words
	Thinking string
	Thought  bool // the thinking is whole
	Parts    Parts
	Outline  Outline
	Planned  bool
	Sections []Section
	Summary  []Summary
	Notes    string
	Done     bool
	Finished Finished

	// The conversation with the model: one transcript of token ids.
	Transcript   []int32
	Bare         bool    // the transcript holds no question yet
	PerWord      float64 // tokens per word of this text
	Compactions  int
	PromptTokens int
	Tokens       int
	Seconds      float64
}

// Section is the text of one section and how it came about.
type Section struct {
	Text   string
	Target int // words
	Begun  bool
	Done   bool
	Turns  []Turn
	Flags  []string
	Forced int // words written with the end tokens banned
	Scores *Scores
}

// Turn is one turn of the model in a section.
type Turn struct {
	Kind  string // "beat", "more", "forced", "pass"
	Beat  int
	Base  int    // length of the transcript before the turn's completion
	Start int    // bytes of the section before the turn's text
	Ended string // "": open; "end", "pace", "full", "loop", "room"

	// The last boundary, behind the last sentence that stands, and what was
	// tried from there.
	Bytes  int    // of the section
	Tokens int    // of the transcript
	Due    string // why the turn ends there, or ""
	Redone int    // how often the turn went back
	Tries  int    // how often since this boundary
	Banned []int32
}

// Summary says in few words what sections First to Last tell.
type Summary struct {
	First int    `json:"first"`
	Last  int    `json:"last"`
	Text  string `json:"text"`
}

// Words counts the text.
func (p *Project) Words() int {
	n := 0
	for i := range p.Sections {
		n += CountWords(p.Sections[i].Text)
	}
	return n
}

// Tell returns the project as the events that would make it.
func (p *Project) Tell() []Event {
	var out []Event
	if p.Thinking != "" {
		out = append(out, Think{Text: p.Thinking})
	}
	if !p.Planned {
		return out
	}
	out = append(out, p.Outline)
	for i, s := range p.Sections {
		if !s.Begun {
			break
		}
		out = append(out, SectionBegun{Index: i, Title: p.Outline.Sections[i].Title, Target: s.Target}, Text{Index: i, Text: s.Text})
		if s.Done {
			out = append(out, SectionDone{Index: i, Words: CountWords(s.Text), Target: s.Target, Flags: s.Flags, ForcedWords: s.Forced, Scores: s.Scores})
		}
	}
	return out
}

// next is the section to be written, or -1.
func (p *Project) next() int {
	for i := range p.Sections {
		if !p.Sections[i].Done {
			return i
		}
	}
	return -1
}

// apply folds one record into the project.
func (p *Project) apply(r Record) {
	switch r := r.(type) {
	case Started:
		if p.ID != "" && r.ModelSHA256 != p.Started.ModelSHA256 {
			p.forget()
		}
		p.ID, p.Started, p.Target = r.ID, r, r.Target
	case Request:
		p.Request = r
	case Think:
		p.Thinking += r.Text
	case planned:
		p.Outline = Outline(r)
	case Outline:
		p.Outline = r
		p.Sections = make([]Section, len(r.Sections))
	case Thought:
		p.Thought = true
	case Parts:
		p.Parts = r
	case PlanDone:
		p.Planned, p.Target, p.PerWord = true, r.Target, 1.5
		p.spend(r.Cost)
	case SectionBegun:
		p.Sections[r.Index].Begun, p.Sections[r.Index].Target = true, r.Target
	case Text:
		p.Sections[r.Index].Text += r.Text
		p.Transcript = append(p.Transcript, r.Tokens...)
	case Rewind:
		s := &p.Sections[r.Index]
		s.Text = firstChars(s.Text, r.Chars)
		if r.Keep > 0 && r.Keep < len(p.Transcript) {
			p.Transcript = p.Transcript[:r.Keep]
		}
		if n := len(s.Turns); n > 0 {
			s.Turns[n-1].Bytes = min(s.Turns[n-1].Bytes, len(s.Text))
		}
		if n := len(s.Turns); n > 0 && r.Again {
			t := &s.Turns[n-1]
			t.Redone++
			t.Tries++
			if r.Ban >= 0 {
				t.Banned = append(t.Banned[:len(t.Banned):len(t.Banned)], r.Ban)
			}
		}
	case Stands:
		s := &p.Sections[r.Index]
		t := &s.Turns[len(s.Turns)-1]
		t.Bytes, t.Tokens, t.Due, t.Tries, t.Banned = len(s.Text), r.Tokens, r.Why, 0, nil
	case TurnBegun:
		s := &p.Sections[r.Index]
		p.Transcript, p.Bare = append(p.Transcript, r.Tokens...), false
		s.Turns = append(s.Turns, Turn{Kind: r.Kind, Beat: r.Beat, Base: len(p.Transcript), Start: len(s.Text), Bytes: len(s.Text), Tokens: len(p.Transcript)})
	case TurnEnded:
		s := &p.Sections[r.Index]
		s.Text = firstChars(s.Text, r.Chars)
		p.Transcript = p.Transcript[:r.Keep]
		s.Turns[len(s.Turns)-1].Ended = r.Why
		s.Forced += r.Forced
		p.PerWord = r.PerWord
		p.Transcript = append(p.Transcript, r.Tokens...)
		p.spend(r.Cost)
	case Compacted:
		p.Transcript, p.Bare = r.Tokens, r.Bare
		p.Compactions++
		p.Notes, p.Summary = r.Notes, r.Summary
		p.spend(r.Cost)
	case SectionDone:
		s := &p.Sections[r.Index]
		s.Done, s.Flags, s.Scores = true, r.Flags, r.Scores
	case Finished:
		p.Done, p.Finished, p.Seconds = true, r, r.Seconds
	}
}

// forget drops the transcript, whose ids belong to another model, and with it
// what an open turn had not finished.
func (p *Project) forget() {
	p.Transcript, p.Bare = nil, false
	for i := range p.Sections {
		s := &p.Sections[i]
		if n := len(s.Turns); n > 0 && s.Turns[n-1].Ended == "" {
			s.Text = s.Text[:min(len(s.Text), s.Turns[n-1].Bytes)]
			s.Turns[n-1].Ended = "room"
		}
	}
}

func (p *Project) spend(c Cost) {
	p.PromptTokens += c.Prompt
	p.Tokens += c.Sampled
	p.Seconds += c.Seconds
}

// Markdown is the draft as a file: the title, parts and sections as headings
// over the texts as they are.
func (p *Project) Markdown() string {
	texts := make([]string, len(p.Sections))
	for i := range p.Sections {
		texts[i] = p.Sections[i].Text
	}
	return Markdown(p.Outline, texts)
}

// Markdown writes texts under the outline's headings: "# title", "## part",
// "### section", or "## section" where there are no parts. Sections without
// text are left out.
func Markdown(o Outline, texts []string) string {
	var b strings.Builder
	if o.Title != "" {
		b.WriteString("# " + o.Title + "\n")
	}
	parts := false
	for _, s := range o.Sections {
		parts = parts || s.Part != ""
	}
	part := ""
	for i, s := range o.Sections {
		if i >= len(texts) || strings.TrimSpace(texts[i]) == "" {
			continue
		}
		if s.Part != part {
			if part = s.Part; part != "" {
				b.WriteString("\n## " + part + "\n")
			}
		}
		if s.Title != "" {
			if parts {
				b.WriteString("\n### " + s.Title + "\n")
			} else {
				b.WriteString("\n## " + s.Title + "\n")
			}
		}
		b.WriteString("\n" + strings.TrimSpace(texts[i]) + "\n")
	}
	return b.String()
}

// firstChars keeps the first n code points.
func firstChars(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func chars(s string) int { return utf8.RuneCountInString(s) }
