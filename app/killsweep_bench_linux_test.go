package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"longhand/app/draft"
	"longhand/app/store"
)

func (s *sweep) editing(n int) { s.sessions(n, (*author).edits) }

func (s *sweep) draftingRecords(n int) { s.sessions(n, (*author).drafts) }

// sessions kills "projects edit". Not every kill is looked at: the next session
// may find what two have left.
func (s *sweep) sessions(n int, next func(*author, *draft.Project) draft.Record) {
	var b *bench
	for k := 0; s.kills < n && !s.t.Failed(); k++ {
		if k%12 == 0 {
			b = s.bench(fmt.Sprint("p", k/12), next, "save")
		}
		b.write(3 + s.r.IntN(30))
		b.session()
		if s.r.IntN(3) > 0 || s.kills == n {
			b.verify()
		}
	}
}

// A bench is a project that is changed through "projects edit", and all that is
// known of it: what it was, the lines that were given since, and how many of
// these were acknowledged.
type bench struct {
	*sweep
	id    string
	was   *draft.Project
	lines [][]byte
	given []time.Time // when, of those that were given
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

// write makes up so many lines that fit one after the other.
func (b *bench) write(n int) {
	a := &author{r: b.r}
	p := b.was.Clone()
	b.lines, b.given, b.acks = nil, nil, 0
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

// Moments of a session.
const (
	starting = iota
	resting  // it commits and mirrors by itself
	working  // twice as often as another
	working2
	closing
	moments2
)

// session gives the lines, some at a time, and kills the program at some moment.
func (b *bench) session() (killed bool) {
	b.t.Helper()
	v := b.victim("projects", "edit", b.id)
	in, err := v.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := v.StdoutPipe()
	if err == nil {
		err = v.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	moment, after, flight := b.r.IntN(moments2), b.r.IntN(len(b.lines)), 1+b.r.IntN(6)
	if moment == resting && !b.long {
		moment = working
	}
	if moment == starting {
		v.strike(b.draw(400 * time.Millisecond))
	}
	eventsOf(b.t, out, func(e event) {
		b.heard(e)
		switch {
		case b.acks < after || v.timer != nil:
		case moment == resting:
			v.strike(b.draw(6 * time.Second))
		case moment != closing:
			v.strike(b.draw(40 * time.Millisecond))
		}
		for len(b.given) < len(b.lines) && len(b.given)-b.acks < flight {
			b.give(in)
		}
		if b.acks == len(b.lines) && moment != resting {
			in.Close()
			if v.timer == nil {
				v.strike(b.draw(300 * time.Millisecond))
			}
		}
	})
	killed = v.end()
	b.settle(time.Now())
	v.lastOne()
	return killed
}

// heard takes an answer into the account.
func (b *bench) heard(e event) {
	if e.Event == "opened" {
		return
	}
	b.acks++
	if e.Event == "saved" && strings.Contains(string(b.lines[b.acks-1]), "backup") {
		fmt.Sscanf(e.line, `{"event":"saved","seq":%d}`, &b.seq)
	}
}

// give writes a line. A program that was killed does not read it any more.
func (b *bench) give(in io.Writer) {
	in.Write(b.lines[len(b.given)])
	b.given = append(b.given, time.Now())
}

// settle finds how far the journal goes: at least as far as was acknowledged,
// and no further than was given.
func (b *bench) settle(end time.Time) {
	b.t.Helper()
	now, _ := b.journaled(b.id)
	is := likeness(now)
	p, found := b.was.Clone(), -1
	for n := 0; n <= len(b.given); n++ {
		if n > 0 {
			b.fold(p, b.lines[n-1])
			b.remember(p, n)
		}
		if n >= b.acks && likeness(p) == is {
			found = n
		}
	}
	b.kept += b.acks
	if found < 0 {
		b.lost++
		b.t.Errorf("%d lines were acknowledged of these:\n%s\nThe journal has\n%s\nwant\n%s", b.acks, bytes.Join(b.lines[:len(b.given)], nil), is, likeness(p))
	} else {
		b.age(found, end)
	}
	b.was = now
}

// age notes how old the first line is that the journal does not have. Behind a
// save or a backup it was not read yet.
func (b *bench) age(found int, end time.Time) {
	for _, line := range b.lines[b.acks:min(found+1, len(b.lines))] {
		if bytes.Contains(line, []byte(`"event":"save"`)) || bytes.Contains(line, []byte(`"event":"backup"`)) {
			return
		}
	}
	if found < len(b.given) {
		b.oldest = max(b.oldest, end.Sub(b.given[found]))
	}
	if b.oldest > mostLost {
		b.t.Errorf("a line is lost that was given %v before the kill", b.oldest)
	}
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
