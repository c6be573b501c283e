package model_test

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"

	"longhand/rl/checkpoint"
	"longhand/rl/cpu"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// tiny is the shape of a random model, small enough for central differences.
type tiny struct {
	architecture                  string
	layers, width, heads, kvHeads int
	headSize, ff, vocabulary      int
	rope                          int  // dimensions that turn; 0: all of a head
	untied, frequencies           bool // an output.weight; a rope_freqs.weight
	entries                       []checkpoint.Entry
	drop                          string // the tensor or key that is left out
	extra                         []*checkpoint.Tensor
}

// shapes are one model of each kind: heads that do not fill the width, shared key heads,
// partial rotation, biases, norms of the heads, tied and own heads.
func shapes() map[string]tiny {
	return map[string]tiny{
		"llama": {architecture: "llama", layers: 2, width: 12, heads: 3, kvHeads: 1, headSize: 4, ff: 20, vocabulary: 23, untied: true, frequencies: true},
		"qwen2": {architecture: "qwen2", layers: 2, width: 12, heads: 2, kvHeads: 2, headSize: 6, ff: 17, vocabulary: 19, rope: 4},
		"qwen3": {architecture: "qwen3", layers: 3, width: 10, heads: 4, kvHeads: 2, headSize: 4, ff: 14, vocabulary: 21},
	}
}

// write makes the model's file. Equal seeds make equal files.
func (s tiny) write(t testing.TB, seed uint64) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	matrix := func(name string, rows, cols int, mean, spread float64) *checkpoint.Tensor {
		v := make([]float32, rows*cols)
		for i := range v {
			v[i] = float32(mean + spread*r.NormFloat64())
		}
		return checkpoint.NewTensor(name, checkpoint.F32, rows, cols, v)
	}
	weight := func(name string, rows, cols int) *checkpoint.Tensor {
		return matrix(name, rows, cols, 0, 1.2/math.Sqrt(float64(cols)))
	}
	tensors := []*checkpoint.Tensor{
		matrix("token_embd.weight", s.vocabulary, s.width, 0, 0.8), matrix("output_norm.weight", 1, s.width, 1, 0.2),
	}
	if s.untied {
		tensors = append(tensors, weight("output.weight", s.vocabulary, s.width))
	}
	if s.frequencies {
		tensors = append(tensors, matrix("rope_freqs.weight", 1, s.headSize/2, 2, 0.3))
	}
	q, kv := s.heads*s.headSize, s.kvHeads*s.headSize
	for l := range s.layers {
		b := "blk." + strconv.Itoa(l) + "."
		tensors = append(tensors,
			matrix(b+"attn_norm.weight", 1, s.width, 1, 0.2), matrix(b+"ffn_norm.weight", 1, s.width, 1, 0.2),
			weight(b+"attn_q.weight", q, s.width), weight(b+"attn_k.weight", kv, s.width), weight(b+"attn_v.weight", kv, s.width),
			weight(b+"attn_output.weight", s.width, q),
			weight(b+"ffn_gate.weight", s.ff, s.width), weight(b+"ffn_up.weight", s.ff, s.width), weight(b+"ffn_down.weight", s.width, s.ff))
		switch s.architecture {
		case "qwen2":
			tensors = append(tensors, matrix(b+"attn_q.bias", 1, q, 0, 0.5), matrix(b+"attn_k.bias", 1, kv, 0, 0.5), matrix(b+"attn_v.bias", 1, kv, 0, 0.5))
		case "qwen3":
			tensors = append(tensors, matrix(b+"attn_q_norm.weight", 1, s.headSize, 1, 0.2), matrix(b+"attn_k_norm.weight", 1, s.headSize, 1, 0.2))
		}
	}
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := checkpoint.Write(path, s.header(), s.without(append(tensors, s.extra...))); err != nil {
		t.Fatal(err)
	}
	return path
}

// header is what the file says of the shape; entries given take the place of these.
func (s tiny) header() []checkpoint.Entry {
	a := s.architecture + "."
	n := func(name string, v int) checkpoint.Entry { return checkpoint.Entry{Key: a + name, Value: uint32(v)} }
	all := append([]checkpoint.Entry{
		{Key: "general.architecture", Value: s.architecture},
		{Key: "general.name", Value: "tiny"},
		n("block_count", s.layers), n("context_length", 256), n("embedding_length", s.width), n("feed_forward_length", s.ff),
		n("attention.head_count", s.heads), n("attention.head_count_kv", s.kvHeads),
		n("attention.key_length", s.headSize), n("attention.value_length", s.headSize),
		{Key: a + "attention.layer_norm_rms_epsilon", Value: float32(1e-5)},
		{Key: a + "rope.freq_base", Value: float32(100)},
	}, s.entries...)
	if s.rope > 0 {
		all = append(all, n("rope.dimension_count", s.rope))
	}
	var kept []checkpoint.Entry
	for i, e := range all {
		later := false
		for _, o := range all[i+1:] {
			later = later || o.Key == e.Key
		}
		if !later && e.Key != s.drop {
			kept = append(kept, e)
		}
	}
	return kept
}

