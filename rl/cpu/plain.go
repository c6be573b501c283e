package cpu

import "math"

// plain are the kernels in Go, for builds without a C compiler. They are slow, since Go does
// not vectorise, and the tests' measure of the others.
type plain struct{}

func (plain) name() string { return "plain Go" }

func (plain) add(dst, src matrix) {
	for t := range dst.rows {
		s := src.row(t)
		for i := range dst.row(t) {
			dst.data[t*dst.stride+i] += s[i]
		}
	}
}

func (plain) scaleRows(dst, src, g matrix) {
	for t := range dst.rows {
		to, f := dst.row(t), g.data[t*g.stride]
		for i, v := range src.row(t) {
			to[i] = f * v
		}
	}
}

func (plain) sumSquares(src matrix) float64 {
	var sum float64
	for t := range src.rows {
		for _, v := range src.row(t) {
			sum += float64(v) * float64(v)
		}
	}
	return sum
}

func (plain) transpose(dst, src matrix, s float32, add bool) {
	for r := range src.rows {
		for c, v := range src.row(r) {
			v *= s
			if add {
				v += dst.data[c*dst.stride+r]
			}
			dst.data[c*dst.stride+r] = v
		}
	}
}

func (plain) rmsNorm(dst, inv, x matrix, gain []float32, eps float32) {
	n := len(gain)
	for t := range x.rows {
		for h := range x.cols / n {
			from, to := x.row(t)[h*n:(h+1)*n], dst.row(t)[h*n:(h+1)*n]
			var sum float32
			for _, v := range from {
				sum += v * v
			}
			scale := 1 / float32(math.Sqrt(float64(sum/float32(n)+eps)))
			inv.row(t)[h] = scale
			for i, v := range from {
				to[i] = v * scale * gain[i]
			}
		}
	}
}

func (plain) rmsNormBack(dx, dy, x, inv matrix, gain []float32, add bool) {
	n := len(gain)
	for t := range x.rows {
		for h := range x.cols / n {
			from, d, to := x.row(t)[h*n:(h+1)*n], dy.row(t)[h*n:(h+1)*n], dx.row(t)[h*n:(h+1)*n]
			var sum float32
			for i, v := range from {
				sum += v * gain[i] * d[i]
			}
			scale := inv.row(t)[h]
			pull := scale * scale * scale * (sum / float32(n))
			for i, v := range from {
				g := gain[i]*d[i]*scale - v*pull
				if add {
					g += to[i]
				}
				to[i] = g
			}
		}
	}
}

func (plain) rope(x matrix, heads int, table *ropeTable, from int, sign float32) {
	size, w := x.cols/heads, table.width()
	for t := range x.rows {
		cos, sin := table.cos[(from+t)*w:], table.sin[(from+t)*w:]
		for h := range heads {
			v := x.row(t)[h*size : (h+1)*size]
			for j := range table.n {
				a, b, c, s := j, j+table.n, cos[j], sin[j]
				if table.pairwise {
					a, b, c, s = 2*j, 2*j+1, cos[2*j], sin[2*j+1]
				}
				p, q := v[a], v[b]
				v[a], v[b] = p*c-q*s*sign, q*c+p*s*sign
			}
		}
	}
}

func (plain) swiglu(dst, gate, up matrix) {
	for t := range dst.rows {
		to, u := dst.row(t), up.row(t)
		for i, z := range gate.row(t) {
			to[i] = z / (1 + exp32(-z)) * u[i]
		}
	}
}

func (plain) swigluBack(dgate, dup, dy, gate, up matrix) {
	for t := range dy.rows {
		dg, du := dgate.row(t), dup.row(t)
		for i, d := range dy.row(t) {
			z, u := gate.row(t)[i], up.row(t)[i]
			s := 1 / (1 + exp32(-z))
			du[i] = d * z * s
			dg[i] = d * u * s * (1 + z*(1-s))
		}
	}
}

func (plain) softmax(s matrix, sumInv []float32, lse matrix, seen int) {
	for t := range s.rows {
		row := s.row(t)
		top := row[0]
		for _, v := range row[:seen+t] {
			top = max(top, v)
		}
		var sum float64
		for i, v := range row[:seen+t] {
			row[i] = exp32(v - top)
			sum += float64(row[i])
		}
		clear(row[seen+t:])
		sumInv[t] = float32(1 / sum)
		lse.data[t*lse.stride] = top + float32(math.Log(sum))
	}
}

func (plain) softmaxBack(s, dp, lse, dout, out matrix, seen int) {
	for t := range s.rows {
		row, d := s.row(t), dp.row(t)
		var sum float32
		for i, v := range dout.row(t) {
			sum += v * out.row(t)[i]
		}
		l := lse.data[t*lse.stride]
		for i := range seen + t {
			row[i] = exp32(row[i] - l)
			d[i] = row[i] * (d[i] - sum)
		}
		clear(row[seen+t:])
		clear(d[seen+t:])
	}
}

func (plain) head(z matrix, r *running) {
	for t := range z.rows {
		row, top := z.row(t), r.top[t]
		if r.sum[t] == 0 {
			top = row[0]
		}
		for _, v := range row {
			top = max(top, v)
		}
		factor := 0.0
		if r.sum[t] > 0 {
			moved := float64(r.top[t]) - float64(top)
			factor = math.Exp(moved)
			r.weighted[t] = factor * (r.weighted[t] + moved*r.sum[t])
		}
		r.sum[t] *= factor
		for i, v := range row {
			row[i] = exp32(v - top)
			r.sum[t] += float64(row[i])
			r.weighted[t] += float64(row[i]) * float64(v-top)
		}
		r.top[t], r.rescale[t] = top, float32(factor)
	}
}

func (plain) adamW(p, g, m, v []float32, c *[10]float32) {
	for i := range p {
		gs := g[i] * c[0]
		m[i] = m[i]*c[1] + gs*c[2]
		v[i] = v[i]*c[3] + gs*gs*c[4]
		p[i] -= m[i]*c[5]/(float32(math.Sqrt(float64(v[i]*c[6])))+c[7])*c[8] + p[i]*c[9]
	}
}

func (plain) gemm(matrix, matrix, matrix, bool, float32, bool) bool { return false }

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }
