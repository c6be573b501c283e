package draft

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// spansOf writes a section's words with their origins: h(…) m(…) e(…).
func spansOf(s Section) string {
	var b strings.Builder
	for _, p := range s.Paragraphs {
		rest := []rune(p.Text)
		for _, span := range p.Spans {
			fmt.Fprintf(&b, "%c(%s)", span.By[0], strings.TrimRight(string(rest[:span.Chars]), "\n"))
			rest = rest[span.Chars:]
		}
		b.WriteByte('|')
	}
	return b.String()
}

func one(by Origin, text string) *Project {
	p := &Project{Outline: Outline{Sections: make([]SectionPlan, 1)}, Sections: []Section{{ID: 1}}, LastID: 1}
	p.write(&p.Sections[0], text, by)
	return p
}

func TestEditsTraceWhoWroteWhat(t *testing.T) {
	for _, c := range []struct {
		was      string
		at, cut  int
		put      []string
		by       Origin
		want     string
		whatIsIt string
	}{
		{"It rains.", 0, 1, []string{"It rains."}, Human, "m(It rains.)|", "nothing"},
		{"It rains.", 0, 1, []string{"It rains hard."}, Human, "m(It rains)h( hard)m(.)|", "words added"},
		{"It rains hard.", 0, 1, []string{"It rains."}, Human, "m(It rains.)|", "words taken away"},
		{"It rains hard.", 0, 1, []string{"It snows hard."}, Human, "m(It )e(snows)m( hard.)|", "a word in another's place"},
		{"It rains.\n\nIt stops.", 1, 0, []string{"I waited."}, Human, "m(It rains.)|h(I waited.)|m(It stops.)|", "a paragraph of one's own"},
		{"It rains.\n\nIt stops.", 0, 2, []string{"It rains. It stops."}, Human, "m(It rains.)h( )m(It stops.)|", "paragraphs joined"},
		{"It rains. It stops.", 0, 1, []string{"It rains.", "It stops."}, Human, "m(It rains.)|m(It stops.)|", "a paragraph divided"},
		{"雨が降る。", 0, 1, []string{"雪が降る。"}, Human, "e(雪)m(が降る。)|", "a character of Japanese"},
		{"It rains.", 0, 1, []string{"The sun is out."}, Model, "m(The sun is out.)|", "the model's own rewrite"},
	} {
		p := one(Model, c.was)
		var put []Paragraph
		for _, text := range c.put {
			put = append(put, Paragraph{Text: text})
		}
		q, err := Extend(p, Edit{Section: 1, At: c.at, Cut: c.cut, Put: put, By: c.by})
		if err != nil {
			t.Fatal(err)
		}
		if got := spansOf(q.Sections[0]); got != c.want {
			t.Errorf("%s: %s, want %s", c.whatIsIt, got, c.want)
		}
	}
}

// TestTextInPiecesGivesTheSameParagraphs writes a text in random pieces and cuts
// it at random, and compares with the text cut at its blank lines.
func TestTextInPiecesGivesTheSameParagraphs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		text := ""
		for range r.IntN(30) {
			text += []string{"word", " ", "\n", "\n\n", "雨", "\n \n", ".", "\r\n", "\t"}[r.IntN(9)]
		}
		p := one(Model, "")
		s := &p.Sections[0]
		for rest := text; rest != ""; {
			n := 1 + r.IntN(min(len(rest), 5))
			for n < len(rest) && rest[n]&0xC0 == 0x80 {
				n++
			}
			p.write(s, rest[:n], Model)
			rest = rest[n:]
		}
		if s.Text != text || joinText(s.Paragraphs) != text {
			t.Fatalf("%q became %q", text, joinText(s.Paragraphs))
		}
		if n := len(starts(text, 0)) + 1; text != "" && len(s.Paragraphs) != n {
			t.Fatalf("%q has %d paragraphs, want %d", text, len(s.Paragraphs), n)
		}
		seen := map[int]bool{}
		for _, q := range s.Paragraphs {
			if !covers(q.Spans, q.Text) || seen[q.ID] || q.ID == 0 {
				t.Fatalf("%q: paragraph %+v", text, q)
			}
			seen[q.ID] = true
		}
		n := chars(text)
		if n > 0 {
			n = r.IntN(n)
		}
		s.keepChars(n)
		if want := firstChars(text, n); s.Text != want || joinText(s.Paragraphs) != want {
			t.Fatalf("%d characters of %q are %q", n, text, joinText(s.Paragraphs))
		}
	}
}

func TestParagraphsKeepTheirIDs(t *testing.T) {
	p := one(Model, "One.\n\nTwo.\n\nThree.")
	ids := func() (out []int) {
		for _, q := range p.Sections[0].Paragraphs {
			out = append(out, q.ID)
		}
		return out
	}
	before := ids()
	e, changed := p.Sections[0].Change("One.\n\nTwo, changed.\n\nThree.", Human, "typed")
	if !changed || e.At != 1 || e.Cut != 1 || len(e.Put) != 1 {
		t.Fatalf("the change is %+v", e)
	}
	p, err := Extend(p, e)
	if err != nil || fmt.Sprint(ids()) != fmt.Sprint(before) {
		t.Errorf("the ids are %v, were %v: %v", ids(), before, err)
	}
	if _, changed := p.Sections[0].Change(p.Sections[0].Text, Human, "typed"); changed {
		t.Error("the same text is a change")
	}
}

