package draft

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestLengthIsHeld(t *testing.T) {
	for name, m := range map[string]*toy{
		"a willing model":              {vocabulary: newVocabulary(), short: 90, context: 2048},
		"a model that ends at once":    {vocabulary: newVocabulary(), short: 8, context: 2048},
		"a model that never ends":      {vocabulary: newVocabulary(), short: 1 << 30, context: 2048},
		"a model that chatters":        {vocabulary: newVocabulary(), short: 60, chatter: 3, context: 2048},
		"a model that loops":           {vocabulary: newVocabulary(), short: 60, loops: 5, context: 2048},
		"a model that gets stuck":      {vocabulary: newVocabulary(), short: 60, stuck: 5, context: 2048},
		"a small context, many cycles": {vocabulary: newVocabulary(), short: 60, context: 1200},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, events := write(t, m, plannedDraft(12, 300))
			f := events[len(events)-1].(Finished)
			if d := f.Words - f.Target; d > f.Target/20 || -d > f.Target/20 {
				t.Errorf("%d words of %d", f.Words, f.Target)
			}
			flagged := 0
			for i, s := range p.Sections {
				n := CountWords(s.Text)
				if off := float64(n)/float64(s.Target) - 1; (off > 0.1 || off < -0.1) && len(s.Flags) == 0 {
					t.Errorf("section %d: %d words of %d, not flagged", i, n, s.Target)
				}
				if !endsSentence(s.Text) {
					t.Errorf("section %d ends in %q", i, s.Text[max(0, len(s.Text)-30):])
				}
				if strings.Contains(s.Text, "Sure here") || strings.Contains(s.Text, "#") {
					t.Errorf("section %d holds chatter", i)
				}
				if len(s.Flags) > 0 {
					flagged++
				}
			}
			if f.Tokens > 4*f.Words {
				t.Errorf("%d tokens were sampled for %d words", f.Tokens, f.Words)
			}
			if flagged != f.Flagged {
				t.Errorf("finished says %d flagged, there are %d", f.Flagged, flagged)
			}
			t.Logf("%d words, %d sections flagged, %d compactions, prompt %d, sampled %d", f.Words, flagged, p.Compactions, f.PromptTokens, f.Tokens)
		})
	}
}

// Text events with rewinds applied are the sections' texts.
func TestEventsTellTheTexts(t *testing.T) {
	m := newToy()
	m.chatter, m.loops = 3, 7
	p, records, events := write(t, m, plannedDraft(6, 250))
	texts := make([]string, 6)
	for _, ev := range events {
		switch ev := ev.(type) {
		case Text:
			texts[ev.Index] += ev.Text
		case Rewind:
			texts[ev.Index] = firstChars(texts[ev.Index], ev.Chars)
		}
	}
	for i := range texts {
		if texts[i] != p.Sections[i].Text {
			t.Errorf("section %d differs from its events", i)
		}
	}
	again, err := Replay(records)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again.Sections, p.Sections) || !reflect.DeepEqual(again.Transcript, p.Transcript) {
		t.Error("the records replayed differ from the draft")
	}
}

// A draft that was cut anywhere and goes on ends as it would have ended.
func TestResumedDraftIsTheSame(t *testing.T) {
	first := plannedDraft(5, 220)
	words := newVocabulary() // a model's ids are the same in every run
	model := func() *toy {
		m := newToy()
		m.vocabulary = words
		m.context, m.chatter, m.loops, m.midway = 1200, 4, 9, true
		return m
	}
	want, records, _ := write(t, model(), first)
	for cut := len(first); cut < len(records); cut++ {
		if _, text := records[cut-1].(Text); text && cut%23 > 0 {
			continue // every record but text, and some of that
		}
		got, _, _ := write(t, model(), throughJSON(t, records[:cut]))
		if got.Markdown() != want.Markdown() {
			t.Fatalf("cut after record %d (%s): another text", cut, records[cut-1].event())
		}
		for i, s := range got.Sections {
			if !s.Done {
				t.Fatalf("cut after record %d: section %d is not done", cut, i)
			}
		}
	}
}

