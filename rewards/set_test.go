package rewards

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// fixed is a reward of one value.
type fixed float64

func (f fixed) Score(context.Context, Prompt, Completion) (Score, error) {
	return Score{Value: float64(f)}, nil
}

// place gives the first of a group 1 and the last 0.
type place struct{}

func (place) Score(context.Context, Prompt, Completion) (Score, error) { return unknown("alone"), nil }

func (place) ScoreGroup(_ context.Context, _ Prompt, group []Completion) ([]Score, error) {
	out := make([]Score, len(group))
	for i := range out {
		out[i].Value = 1 - float64(i)/float64(len(group)-1)
	}
	return out, nil
}

type broken struct{}

func (broken) Score(context.Context, Prompt, Completion) (Score, error) {
	return Score{}, errors.New("the engine died")
}

func TestTotals(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    Set
		want   float64
		broken bool
	}{
		{"nothing", nil, math.NaN(), false},
		{"one", Set{{"a", fixed(0.4), 2, 0}}, 0.4, false},
		{"weighted", Set{{"a", fixed(1), 1, 0}, {"b", fixed(0.5), 3, 0}}, 0.625, false},
		{"unknown is left out", Set{{"a", fixed(1), 1, 0}, {"b", fixed(math.NaN()), 3, 0.5}}, 1, false},
		{"all unknown", Set{{"a", fixed(math.NaN()), 1, 0.5}}, math.NaN(), false},
		{"out of bounds", Set{{"a", fixed(7), 1, 0}, {"b", fixed(-7), 1, 0}}, 0.5, false},
		{"infinite", Set{{"a", fixed(math.Inf(1)), 1, 0}}, 1, false},
		{"a must that is kept", Set{{"a", fixed(0.5), 1, 0.5}}, 0.5, false},
		{"a must that is broken", Set{{"a", fixed(0.49), 1, 0.5}}, 0.49, true},
	} {
		s, err := c.set.Score(t.Context(), Prompt{}, Completion{})
		if err != nil || !near(s.Total, c.want) || s.Broken() != c.broken {
			t.Errorf("%s: %g %v, wanted %g %v: %v", c.name, s.Total, s.Broken(), c.want, c.broken, err)
		}
	}
	set := Set{{"a", fixed(0.5), 1, 0}, {"group", place{}, 1, 0}}
	alone, err := set.Score(t.Context(), Prompt{}, Completion{})
	if err != nil || alone.Total != 0.5 || !math.IsNaN(alone.Value("group")) {
		t.Errorf("alone: %+v: %v", alone, err)
	}
	group, err := set.ScoreGroup(t.Context(), Prompt{}, make([]Completion, 3))
	if err != nil || len(group) != 3 || group[0].Total != 0.75 || group[2].Total != 0.25 || group[1].Rewards[1].Name != "group" {
		t.Errorf("a group: %+v: %v", group, err)
	}
	if _, err := (Set{{"a", broken{}, 1, 0}}).Score(t.Context(), Prompt{}, Completion{}); err == nil || err.Error() != "rewards: a: the engine died" {
		t.Errorf("a failure: %v", err)
	}
}