// TestUndoGoesThroughEverything does one thing of each kind, undoes all, and
// does all again.
func TestUndoGoesThroughEverything(t *testing.T) {
	state := func(p *Project) string {
		b, err := json.Marshal(struct {
			O Outline
			S []Section
			N string
		}{p.Outline, p.Sections, p.Notes})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	p, err := Extend(nil, Started{ID: "d"}, Request{Prompt: "p"}, Outline{Title: "T", Sections: []SectionPlan{{Title: "A"}, {Index: 1, Title: "B"}}}, PlanDone{})
	if err != nil {
		t.Fatal(err)
	}
	states := []string{state(p)}
	deeds := [][]Record{
		{SectionBegun{Index: 0, Target: 9}, TurnBegun{Index: 0, Kind: "beat", Tokens: []int32{1}}, Text{Index: 0, Text: "It rains.\n\nIt stops.", Tokens: []int32{2}}, TurnEnded{Index: 0, Why: "end", Chars: 20, Keep: 2}, SectionDone{Index: 0}},
		{Edit{Section: 1, At: 1, Cut: 1, Put: []Paragraph{{Text: "It snows."}}, Why: "typed"}, Edit{Section: 1, At: 1, Cut: 1, Put: []Paragraph{{Text: "It snows a lot."}}, Why: "typed", Join: true}},
		{Place{At: 1, Sections: []Whole{{Plan: SectionPlan{Title: "New"}, Section: Section{Paragraphs: []Paragraph{{Text: "Mine."}}}}}}},
		{Move{From: 0, To: 2}}, {Line{Section: 2, Plan: SectionPlan{Title: "B2"}}}, {Title{"T2"}}, {Note{"Ann is tall."}}, {Remove{At: 1, N: 1}},
	}
	for _, some := range deeds {
		if p, err = Extend(p, some...); err != nil {
			t.Fatal(err)
		}
		states = append(states, state(p))
	}
	for i := len(deeds); i >= 0; i-- {
		if got := state(p); got != states[i] {
			t.Fatalf("after %d deeds:\n%s\nwant\n%s", i, got, states[i])
		}
		if p, err = Extend(p, Undo{}); err != nil {
			t.Fatal(err)
		}
	}
	if p.CanUndo() != "" || p.CanRedo() != "write" {
		t.Errorf("undo %q, redo %q", p.CanUndo(), p.CanRedo())
	}
	for i := range deeds {
		b, err := json.Marshal(p.Steps) // as after a restart
		if err == nil {
			p.Steps = nil
			err = json.Unmarshal(b, &p.Steps)
		}
		if err != nil {
			t.Fatal(err)
		}
		if p, err = Extend(p, Redo{}); err != nil {
			t.Fatal(err)
		}
		if got := state(p); got != states[i+1] {
			t.Fatalf("again %d deeds:\n%s\nwant\n%s", i+1, got, states[i+1])
		}
	}
}

func TestEditsThatDoNotFitAreRefused(t *testing.T) {
	p := one(Human, "One.\n\nTwo.")
	before := spansOf(p.Sections[0])
	for _, r := range []Record{
		Edit{Section: 2}, Edit{Section: 1, At: 3}, Edit{Section: 1, At: 1, Cut: 2}, Edit{Section: 1, At: -1}, Place{At: 2}, Place{Sections: []Whole{{Section: Section{ID: 1}}}},
		Remove{At: 0, N: 2}, Remove{At: 2, N: 0}, Move{From: 1}, Move{To: 1}, Line{Section: 9}, Become{Section{ID: 9}}, Snapshot{},
	} {
		if _, err := Extend(p, r); err == nil || spansOf(p.Sections[0]) != before {
			t.Errorf("%T %+v: %v", r, r, err)
		}
	}
}

// TestASnapshotIsTheProject begins a log anew with one record.
func TestASnapshotIsTheProject(t *testing.T) {
	p, err := Extend(nil, Started{ID: "d"}, Request{Prompt: "p"}, Outline{Title: "T", Sections: []SectionPlan{{Title: "A"}}}, PlanDone{}, SectionBegun{Index: 0}, Text{Index: 0, Text: "One.\n\nTwo."},
		Edit{Section: 1, Cut: 1, Put: []Paragraph{{Text: "Won."}}}, Preference{Section: 1, Kept: "a", Rejected: []string{"b"}}, Trains{May: false})
	if err != nil {
		t.Fatal(err)
	}
	line, err := Marshal(Snapshot{p})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Unmarshal(line)
	if err != nil {
		t.Fatal(err)
	}
	q, err := Extend(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(p)
	b, _ := json.Marshal(q)
	if string(a) != string(b) || q.Sections[0].Text != p.Sections[0].Text || !q.Private {
		t.Errorf("the snapshot is\n%s\nthe project\n%s", b, a)
	}
	if q, err = Extend(q, Undo{}); err != nil || p.Sections[0].Text == q.Sections[0].Text {
		t.Errorf("what is undone in the one is undone in the other: %v", err)
	}
}
