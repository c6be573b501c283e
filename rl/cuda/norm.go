//go:build cuda

package cuda

import (
	"math"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"longhand/rl/model"
)

// partThreads is how rows in parts are divided: a block for a wide part, a warp for a narrow one.
func partThreads(parts, n int) (blocks, threads [2]int) {
	if n > 256 {
		return [2]int{parts, 1}, [2]int{256, 1}
	}
	return [2]int{(parts + 7) / 8, 1}, [2]int{32, 8}
}

// RMSNorm is dst = inv x gain on each of heads parts of a row.
func (d *Device) RMSNorm(dst, inv, x, gain model.Buffer, heads int, eps float64) {
	to, i, from, g := cellsOf(dst), cellsOf(inv), cellsOf(x), cellsOf(gain)
	must(normFits(to, from, i, g, heads), "RMSNorm")
	d.do("RMSNorm", func() error {
		if from.empty() {
			return nil
		}
		blocks, threads := partThreads(from.rows*heads, g.cols)
		return d.launch("rms_norm", blocks, threads, 0, to, vector{i}, i.stride, from, vector{g}, from.rows, heads, g.cols, float32(eps))
	})
}

// RMSNormBackward is dx = inv (gain dy - x inv² mean(x gain dy)).
func (d *Device) RMSNormBackward(dx, dy, x, inv, gain model.Buffer, heads int, add bool) {
	to, y, from, i, g := cellsOf(dx), cellsOf(dy), cellsOf(x), cellsOf(inv), cellsOf(gain)
	must(normFits(to, from, i, g, heads) && y.is(from.rows, from.cols), "RMSNormBackward")
	d.do("RMSNormBackward", func() error {
		if from.empty() {
			return nil
		}
		blocks, threads := partThreads(from.rows*heads, g.cols)
		return d.launch("rms_norm_back", blocks, threads, 0, to, y, from, vector{i}, i.stride, vector{g}, from.rows, heads, g.cols, add)
	})
}

func normFits(dst, x, inv, gain matrix, heads int) bool {
	return heads > 0 && gain.isF32(1, gain.cols) && x.cols == heads*gain.cols && dst.is(x.rows, x.cols) && inv.isF32(x.rows, heads)
}

// SwiGLU is dst = silu(gate) up.
func (d *Device) SwiGLU(dst, gate, up model.Buffer) {
	to, g, u := cellsOf(dst), cellsOf(gate), cellsOf(up)
	must(to.is(g.rows, g.cols) && u.is(g.rows, g.cols), "SwiGLU")
	d.do("SwiGLU", func() error { return d.each("swiglu", g.rows, g.cols, to, g, u, g.rows, g.cols) })
}

// SwiGLUBackward gives the gradients of gate and up.
func (d *Device) SwiGLUBackward(dgate, dup, dy, gate, up model.Buffer) {
	dg, du, y, g, u := cellsOf(dgate), cellsOf(dup), cellsOf(dy), cellsOf(gate), cellsOf(up)
	for _, m := range []matrix{dg, du, g, u} {
		must(m.is(y.rows, y.cols), "SwiGLUBackward")
	}
	d.do("SwiGLUBackward", func() error { return d.each("swiglu_back", y.rows, y.cols, dg, du, y, g, u, y.rows, y.cols) })
}

// turn is a table of the sines of an embedding, a row for each position, made on the host in float64.
type turn struct {
	freq      []float64
	positions int
	cos, sin  *memory
}

// RoPE turns the heads of x.
func (d *Device) RoPE(x model.Buffer, l model.Layout, heads int, r *model.RoPE, inverse bool) {
	m, lay, pairs := cellsOf(x), l.(*layout), len(r.Freq)
	must(heads > 0 && m.rows == lay.rows && m.cols%heads == 0 && 2*pairs <= m.cols/heads, "RoPE")
	freq, pairwise, sign := r.Freq, r.Pairwise, float32(1)
	if inverse {
		sign = -1
	}
	d.do("RoPE", func() error {
		if m.empty() || pairs == 0 {
			return nil
		}
		t, err := d.table(freq, lay.positions)
		if err != nil {
			return err
		}
		return d.each("rope", m.rows, heads*pairs, m, lay.table(tablePos), t.cos.ptr, t.sin.ptr, m.rows, heads, m.cols/heads, pairs, pairwise, sign)
	})
}

// table is the one of these frequencies, for at least so many positions.
func (d *Device) table(freq []float64, positions int) (*turn, error) {
	var t *turn
	for _, have := range d.turns {
		if slices.Equal(have.freq, freq) {
			t = have
		}
	}
	if t == nil {
		t = &turn{freq: slices.Clone(freq)}
		d.turns = append(d.turns, t)
	}
	if t.positions >= positions {
		return t, nil
	}
	positions = (positions + 1023) / 1024 * 1024
	cos, sin := make([]float32, positions*len(freq)), make([]float32, positions*len(freq))
	for p := range positions {
		for j, f := range freq {
			s, c := math.Sincos(float64(p) * f)
			cos[p*len(freq)+j], sin[p*len(freq)+j] = float32(c), float32(s)
		}
	}
	for _, side := range []struct {
		on **memory
		v  []float32
	}{{&t.cos, cos}, {&t.sin, sin}} {
		d.drop(*side.on)
		m, err := d.take(int64(4 * len(side.v)))
		if err != nil {
			return nil, err
		}
		*side.on = m
		if err := cu.MemcpyHtoD(m.ptr, unsafe.Pointer(&side.v[0]), int64(4*len(side.v))); err != nil {
			return nil, doing("upload", err)
		}
	}
	t.positions = positions
	return t, nil
}
