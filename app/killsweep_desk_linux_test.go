package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"longhand/app/draft"
	"longhand/app/store"
)

// A bench is a project that is changed through "projects edit", and all that is
// known of it: what it was, the lines that were given since, and how many of
// these were acknowledged.
type bench struct {
	*sweep
	id    string
	was   *draft.Project
	lines [][]byte
	given int
	acks  int
	named map[string]stamp // versions that were asked for, acknowledged and so kept for ever
	next  func(*author, *draft.Project) draft.Record
	extra []string // commands between the records
	seq   int      // of the last backup that was acknowledged
}

type stamp struct {
	section int
	text    string
}

// bench begins a project as a version did that had journals alone.
func (s *sweep) bench(id string, next func(*author, *draft.Project) draft.Record, extra ...string) *bench {
	b := &bench{sweep: s, id: id, named: map[string]stamp{}, next: next, extra: extra}
	a := &author{r: s.r}
	s.plant(id, a.beginning(id)...)
	b.was, _ = s.journaled(id)
	return b
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

// write makes up so many lines that fit one after the other.
func (b *bench) write(n int) {
	a := &author{r: b.r}
	p := b.was.Clone()
	b.lines, b.given, b.acks = nil, 0, 0
	for range n {
		if len(b.extra) > 0 && b.r.IntN(8) == 0 {
			b.lines = append(b.lines, fmt.Appendf(nil, "{\"event\":%q}\n", b.extra[b.r.IntN(len(b.extra))]))
			continue
		}
		line, err := draft.Marshal(b.next(a, p))
		if err != nil {
			b.t.Fatal(err)
		}
		b.lines = append(b.lines, append(line, '\n'))
		b.fold(p, line)
	}
}

// fold takes a line into p, read as the program reads it; commands change nothing.
func (b *bench) fold(p *draft.Project, line []byte) {
	b.t.Helper()
	r, err := draft.Unmarshal(line)
	if err != nil {
		return // "save" or "backup"
	}
	if _, err := draft.Extend(p, r); err != nil {
		b.t.Fatalf("%s: %v", line, err)
	}
}

// session gives the lines, some at a time, and kills the program: in its start,
// at work, resting, or while it closes.
func (b *bench) session() (killed bool) {
	b.t.Helper()
	v := b.victim("projects", "edit", b.id)
	in, err := v.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := v.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := v.Start(); err != nil {
		b.t.Fatal(err)
	}
	moment, after := b.r.IntN(5), b.r.IntN(len(b.lines))
	if moment == 0 {
		v.strike(b.draw(400 * time.Millisecond))
	}
	flight := 1 + b.r.IntN(6)
	eventsOf(b.t, out, func(e event) {
		if e.Event != "opened" {
			b.acks++
		}
		if e.Event == "saved" && strings.Contains(string(b.lines[b.acks-1]), "backup") {
			fmt.Sscanf(e.line, `{"event":"saved","seq":%d}`, &b.seq)
		}
		switch {
		case b.acks < after || v.timer != nil:
		case moment == 1 && b.long:
			v.strike(b.draw(6 * time.Second)) // it commits and mirrors by itself
		case moment != 4:
			v.strike(b.draw(40 * time.Millisecond))
		}
		for b.given < len(b.lines) && b.given-b.acks < flight {
			b.give(in)
		}
		if b.acks == len(b.lines) && !(moment == 1 && b.long) {
			in.Close()
			if v.timer == nil {
				v.strike(b.draw(300 * time.Millisecond))
			}
		}
	})
	killed = v.end()
	b.settle()
	v.lastOne()
	return killed
}

func (s *sweep) draw(most time.Duration) time.Duration { return time.Duration(s.r.Int64N(int64(most))) }

// give writes a line. A program that was killed does not read it any more.
func (b *bench) give(in io.Writer) {
	in.Write(b.lines[b.given])
	b.given++
}

// settle finds how far the journal goes: at least as far as was acknowledged,
// and no further than was given.
func (b *bench) settle() {
	b.t.Helper()
	now, _ := b.journaled(b.id)
	is := likeness(now)
	p, found := b.was.Clone(), -1
	for n := 0; n <= b.given; n++ {
		if n > 0 {
			b.fold(p, b.lines[n-1])
			b.remember(p, n)
		}
		if (n >= b.acks || b.t.Failed()) && likeness(p) == is {
			found = n
		}
	}
	b.kept += b.acks
	if found < b.acks {
		b.lost += max(1, b.acks-max(found, 0))
		b.t.Errorf("%d lines were acknowledged, %d given; the journal is as after %d of them: given\n%s\nit is\n%s\nwant\n%s", b.acks, b.given, found, bytes.Join(b.lines[:b.given], nil), is, likeness(p))
	}
	b.was, b.lines, b.given, b.acks = now, nil, 0, 0
}

// remember notes the version that the n-th line asked for, where it was acknowledged.
func (b *bench) remember(p *draft.Project, n int) {
	r, _ := draft.Unmarshal(b.lines[n-1])
	if v, ok := r.(draft.Version); ok && n <= b.acks {
		b.named[v.Name] = stamp{v.Section, p.Sections[p.Find(v.Section)].Text}
	}
}

// verify opens the store after a kill and compares all that it says.
func (b *bench) verify() {
	b.t.Helper()
	b.intact()
	if b.r.IntN(2) == 0 {
		b.shows(b.id, b.was)
	}
	st := b.open(b.home)
	book, err := st.Open(b.id)
	if err != nil {
		b.failed++
		b.t.Fatalf("the project does not open after a kill: %v", err)
	}
	if is := book.Project(); likeness(is) != likeness(b.was) {
		b.lost++
		b.t.Errorf("the store has another project than its journal:\n%s\nthe journal:\n%s", likeness(is), likeness(b.was))
	}
	for name, v := range b.named {
		b.holdsVersion(book, name, v)
	}
	if err := st.Close(); err != nil {
		b.t.Fatal(err)
	}
	for _, d := range st.Notices() {
		b.alarm("note: " + d.String())
	}
	b.mirrored(b.id, b.was)
}

func (b *bench) holdsVersion(book *store.Book, name string, want stamp) {
	b.t.Helper()
	all, err := book.Versions(want.section)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, v := range all {
		if v.Name != name {
			continue
		}
		was, err := book.Version(want.section, v.N)
		if err == nil && was.Text == want.text {
			return
		}
		b.t.Errorf("version %q of section %d is %q, want %q: %v", name, want.section, was.Text, want.text, err)
	}
	if want.text != "" {
		b.lost++
		b.t.Errorf("version %q of section %d was acknowledged and is not there", name, want.section)
	}
}

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
