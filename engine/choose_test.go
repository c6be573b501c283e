package engine

import (
	"math"
	"slices"
	"testing"
)

func TestChoiceIsTheProductOfItsTokens(t *testing.T) {
	m := openSample(t, Options{})
	told := collect(t, m, Request{Prompt: question(t, m, "Write about rain."), MaxTokens: 20})
	held := slices.Clone(m.held)
	prefix := slices.Concat(held[:len(held)-5], words(t, m, " The sky is grey and the street is wet."))
	questions := [][]int32{words(t, m, " Does it rain? Answer:"), words(t, m, " Is it a sunny and very dry day? Answer:")}
	answers := [][][]int32{
		{words(t, m, " yes"), words(t, m, " Yes")},
		{words(t, m, " no"), words(t, m, " certainly not at all")},
	}
	chances, err := m.Choose(t.Context(), prefix, questions, answers)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(held, m.held) {
		t.Error("the transcript was dropped")
	}
	for q, question := range questions {
		for a, spellings := range answers {
			want := 0.0
			for _, spelling := range spellings {
				logps, err := m.Logprobs(t.Context(), slices.Concat(prefix, question), spelling)
				if err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				for _, x := range logps {
					sum += float64(x)
				}
				want += math.Exp(sum)
			}
			if got := chances[q][a]; !(math.Abs(math.Log(got/want)) < 0.2) {
				t.Errorf("question %d, answer %d: %g instead of %g", q, a, got, want)
			}
		}
	}
	t.Log(chances)
	again := collect(t, m, Request{Prompt: held, MaxTokens: 2})
	if got := again.tokens[0]; got.Decoded != 1 || again.ids[0] != told.ids[len(told.ids)-1] {
		t.Errorf("afterwards the transcript goes on with %+v", got)
	}
	for _, bad := range [][][]int32{nil, {{}}, {{-1}}} {
		if _, err := m.Choose(t.Context(), prefix, bad, answers); err == nil {
			t.Errorf("questions %v were taken", bad)
		}
	}
	if _, err := m.Choose(t.Context(), slices.Repeat(prefix, 40), questions, answers); err != ErrContextFull {
		t.Errorf("a prefix beyond the context: %v", err)
	}
}
