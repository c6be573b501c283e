package draft

import (
	"fmt"
	"slices"
	"strings"
)

// What a person does to a book is told by the records below. Each has an
// opposite, which is what undo needs; sections are named by their id, since
// they move.

// Edit replaces paragraphs of a section.
type Edit struct {
	Section int         `json:"section"` // its id
	At      int         `json:"at"`      // the first paragraph
	Cut     int         `json:"cut"`     // so many go
	Put     []Paragraph `json:"put"`     // these come; without an id they get one, without spans they are traced
	By      Origin      `json:"by"`      // of new words
	Why     string      `json:"why"`     // "typed", "rewrite", "restore", "outside", "import": what undo calls it
	Join    bool        `json:"join"`    // part of the step before: typing that goes on
}

// Place puts sections into the outline, with their text.
type Place struct {
	At       int     `json:"at"`
	Sections []Whole `json:"sections"`
	Final    bool    `json:"final,omitempty"` // it is no step to be undone: a manuscript that is taken in
}

// Whole is a section with its line of the outline.
type Whole struct {
	Plan    SectionPlan `json:"plan"`
	Section Section     `json:"section"`
}

// Remove takes sections out of the outline.
type Remove struct {
	At int `json:"at"`
	N  int `json:"n"`
}

// Move puts a section elsewhere; To counts without it.
type Move struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Line changes a section's line of the outline.
type Line struct {
	Section int         `json:"section"`
	Plan    SectionPlan `json:"plan"`
}

// Title names the book.
type Title struct {
	Title string `json:"title"`
}

// Become makes a section what it was at another time.
type Become struct {
	Section Section `json:"section"`
}

// Note replaces the notes: people, places, facts, promises.
type Note struct {
	Notes string `json:"notes"`
}

// Trains says whether the prompts of the project may be used for training.
type Trains struct {
	May bool `json:"may"`
}

// Preference is a choice of the writer's: one text was kept over others.
type Preference struct {
	Section  int      `json:"section"` // id
	Prompt   string   `json:"prompt"`
	Kept     string   `json:"kept"`
	Rejected []string `json:"rejected"`
	When     string   `json:"when"` // RFC 3339
}

// Version asks the store to keep a section as it is now.
type Version struct {
	Section int    `json:"section"`        // id
	Kind    string `json:"kind"`           // "named", "auto", "before", "outside"
	Name    string `json:"name"`           // of a named one; of "before": before what
	When    string `json:"when"`           // RFC 3339
	Text    string `json:"text,omitempty"` // another text than the section's
}

// Snapshot is a whole project: it begins a log anew.
type Snapshot struct {
	Project *Project `json:"project"`
}

func (Edit) event() string       { return "edit" }
func (Place) event() string      { return "place" }
func (Remove) event() string     { return "remove" }
func (Move) event() string       { return "move" }
func (Line) event() string       { return "line" }
func (Title) event() string      { return "title" }
func (Become) event() string     { return "become" }
func (Note) event() string       { return "note" }
func (Trains) event() string     { return "trains" }
func (Preference) event() string { return "preference" }
func (Version) event() string    { return "version" }
func (Snapshot) event() string   { return "snapshot" }

// Find is the place of the section with this id, or -1.
func (p *Project) Find(id int) int {
	return slices.IndexFunc(p.Sections, func(s Section) bool { return s.ID == id })
}

// fits says why an edit cannot be done to the project as it stands.
func (p *Project) fits(r Record) error {
	n := len(p.Sections)
	switch r := r.(type) {
	case Edit:
		k := p.Find(r.Section)
		if k < 0 {
			return fmt.Errorf("there is no section with the id %d", r.Section)
		}
		if have := len(p.Sections[k].Paragraphs); r.At < 0 || r.Cut < 0 || r.At > have || r.Cut > have-r.At {
			return fmt.Errorf("paragraphs %d to %d of %d", r.At, r.At+r.Cut, have)
		}
	case Place:
		if r.At < 0 || r.At > n {
			return fmt.Errorf("place %d of %d", r.At, n)
		}
		if n != len(p.Outline.Sections) {
			return fmt.Errorf("the outline is being made")
		}
		seen := map[int]bool{}
		for _, w := range r.Sections {
			if id := w.Section.ID; id != 0 && (p.Find(id) >= 0 || seen[id]) {
				return fmt.Errorf("section %d is there already", id)
			}
			seen[w.Section.ID] = true
		}
	case Remove:
		if r.At < 0 || r.N < 0 || r.At > n || r.N > n-r.At {
			return fmt.Errorf("sections %d to %d of %d", r.At, r.At+r.N, n)
		}
	case Move:
		if r.From < 0 || r.To < 0 || r.From >= n || r.To >= n {
			return fmt.Errorf("from %d to %d of %d sections", r.From, r.To, n)
		}
	case Line:
		if p.Find(r.Section) < 0 {
			return fmt.Errorf("there is no section with the id %d", r.Section)
		}
	case Become:
		if p.Find(r.Section.ID) < 0 {
			return fmt.Errorf("there is no section with the id %d", r.Section.ID)
		}
	case Snapshot:
		if r.Project == nil || len(r.Project.Sections) > 0 && len(r.Project.Sections) != len(r.Project.Outline.Sections) {
			return fmt.Errorf("it holds no project")
		}
	}
	return nil
}

