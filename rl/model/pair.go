package model

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"

	"longhand/rl/checkpoint"
)

// pair is the LoRA pair of projections that read the same input: y += scale (x Aᵀ) Bᵀ for
// each, the A's below one another as one matrix, the B's as another.
type pair struct {
	joined
	layer int
	rank  int
	a     param // (projections x rank) x in
	b     param // (sum of outs) x rank
}

// param is a trained matrix: its F32 value, the copy that products read, its gradient
// and its moments.
type param struct{ value, act, grad, m, v Buffer }

func newPair(b *buffers, layer int, j joined, rank int) *pair {
	make1 := func(rows, cols int) param {
		f32 := func() Buffer { return b.get("adapter", F32, rows, cols) }
		return param{value: f32(), act: b.get("adapter", Act, rows, cols), grad: f32(), m: f32(), v: f32()}
	}
	return &pair{joined: j, layer: layer, rank: rank, a: make1(len(j.names)*rank, j.in), b: make1(j.rows(), rank)}
}

// aRows and bRows are the views of projection i in a buffer shaped as a's or b's.
func (p *pair) aRows(b Buffer, i int) Buffer { return band(b, i*p.rank, p.rank) }
func (p *pair) bRows(b Buffer, i int) Buffer { return band(b, p.offset(i), p.outs[i]) }

// offset is where projection i begins in the joined output.
func (p *pair) offset(i int) int {
	n := 0
	for _, out := range p.outs[:i] {
		n += out
	}
	return n
}

// out and mid are the columns of projection i of the joined output, and of x Aᵀ.
func (p *pair) out(b Buffer, i int) Buffer { return cols(b, p.offset(i), p.outs[i]) }
func (p *pair) mid(b Buffer, i int) Buffer { return cols(b, i*p.rank, p.rank) }

// forward adds to y, T x outs, scale times the pairs' product with x, T x in. It leaves
// xa = x Aᵀ, T x (projections x rank), for the backward.
func (p *pair) forward(d Device, y, x, xa Buffer, scale float64) {
	p.narrow(d, xa, x)
	for i := range p.outs {
		d.MatMul(p.out(y, i), p.mid(xa, i), p.bRows(p.b.act, i), false, true, scale, true)
	}
}

// narrow is xa = x Aᵀ.
func (p *pair) narrow(d Device, xa, x Buffer) {
	d.Mark("lora")
	d.MatMul(xa, x, p.a.act, false, true, 1, false)
}

// backward adds the gradients of A and B, and to dx, unless it is nil, the pairs'
// share of the input's. t, T x (projections x rank), is scratch: scale dy B.
func (p *pair) backward(d Device, dx, dy, x, xa, t Buffer, scale float64) {
	d.Mark("lora")
	for i := range p.outs {
		d.MatMul(p.mid(t, i), p.out(dy, i), p.bRows(p.b.act, i), false, false, scale, false)
		d.MatMul(p.bRows(p.b.grad, i), p.out(dy, i), p.mid(xa, i), true, false, scale, true)
	}
	d.MatMul(p.a.grad, t, x, true, false, 1, true)
	if dx != nil {
		d.MatMul(dx, t, p.a.act, false, false, 1, true)
	}
}

// pair is the one at a place of projections() in a layer.
func (m *Model) pair(layer, place int) *pair { return m.pairs[4*layer+place] }

// drawOrTake sets the adapter: from Options.Adapter where that has a pair for the tensor, else A
// from the seed and B zero, which changes nothing yet.
func (m *Model) drawOrTake() error {
	given := map[string]checkpoint.Pair{}
	if m.opts.Adapter != nil {
		for _, p := range m.opts.Adapter.Pairs {
			given[p.Name] = p
		}
	}
	for _, p := range m.pairs {
		for i, name := range p.tensors(p.layer) {
			if g, ok := given[name]; ok {
				m.d.Upload(p.aRows(p.a.value, i), widen(g.A))
				m.d.Upload(p.bRows(p.b.value, i), widen(g.B))
				continue
			}
			m.d.Upload(p.aRows(p.a.value, i), drawA(m.opts.Seed, name, p.rank, p.in))
		}
	}
	m.refresh()
	return m.d.Sync()
}

// drawA is A, rank x in, uniform in +-1/sqrt(in): float32 values from a stream of
// the seed and the tensor's name alone.
func drawA(seed uint64, name string, rank, in int) []float64 {
	key := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), name+".lora_a"...))
	stream := rand.NewChaCha8(key)
	bound := 1 / math.Sqrt(float64(in))
	a := make([]float64, rank*in)
	for i := range a {
		unit := float64(stream.Uint64()>>11) / (1 << 53)
		a[i] = float64(float32((2*unit - 1) * bound))
	}
	return a
}

// refresh brings the copies that products read up to the values.
func (m *Model) refresh() {
	for _, p := range m.pairs {
		m.d.Copy(p.a.act, p.a.value)
		m.d.Copy(p.b.act, p.b.value)
	}
}

func widen(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}
