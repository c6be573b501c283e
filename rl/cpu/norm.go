package cpu

import (
	"math"
	"slices"

	"longhand/rl/model"
)

// RMSNorm is dst = inv x gain on each of heads parts of a row.
func (d *Device) RMSNorm(dst, inv, x, gain model.Buffer, heads int, eps float64) {
	to, i, m, g := cells(dst), cells(inv), cells(x), cells(gain)
	must(normFits(to, m, i, g, heads), "RMSNorm")
	if d.err != nil {
		return
	}
	d.eachRows(m.rows, m.cols, func(from, until int) {
		d.kern.rmsNorm(to.between(from, until), i.between(from, until), m.between(from, until), g.data, float32(eps))
	})
}

// RMSNormBackward is dx = inv (gain dy - x inv² mean(x gain dy)).
func (d *Device) RMSNormBackward(dx, dy, x, inv, gain model.Buffer, heads int, add bool) {
	to, y, m, i, g := cells(dx), cells(dy), cells(x), cells(inv), cells(gain)
	must(normFits(to, m, i, g, heads) && y.rows == m.rows && y.cols == m.cols, "RMSNormBackward")
	if d.err != nil {
		return
	}
	d.eachRows(m.rows, m.cols, func(from, until int) {
		d.kern.rmsNormBack(to.between(from, until), y.between(from, until), m.between(from, until), i.between(from, until), g.data, add)
	})
}

// normFits says whether x has heads parts as wide as gain.
func normFits(dst, x, inv, gain matrix, heads int) bool {
	return heads > 0 && x.cols == heads*gain.cols && gain.rows == 1 && dst.rows == x.rows && dst.cols == x.cols &&
		inv.rows == x.rows && inv.cols == heads
}

// SwiGLU is dst = silu(gate) up.
func (d *Device) SwiGLU(dst, gate, up model.Buffer) {
	to, g, u := cells(dst), cells(gate), cells(up)
	must(to.rows == g.rows && to.cols == g.cols && u.rows == g.rows && u.cols == g.cols, "SwiGLU")
	if d.err != nil {
		return
	}
	d.eachRows(g.rows, g.cols, func(from, until int) {
		d.kern.swiglu(to.between(from, until), g.between(from, until), u.between(from, until))
	})
}

// SwiGLUBackward gives the gradients of gate and up.
func (d *Device) SwiGLUBackward(dgate, dup, dy, gate, up model.Buffer) {
	dg, du, y, g, u := cells(dgate), cells(dup), cells(dy), cells(gate), cells(up)
	for _, m := range []matrix{dg, du, g, u} {
		must(m.rows == y.rows && m.cols == y.cols, "SwiGLUBackward")
	}
	if d.err != nil {
		return
	}
	d.eachRows(y.rows, y.cols, func(from, until int) {
		d.kern.swigluBack(dg.between(from, until), du.between(from, until), y.between(from, until), g.between(from, until), u.between(from, until))
	})
}

// RoPE turns the heads of x. The angles' sines are computed once for a layout.
func (d *Device) RoPE(x model.Buffer, l model.Layout, heads int, r *model.RoPE, inverse bool) {
	m, lay := cells(x), l.(*layout)
	must(heads > 0 && m.rows == len(lay.pos) && m.cols%heads == 0 && 2*len(r.Freq) <= m.cols/heads, "RoPE")
	if d.err != nil || m.empty() || len(r.Freq) == 0 {
		return
	}
	sign := float32(1)
	if inverse {
		sign = -1
	}
	t := d.turns(lay, r)
	d.eachRows(m.rows, m.cols, func(from, until int) {
		d.kern.rope(m.between(from, until), heads, t, from, sign)
	})
}

// turns is the layout's table for an embedding.
func (d *Device) turns(l *layout, r *model.RoPE) *ropeTable {
	for i := range l.turns {
		if t := &l.turns[i]; t.table.pairwise == r.Pairwise && slices.Equal(t.freq, r.Freq) {
			return &t.table
		}
	}
	t := ropeTable{n: len(r.Freq), pairwise: r.Pairwise}
	w := t.width()
	t.cos, t.sin = make([]float32, len(l.pos)*w), make([]float32, len(l.pos)*w)
	d.eachRows(len(l.pos), 8*w, func(from, until int) {
		for row := from; row < until; row++ {
			for j, f := range r.Freq {
				sin, cos := math.Sincos(float64(l.pos[row]) * f)
				at := row * w
				if !r.Pairwise {
					t.cos[at+j], t.sin[at+j] = float32(cos), float32(sin)
					continue
				}
				at += 2 * j
				t.cos[at], t.cos[at+1], t.sin[at], t.sin[at+1] = float32(cos), float32(cos), float32(-sin), float32(sin)
			}
		}
	})
	l.turns = append(l.turns, turn{slices.Clone(r.Freq), t})
	return &l.turns[len(l.turns)-1].table
}