// alter does an edit and returns the record that takes it back; nil: that was
// no edit.
func (p *Project) alter(r Record) Record {
	switch r := r.(type) {
	case Edit:
		return p.edit(r)
	case Place:
		p.place(r.At, r.Sections...)
		for _, w := range r.Sections {
			p.Done = p.Done && w.Section.Done
		}
		p.rearranged()
		return Remove{At: r.At, N: len(r.Sections)}
	case Remove:
		gone := make([]Whole, r.N)
		for i := range gone {
			gone[i] = Whole{p.Outline.Sections[r.At], p.Sections[r.At]}
			p.take(r.At)
		}
		p.rearranged()
		return Place{At: r.At, Sections: gone}
	case Move:
		w := Whole{p.Outline.Sections[r.From], p.Sections[r.From]}
		p.take(r.From)
		p.place(r.To, w)
		p.rearranged()
		return Move{From: r.To, To: r.From}
	case Line:
		k := p.Find(r.Section)
		was := p.Outline.Sections[k]
		p.Outline.Sections = slices.Clone(p.Outline.Sections)
		p.Outline.Sections[k] = r.Plan
		p.Outline.Sections[k].Index = k
		p.Stale = true
		return Line{r.Section, was}
	case Title:
		was := p.Outline.Title
		p.Outline.Title = r.Title
		return Title{was}
	case Become:
		k := p.Find(r.Section.ID)
		was := p.Sections[k]
		p.Sections[k] = r.Section.clone() // the record is a step of other copies of the project too
		p.Sections[k].close()
		p.Stale, p.Done = true, p.Done && r.Section.Done
		return Become{was}
	case Note:
		was := p.Notes
		p.Notes = r.Notes
		return Note{was}
	}
	return nil
}

func (p *Project) edit(r Edit) Record {
	s := &p.Sections[p.Find(r.Section)]
	s.close()
	old, before := slices.Clone(s.Paragraphs[r.At:r.At+r.Cut]), len(s.Paragraphs)
	p.splice(s, r.At, r.Cut, r.Put, r.By)
	p.Stale = true
	return Edit{Section: r.Section, At: r.At, Cut: len(s.Paragraphs) - before + r.Cut, Put: old, By: r.By, Why: r.Why}
}

// close ends the turn that is open: it would go on from a text that is not
// there any more. Its boundary says nothing now.
func (s *Section) close() {
	if n := len(s.Turns); n > 0 {
		s.Turns = slices.Clone(s.Turns)
		s.Turns[n-1].Bytes = 0
		if s.Turns[n-1].Ended == "" {
			s.Turns[n-1].Ended = "room"
		}
	}
}

// place and take keep the outline's lines and the sections side by side.
func (p *Project) place(at int, all ...Whole) {
	plans, sections := make([]SectionPlan, len(all)), make([]Section, len(all))
	for i, w := range all {
		s := w.Section.clone()
		if s.ID == 0 {
			s.ID = p.newID()
			put := s.Paragraphs
			s.Paragraphs = nil
			for i := range put {
				put[i].ID = 0 // a copy's are another's
			}
			p.splice(&s, 0, 0, put, Human)
		}
		p.LastID = max(p.LastID, s.ID)
		for _, q := range s.Paragraphs {
			p.LastID = max(p.LastID, q.ID)
		}
		plans[i], sections[i] = w.Plan, s
	}
	p.Outline.Sections = slices.Insert(slices.Clone(p.Outline.Sections), at, plans...)
	p.Sections = slices.Insert(p.Sections, at, sections...)
	p.number()
}

func (p *Project) take(at int) {
	p.Outline.Sections = slices.Delete(slices.Clone(p.Outline.Sections), at, at+1)
	p.Sections = slices.Delete(p.Sections, at, at+1)
	p.number()
}

// rearranged says that the transcript and the summaries tell of another order.
func (p *Project) rearranged() { p.Stale, p.Summary = true, nil }

func (p *Project) number() {
	for i := range p.Outline.Sections {
		p.Outline.Sections[i].Index = i
	}
}

func (p *Project) newID() int {
	p.LastID++
	return p.LastID
}

// Change is the edit that makes a section's text another, and keeps the
// paragraphs that stay as they are; false: it is that text already.
func (s *Section) Change(text string, by Origin, why string) (Edit, bool) {
	var put []Paragraph
	begin := 0
	for _, at := range append(starts(text, 0), len(text)) {
		if t := text[begin:at]; strings.TrimSpace(t) != "" {
			put = append(put, Paragraph{Text: t})
		}
		begin = at
	}
	same := func(a, b Paragraph) bool {
		return strings.TrimRight(a.Text, blanks) == strings.TrimRight(b.Text, blanks)
	}
	old, head := s.Paragraphs, 0
	for len(old) > 0 && len(put) > 0 && same(old[0], put[0]) {
		old, put, head = old[1:], put[1:], head+1
	}
	for len(old) > 0 && len(put) > 0 && same(old[len(old)-1], put[len(put)-1]) {
		old, put = old[:len(old)-1], put[:len(put)-1]
	}
	for i := range min(len(old), len(put)) {
		put[i].ID = old[i].ID
	}
	return Edit{Section: s.ID, At: head, Cut: len(old), Put: put, By: by, Why: why}, len(old)+len(put) > 0
}
