package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"longhand/app/draft"
)

// author writes books into a store as the program does: plans, drafts turn by
// turn, edits, undoes, keeps versions. The same seed writes the same books.
type author struct {
	t     testing.TB
	r     *rand.Rand
	s     *Store
	clock time.Time
}

// newAuthor writes into s, whose clock the author turns.
func newAuthor(t testing.TB, s *Store, r *rand.Rand) *author {
	a := &author{t: t, r: r, clock: time.Now().Add(-3 * time.Hour).Truncate(time.Second)}
	a.goOn(s)
	return a
}

func (a *author) goOn(s *Store) {
	a.s = s
	s.now = func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		a.clock = a.clock.Add(3 * time.Second)
		return a.clock
	}
}

func (a *author) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *author) do(b *Book, records ...draft.Record) {
	a.t.Helper()
	for _, r := range records {
		a.must(b.Append(r))
	}
}

var (
	latinWords = strings.Fields("the river runs past old mills where nobody grinds corn any more and water finds its own way down été naïve stone road winter lamp letter answer seven boats under a grey sky she said “wait” but he was gone by then")
	hanWords   = strings.Fields("雨 河流 山谷 夜里 灯火 旧城 他 她 走过 石桥 听见 水声 明天 信 回答 冬天 船 天空 灰色 等待")
)

// prose is so many words, in paragraphs. Every text is like no other.
func (a *author) prose(words int, han bool) string {
	var b strings.Builder
	all, gap, stop := latinWords, " ", "."
	if han {
		all, gap, stop = hanWords, "", "。"
	}
	for i := range words {
		switch {
		case i == 0:
		case i%60 == 0:
			b.WriteString(stop + "\n\n")
		case i%11 == 0:
			b.WriteString(stop + gap)
		default:
			b.WriteString(gap)
		}
		if w := all[a.r.IntN(len(all))]; a.r.IntN(9) == 0 && !han {
			fmt.Fprintf(&b, "%s%d", w, a.r.IntN(1000))
		} else {
			b.WriteString(w)
		}
	}
	return b.String() + stop
}

func (a *author) tokens(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = a.r.Int32N(100_000)
	}
	return out
}

// begin starts a project with an outline of n sections.
func (a *author) begin(id string, n int, han bool) *Book {
	a.t.Helper()
	o := draft.Outline{Title: "The book " + id}
	for k := range n {
		title := fmt.Sprintf("%s %d", latinWords[a.r.IntN(len(latinWords))], k)
		if han {
			title = fmt.Sprintf("%s%d", hanWords[a.r.IntN(len(hanWords))], k)
		}
		o.Sections = append(o.Sections, draft.SectionPlan{Index: k, Title: title, Point: a.prose(12, han), Beats: []string{a.prose(5, han)}, Words: 300})
	}
	b, err := a.s.Create(id, draft.Started{ID: id, Model: "m.gguf", Seed: a.r.Uint64N(1000), Target: n * 300}, draft.Request{Prompt: "A book about " + a.prose(8, han), Words: n * 300})
	a.must(err)
	a.do(b, draft.Think{Text: a.prose(80, false)}, draft.Thought{}, o, draft.PlanDone{Target: n * 300})
	return b
}

// section drafts section k, up to its end or not.
func (a *author) section(b *Book, k int, han, whole bool) {
	a.t.Helper()
	a.do(b, draft.SectionBegun{Index: k, Title: b.Project().Outline.Sections[k].Title, Target: 300}, draft.TurnBegun{Index: k, Kind: "beat", Tokens: a.tokens(20)})
	for text := a.prose(100+a.r.IntN(300), han); text != ""; {
		n := min(len(text), 200+a.r.IntN(200))
		for n < len(text) && text[n]&0xC0 == 0x80 { // between two characters
			n++
		}
		a.do(b, draft.Text{Index: k, Text: text[:n], Tokens: a.tokens(40)})
		text = text[n:]
		if a.r.IntN(4) == 0 {
			a.do(b, draft.Stands{Index: k, Tokens: len(b.Project().Transcript)})
		}
	}
	if !whole {
		return
	}
	p := b.Project()
	a.do(b, draft.TurnEnded{Index: k, Why: "end", Chars: len([]rune(p.Sections[k].Text)), Keep: len(p.Transcript), PerWord: 1.4, Tokens: a.tokens(3)},
		draft.SectionDone{Index: k, Flags: []string{}})
}

// edit does one of the things that writers do.
func (a *author) edit(b *Book, han bool) {
	a.t.Helper()
	p := b.Project()
	k := a.r.IntN(len(p.Sections))
	s := p.Sections[k]
	switch op := a.r.IntN(12); {
	case op < 5 && len(s.Paragraphs) > 0:
		by, why := draft.Human, "typed"
		if op == 0 {
			by, why = draft.Model, "rewrite"
		}
		a.do(b, draft.Edit{Section: s.ID, At: a.r.IntN(len(s.Paragraphs)), Cut: 1, Put: []draft.Paragraph{{Text: a.prose(30+a.r.IntN(40), han)}}, By: by, Why: why})
	case op == 5 && s.Text != "":
		a.must(b.Name(s.ID, fmt.Sprintf("draft %d", a.r.IntN(100))))
	case op == 6:
		a.do(b, draft.Undo{})
	case op == 7:
		a.do(b, draft.Redo{})
	case op == 8:
		a.do(b, draft.Preference{Section: s.ID, Prompt: "rewrite this", Kept: a.prose(20, han), Rejected: []string{a.prose(20, han)}, When: "2026-11-28T10:00:00Z"})
	case op == 9:
		plan := p.Outline.Sections[k]
		plan.Point = a.prose(10, han)
		a.do(b, draft.Line{Section: s.ID, Plan: plan})
	case op == 10:
		a.do(b, draft.Note{Notes: a.prose(25, han)})
	default:
		a.do(b, draft.Move{From: k, To: a.r.IntN(len(p.Sections))})
	}
	a.clock = a.clock.Add(time.Minute)
}

// write drafts some sections of a new project and edits it.
func (a *author) write(id string, sections, whole, edits int, han bool) *Book {
	a.t.Helper()
	b := a.begin(id, sections, han)
	for k := range whole {
		a.section(b, k, han, true)
	}
	for range edits {
		a.edit(b, han)
	}
	return b
}
