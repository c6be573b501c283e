package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"longhand/app/draft"
)

// opened opens a store that is closed when the test ends, if it still is open.
func opened(t testing.TB, home string) *Store {
	t.Helper()
	s, err := Open(home, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.db != nil && !s.db.IsClosed() {
			s.Close()
		}
	})
	return s
}

// abandon lets a store go as a kill would: nothing that waits is written.
func abandon(t testing.TB, s *Store) {
	t.Helper()
	for _, b := range s.allOpen() {
		b.mu.Lock()
		b.closed = true
		b.mu.Unlock()
		close(b.stop)
		<-b.done
		b.log.f.Close()
	}
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	s.lock.release()
}

func created(t testing.TB, s *Store, id string, records ...draft.Record) *Book {
	t.Helper()
	b, err := s.Create(id, records...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// same compares what two projects hold.
func same(t testing.TB, what string, got, want *draft.Project) {
	t.Helper()
	a, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Fatalf("%s: the project is\n%s\nwant\n%s", what, a, b)
	}
	for i, s := range got.Sections {
		if s.Text != want.Sections[i].Text {
			t.Fatalf("%s: section %d is %q, want %q", what, i, s.Text, want.Sections[i].Text)
		}
	}
}

func folded(t testing.TB, records ...draft.Record) *draft.Project {
	t.Helper()
	p, err := draft.Extend(nil, records...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProjectIsWhatItsRecordsMake(t *testing.T) {
	home := t.TempDir()
	s := opened(t, home)
	records := beginning()
	b := created(t, s, "d1", records[:2]...)
	for _, r := range records[2:] {
		if err := b.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	want := folded(t, records...)
	same(t, "open", b.Project(), want)
	abandon(t, s)
	s = opened(t, home)
	same(t, "killed", reopened(t, s, "d1").Project(), want)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = opened(t, home)
	same(t, "closed", reopened(t, s, "d1").Project(), want)
	if n := s.Notices(); len(n) > 0 {
		t.Errorf("noticed %v", n)
	}
	cards, err := s.Projects()
	if err != nil || len(cards) != 1 || cards[0].Title != "Water" || cards[0].State != Writing || cards[0].Words != want.Words() {
		t.Errorf("cards %+v, %v", cards, err)
	}
}

func reopened(t testing.TB, s *Store, id string) *Book {
	t.Helper()
	b, err := s.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checked is what Check finds.
func checked(t testing.TB, home string) (out []Damage) {
	t.Helper()
	for d, err := range Check(home, true) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

// TestEveryRecordReachesTheDatabase saves after each record of a real draft and
// of some edits, and reads what the database has without the journal.
func TestEveryRecordReachesTheDatabase(t *testing.T) {
	records, err := Read("testdata/schema-0/20261128-115003-563d")
	if err != nil {
		t.Fatal(err)
	}
	first := folded(t, records...).Sections[0].ID
	records = append(records, draft.Edit{Section: first, Cut: 1, Put: []draft.Paragraph{{Text: "Mine."}}, Why: "typed"}, draft.Title{Title: "T"}, draft.Note{Notes: "N"}, draft.Undo{}, draft.Undo{}, draft.Undo{}, draft.Redo{},
		draft.Place{At: 0, Sections: []draft.Whole{{Plan: draft.SectionPlan{Title: "New"}}}}, draft.Move{From: 0, To: 1}, draft.Line{Section: first, Plan: draft.SectionPlan{Title: "L"}}, draft.Undo{}, draft.Redo{}, draft.Remove{At: 1, N: 1}, draft.Undo{},
		draft.Trains{May: false}, draft.Preference{Section: first, Kept: "a"}, draft.Preference{Section: first, Kept: "b"},
		draft.SectionBegun{Index: 1, Target: 9}, draft.TurnBegun{Index: 1, Kind: "beat", Tokens: []int32{1, 2}}, draft.Text{Index: 1, Text: "Open. And", Tokens: []int32{3, 4}}, draft.Stands{Index: 1, Tokens: 4},
		draft.Compacted{Tokens: []int32{9}, Summary: []draft.Summary{{Text: "S"}}}, draft.Rewind{Index: 0, Chars: 3}, draft.Become{Section: draft.SectionOf(first, "It was.", draft.Human)}, draft.Undo{}, draft.Redo{}, draft.Undo{})
	s := opened(t, t.TempDir())
	b := created(t, s, "d", records[:2]...)
	p := folded(t, records[:2]...)
	for i, r := range records[2:] {
		if err := b.Append(r); err != nil {
			t.Fatal(err)
		}
		for n := b.Seq() - p.Seq; n > 1; n-- { // a section is kept before it changes
			p.Seq++
		}
		if p, err = draft.Extend(p, r); err != nil {
			t.Fatal(err)
		}
		if _, text := r.(draft.Text); text && i%20 > 0 {
			continue
		}
		if _, think := r.(draft.Think); think && i%20 > 0 {
			continue
		}
		if err := b.Save(); err != nil {
			t.Fatal(err)
		}
		m, err := s.manifest("d")
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.load("d", m)
		if err != nil {
			t.Fatalf("record %d, %T: %v", i+2, r, err)
		}
		same(t, fmt.Sprintf("record %d, %T", i+2, r), got, p)
	}
}

func TestASoundStoreIsAllIntact(t *testing.T) {
	home := t.TempDir()
	if d := checked(t, home); len(d) > 0 {
		t.Errorf("of nothing: %v", d)
	}
	s := opened(t, home)
	created(t, s, "d1", beginning()...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if d := checked(t, home); len(d) > 0 {
		t.Errorf("closed: %v", d)
	}
	s = opened(t, home)
	b := reopened(t, s, "d1")
	if err := b.Append(draft.Text{Text: " More."}); err != nil {
		t.Fatal(err)
	}
	abandon(t, s)
	if d := checked(t, home); len(d) > 0 {
		t.Errorf("killed: %v", d)
	}
	left, _ := filepath.Glob(filepath.Join(home, copyPrefix+"*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// plain is a book as anybody would keep one in memory: sections of paragraphs,
// and whole copies to go back to.
type plain struct {
	sections []plainSection
	undo     [][]plainSection
	redo     [][]plainSection
	kept     map[int][][]string // versions by section id
}

type plainSection struct {
	id   int
	text []string
}

func (p *plain) copy() []plainSection {
	out := slices.Clone(p.sections)
	for i := range out {
		out[i].text = slices.Clone(out[i].text)
	}
	return out
}

func (p *plain) did() { p.undo, p.redo = append(p.undo, p.copy()), nil }

// TestAnyEditsGiveTheBookThatMemoryHas edits, undoes, keeps and restores
// versions, kills and reopens at random, and compares with a plain book.
func TestAnyEditsGiveTheBookThatMemoryHas(t *testing.T) {
	for seed := range uint64(runs()) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { anyEdits(t, seed) })
	}
}

// runs is how many books are edited; LONGHAND_BOOKS has more.
func runs() int {
	if n, err := strconv.Atoi(os.Getenv("LONGHAND_BOOKS")); err == nil && n > 0 {
		return n
	}
	return 5
}

func anyEdits(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	home := t.TempDir()
	s := opened(t, home)
	b := created(t, s, "book", draft.Started{ID: "book"}, draft.Request{Prompt: "A book"})
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.now = func() time.Time { clock = clock.Add(time.Minute); return clock }
	p := &plain{kept: map[int][][]string{}}
	do := func(rec draft.Record) {
		t.Helper()
		if err := b.Append(rec); err != nil {
			t.Fatal(err)
		}
	}
	word := func() string {
		return []string{"water", "雨", "stone", "Été", "the", "run", "42", "\"so\""}[r.IntN(8)]
	}
	text := func() string {
		out := word()
		for range r.IntN(6) {
			out += " " + word()
		}
		return out + "."
	}
	for step := range 150 {
		n := len(p.sections)
		k := 0
		if n > 0 {
			k = r.IntN(n)
		}
		switch op := r.IntN(14); {
		case n == 0 || op == 0:
			p.did()
			at := r.IntN(n + 1)
			q := plainSection{text: []string{text(), text()}}
			do(draft.Place{At: at, Sections: []draft.Whole{{Plan: draft.SectionPlan{Title: text()}, Section: draft.Section{Done: true, Paragraphs: []draft.Paragraph{{Text: q.text[0]}, {Text: q.text[1]}}}}}})
			q.id = b.Project().Sections[at].ID
			p.sections = slices.Insert(p.sections, at, q)
		case op == 1 && n > 1:
			p.did()
			do(draft.Remove{At: k, N: 1})
			p.sections = slices.Delete(p.sections, k, k+1)
		case op == 2:
			p.did()
			to := r.IntN(n)
			do(draft.Move{From: k, To: to})
			q := p.sections[k]
			p.sections = slices.Insert(slices.Delete(p.sections, k, k+1), to, q)
		case op <= 6: // replace some paragraphs by others
			p.did()
			q := &p.sections[k]
			at := r.IntN(len(q.text) + 1)
			cut := r.IntN(min(3, len(q.text)-at+1))
			var put []string
			var in []draft.Paragraph
			for range r.IntN(3) {
				put = append(put, text())
				in = append(in, draft.Paragraph{Text: put[len(put)-1]})
			}
			do(draft.Edit{Section: q.id, At: at, Cut: cut, Put: in, Why: "typed", By: []draft.Origin{draft.Human, draft.Model}[r.IntN(2)]})
			q.text = slices.Concat(q.text[:at], put, q.text[at+cut:])
		case op == 7 && len(p.undo) > 0:
			p.redo = append(p.redo, p.copy())
			p.sections, p.undo = p.undo[len(p.undo)-1], p.undo[:len(p.undo)-1]
			do(draft.Undo{})
		case op == 8 && len(p.redo) > 0:
			p.undo = append(p.undo, p.copy())
			p.sections, p.redo = p.redo[len(p.redo)-1], p.redo[:len(p.redo)-1]
			do(draft.Redo{})
		case op == 9 && len(p.sections[k].text) > 0:
			if err := b.Name(p.sections[k].id, "here"); err != nil {
				t.Fatal(err)
			}
			p.kept[p.sections[k].id] = append(p.kept[p.sections[k].id], slices.Clone(p.sections[k].text))
		case op == 10 && len(p.kept[p.sections[k].id]) > 0:
			all, err := b.Versions(p.sections[k].id)
			if err != nil {
				t.Fatal(err)
			}
			var named []VersionInfo
			for _, v := range all {
				if v.Kind == Named {
					named = append(named, v)
				}
			}
			mine := p.kept[p.sections[k].id]
			if len(named) != len(mine) {
				t.Fatalf("step %d: %d named versions, want %d", step, len(named), len(mine))
			}
			i := r.IntN(len(mine))
			p.did()
			if err := b.Restore(p.sections[k].id, named[i].N); err != nil {
				t.Fatal(err)
			}
			p.sections[k].text = slices.Clone(mine[i])
		case op == 11:
			if err := b.Save(); err != nil {
				t.Fatal(err)
			}
		case op == 12:
			abandon(t, s)
			now := s.now
			s = opened(t, home)
			s.now = now
			b = reopened(t, s, "book")
		case op == 13:
			now := s.now
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = opened(t, home)
			s.now = now
			b = reopened(t, s, "book")
		}
		got := b.Project()
		if len(got.Sections) != len(p.sections) || len(got.Outline.Sections) != len(p.sections) {
			t.Fatalf("step %d: %d sections, want %d", step, len(got.Sections), len(p.sections))
		}
		for i, q := range p.sections {
			if want := strings.Join(q.text, "\n\n"); got.Sections[i].ID != q.id || strings.TrimRight(got.Sections[i].Text, "\n") != want {
				t.Fatalf("step %d: section %d is %d %q, want %d %q", step, i, got.Sections[i].ID, got.Sections[i].Text, q.id, want)
			}
			for _, par := range got.Sections[i].Paragraphs {
				sum := 0
				for _, sp := range par.Spans {
					sum += sp.Chars
				}
				if sum != len([]rune(par.Text)) || par.ID == 0 {
					t.Fatalf("step %d: spans %v of %q", step, par.Spans, par.Text)
				}
			}
		}
		if (got.CanUndo() != "") != (len(p.undo) > 0) || (got.CanRedo() != "") != (len(p.redo) > 0) {
			t.Fatalf("step %d: undo %q of %d, redo %q of %d", step, got.CanUndo(), len(p.undo), got.CanRedo(), len(p.redo))
		}
	}
	if n := s.Notices(); len(n) > 0 {
		t.Errorf("noticed %v", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if d := checked(t, home); len(d) > 0 {
		t.Errorf("damage: %v", d)
	}
	// The mirror has the same texts.
	list, err := readList(filepath.Join(home, projectsFolder, "book"))
	if err != nil || len(list.Sections) != len(p.sections) {
		t.Fatalf("the mirror lists %d sections: %v", len(list.Sections), err)
	}
	for i, l := range list.Sections {
		raw, err := os.ReadFile(filepath.Join(home, projectsFolder, "book", mirrorFolder, l.File))
		if _, text, _ := parse(string(raw)); err != nil || text != strings.Join(p.sections[i].text, "\n\n") {
			t.Errorf("the mirror has %q for section %d: %v", raw, i, err)
		}
	}
	// And the project is what the journal tells from its beginning.
	records, err := Read(filepath.Join(home, projectsFolder, "book"))
	if err != nil {
		t.Fatal(err)
	}
	s = opened(t, home)
	if q := reopened(t, s, "book").Project(); !reflect.DeepEqual(folded(t, records...).Markdown(), q.Markdown()) {
		t.Error("the journal tells another book")
	}
}

// BenchmarkBookAppend writes what drafting writes, a token at a time, into a
// section of some 600 words; it has less than 30 µs of a token's time.
func BenchmarkBookAppend(b *testing.B) {
	s := opened(b, b.TempDir())
	book := created(b, s, "d1", beginning()...)
	n := 0
	for b.Loop() {
		r := draft.Record(draft.Text{Text: " because", Tokens: []int32{3912}})
		if n++; n%800 == 0 {
			r = draft.Rewind{Chars: 10, Keep: 3}
		}
		if err := book.Append(r); err != nil {
			b.Fatal(err)
		}
	}
}
