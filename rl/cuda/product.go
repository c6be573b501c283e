//go:build cuda

package cuda

import (
	"gorgonia.org/cu"

	"longhand/rl/model"
)

// as is a matrix in another kind: itself, or a copy in scratch.
func (d *Device) as(k model.Kind, m matrix, use int) (matrix, error) {
	if m.kind == k {
		return m, nil
	}
	c, err := d.scratchMatrix(use, k, m.rows, m.cols)
	if err != nil {
		return c, err
	}
	return c, d.copy(c, m, false)
}

// Linear is dst = x Wᵀ + bias.
func (d *Device) Linear(dst, x model.Buffer, w model.Weight, bias model.Buffer, add bool) {
	to, in, f := cellsOf(dst), cellsOf(x), w.(*weight)
	must(to.is(in.rows, f.rows) && in.cols == f.cols, "Linear")
	var b matrix
	if bias != nil {
		b = cellsOf(bias)
		must(b.is(1, f.rows), "Linear")
	}
	d.do("Linear", func() error {
		in, err := d.as(act, in, scratchLeft)
		if err != nil {
			return err
		}
		y, late := to, add && bias != nil && to.kind == act
		if late { // rounded once, not at each addition
			if y, err = d.scratchMatrix(scratchResult, f32, to.rows, to.cols); err != nil {
				return err
			}
		}
		err = d.panels(f, func(panel matrix, row int) error {
			return d.product(y.part(0, y.rows, row, panel.rows), in, panel, false, true, 1, add && !late)
		})
		if err != nil || bias == nil {
			return err
		}
		if err := d.each("add_row", y.rows, y.cols, y, b.address(), b.kind == f32, y.rows, y.cols); err != nil || !late {
			return err
		}
		return d.copy(to, y, true)
	})
}

// LinearT is dx = dy W. Of a weight in several panels what they give is added up in dx.
func (d *Device) LinearT(dx, dy model.Buffer, w model.Weight, add bool) {
	to, from, f := cellsOf(dx), cellsOf(dy), w.(*weight)
	must(to.is(from.rows, f.cols) && from.cols == f.rows, "LinearT")
	d.do("LinearT", func() error {
		from, err := d.as(act, from, scratchLeft)
		if err != nil {
			return err
		}
		return d.panels(f, func(panel matrix, row int) error {
			return d.product(to, from.part(0, from.rows, row, panel.rows), panel, false, false, 1, add || row > 0)
		})
	})
}

// MatMul is dst = s op(a) op(b). Where one of them is F32, both are multiplied as F32.
func (d *Device) MatMul(dst, a, b model.Buffer, transA, transB bool, s float64, add bool) {
	to, left, right := cellsOf(dst), cellsOf(a), cellsOf(b)
	rows, deep := left.rows, left.cols
	if transA {
		rows, deep = deep, rows
	}
	deep2, cols := right.rows, right.cols
	if transB {
		deep2, cols = cols, deep2
	}
	must(to.is(rows, cols) && deep == deep2, "MatMul")
	d.do("MatMul", func() error {
		if left.kind == act && right.kind == act {
			return d.product(to, left, right, transA, transB, float32(s), add)
		}
		l, err := d.as(f32, left, scratchLeft)
		if err != nil {
			return err
		}
		r, err := d.as(f32, right, scratchRight)
		if err != nil {
			return err
		}
		if to.kind == f32 {
			return d.product(to, l, r, transA, transB, float32(s), add)
		}
		c, err := d.scratchMatrix(scratchResult, f32, to.rows, to.cols)
		if err != nil {
			return err
		}
		if err := d.product(c, l, r, transA, transB, float32(s), false); err != nil {
			return err
		}
		return d.copy(to, c, add)
	})
}

// Head scores rows a tile at a time: logits over the whole vocabulary in float32, from them log-probs and entropy,
// and with u the slopes onehot - p in BF16, whose product with the weight is added up in float32.
func (d *Device) Head(logp, entropy, u, x model.Buffer, w model.Weight, target model.Ints) {
	p, e, in, f := cellsOf(logp), cellsOf(entropy), cellsOf(x), w.(*weight)
	must(p.isF32(in.rows, 1) && e.isF32(in.rows, 1) && in.cols == f.cols && target.Len() == in.rows, "Head")
	var grad matrix
	if u != nil {
		grad = cellsOf(u)
		must(grad.is(in.rows, in.cols), "Head")
	}
	d.do("Head", func() error {
		targets, err := within(target, f.rows, "token")
		if err != nil || in.empty() {
			return err
		}
		in, err := d.as(act, in, scratchLeft)
		if err != nil {
			return err
		}
		step := headRows(f.rows)
		for from := 0; from < in.rows; from += step {
			to := min(in.rows, from+step)
			t := tile{rows: to - from, x: in.between(from, to), logp: p.between(from, to), entropy: e.between(from, to), weight: f, targets: targets, from: from}
			if u != nil {
				t.u = grad.between(from, to)
			}
			if err := t.score(d, u != nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// tile is rows of the head that are scored at once.
type tile struct {
	rows, from           int
	x, logp, entropy, u  matrix
	weight               *weight
	targets              *ints
	logits, slope, total matrix
	lse                  *memory
}

func (t *tile) score(d *Device, slopes bool) (err error) {
	w := t.weight
	if t.logits, err = d.scratchMatrix(scratchLogits, f32, t.rows, w.rows); err != nil {
		return err
	}
	if t.lse, err = d.scratchFor(scratchRows, int64(4*t.rows)); err != nil {
		return err
	}
	err = d.panels(w, func(panel matrix, row int) error {
		return d.product(t.logits.part(0, t.rows, row, panel.rows), t.x, panel, false, true, 1, false)
	})
	if err != nil {
		return err
	}
	err = d.launch("head_score", [2]int{t.rows, 1}, [2]int{1024, 1}, 0, vector{t.logp}, t.logp.stride, vector{t.entropy}, t.entropy.stride, t.lse.ptr,
		vector{t.logits}, int64(t.logits.stride), t.target(), w.rows)
	if err != nil || !slopes {
		return err
	}
	if t.slope, err = d.scratchMatrix(scratchSlope, act, t.rows, min(w.rows, slopeCols)); err != nil {
		return err
	}
	t.total = t.u
	if t.u.kind != f32 {
		if t.total, err = d.scratchMatrix(scratchResult, f32, t.rows, w.cols); err != nil {
			return err
		}
	}
	err = d.panels(w, func(panel matrix, row int) error {
		for col := 0; col < panel.rows; col += slopeCols {
			n := min(slopeCols, panel.rows-col)
			slope := t.slope
			slope.cols, slope.stride = n, n
			if err := d.each("head_slope", t.rows, n, vector{slope}, n, vector{t.logits}, int64(t.logits.stride), t.lse.ptr, t.target(), row+col, t.rows, n); err != nil {
				return err
			}
			if err := d.product(t.total, slope, panel.between(col, col+n), false, false, 1, row+col > 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || t.u.kind == f32 {
		return err
	}
	return d.copy(t.u, t.total, false)
}

// target is where the tile's targets lie.
func (t *tile) target() cu.DevicePtr { return t.targets.on.ptr + cu.DevicePtr(4*t.from) }
