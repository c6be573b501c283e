package model_test

import (
	"math"

	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// Every type here is the oracle with one method that has a fault.

type otherRoPE struct{ *devicetest.Oracle }

func (d otherRoPE) RoPE(x model.Buffer, l model.Layout, heads int, r *model.RoPE, inverse bool) {
	d.Oracle.RoPE(x, l, heads, &model.RoPE{Freq: r.Freq, Pairwise: !r.Pairwise}, inverse)
}

type oneWayRoPE struct{ *devicetest.Oracle }

func (d oneWayRoPE) RoPE(x model.Buffer, l model.Layout, heads int, r *model.RoPE, _ bool) {
	d.Oracle.RoPE(x, l, heads, r, false)
}

type restart struct{ *devicetest.Oracle }

func (d restart) Layout(_ []int32, segments []model.Segment) model.Layout {
	var pos []int32
	for _, s := range segments {
		for i := range s.Rows {
			pos = append(pos, int32(i))
		}
	}
	return d.Oracle.Layout(pos, segments)
}

// relaid is a layout with each segment changed.
func relaid(d *devicetest.Oracle, pos []int32, segments []model.Segment, change func(s *model.Segment)) model.Layout {
	var changed []model.Segment
	for _, s := range segments {
		change(&s)
		changed = append(changed, s)
	}
	return d.Layout(pos, changed)
}

func withoutPrefix(s *model.Segment) { s.PrefixRows = 0 }

type blind struct{ *devicetest.Oracle }

func (d blind) Layout(pos []int32, segments []model.Segment) model.Layout {
	return relaid(d.Oracle, pos, segments, withoutPrefix)
}

type shortSighted struct{ *devicetest.Oracle }

func (d shortSighted) Layout(pos []int32, segments []model.Segment) model.Layout {
	return relaid(d.Oracle, pos, segments, func(s *model.Segment) { s.PrefixRows = max(0, s.PrefixRows-1) })
}

type indiscreet struct{ *devicetest.Oracle }

func (d indiscreet) Layout(pos []int32, segments []model.Segment) model.Layout {
	return relaid(d.Oracle, pos, segments, func(s *model.Segment) {
		if s.PrefixRows > 0 && s.Prefix < s.Start {
			s.PrefixRows = s.Start - s.Prefix
		}
	})
}

type oneOff struct{ *devicetest.Oracle }

func (d oneOff) Attention(dst, lse, q, k, v model.Buffer, l model.Layout, heads, kvHeads int) {
	below := d.Alloc(k.Kind(), k.Rows(), k.Cols())
	defer d.Free(below)
	cells := read(d, k)
	copy(cells[k.Cols():], read(d, k))
	d.Upload(below, cells)
	d.Oracle.Attention(dst, lse, q, below, v, l, heads, kvHeads)
}

type flat struct{ *devicetest.Oracle }

func (d flat) Attention(dst, lse, q, k, v model.Buffer, l model.Layout, heads, kvHeads int) {
	small := d.Alloc(q.Kind(), q.Rows(), q.Cols())
	defer d.Free(small)
	d.Copy(small, q)
	multiply(d, small, 1/math.Sqrt(float64(q.Cols()/heads)))
	d.Oracle.Attention(dst, lse, small, k, v, l, heads, kvHeads)
}

type inTurn struct{ *devicetest.Oracle }

func (d inTurn) Attention(dst, lse, q, k, v model.Buffer, l model.Layout, heads, kvHeads int) {
	size := q.Cols() / heads
	each := func(kv model.Buffer) model.Buffer {
		all := d.Alloc(kv.Kind(), kv.Rows(), q.Cols())
		for h := range heads {
			d.Copy(all.View(0, kv.Rows(), h*size, size), kv.View(0, kv.Rows(), h%kvHeads*size, size))
		}
		return all
	}
	k, v = each(k), each(v)
	d.Oracle.Attention(dst, lse, q, k, v, l, heads, heads)
	d.Free(k)
	d.Free(v)
}

// blindBack goes back through each layout as if it had no prefixes.
type blindBack struct {
	*devicetest.Oracle
	back map[model.Layout]model.Layout
}

func (d blindBack) Layout(pos []int32, segments []model.Segment) model.Layout {
	l := d.Oracle.Layout(pos, segments)
	d.back[l] = relaid(d.Oracle, pos, segments, withoutPrefix)
	return l
}

func (d blindBack) AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse model.Buffer, l model.Layout, heads, kvHeads int) {
	d.Oracle.AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse, d.back[l], heads, kvHeads)
}

