package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"longhand/app/draft"
)

// plainDraft is the same as a manuscript, done the simple way.
type plainDraft map[int]string

func (p plainDraft) apply(e draft.Event) {
	switch e := e.(type) {
	case draft.Text:
		p[e.Index] += e.Text
	case draft.Rewind:
		if r := []rune(p[e.Index]); e.Chars < len(r) {
			p[e.Index] = string(r[:e.Chars])
		}
	}
}

func TestManuscriptIsWhatTheEventsSay(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		m, want := newManuscript(), plainDraft{}
		m.apply(draft.Started{ID: "a", Target: 1000})
		for range 400 {
			var e draft.Event = draft.Text{Index: r.IntN(3), Text: randomText(r, r.IntN(60))}
			if i := r.IntN(3); r.IntN(25) == 0 {
				e = draft.Rewind{Index: i, Chars: r.IntN(utf8.RuneCountInString(want[i]) + 20)}
			}
			m.apply(e)
			want.apply(e)
		}
		for i := range m.sections {
			s := &m.sections[i]
			if s.String() != want[i] {
				t.Fatalf("seed %d: section %d is %d bytes, want %d", seed, i, len(s.String()), len(want[i]))
			}
			var again passage
			again.append(want[i])
			if len(again.blocks) != len(s.blocks) {
				t.Fatalf("seed %d: %d blocks, in one go %d", seed, len(s.blocks), len(again.blocks))
			}
			for k, b := range s.blocks {
				if b.text != again.blocks[k].text || len(b.text) > blockHard+utf8.UTFMax || !utf8.ValidString(b.text) {
					t.Fatalf("seed %d: block %d differs or is too long: %d bytes", seed, k, len(b.text))
				}
			}
			lines := ""
			for _, row := range s.rows(nil, rowText, i) {
				lines += row.text
			}
			if squeeze(lines) != squeeze(want[i]) {
				t.Fatalf("seed %d: the rows do not hold the text", seed)
			}
		}
	}
}

func TestWordsAreCountedAsTheDraftCountsThem(t *testing.T) {
	m := newManuscript()
	want := 0
	for _, e := range replay(3000) {
		m.apply(e)
		if d, ok := e.(draft.SectionDone); ok {
			want += d.Words
			if got := m.sections[d.Index].count(); got != d.Words {
				t.Errorf("section %d: %d words, want %d", d.Index, got, d.Words)
			}
		}
	}
	if m.words() != want || m.done() != 6 {
		t.Errorf("%d words, want %d; %d done", m.words(), want, m.done())
	}
	for _, s := range m.texts() {
		if strings.Contains(m.markdown(), s) {
			continue
		}
		t.Error("the Markdown does not hold a section")
	}
}

func TestManuscriptStandsStrangeEvents(t *testing.T) {
	m := newManuscript()
	for _, e := range []draft.Event{draft.Text{Index: -1, Text: "x"}, draft.Text{Index: 1 << 40, Text: "x"}, draft.Rewind{Index: 3, Chars: 7}, draft.Rewind{Index: 0, Chars: -1},
		draft.SectionDone{Index: 2}, draft.Outline{}, draft.SectionBegun{Index: 1}, draft.Engine{State: "restarted"}, draft.Finished{}} {
		m.apply(e)
	}
	m.rows(nil)
	planItems(m, phaseRunning)
	statusLine(m, phaseRunning, 0)
}

func TestRowsShowThePlanUntilItIsWritten(t *testing.T) {
	m := newManuscript()
	m.apply(draft.Outline{Title: "T", Sections: []draft.SectionPlan{
		{Part: "One", Title: "A", Point: "what A says"}, {Index: 1, Part: "One", Title: "B", Point: "what B says"}, {Index: 2, Part: "Two", Title: "C", Point: "what C says"}}})
	m.apply(draft.SectionBegun{Index: 0, Title: "A"})
	m.apply(draft.Text{Text: "\n\nFirst.\n\n- a\n- b\n\nLast"})
	var got []string
	for _, r := range m.rows(nil) {
		got = append(got, strings.Repeat(">", int(r.gap))+r.text)
	}
	want := "T|One|A|>>First.|>>- a|>- b|>>Last|B|what B says|Two|C|what C says"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("rows are %s\nwant     %s", s, want)
	}
}

func TestThinkingIsBounded(t *testing.T) {
	m := newManuscript()
	for range 5 * thinkingBlocks {
		m.apply(draft.Think{Text: "a thought\n"})
	}
	if n := len(m.thinking.blocks); n > thinkingBlocks {
		t.Errorf("%d blocks kept", n)
	}
	if n := m.thinking.count(); n != 10*thinkingBlocks {
		t.Errorf("%d words counted", n)
	}
}

// randomText has blanks, newlines, long runs and wide letters.
func randomText(r *rand.Rand, n int) string {
	letters := []rune("abcdefghij  \n漢字é😀*-")
	if r.IntN(4) == 0 {
		letters = []rune("aé漢")
		n *= 8
	}
	var b strings.Builder
	for range n {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }
