package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"longhand/app/draft"
	"longhand/app/store"
)

// An author draws records that fit a project.
type author struct {
	r *rand.Rand
	n int
}

func (a *author) beginning(id string) []draft.Record {
	o := draft.Outline{Title: "The Wall"}
	for range 3 + a.r.IntN(4) {
		o.Sections = append(o.Sections, a.plan())
	}
	return []draft.Record{draft.Started{ID: id, Target: 900}, draft.Request{Prompt: "A wall by the sea"}, o, draft.PlanDone{Target: 900}}
}

func (a *author) plan() draft.SectionPlan {
	return draft.SectionPlan{Title: a.words(3), Point: a.words(5), Beats: []string{a.words(4)}, Words: 100, Flags: []string{}}
}

var vocabulary = strings.Fields("stone Küste harbour 海辺 evening rope wind, market. light! — “so” old wall hands \\ salt <tide> naïve & ice")

func (a *author) words(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = vocabulary[a.r.IntN(len(vocabulary))]
	}
	return strings.Join(out, " ")
}

// text is a paragraph or two, once in a while a megabyte of them.
func (a *author) text() string {
	if a.r.IntN(200) == 0 {
		return strings.Repeat(a.words(200)+"\n\n", 800)
	}
	return a.words(5+a.r.IntN(60)) + strings.Repeat("\n\n"+a.words(10), a.r.IntN(3))
}

// edits draws what a person does.
func (a *author) edits(p *draft.Project) draft.Record {
	for {
		if r := a.edit(p, a.r.IntN(len(p.Sections)+1)); p.Check(r) == nil {
			return r
		}
	}
}

func (a *author) edit(p *draft.Project, k int) draft.Record {
	var s draft.Section
	if k < len(p.Sections) {
		s = p.Sections[k]
	}
	a.n++
	ways := []draft.Record{
		draft.Edit{Section: s.ID, At: a.r.IntN(len(s.Paragraphs) + 1), Cut: a.r.IntN(2), Put: []draft.Paragraph{{Text: a.text()}}, By: draft.Human, Why: "typed"},
		draft.Edit{Section: s.ID, At: 0, Cut: 1, Put: []draft.Paragraph{{Text: a.words(12)}}, By: draft.Human, Why: "typed", Join: true},
		draft.Edit{Section: s.ID, At: 0, Cut: min(len(s.Paragraphs), 2), Put: []draft.Paragraph{{Text: a.text()}}, By: draft.Model, Why: "rewrite"},
		draft.Place{At: k, Sections: []draft.Whole{{Plan: a.plan(), Section: draft.SectionOf(0, a.text(), draft.Human)}}},
		draft.Remove{At: k, N: a.r.IntN(3) / 2}, draft.Move{From: k, To: a.r.IntN(len(p.Sections) + 1)},
		draft.Line{Section: s.ID, Plan: a.plan()}, draft.Title{Title: a.words(3)}, draft.Note{Notes: a.text()}, draft.Undo{}, draft.Undo{}, draft.Redo{},
		draft.Version{Section: s.ID, Kind: store.Named, Name: fmt.Sprint("v", a.r.Uint64()), When: time.Now().UTC().Format(time.RFC3339)},
		draft.Preference{Section: s.ID, Prompt: a.words(4), Kept: a.words(9), Rejected: []string{a.words(9)}, When: "2026-01-02T03:04:05Z"},
		draft.Trains{May: k%2 == 0},
	}
	r := ways[a.r.IntN(len(ways))]
	if v, ok := r.(draft.Version); ok && p.Find(v.Section) < 0 {
		return draft.Undo{}
	}
	return r
}

// drafts draws what the model does, and now and then a person.
func (a *author) drafts(p *draft.Project) draft.Record {
	k := 0
	for k < len(p.Sections) && p.Sections[k].Done {
		k++
	}
	if k == len(p.Sections) {
		return draft.Place{At: k, Sections: []draft.Whole{{Plan: a.plan()}}}
	}
	s := p.Sections[k]
	open := len(s.Turns) > 0 && s.Turns[len(s.Turns)-1].Ended == ""
	switch length := len([]rune(s.Text)); {
	case a.r.IntN(12) == 0:
		return a.edits(p)
	case !s.Begun:
		return draft.SectionBegun{Index: k, Title: p.Outline.Sections[k].Title, Target: 100}
	case !open && len(s.Text) > 400:
		return draft.SectionDone{Index: k, Words: draft.CountWords(s.Text), Target: 100, Flags: []string{}}
	case !open && p.Stale:
		return draft.Compacted{Tokens: []int32{1, 2, 3}, Notes: p.Notes, Summary: []draft.Summary{}}
	case !open:
		return draft.TurnBegun{Index: k, Kind: "beat", Tokens: []int32{4, 5, 6, 7}}
	case a.r.IntN(9) == 0:
		return draft.Stands{Index: k, Tokens: len(p.Transcript)}
	case a.r.IntN(9) == 0:
		return draft.Rewind{Index: k, Chars: max(0, length-a.r.IntN(30)), Keep: max(1, len(p.Transcript)-1), Again: true, Ban: 7}
	case a.r.IntN(9) == 0:
		return draft.TurnEnded{Index: k, Why: "end", Chars: length, Keep: len(p.Transcript), PerWord: 1.5, Tokens: []int32{8}}
	}
	return draft.Text{Index: k, Text: " " + a.words(1+a.r.IntN(9)), Tokens: []int32{9, 10}}
}

// plant writes a journal that the store does not know.
func (s *sweep) plant(id string, records ...draft.Record) {
	s.t.Helper()
	j, err := store.Create(s.projectFolder(id))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range records {
		if err := j.Append(r); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sweep) projectFolder(id string) string { return (&env{home: s.home}).projectFolder(id) }

// goesOn writes more into a journal than the database knows.
func (s *sweep) goesOn(id string, n int) {
	s.t.Helper()
	a := &author{r: s.r}
	p, _ := s.journaled(id)
	j, _, err := store.Continue(s.projectFolder(id))
	if err != nil {
		s.t.Fatal(err)
	}
	for range n {
		r := a.edits(p)
		line, err := draft.Marshal(r)
		if err == nil {
			r, err = draft.Unmarshal(line)
		}
		if err == nil {
			p, err = draft.Extend(p, r)
		}
		if err == nil {
			err = j.Append(r)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// size is smaller in a short sweep.
func (s *sweep) size(n int) int {
	if s.long {
		return n
	}
	return n / 4
}

// longJournal makes a journal long enough that it begins anew after the backup.
func (s *sweep) longJournal(id string) {
	s.t.Helper()
	j, _, err := store.Continue(s.projectFolder(id))
	if err != nil {
		s.t.Fatal(err)
	}
	text := strings.Repeat((&author{r: s.r}).words(100)+"\n\n", 1200)
	for range 36<<20/len(text) + 1 {
		for _, r := range []draft.Record{draft.Text{Text: text}, draft.Rewind{}} {
			if err := j.Append(r); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		s.t.Fatal(err)
	}
}
