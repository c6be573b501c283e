package devicetest

import (
	"math"

	"longhand/rl/model"
)

// RMSNorm is dst = inv x gain, with inv = 1 / sqrt(mean(x²) + eps), in each of
// heads parts of a row.
func (d *Oracle) RMSNorm(dst, inv, x, gain model.Buffer, heads int, eps float64) {
	y, r, h, g := in(dst), in(inv), in(x), in(gain)
	must(heads > 0 && h.cols%heads == 0 && y.is(h.rows, h.cols) && r.isF32(h.rows, heads) && g.isF32(1, h.cols/heads),
		"RMSNorm: %v from %v in %d parts, inv %v, gain %v", y, h, heads, r, g)
	apartOrSame("RMSNorm", y, h)
	apart("RMSNorm", y, r, g)
	apart("RMSNorm", r, h, g)
	if d.err != nil {
		return
	}
	n := g.cols
	for t := range h.rows {
		for k := range heads {
			yt, xt := y.at(t)[k*n:(k+1)*n], h.at(t)[k*n:(k+1)*n]
			s := 1 / math.Sqrt(dot(xt, xt)/float64(n)+eps)
			r.at(t)[k] = s
			for j := range xt {
				yt[j] = s * xt[j] * g.at(0)[j]
			}
		}
	}
}

// RMSNormBackward is dx = inv (gain dy - x inv² mean(x gain dy)), or dx += the same.
func (d *Oracle) RMSNormBackward(dx, dy, x, inv, gain model.Buffer, heads int, add bool) {
	o, y, h, r, g := in(dx), in(dy), in(x), in(inv), in(gain)
	must(heads > 0 && h.cols%heads == 0 && o.is(h.rows, h.cols) && y.is(h.rows, h.cols) && r.isF32(h.rows, heads) && g.isF32(1, h.cols/heads),
		"RMSNormBackward: %v from %v, x %v in %d parts, inv %v, gain %v", o, y, h, heads, r, g)
	apartOrSame("RMSNormBackward", o, y)
	apart("RMSNormBackward", o, h, r, g)
	if d.err != nil {
		return
	}
	n := g.cols
	gain1 := g.at(0)
	for t := range h.rows {
		for k := range heads {
			ot, yt, xt := o.at(t)[k*n:(k+1)*n], y.at(t)[k*n:(k+1)*n], h.at(t)[k*n:(k+1)*n]
			s := r.at(t)[k]
			var mean float64
			for j := range xt {
				mean += xt[j] * gain1[j] * yt[j] / float64(n)
			}
			for j := range xt {
				v := s * (gain1[j]*yt[j] - xt[j]*s*s*mean)
				if add {
					v += ot[j]
				}
				ot[j] = v
			}
		}
	}
}

// RoPE turns pair j of each head by position * Freq[j], or back.
func (d *Oracle) RoPE(x model.Buffer, l model.Layout, heads int, r *model.RoPE, inverse bool) {
	h, lay, pairs := in(x), places(l), len(r.Freq)
	must(heads > 0 && h.cols%heads == 0 && h.rows == len(lay.pos) && 2*pairs <= h.cols/heads,
		"RoPE: %v in %d heads, %d rows, %d pairs", h, heads, len(lay.pos), pairs)
	if d.err != nil {
		return
	}
	size := h.cols / heads
	for t, pos := range lay.pos {
		for k := range heads {
			head := h.at(t)[k*size : (k+1)*size]
			for j, freq := range r.Freq {
				a, b := j, j+pairs
				if r.Pairwise {
					a, b = 2*j, 2*j+1
				}
				sin, cos := math.Sincos(float64(pos) * freq)
				if inverse {
					sin = -sin
				}
				head[a], head[b] = head[a]*cos-head[b]*sin, head[a]*sin+head[b]*cos
			}
		}
	}
}

// SwiGLU is dst = silu(gate) up.
func (d *Oracle) SwiGLU(dst, gate, up model.Buffer) {
	y, g, u := in(dst), in(gate), in(up)
	must(y.is(g.rows, g.cols) && u.is(g.rows, g.cols), "SwiGLU: %v from %v and %v", y, g, u)
	apart("SwiGLU", y, g, u)
	if d.err != nil {
		return
	}
	for t := range y.rows {
		yt, gt, ut := y.at(t), g.at(t), u.at(t)
		for j, z := range gt {
			yt[j] = z * sigmoid(z) * ut[j]
		}
	}
}

// SwiGLUBackward is dup = dy silu(gate) and dgate = dy up silu'(gate), with
// silu'(z) = s (1 + z (1 - s)) for s the sigmoid of z.
func (d *Oracle) SwiGLUBackward(dgate, dup, dy, gate, up model.Buffer) {
	dg, du, y, g, u := in(dgate), in(dup), in(dy), in(gate), in(up)
	for _, m := range []*matrix{dg, du, y, u} {
		must(m.is(g.rows, g.cols), "SwiGLUBackward: %v beside %v", m, g)
	}
	apartOrSame("SwiGLUBackward", dg, g)
	apartOrSame("SwiGLUBackward", du, u)
	apart("SwiGLUBackward", dg, du, y, u)
	apart("SwiGLUBackward", du, y, g)
	if d.err != nil {
		return
	}
	for t := range y.rows {
		dgt, dut, yt, gt, ut := dg.at(t), du.at(t), y.at(t), g.at(t), u.at(t)
		for j, g := range yt {
			z, up := gt[j], ut[j]
			s := sigmoid(z)
			dgt[j] = g * up * s * (1 + z*(1-s))
			dut[j] = g * z * s
		}
	}
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