type meanless struct{ *devicetest.Oracle }

func (d meanless) AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse model.Buffer, l model.Layout, heads, kvHeads int) {
	zero := d.Alloc(out.Kind(), out.Rows(), out.Cols())
	defer d.Free(zero)
	d.Oracle.AttentionBackward(dq, dk, dv, dout, zero, q, k, v, lse, l, heads, kvHeads)
}

// attentionError has its error in dq, dk or dv.
type attentionError struct {
	*devicetest.Oracle
	in int
}

func (d attentionError) AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse model.Buffer, l model.Layout, heads, kvHeads int) {
	d.Oracle.AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse, l, heads, kvHeads)
	multiply(d, [...]model.Buffer{dq, dk, dv}[d.in], 1.001)
}

type noEpsilon struct{ *devicetest.Oracle }

func (d noEpsilon) RMSNorm(dst, inv, x, gain model.Buffer, heads int, _ float64) {
	d.Oracle.RMSNorm(dst, inv, x, gain, heads, 0)
}

type droppedTerm struct{ *devicetest.Oracle }

func (d droppedTerm) RMSNormBackward(dx, dy, x, inv, gain model.Buffer, heads int, add bool) {
	zero := d.Alloc(x.Kind(), x.Rows(), x.Cols())
	defer d.Free(zero)
	d.Oracle.RMSNormBackward(dx, dy, zero, inv, gain, heads, add)
}

type gainless struct{ *devicetest.Oracle }

func (d gainless) RMSNormBackward(dx, dy, x, inv, gain model.Buffer, heads int, add bool) {
	ones := d.Alloc(model.F32, 1, gain.Cols())
	defer d.Free(ones)
	v := make([]float64, gain.Cols())
	for i := range v {
		v[i] = 1
	}
	d.Upload(ones, v)
	d.Oracle.RMSNormBackward(dx, dy, x, inv, ones, heads, add)
}

type normError struct{ *devicetest.Oracle }

func (d normError) RMSNormBackward(dx, dy, x, inv, gain model.Buffer, heads int, add bool) {
	enlarge(d, dx, add, func() { d.Oracle.RMSNormBackward(dx, dy, x, inv, gain, heads, add) })
}

type shallow struct{ *devicetest.Oracle }

func (d shallow) SwiGLUBackward(dgate, dup, dy, gate, up model.Buffer) {
	slope, z, u := read(d, dy), read(d, gate), read(d, up)
	d.Oracle.SwiGLUBackward(dgate, dup, dy, gate, up)
	for i := range slope {
		slope[i] *= u[i] / (1 + math.Exp(-z[i]))
	}
	d.Upload(dgate, slope)
}

type gateError struct{ *devicetest.Oracle }

func (d gateError) SwiGLUBackward(dgate, dup, dy, gate, up model.Buffer) {
	d.Oracle.SwiGLUBackward(dgate, dup, dy, gate, up)
	multiply(d, dgate, 1.001)
}

type biasless struct{ *devicetest.Oracle }

func (d biasless) Linear(dst, x model.Buffer, w model.Weight, _ model.Buffer, add bool) {
	d.Oracle.Linear(dst, x, w, nil, add)
}

type linearError struct{ *devicetest.Oracle }

func (d linearError) LinearT(dx, dy model.Buffer, w model.Weight, add bool) {
	enlarge(d, dx, add, func() { d.Oracle.LinearT(dx, dy, w, add) })
}

// lastRow overwrites a row that is added to twice.
type lastRow struct {
	*devicetest.Oracle
	rows map[model.Ints][]int32
}

func (d lastRow) Ints(v []int32) model.Ints {
	n := d.Oracle.Ints(v)
	d.rows[n] = v
	return n
}

func (d lastRow) ScatterAddRows(dst, src model.Buffer, rows model.Ints) {
	for i, row := range d.rows[rows] {
		d.Copy(dst.View(int(row), 1, 0, dst.Cols()), src.View(i, 1, 0, src.Cols()))
	}
}

type unscaled struct{ *devicetest.Oracle }

