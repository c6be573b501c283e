package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"longhand/app/draft"
	script "longhand/app/manuscript"
	"longhand/app/store"
	"longhand/engine/enginetest"
)

// migrating kills the first start after the version that had journals alone.
func (s *sweep) migrating(n int) {
	for round := 0; s.kills < n && !s.t.Failed(); round++ {
		s.home = s.t.TempDir()
		want := map[string]string{}
		for i := range 5 {
			id := fmt.Sprint("d", i)
			s.plant(id, (&author{r: s.r}).beginning(id)...)
			s.goesOn(id, s.r.IntN(s.size(20)<<i))
		}
		if s.long && round == 1 {
			s.longJournal("d4")
		}
		for i := range 5 {
			p, _ := s.journaled(fmt.Sprint("d", i))
			want[p.ID] = likeness(p)
		}
		s.plant("empty") // killed before its first record
		s.until(min(7, n-s.kills), func(_ string, done bool) {
			if done || s.r.IntN(3) == 0 {
				s.intact()
			}
		}, "projects", "list")
		s.kept += len(want)
		if is := s.state(s.home); !maps.Equal(is, want) {
			s.lost++
			s.t.Errorf("the store holds the projects %v, or others of that name", slices.Sorted(maps.Keys(is)))
		}
		s.nothingLeft()
	}
}

// importing kills "import": a manuscript is there as a whole or not at all.
func (s *sweep) importing(n int) {
	a, raw := &author{r: s.r}, bytes.NewBufferString("# A Long Book\n")
	for i := range 40 {
		fmt.Fprintf(raw, "\n## Chapter %d\n\n%s\n", i, strings.Repeat(a.words(60)+".\n\n", s.size(100)))
	}
	file := filepath.Join(s.t.TempDir(), "big.md")
	if err := os.WriteFile(file, raw.Bytes(), 0o644); err != nil {
		s.t.Fatal(err)
	}
	m, err := script.Read(file, raw.Bytes())
	if err != nil {
		s.t.Fatal(err)
	}
	want, err := draft.Extend(nil, recordsOf("x", m)...)
	if err != nil {
		s.t.Fatal(err)
	}
	var told []string // as imported
	s.until(n, func(said string, _ bool) {
		told = append(told, strings.Fields(said)...)
		s.intact()
		st := s.open(s.home)
		defer st.Close()
		cards, err := st.Projects()
		if err != nil {
			s.t.Error(err)
		}
		ids := idsOf(cards)
		for _, id := range told {
			if s.kept++; !slices.Contains(ids, id) {
				s.lost++
				s.t.Errorf("%s was imported and is not there", id)
			}
		}
		for _, c := range cards {
			if p, err := st.Peek(c.ID); err != nil || c.State != store.Done || p.Markdown() != want.Markdown() {
				s.t.Errorf("a part of a manuscript: %+v, %v", c, err)
			}
		}
		for _, d := range st.Notices() {
			s.alarm("note: " + d.String())
		}
	}, "import", file)
	s.nothingLeft()
}

// drafting kills the real engine's drafts, in the start or behind some text, and
// goes on with them.
func (s *sweep) drafting(n int) {
	s.library, s.model = enginetest.Native(s.t)
	first := []string{"draft", "--json", "--prompt", "A small town by the sea", "--outline", outlined(s.t, 30, 20, 20), "--ctx", "2048", "--model", s.model}
	id := ""
	for s.kills < n && !s.t.Failed() {
		args := first
		if id != "" {
			args = []string{"draft", "--json", "--resume", id}
		}
		id = s.draftOnce(id, args)
	}
	s.nothingLeft()
}

// A line that the program printed, and when it was read.
type printed struct {
	event
	at time.Time
}

// draftOnce runs a draft, kills it and looks at what is left. It returns the
// draft's id while there is more to write.
func (s *sweep) draftOnce(id string, args []string) string {
	s.t.Helper()
	told := texts{} // as it stood
	if id != "" {
		p, _ := s.journaled(id)
		told = textsOfProject(p)
	}
	v := s.victim(args...)
	out, err := v.StdoutPipe()
	if err == nil {
		err = v.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	after, n := s.r.IntN(120), 0
	if s.r.IntN(5) == 0 {
		v.strike(s.draw(time.Second))
	}
	var lines []printed
	eventsOf(s.t, out, func(e event) {
		lines = append(lines, printed{e, time.Now()})
		if n++; n == after && v.timer == nil {
			v.strike(s.draw(30 * time.Millisecond))
		}
		if e.Event == "started" {
			id = e.ID
		}
	})
	killed, end := v.end(), time.Now()
	if s.t.Failed() {
		s.t.Logf("%d lines were printed, the last: %+v", len(lines), lines[max(0, len(lines)-5):])
	}
	s.intact()
	if id != "" && len(lines) > 0 {
		s.tells(id, told, lines, end)
	}
	v.lastOne()
	if !killed || len(lines) > 0 && lines[len(lines)-1].Event == "finished" {
		return ""
	}
	return id
}

// tells compares what was printed with the store.
func (s *sweep) tells(id string, told texts, lines []printed, end time.Time) {
	s.t.Helper()
	p, records := s.journaled(id)
	s.shows(id, p)
	done := map[int]string{}
	at, found, wrote, before := 0, -1, false, madeBy(s.t, records)
	for i, l := range lines {
		told.apply(l.event)
		if l.Event == "section_done" {
			done[l.Index] = told[l.Index]
		}
		if l.Event == "text" || l.Event == "rewind" {
			at = i
		}
		wrote = wrote || l.Event == "text"
		if slices.ContainsFunc(before, func(b texts) bool { return equal(b, told) }) {
			found = i
		}
	}
	for k, text := range done {
		if s.kept++; p.Sections[k].Text != text || !p.Sections[k].Done {
			s.lost++
			s.t.Errorf("section %d was done as\n%q\nand is\n%q", k, text, p.Sections[k].Text)
		}
	}
	// What goes on is told again by a rewind and the sentence behind it: between
	// the two the journal never stood.
	if found >= at || !wrote {
		return
	}
	s.oldest = max(s.oldest, end.Sub(lines[found+1].at))
	if s.oldest > mostLost {
		s.t.Errorf("text was lost that had been there for %v: printed\n%q\nthe journal has\n%q", s.oldest, fmt.Sprint(told), fmt.Sprint(before[len(before)-1]))
	}
}

// madeBy are the states of a draft's texts that its records have made, the last few.
func madeBy(t *testing.T, records []draft.Record) (out []texts) {
	t.Helper()
	p := &draft.Project{}
	for i, r := range records {
		if _, err := draft.Extend(p, r); err != nil {
			t.Fatal(err)
		}
		if i >= len(records)-6 {
			out = append(out, textsOfProject(p))
		}
	}
	return out
}

func textsOfProject(p *draft.Project) texts {
	now := texts{}
	for i, s := range p.Sections {
		now[i] = s.Text
	}
	return now
}
