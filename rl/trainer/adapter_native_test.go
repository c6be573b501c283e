package main

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"longhand/engine"
	"longhand/engine/enginetest"
	"longhand/rl"
	"longhand/rl/checkpoint"
	"longhand/rl/cpu"
	"longhand/rl/model"
)

// random is an adapter of normal numbers at all matrices of the layers; spread is that of B.
func random(base *checkpoint.File, spread float64) *checkpoint.Adapter {
	draw := rand.New(rand.NewPCG(7, 7))
	a := &checkpoint.Adapter{Architecture: base.Architecture(), Rank: 8, Alpha: 20}
	for _, t := range base.Tensors() {
		if !strings.HasPrefix(t.Name, "blk.") || len(t.Dims) != 2 {
			continue
		}
		p := checkpoint.Pair{Name: t.Name, In: t.Cols, Out: t.Rows, A: make([]float32, 8*t.Cols), B: make([]float32, t.Rows*8)}
		for i := range p.A {
			p.A[i] = float32(draw.NormFloat64() / math.Sqrt(float64(t.Cols)))
		}
		for i := range p.B {
			p.B[i] = float32(spread * draw.NormFloat64())
		}
		a.Pairs = append(a.Pairs, p)
	}
	return a
}

// ourLogprobs are the trainer's, with the adapter and without.
func ourLogprobs(t *testing.T, base *checkpoint.File, a *checkpoint.Adapter, prompt, completion []int32) (with, without []float64) {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	m, err := model.Open(base, d, model.Options{Adapter: a, Rank: a.Rank, MaxRows: 256})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	g := []model.Group{{Prompt: prompt, Completions: [][]int32{completion}}}
	parts := []model.Part{{Group: 0, From: 0, To: 1}}
	score := func(of func([]model.Group, []model.Part) (model.Scores, error)) []float64 {
		s, err := of(g, parts)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(s.Logp[0])
	}
	return score(m.Score), score(m.Reference)
}

// theirLogprobs are llama.cpp's.
func theirLogprobs(t *testing.T, m *engine.Model, adapter string, prompt, completion []int32) []float64 {
	t.Helper()
	if err := m.SetAdapter(t.Context(), adapter); err != nil {
		t.Fatal(err)
	}
	logps, err := m.Logprobs(t.Context(), prompt, completion)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(logps))
	for i, lp := range logps {
		out[i] = float64(lp)
	}
	return out
}

// What our adapter changes in llama.cpp's log-probabilities is what it changes in the trainer's: the slope
// of the one on the other is 1. So it is when the adapter is merged into the file. The base is taken in F16, since what
// llama.cpp rounds with quantised weights is as large as what an adapter changes.
func TestLlamaMovesAsWeDo(t *testing.T) {
	library, path := enginetest.Native(t)
	base, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	dir := t.TempDir()
	a, file := random(base, 0.05), filepath.Join(dir, "adapter.gguf")
	if err := a.WriteGGUF(file, checkpoint.F32); err != nil {
		t.Fatal(err)
	}
	open := func(name string, a *checkpoint.Adapter) *engine.Model {
		wide := filepath.Join(dir, name)
		for _, err := range checkpoint.Merge(t.Context(), base, a, wide, checkpoint.MergeF16) {
			if err != nil {
				t.Fatal(err)
			}
		}
		m, err := engine.Open(wide, engine.Options{Library: library, Threads: 1, Context: 512, GPULayers: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	m, merged := open("base.gguf", random(base, 0)), open("merged.gguf", a)
	text := "The old lighthouse stood at the edge of the village, and nobody had lit it for years. On the first evening of winter a girl climbed its stairs, " +
		"one hundred and twelve of them, with a lamp in her hand and a letter in her pocket. She had found the letter in a book of her grandfather's. It said: " +
		"if you ever want to know where I went, light the lamp, and wait until the sea answers you. She put the lamp behind the glass and waited."
	ids, err := m.Tokenize(t.Context(), engine.Piece{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	prompt, completion := ids[:4], ids[4:]
	lp, lr := ourLogprobs(t, base, a, prompt, completion)
	bare := theirLogprobs(t, m, "", prompt, completion)
	for name, ls := range map[string][]float64{"adapter": theirLogprobs(t, m, file, prompt, completion), "merged into F16": theirLogprobs(t, merged, "", prompt, completion)} {
		it := rl.Item{Logp: lp, Ref: lr, Sampler: make([]float64, len(lp))}
		moved, off := 0.0, 0.0
		for i := range ls {
			it.Sampler[i] = lr[i] + ls[i] - bare[i]
			moved += math.Abs(lp[i]-lr[i]) / float64(len(lp))
			off += math.Abs(lp[i]-ls[i]) / float64(len(lp))
		}
		var s rl.Slope
		s.Add(it)
		slope, e := s.Value()
		t.Logf("%s: slope %.4f +- %.4f over %d tokens, which move by %.2f nat; log-probabilities differ by %.3f nat", name, slope, e, s.N, moved, off)
		if math.Abs(slope-1) > 0.03 || e > 0.01 || moved < 0.3 || off > 0.1 {
			t.Errorf("%s: llama.cpp's log-probabilities do not move as ours do", name)
		}
	}
}
