package engine

import (
	"math"
	"slices"
	"testing"
)

// TestASplitCacheDoesWhatASharedDoes goes through all that forks a sequence.
func TestASplitCacheDoesWhatASharedDoes(t *testing.T) {
	shared, split := openSample(t, Options{}), openSample(t, Options{Split: true, Context: 2048, Sequences: 4})
	if shared.Info().Context != 1024 || split.Info().Context != 512 {
		t.Fatalf("%d and %d cells", shared.Info().Context, split.Info().Context)
	}
	prompt := question(t, shared, "Write about a lighthouse.")
	type result struct {
		told, note, next, sampled string
		reused                    int
		logps                     []float32
		chances                   [][]float64
	}
	work := func(m *Model) (r result) {
		told := collect(t, m, Request{Prompt: prompt, MaxTokens: 12})
		held := slices.Clone(m.held)
		note := collect(t, m, Request{Prompt: slices.Concat(prompt, told.ids[:6], words(t, m, " In short:")), MaxTokens: 6, Fork: true})
		logps, err := m.Logprobs(t.Context(), prompt, told.ids)
		if err != nil {
			t.Fatal(err)
		}
		yes, no := [][]int32{words(t, m, " Yes"), words(t, m, "Yes, indeed")}, [][]int32{words(t, m, " No")}
		chances, err := m.Choose(t.Context(), prompt, [][]int32{words(t, m, " Is it tall?"), words(t, m, " Is it red?")}, [][][]int32{yes, no})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(held, m.held) {
			t.Error("the transcript was dropped")
		}
		next := collect(t, m, Request{Prompt: slices.Concat(prompt, told.ids), MaxTokens: 8})
		if next.tokens[0].Decoded != 1 {
			t.Errorf("%d tokens were decoded again", next.tokens[0].Decoded)
		}
		greedy := []SampleRequest{{Prompt: prompt, MaxTokens: 12, Sampling: &Sampling{}}}
		sampled := groups(t, 1, greedy, m.Sample(t.Context(), greedy, 1, SampleOptions{}))[0][0]
		return result{told.text, note.text, next.text, sampled.Text, note.tokens[0].Reused, logps, chances}
	}
	a, b := work(shared), work(split)
	if a.told != b.told || a.note != b.note || a.next != b.next || a.sampled != b.sampled || a.reused != b.reused || a.sampled != a.told {
		t.Errorf("shared: %+v\nsplit:  %+v", a, b)
	}
	for i := range a.logps {
		if math.Abs(float64(a.logps[i]-b.logps[i])) > 0.05 {
			t.Errorf("log-probability %d is %g shared, %g split", i, a.logps[i], b.logps[i])
		}
	}
	for i := range a.chances {
		for j := range a.chances[i] {
			if math.Abs(a.chances[i][j]-b.chances[i][j]) > 0.05*a.chances[i][j] {
				t.Errorf("question %d, answer %d: %g shared, %g split", i, j, a.chances[i][j], b.chances[i][j])
			}
		}
	}
}