func (d unscaled) MatMul(dst, a, b model.Buffer, transA, transB bool, _ float64, add bool) {
	d.Oracle.MatMul(dst, a, b, transA, transB, 1, add)
}

// productError and forgetful are in the products that add up gradients, of the form aᵀ b.
type productError struct{ *devicetest.Oracle }

func (d productError) MatMul(dst, a, b model.Buffer, transA, transB bool, s float64, add bool) {
	if transA && add {
		s *= 1.001
	}
	d.Oracle.MatMul(dst, a, b, transA, transB, s, add)
}

type forgetful struct{ *devicetest.Oracle }

func (d forgetful) MatMul(dst, a, b model.Buffer, transA, transB bool, s float64, add bool) {
	d.Oracle.MatMul(dst, a, b, transA, transB, s, add && !transA)
}

type aimless struct{ *devicetest.Oracle }

func (d aimless) Head(logp, entropy, u, x model.Buffer, w model.Weight, target model.Ints) {
	d.Oracle.Head(logp, entropy, u, x, w, target)
	if u == nil {
		return
	}
	rows := d.Alloc(u.Kind(), u.Rows(), u.Cols())
	defer d.Free(rows)
	d.Embed(rows, w, target)
	multiply(d, rows, -1)
	d.Add(u, rows)
}

type headError struct{ *devicetest.Oracle }

func (d headError) Head(logp, entropy, u, x model.Buffer, w model.Weight, target model.Ints) {
	d.Oracle.Head(logp, entropy, u, x, w, target)
	if u != nil {
		multiply(d, u, 1.001)
	}
}

type entropyError struct{ *devicetest.Oracle }

func (d entropyError) Head(logp, entropy, u, x model.Buffer, w model.Weight, target model.Ints) {
	d.Oracle.Head(logp, entropy, u, x, w, target)
	multiply(d, entropy, 1.001)
}

type lastSquares struct{ *devicetest.Oracle }

func (d lastSquares) SumSquares(dst, src model.Buffer) {
	d.Zero(dst)
	d.Oracle.SumSquares(dst, src)
}

// adamWith is AdamW with other options.
type adamWith struct {
	*devicetest.Oracle
	change func(*model.AdamW)
}

func (d adamWith) AdamW(p, g, m, v model.Buffer, o model.AdamW) {
	d.change(&o)
	d.Oracle.AdamW(p, g, m, v, o)
}

type innerEpsilon struct{ *devicetest.Oracle }

func (d innerEpsilon) AdamW(p, g, m, v model.Buffer, o model.AdamW) {
	at := read(d, p)
	d.Oracle.AdamW(p, g, m, v, o)
	mean, square := read(d, m), read(d, v)
	for i := range at {
		at[i] -= o.Rate * (mean[i]/o.Correction1/math.Sqrt(square[i]/o.Correction2+o.Eps) + o.Decay*at[i])
	}
	d.Upload(p, at)
}

type coupled struct{ *devicetest.Oracle }

func (d coupled) AdamW(p, g, m, v model.Buffer, o model.AdamW) {
	grad, at := read(d, g), read(d, p)
	for i := range grad {
		grad[i] = o.Scale*grad[i] + o.Decay*at[i]
	}
	with := d.Alloc(model.F32, g.Rows(), g.Cols())
	defer d.Free(with)
	d.Upload(with, grad)
	o.Scale, o.Decay = 1, 0
	d.Oracle.AdamW(p, with, m, v, o)
}

// read is what a buffer of the oracle holds.
func read(d model.Device, b model.Buffer) []float64 {
	v := make([]float64, b.Rows()*b.Cols())
	if err := d.Download(v, b); err != nil {
		panic(err)
	}
	return v
}

// multiply changes every cell of a buffer.
func multiply(d model.Device, b model.Buffer, by float64) {
	v := read(d, b)
	for i := range v {
		v[i] *= by
	}
	d.Upload(b, v)
}

// enlarge makes what an operation writes, or adds, larger by 0.1 %.
func enlarge(d model.Device, dst model.Buffer, added bool, operation func()) {
	before := read(d, dst)
	operation()
	after := read(d, dst)
	for i := range after {
		if !added {
			before[i] = 0
		}
		after[i] = before[i] + 1.001*(after[i]-before[i])
	}
	d.Upload(dst, after)
}