// A draft that was cut anywhere and then changed by the writer goes on from what
// the writer made of it.
func TestAnEditedDraftGoesOn(t *testing.T) {
	first := plannedDraft(5, 220)
	m := newToy()
	m.context = 1200
	_, records, _ := write(t, m, first)
	const mine = "Here stand words that no model wrote."
	for cut := len(first); cut < len(records); cut += 17 {
		p, err := Extend(nil, records[:cut]...)
		if err != nil {
			t.Fatal(err)
		}
		var edits []Record
		if s := p.Sections[0]; len(s.Paragraphs) > 0 {
			edits = append(edits, Edit{Section: s.ID, Cut: 1, Put: []Paragraph{{Text: mine}}, Why: "typed"})
		}
		edits = append(edits,
			Place{At: 1, Sections: []Whole{{Plan: SectionPlan{Title: "A new one", Point: "It was asked for later.", Beats: []string{"first", "then"}, Words: 150}}}},
			Move{From: 5, To: 4}, Line{Section: p.Sections[2].ID, Plan: SectionPlan{Title: "Renamed", Beats: []string{"only"}, Words: 120}}, Undo{}, Redo{})
		changed, _, events := write(t, m, throughJSON(t, append(records[:cut:cut], edits...)))
		if len(edits) > 5 && !strings.HasPrefix(changed.Sections[0].Text, mine) {
			t.Fatalf("cut after record %d: the first section is %.80q", cut, changed.Sections[0].Text)
		}
		if changed.Outline.Sections[1].Title != "A new one" || len(changed.Sections) != 6 {
			t.Fatalf("cut after record %d: the outline is %+v", cut, changed.Outline)
		}
		for i, s := range changed.Sections {
			if !s.Done || CountWords(s.Text) < 50 {
				t.Fatalf("cut after record %d: section %d of %d words, done %v", cut, i, CountWords(s.Text), s.Done)
			}
		}
		if _, ok := events[len(events)-1].(Finished); !ok {
			t.Fatalf("cut after record %d: it ends with %T", cut, events[len(events)-1])
		}
	}
}

func throughJSON(t *testing.T, records []Record) []Record {
	t.Helper()
	var out []Record
	for _, r := range records {
		line, err := Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(line), `{"event":"`) || !json.Valid(line) {
			t.Fatalf("%T is written as %s", r, line)
		}
		back, err := Unmarshal(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, back)
	}
	return out
}

// Between compactions nothing but the new turn is decoded.
func TestNothingIsDecodedTwice(t *testing.T) {
	m := newToy()
	m.context = 1500
	_, records, _ := write(t, m, plannedDraft(10, 250))
	turns := 0
	for _, r := range records {
		if _, ok := r.(TurnBegun); ok {
			turns++
		}
	}
	compactions := 0
	for i, n := range m.decoded {
		if n > 200 {
			compactions++
			if n > m.context/2+200 {
				t.Errorf("request %d decodes %d tokens", i, n)
			}
		}
	}
	if compactions == 0 || compactions > turns/3 {
		t.Errorf("%d requests of %d decode more than a turn", compactions, len(m.decoded))
	}
}

func TestBreakingOffStops(t *testing.T) {
	log := &memory{records: plannedDraft(3, 200)}
	p, err := Extend(nil, log.records...)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	m := newToy()
	for range (&Writer{Engine: m, Log: log}).Write(context.Background(), p) {
		if n++; n == 50 {
			break
		}
	}
	if n != 50 || p.Done {
		t.Errorf("%d events, done %v", n, p.Done)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	for _, err := range (&Writer{Engine: m, Log: log}).Write(ctx, p) {
		last = err
		cancel()
	}
	if last == nil {
		t.Error("a cancelled draft ends without an error")
	}
}
