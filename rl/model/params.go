package model

import (
	"fmt"

	"longhand/rl/checkpoint"
)

// Param is one of the adapter's trained matrices.
type Param struct {
	Name       string // such as "blk.0.attn_q.weight.lora_a"
	Rows, Cols int    // lora_a: rank x in; lora_b: out x rank

	model             *Model
	value, grad, m, v Buffer
}

// Value reads the matrix from the device, row-major; nil after a failure, which
// the model's next call returns.
func (p Param) Value() []float64 { return p.read(p.value) }

// Grad reads the gradient that Backward added up since the last Update.
func (p Param) Grad() []float64 { return p.read(p.grad) }

// Set writes the matrix, for tests and tools.
func (p Param) Set(v []float64) error {
	if len(v) != p.Rows*p.Cols {
		return fmt.Errorf("model: %s has %d values, not %d", p.Name, p.Rows*p.Cols, len(v))
	}
	p.model.d.Upload(p.value, v)
	p.model.refresh()
	return p.model.d.Sync()
}

func (p Param) read(b Buffer) []float64 {
	v := make([]float64, p.Rows*p.Cols)
	if err := p.model.d.Download(v, b); err != nil {
		return nil
	}
	return v
}

// Params are the adapter's matrices by layer, in it q, k, v, output, gate, up, down,
// and of each A, then B.
func (m *Model) Params() []Param {
	var params []Param
	for _, p := range m.pairs {
		for i, name := range p.tensors(p.layer) {
			a := func(b Buffer) Buffer { return p.aRows(b, i) }
			b := func(b Buffer) Buffer { return p.bRows(b, i) }
			params = append(params,
				Param{name + ".lora_a", p.rank, p.in, m, a(p.a.value), a(p.a.grad), a(p.a.m), a(p.a.v)},
				Param{name + ".lora_b", p.outs[i], p.rank, m, b(p.b.value), b(p.b.grad), b(p.b.m), b(p.b.v)})
		}
	}
	return params
}

// Adapter reads the adapter from the device, as the sampler loads it and as a checkpoint
// holds it.
func (m *Model) Adapter() (*checkpoint.Adapter, error) {
	a := &checkpoint.Adapter{
		Architecture: m.cfg.architecture, Rank: m.opts.Rank, Alpha: float32(m.opts.Alpha), Base: modelName(m.file),
	}
	params := m.Params()
	for i := 0; i < len(params); i += 2 {
		pa, pb := params[i], params[i+1]
		pair := checkpoint.Pair{
			Name: pa.Name[:len(pa.Name)-len(".lora_a")], In: pa.Cols, Out: pb.Rows,
			A: narrow(pa.Value()), B: narrow(pb.Value()),
		}
		if pair.A == nil || pair.B == nil {
			return nil, fmt.Errorf("model: read the adapter: %w", m.d.Sync())
		}
		a.Pairs = append(a.Pairs, pair)
	}
	return a, nil
}

// narrow is v as float32; nil stays nil.
func narrow(v []float64) []float32 {
	if v == nil {
		return nil
	}
	w := make([]float32, len(v))
	for i, x := range v {
		w[i] = float32(x)
	}
	return w
}
