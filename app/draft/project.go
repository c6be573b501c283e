package draft

import (
	"slices"
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
	ID       string       `json:"id"`
	Seq      int          `json:"seq"` // records folded
	Started  Started      `json:"started"`
	Request  Request      `json:"request"`
	Target   int          `json:"target"` // words
	Thinking string       `json:"thinking"`
	Thought  bool         `json:"thought"` // the thinking is whole
	Parts    Parts        `json:"parts"`
	Outline  Outline      `json:"outline"`
	Planned  bool         `json:"planned"`
	Sections []Section    `json:"sections"` // one for each line of the outline
	Summary  []Summary    `json:"summary"`
	Notes    string       `json:"notes"`
	Done     bool         `json:"done"`
	Finished Finished     `json:"finished"`
	Private  bool         `json:"private"` // its prompts are not for training
	Choices  []Preference `json:"choices"`

	// The conversation with the model: one transcript of token ids.
	Transcript   []int32 `json:"transcript"`
	Bare         bool    `json:"bare"`     // the transcript holds no question yet
	Stale        bool    `json:"stale"`    // the text was changed since: it is built anew before the next turn
	PerWord      float64 `json:"per_word"` // tokens per word of this text
	Compactions  int     `json:"compactions"`
	PromptTokens int     `json:"prompt_tokens"`
	Tokens       int     `json:"tokens"`
	Seconds      float64 `json:"seconds"`

	// What can be undone, and of that, from the end, what is undone.
	Steps    []Step `json:"steps"`
	Undone   int    `json:"undone"`
	LastStep int    `json:"last_step"`
	LastID   int    `json:"last_id"` // of sections and paragraphs
}

// Section is the text of one section and how it came about.
type Section struct {
	ID         int         `json:"id"` // unique in its project; stays while the section is changed and moved
	Text       string      `json:"-"`  // of all paragraphs
	Paragraphs []Paragraph `json:"paragraphs"`
	Target     int         `json:"target"` // words
	Begun      bool        `json:"begun"`
	Done       bool        `json:"done"`
	Turns      []Turn      `json:"turns"`
	Flags      []string    `json:"flags"`
	Forced     int         `json:"forced"` // words written with the end tokens banned
	Scores     *Scores     `json:"scores"`
	Model      OrNull      `json:"model"`   // SHA-256 of the model that wrote it
	Adapter    OrNull      `json:"adapter"` // and the adapter
}

// Turn is one turn of the model in a section.
type Turn struct {
	Kind  string `json:"kind"` // "beat", "more", "forced", "pass"
	Beat  int    `json:"beat"`
	Base  int    `json:"base"`  // length of the transcript before the turn's completion
	Start int    `json:"start"` // bytes of the section before the turn's text
	Ended string `json:"ended"` // "": open; "end", "pace", "full", "loop", "room"

	// The last boundary, behind the last sentence that stands, and what was
	// tried from there.
	Bytes  int     `json:"bytes"`  // of the section
	Tokens int     `json:"tokens"` // of the transcript
	Due    string  `json:"due"`    // why the turn ends there, or ""
	Redone int     `json:"redone"` // how often the turn went back
	Tries  int     `json:"tries"`  // how often since this boundary
	Banned []int32 `json:"banned"`
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
	if s, ok := r.(Snapshot); ok {
		*p = *s.Project.Clone()
		return
	}
	p.Seq++
	if p.undoable(r) {
		return
	}
	switch r := r.(type) {
	case Trains:
		p.Private = !r.May
	case Preference:
		p.Choices = append(p.Choices, r)
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
		if p.Outline = Outline(r); len(p.Sections) != len(r.Sections) {
			p.Sections = nil // of a plan that is made anew
		}
	case Outline:
		p.Outline = r
		p.Sections = make([]Section, len(r.Sections))
		for i := range p.Sections {
			p.Sections[i].ID = p.newID()
		}
	case Thought:
		p.Thought = true
	case Parts:
		p.Parts = r
	case PlanDone:
		p.Planned, p.Target, p.PerWord = true, r.Target, 1.5
		p.spend(r.Cost)
	case SectionBegun:
		s := &p.Sections[r.Index]
		p.push("write", Become{s.clone()})
		s.Begun, s.Target, s.Model, s.Adapter = true, r.Target, p.Started.ModelSHA256, p.Started.Adapter
	case Text:
		p.write(&p.Sections[r.Index], r.Text, Model)
		p.Transcript = append(p.Transcript, r.Tokens...)
	case Rewind:
		s := &p.Sections[r.Index]
		s.keepChars(r.Chars)
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
		s.keepChars(r.Chars)
		p.Transcript = p.Transcript[:r.Keep]
		s.Turns[len(s.Turns)-1].Ended = r.Why
		s.Forced += r.Forced
		p.PerWord = r.PerWord
		p.Transcript = append(p.Transcript, r.Tokens...)
		p.spend(r.Cost)
	case Compacted:
		p.endTurns() // of a section that another was put before
		p.Transcript, p.Bare, p.Stale = clone(r.Tokens), r.Bare, false
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

// Clone copies a project; nothing that is done to the one shows in the other.
func (p *Project) Clone() *Project {
	q := *p
	q.Outline.Sections = slices.Clone(p.Outline.Sections)
	q.Sections = slices.Clone(p.Sections)
	for i := range q.Sections {
		q.Sections[i] = q.Sections[i].clone()
	}
	q.Summary, q.Choices, q.Transcript, q.Steps = slices.Clone(p.Summary), slices.Clone(p.Choices), clone(p.Transcript), slices.Clone(p.Steps)
	return &q
}

func (s Section) clone() Section {
	s.Paragraphs, s.Turns = slices.Clone(s.Paragraphs), slices.Clone(s.Turns)
	return s
}

// forget drops the transcript, whose ids belong to another model, and with it
// what an open turn had not finished.
func (p *Project) forget() {
	p.Transcript, p.Bare = nil, false
	p.endTurns()
}

// endTurns ends turns that cannot go on without their transcript, and takes back
// what they had not finished.
func (p *Project) endTurns() {
	for i := range p.Sections {
		s := &p.Sections[i]
		if n := len(s.Turns); n > 0 && s.Turns[n-1].Ended == "" {
			s.keep(min(len(s.Text), s.Turns[n-1].Bytes))
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
