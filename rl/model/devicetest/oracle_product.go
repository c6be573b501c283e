package devicetest

import (
	"math"

	"longhand/rl/model"
)

// Embed is dst[t,:] = w[ids[t],:].
func (d *Oracle) Embed(dst model.Buffer, w model.Weight, ids model.Ints) {
	y, f, id := in(dst), frozen(w), numbers(ids)
	must(y.is(len(id), f.cols), "Embed: %d rows of %d into %v", len(id), f.cols, y)
	if d.err != nil {
		return
	}
	for t, i := range id {
		must(0 <= i && int(i) < f.rows, "Embed: row %d of %d", i, f.rows)
		copy(y.at(t), f.at(int(i)))
	}
}

// Linear is dst = x Wᵀ + bias, or dst += the same.
func (d *Oracle) Linear(dst, x model.Buffer, w model.Weight, bias model.Buffer, add bool) {
	y, in1, f := in(dst), in(x), frozen(w)
	must(y.is(in1.rows, f.rows) && in1.cols == f.cols, "Linear: %v from %v by %d x %d", y, in1, f.rows, f.cols)
	apart("Linear", y, in1)
	b := make([]float64, f.rows)
	if bias != nil {
		must(in(bias).is(1, f.rows), "Linear: a bias of %v for %d", in(bias), f.rows)
		apart("Linear", y, in(bias))
	}
	if d.err != nil {
		return
	}
	if bias != nil {
		copy(b, in(bias).at(0))
	}
	if !add {
		y.clear()
	}
	for t := range y.rows {
		for o := range f.rows {
			y.at(t)[o] += dot(in1.at(t), f.at(o)) + b[o]
		}
	}
}

// LinearT is dx = dy W, or dx += the same.
func (d *Oracle) LinearT(dx, dy model.Buffer, w model.Weight, add bool) {
	x, y, f := in(dx), in(dy), frozen(w)
	must(x.is(y.rows, f.cols) && y.cols == f.rows, "LinearT: %v from %v by %d x %d", x, y, f.rows, f.cols)
	apart("LinearT", x, y)
	if d.err != nil {
		return
	}
	if !add {
		x.clear()
	}
	for t := range y.rows {
		for o, g := range y.at(t) {
			addScaled(x.at(t), g, f.at(o))
		}
	}
}

// MatMul is dst = s op(a) op(b), or dst += the same.
func (d *Oracle) MatMul(dst, a, b model.Buffer, transA, transB bool, s float64, add bool) {
	y, l, r := in(dst), in(a), in(b)
	rows, inner := l.size(transA)
	inner2, cols := r.size(transB)
	must(y.is(rows, cols) && inner == inner2, "MatMul: %v from %v and %v, transposed %v and %v", y, l, r, transA, transB)
	apart("MatMul", y, l, r)
	if d.err != nil {
		return
	}
	if !add {
		y.clear()
	}
	lDown, lRight := l.steps(transA)
	rDown, rRight := r.steps(transB)
	lv, rv := l.of.v[l.row*l.of.cols+l.col:], r.of.v[r.row*r.of.cols+r.col:]
	for i := range rows {
		for j := range cols {
			var sum float64
			for k := range inner {
				sum += lv[i*lDown+k*lRight] * rv[k*rDown+j*rRight]
			}
			y.at(i)[j] += s * sum
		}
	}
}

// Head is log-prob and entropy of every row's target, and the gradient of the
// log-prob by the row.
func (d *Oracle) Head(logp, entropy, u, x model.Buffer, w model.Weight, target model.Ints) {
	lp, ent, h, f, want := in(logp), in(entropy), in(x), frozen(w), numbers(target)
	must(lp.isF32(h.rows, 1) && ent.isF32(h.rows, 1) && h.cols == f.cols && len(want) == h.rows,
		"Head: %v and %v from %v, %d targets, %d x %d", lp, ent, h, len(want), f.rows, f.cols)
	apart("Head", lp, h, ent)
	apart("Head", ent, h)
	if u != nil {
		must(in(u).is(h.rows, h.cols), "Head: a gradient of %v for %v", in(u), h)
		apart("Head", in(u), h, lp, ent)
	}
	if d.err != nil {
		return
	}
	z := make([]float64, f.rows)
	for t := range h.rows {
		must(0 <= want[t] && int(want[t]) < f.rows, "Head: target %d of %d", want[t], f.rows)
		for o := range z {
			z[o] = dot(h.at(t), f.at(o))
		}
		lse := logSumExp(z)
		lp.at(t)[0] = z[want[t]] - lse
		ent.at(t)[0] = 0
		for _, v := range z {
			ent.at(t)[0] += math.Exp(v-lse) * (lse - v)
		}
		if u == nil {
			continue
		}
		ut := in(u).at(t)
		copy(ut, f.at(int(want[t])))
		for o, v := range z {
			addScaled(ut, -math.Exp(v-lse), f.at(o))
		}
	}
}

// logSumExp is log(sum exp z), from the largest on so that nothing overflows.
func logSumExp(z []float64) float64 {
	top := math.Inf(-1)
	for _, v := range z {
		top = max(top, v)
	}
	var sum float64
	for _, v := range z {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}