// FuzzAnyTextHasAScore: within [0, 1], the same each time, alone and in a
// group, with spans inside the text.
func FuzzAnyTextHasAScore(f *testing.F) {
	for _, s := range append(readSamples(f, "honest"), readSamples(f, "cheats")...) {
		f.Add(s.Prompt.Text, s.Text, int(s.Prompt.Form), s.Prompt.Min, s.Prompt.Max, true)
	}
	f.Add("Write 300 words.", "مرحبا بالعالم. "+strings.Repeat("שלום עולם ", 60), 0, 10, 5, true)
	f.Add("", strings.Repeat("😀👩‍👩‍👧🇩🇪 ", 200), 2, -1, 1<<40, true)
	f.Add("写500字", "<think>\xff\xfe</think><answer>"+strings.Repeat("今天", 300), 1, 0, 0, false)
	f.Add("x", "```\n# \n- \n1. \n===\n---\n|\n**a**\n__b__:\n", 2, 1, 1, true)
	f.Add("x", strings.Repeat("the the of a\r\n\r\n", 50)+"\x00\u2028\u200d", 0, 3, 3, true)
	f.Fuzz(func(t *testing.T, prompt, text string, form, low, high int, finished bool) {
		if len(text) > 20_000 {
			return
		}
		p := Prompt{Text: prompt, Min: low, Max: high, Form: Form(uint(form) % 3), Limit: high / 2, Outline: []Heading{{Title: head(prompt, 20)}, {Title: "a", Words: low}}}
		c := Completion{text, finished}
		scores, err := pure.Score(t.Context(), p, c)
		if err != nil {
			t.Fatal(err)
		}
		group, err := pure.ScoreGroup(t.Context(), p, []Completion{{"other", true}, c})
		if err != nil {
			t.Fatal(err)
		}
		chars := len([]rune(text))
		for i, r := range scores.Rewards {
			if !(r.Value >= 0 && r.Value <= 1) && !(math.IsNaN(r.Value) && r.Name == "length" && r.Note != "") {
				t.Errorf("%s is %g", r.Name, r.Value)
			}
			again := group[1].Rewards[i]
			same := slices.EqualFunc(r.Parts, again.Parts, func(a, b Part) bool { return a.Name == b.Name && near(a.Value, b.Value) })
			if !same || !near(r.Value, again.Value) || !slices.Equal(r.Spans, again.Spans) {
				t.Errorf("%s: %+v, then %+v", r.Name, r, again)
			}
			for _, s := range r.Spans {
				if s.Start < 0 || s.End < s.Start || s.End > chars || s.Why == "" {
					t.Errorf("%s: %+v of %d", r.Name, s, chars)
				}
			}
		}
		if !finished && (scores.Value("length") > 0 || scores.Value("format") > 0) {
			t.Errorf("cut off: %+v", scores)
		}
	})
}

// TestChunksDoNotMatter joins a text from pieces of all sizes, as a stream
// brings it, and scores what grows.
func TestChunksDoNotMatter(t *testing.T) {
	for _, s := range readSamples(t, "honest") {
		want, err := pure.Score(t.Context(), s.Prompt, Completion{s.Text, true})
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 7, 100} {
			var b strings.Builder
			for rest := s.Text; rest != ""; rest = rest[min(size, len(rest)):] {
				b.WriteString(rest[:min(size, len(rest))])
				if b.Len()%1000 < size { // what was scored before leaves nothing behind
					if _, err := pure.Score(t.Context(), s.Prompt, Completion{b.String(), true}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got, err := pure.Score(t.Context(), s.Prompt, Completion{b.String(), true}); err != nil || got.Total != want.Total {
				t.Errorf("%s in pieces of %d: %g, whole %g: %v", s.Name, size, got.Total, want.Total, err)
			}
		}
	}
}

// small is a judge of 135 million parameters.
type small struct{ *reader }

func (small) About() (string, int, uint64) { return "small", 512, 135_000_000 }

func TestWeakJudgesAreNamed(t *testing.T) {
	all, err := Parse("length=1,format=1,writing=1,pairwise=1", With{Judge: small{&reader{room: 512}}})
	if err != nil {
		t.Fatal(err)
	}
	got := all.Warnings()
	if len(got) != 2 || !strings.HasPrefix(got[0], "writing: small has 135 million") || !strings.HasPrefix(got[1], "pairwise: small") {
		t.Errorf("%q", got)
	}
	if all, err = Parse("length=1,writing=1", With{Judge: &reader{room: 512}}); err != nil || len(all.Warnings()) > 0 {
		t.Errorf("%q, %v", all.Warnings(), err)
	}
}
