package rl

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// A tiny model: one layer of random weights, as small as the decoder allows, whose
// tokens are the bytes below 64 with 32 added, but for the last, which ends a text.
const (
	tinyWidth, tinyVocabulary = 8, 30
	tinyEnd                   = tinyVocabulary - 1
)

// A keeper is what the tiny parts need of a test; a child process has one of its own.
type keeper interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
}

// writeTiny makes the model's file.
func writeTiny(t testing.TB) string {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 1))
	matrix := func(name string, rows, cols int, mean, spread float64) *checkpoint.Tensor {
		v := make([]float32, rows*cols)
		for i := range v {
			v[i] = float32(mean + spread*r.NormFloat64())
		}
		return checkpoint.NewTensor(name, checkpoint.F32, rows, cols, v)
	}
	const w, ff = tinyWidth, 12
	tensors := []*checkpoint.Tensor{
		matrix("token_embd.weight", tinyVocabulary, w, 0, 0.6), matrix("output_norm.weight", 1, w, 1, 0.2),
		matrix("blk.0.attn_norm.weight", 1, w, 1, 0.2), matrix("blk.0.ffn_norm.weight", 1, w, 1, 0.2),
	}
	for name, size := range map[string][2]int{"attn_q": {w, w}, "attn_k": {w / 2, w}, "attn_v": {w / 2, w}, "attn_output": {w, w}, "ffn_gate": {ff, w}, "ffn_up": {ff, w}, "ffn_down": {w, ff}} {
		r = rand.New(rand.NewPCG(uint64(len(name)), uint64(name[len(name)-1])))
		tensors = append(tensors, matrix("blk.0."+name+".weight", size[0], size[1], 0, 0.5))
	}
	n := func(name string, v int) checkpoint.Entry {
		return checkpoint.Entry{Key: "llama." + name, Value: uint32(v)}
	}
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	err := checkpoint.Write(path, []checkpoint.Entry{
		{Key: "general.architecture", Value: "llama"}, {Key: "general.name", Value: "tiny"},
		n("block_count", 1), n("context_length", 256), n("embedding_length", w), n("feed_forward_length", ff),
		n("attention.head_count", 2), n("attention.head_count_kv", 1),
		{Key: "llama.attention.layer_norm_rms_epsilon", Value: float32(1e-5)}, {Key: "llama.rope.freq_base", Value: float32(100)},
	}, tensors)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tinyPolicy is a *model.Model as the trainer's process makes it a Policy, but for the
// PEFT files.
type tinyPolicy struct {
	*model.Model
	sick *bool
}

func (p tinyPolicy) WriteAdapter(path string) error {
	a, err := p.Adapter()
	if err != nil {
		return err
	}
	return a.WriteGGUF(path, checkpoint.F32)
}

func (p tinyPolicy) Export(dir string) error { return nil }

// float32Oracle is the oracle with what a checkpoint holds, adapter and moments, in float32, so
// that a run goes on from one with the same bits.
type float32Oracle struct {
	*devicetest.Oracle
	sick *bool // its scores are not numbers
}

func (d float32Oracle) Head(logp, entropy, u, x model.Buffer, w model.Weight, target model.Ints) {
	d.Oracle.Head(logp, entropy, u, x, w, target)
	if *d.sick {
		v := make([]float64, logp.Rows())
		v[0] = math.NaN()
		d.Oracle.Upload(logp, v)
	}
}

func (d float32Oracle) Upload(dst model.Buffer, src []float64) {
	rounded := make([]float64, len(src))
	for i, x := range src {
		rounded[i] = float64(float32(x))
	}
	d.Oracle.Upload(dst, rounded)
}

func (d float32Oracle) AdamW(p, g, m, v model.Buffer, o model.AdamW) {
	d.Oracle.AdamW(p, g, m, v, o)
	for _, b := range []model.Buffer{p, m, v} {
		x := make([]float64, b.Rows()*b.Cols())
		if d.Download(x, b) == nil {
			d.Upload(b, x)
		}
	}
}

// openTiny opens the tiny model on the oracle.
func openTiny(t keeper, path string, o model.Options) tinyPolicy {
	t.Helper()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if o.Rank == 0 {
		o.Rank, o.Alpha = 2, 5
	}
	if o.MaxRows == 0 {
		o.MaxRows = 256
	}
	sick := new(bool)
	m, err := model.Open(f, float32Oracle{devicetest.NewOracle(), sick}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(); f.Close() })
	return tinyPolicy{m, sick}
}

// stir gives the adapter random values, so that no gradient is 0.
func stir(t testing.TB, p Policy) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 3))
	for _, q := range p.Params() {
		v := make([]float64, q.Rows*q.Cols)
		for i := range v {
			v[i] = float64(float32(0.3 * r.NormFloat64()))
		}
		if err := q.Set(v); err != nil {
			t.Fatal(err)
		}
	}
}

func norm(v []float64) (sum float64) {
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}
