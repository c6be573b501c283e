package devicetest

import (
	"math"

	"longhand/rl/model"
)

// Zero sets every cell to 0.
func (d *Oracle) Zero(dst model.Buffer) {
	y := in(dst)
	if d.err != nil {
		return
	}
	y.clear()
}

// Copy is dst = src.
func (d *Oracle) Copy(dst, src model.Buffer) {
	y, x := in(dst), in(src)
	must(y.is(x.rows, x.cols), "Copy: %v from %v", y, x)
	apart("Copy", y, x)
	if d.err != nil {
		return
	}
	for t := range y.rows {
		copy(y.at(t), x.at(t))
	}
}

// Add is dst += src.
func (d *Oracle) Add(dst, src model.Buffer) {
	y, x := in(dst), in(src)
	must(y.is(x.rows, x.cols), "Add: %v to %v", x, y)
	apart("Add", y, x)
	if d.err != nil {
		return
	}
	for t := range y.rows {
		addScaled(y.at(t), 1, x.at(t))
	}
}

// ScaleRows is dst[t,:] = g[t] src[t,:].
func (d *Oracle) ScaleRows(dst, src, g model.Buffer) {
	y, x, s := in(dst), in(src), in(g)
	must(y.is(x.rows, x.cols) && s.is(x.rows, 1), "ScaleRows: %v from %v by %v", y, x, s)
	apartOrSame("ScaleRows", y, x)
	apart("ScaleRows", y, s)
	if d.err != nil {
		return
	}
	for t := range y.rows {
		yt, xt, by := y.at(t), x.at(t), s.at(t)[0]
		for j := range yt {
			yt[j] = by * xt[j]
		}
	}
}

// GatherRows is dst[i,:] = src[rows[i],:].
func (d *Oracle) GatherRows(dst, src model.Buffer, rows model.Ints) {
	y, x, r := in(dst), in(src), numbers(rows)
	must(y.is(len(r), x.cols), "GatherRows: %d rows of %v into %v", len(r), x, y)
	apart("GatherRows", y, x)
	if d.err != nil {
		return
	}
	for i, from := range r {
		must(0 <= from && int(from) < x.rows, "GatherRows: row %d of %v", from, x)
		copy(y.at(i), x.at(int(from)))
	}
}

// ScatterAddRows is dst[rows[i],:] += src[i,:].
func (d *Oracle) ScatterAddRows(dst, src model.Buffer, rows model.Ints) {
	y, x, r := in(dst), in(src), numbers(rows)
	must(x.is(len(r), y.cols), "ScatterAddRows: %v to %d rows of %v", x, len(r), y)
	apart("ScatterAddRows", y, x)
	if d.err != nil {
		return
	}
	for i, to := range r {
		must(0 <= to && int(to) < y.rows, "ScatterAddRows: row %d of %v", to, y)
		addScaled(y.at(int(to)), 1, x.at(i))
	}
}

// SumSquares is dst += the sum of src's squares.
func (d *Oracle) SumSquares(dst, src model.Buffer) {
	y, x := in(dst), in(src)
	must(y.isF32(1, 1), "SumSquares: into %v", y)
	apart("SumSquares", y, x)
	if d.err != nil {
		return
	}
	for t := range x.rows {
		y.at(0)[0] += dot(x.at(t), x.at(t))
	}
}

// AdamW moves p.
func (d *Oracle) AdamW(p, g, m, v model.Buffer, o model.AdamW) {
	pp, gg, mm, vv := in(p), in(g), in(m), in(v)
	for _, b := range []*matrix{pp, gg, mm, vv} {
		must(b.isF32(pp.rows, pp.cols) && b.row == 0 && b.col == 0 && b.cols == b.of.cols, "AdamW: %v for %v", b, pp)
	}
	for _, b := range []*matrix{pp, mm, vv} {
		apart("AdamW", gg, b)
	}
	if d.err != nil {
		return
	}
	for i := range pp.rows {
		p, g, m, v := pp.at(i), gg.at(i), mm.at(i), vv.at(i)
		for j := range p {
			scaled := o.Scale * g[j]
			m[j] = o.Beta1*m[j] + (1-o.Beta1)*scaled
			v[j] = o.Beta2*v[j] + (1-o.Beta2)*scaled*scaled
			p[j] -= o.Rate * (m[j]/o.Correction1/(math.Sqrt(v[j]/o.Correction2)+o.Eps) + o.Decay*p[j])
		}
	}
}

// dot is the sum of products.
func dot(a, b []float64) float64 {
	var sum float64
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// addScaled is y += s x.
func addScaled(y []float64, s float64, x []float64) {
	for i, v := range x {
		y[i] += s * v
	}
}
