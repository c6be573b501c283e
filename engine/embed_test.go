package engine

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"
)

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

func embedOne(t *testing.T, m *Model, text string) []float32 {
	t.Helper()
	found, err := m.Embed(t.Context(), []string{text})
	if err != nil || len(found) != 1 || len(found[0]) != m.Info().Width {
		t.Fatalf("%d embeddings, %v", len(found), err)
	}
	return found[0]
}

func TestAnEmbeddingIsTheMeanOfTheStates(t *testing.T) {
	m := openSample(t, Options{})
	const text = "The tide came in slowly over the grey stones."
	got := embedOne(t, m, text)
	// llama.cpp's own mean, in a context made for it.
	p := llama.ContextDefaultParams()
	p.NCtx, p.NSeqMax, p.NThreads, p.NThreadsBatch = 512, 1, 1, 1
	p.Embeddings, p.PoolingType = 1, llama.PoolingTypeMean
	ctx, err := llama.InitFromModel(m.model, p)
	if err != nil {
		t.Fatal(err)
	}
	defer llama.Free(ctx)
	m.batch.Clear()
	for i, id := range words(t, m, text) {
		if err := m.batch.Add(llama.Token(id), llama.Pos(i), []llama.SeqId{0}, true); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := llama.Decode(ctx, m.batch); err != nil || status != 0 {
		t.Fatal(status, err)
	}
	want, err := llama.GetEmbeddingsSeq(ctx, 0, int32(len(got)))
	if err != nil || want == nil {
		t.Fatal(err)
	}
	for i := range got {
		if math.Abs(float64(got[i]-want[i])) > 1e-3 {
			t.Fatalf("number %d is %g, in llama.cpp's mean %g", i, got[i], want[i])
		}
	}
}

func TestEmbeddingsLeaveTheModelAsItWas(t *testing.T) {
	m := openSample(t, Options{})
	prompt := question(t, m, "Describe a river.")
	before := lastLogits(t, m, prompt)
	held := slices.Clone(m.held)
	texts := []string{
		"The old harbour smelled of tar and of fish.",
		"Tar and fish: that was the smell of the old harbour.",
		"Quarterly revenue rose by four percent after tax.",
		"",
	}
	found, err := m.Embed(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(held, m.held) {
		t.Error("the transcript was dropped")
	}
	if after := lastLogits(t, m, prompt); !slices.Equal(before, after) {
		t.Error("the logits are not what they were")
	}
	mean := make([]float32, len(found[0]))
	for _, v := range found[:3] {
		for i, x := range v {
			mean[i] += x / 3
		}
	}
	for _, v := range found[:3] {
		for i := range v {
			v[i] -= mean[i]
		}
	}
	if same, other := cosine(found[0], found[1]), cosine(found[0], found[2]); same < other+0.5 {
		t.Errorf("the same said again is as near as something else: %.3f, %.3f", same, other)
	}
	if slices.Max(found[3]) != 0 || slices.Min(found[3]) != 0 {
		t.Error("the embedding of nothing is not zero")
	}
	if _, err := m.Embed(t.Context(), []string{"a\x00b"}); err == nil {
		t.Error("a zero byte was taken")
	}
}

func TestALongTextIsSeenInParts(t *testing.T) {
	m := openSample(t, Options{Context: 2048})
	half := strings.Repeat("The tide came in slowly over the grey stones. ", 27)
	n, err := m.Count(t.Context(), half)
	if err != nil || n <= embedTokens/2 || n > embedTokens {
		t.Fatalf("%d tokens, %v", n, err)
	}
	// Two equal halves: each part is the one half.
	if c := cosine(embedOne(t, m, half), embedOne(t, m, half+half)); c < 0.999 {
		t.Errorf("the cosine of one and two equal parts is %.4f", c)
	}
}