func (s tiny) without(tensors []*checkpoint.Tensor) []*checkpoint.Tensor {
	var kept []*checkpoint.Tensor
	for _, t := range tensors {
		if t.Name != s.drop {
			kept = append(kept, t)
		}
	}
	return kept
}

// devices are what the tests of equal bits run on: the oracle, whose parameters are held in
// float32 as real devices do, and the processor.
func devices(t testing.TB) map[string]func() model.Device {
	return map[string]func() model.Device{
		"oracle": func() model.Device { return single{devicetest.NewOracle()} },
		"cpu": func() model.Device {
			d, err := cpu.New(cpu.Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			return d
		},
	}
}

// open opens a model's file on a device.
func open(t testing.TB, path string, d model.Device, o model.Options) *model.Model {
	t.Helper()
	m, err := tryOpen(t, path, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func tryOpen(t testing.TB, path string, d model.Device, o model.Options) (*model.Model, error) {
	t.Helper()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(f, d, o)
	t.Cleanup(func() {
		if m != nil {
			m.Close()
		}
		f.Close()
	})
	return m, err
}

// stir gives every pair random values, so that no gradient is zero.
func stir(t testing.TB, m *model.Model, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	for _, p := range m.Params() {
		v := make([]float64, p.Rows*p.Cols)
		for i := range v {
			v[i] = float64(float32(0.3 * r.NormFloat64()))
		}
		if err := p.Set(v); err != nil {
			t.Fatal(err)
		}
	}
}

// draw makes groups of random tokens: prompts of 1 to 5 tokens, completions of 1 to 6.
func draw(vocabulary, groups, completions int, seed uint64) []model.Group {
	r := rand.New(rand.NewPCG(seed, 3))
	tokens := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32(r.IntN(vocabulary))
		}
		return ids
	}
	all := make([]model.Group, groups)
	for i := range all {
		all[i].Prompt = tokens(1 + r.IntN(5))
		for j := range completions {
			all[i].Completions = append(all[i].Completions, tokens(1+(j+r.IntN(3))%6))
		}
	}
	return all
}

// whole is a micro-batch of all groups.
func whole(groups []model.Group) []model.Part {
	var parts []model.Part
	for i, g := range groups {
		parts = append(parts, model.Part{Group: i, To: len(g.Completions)})
	}
	return parts
}

// slopes is a made-up dL/dlogp for each token of a completion of a group.
func slopes(group, completion, n int) []float64 {
	g := make([]float64, n)
	for i := range g {
		g[i] = math.Sin(float64(1+3*group+5*completion+7*i)) / 3
	}
	return g
}

// gradientOf is what micro's completions have as dL/dlogp.
func gradientOf(groups []model.Group, micro []model.Part) [][]float64 {
	var g [][]float64
	for _, p := range micro {
		for c := p.From; c < p.To; c++ {
			g = append(g, slopes(p.Group, c, len(groups[p.Group].Completions[c])))
		}
	}
	return g
}

// accumulate runs Forward and Backward over micro-batches and gives the log-probs by
// group and completion, and the gradients by parameter.
func accumulate(t testing.TB, m *model.Model, groups []model.Group, micro [][]model.Part) (logp map[[2]int][]float64, grads map[string][]float64) {
	t.Helper()
	logp, grads = map[[2]int][]float64{}, map[string][]float64{}
	for _, parts := range micro {
		s, err := m.Forward(groups, parts)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for _, p := range parts {
			for c := p.From; c < p.To; c++ {
				logp[[2]int{p.Group, c}] = s.Logp[i]
				i++
			}
		}
		if err := m.Backward(gradientOf(groups, parts)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range m.Params() {
		grads[p.Name] = p.Grad()
	}
	return logp, grads
}

// distance is ||a - b|| / ||b||.
func distance(a, b []float64) float64 {
	var d, n float64
	for i := range b {
		d += (a[i] - b[i]) * (a[i] - b[i])
		n += b[i] * b[i]
	}
	return math.Sqrt(d / n)
}
