package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// closeTo compares two matrices cell by cell, in parts of the larger of the value and 1.
func closeTo(t *testing.T, what string, got, want matrix, most float64) {
	t.Helper()
	for r := range want.rows {
		for c, w := range want.row(r) {
			g := got.row(r)[c]
			if math.IsNaN(float64(w)) && math.IsNaN(float64(g)) {
				continue
			}
			if off := math.Abs(float64(g) - float64(w)); !(off <= most*max(1, math.Abs(float64(w)))) {
				t.Fatalf("%s: %d, %d is %g in place of %g", what, r, c, g, w)
			}
		}
	}
}

// TestKernels compares each set with the loops in Go, at widths around those of its vectors.
func TestKernels(t *testing.T) {
	for _, k := range kernelSets() {
		for _, cols := range []int{1, 3, 4, 15, 16, 17, 33, 64, 100, 1030} {
			t.Run(fmt.Sprintf("%s/%d", k.name(), cols), func(t *testing.T) { compareKernels(t, k, cols) })
		}
	}
}

func compareKernels(t *testing.T, k kernels, cols int) {
	const rows = 5
	p := plain{}
	var seed uint64
	fresh := func(r, c int) matrix { seed++; return numbers(r, c, seed) }
	// both runs f on a copy of each matrix, and compares what the first became.
	both := func(what string, most float64, f func(k kernels, m []matrix), list ...matrix) {
		t.Helper()
		var done [2][]matrix
		for i, kern := range []kernels{k, p} {
			for _, m := range list {
				m.data = slices.Clone(m.data)
				done[i] = append(done[i], m)
			}
			f(kern, done[i])
		}
		for i := range list {
			closeTo(t, fmt.Sprintf("%s, operand %d", what, i), done[0][i], done[1][i], most)
		}
	}
	m := func() matrix { return fresh(rows, cols) }
	both("add", 0, func(k kernels, m []matrix) { k.add(m[0], m[1]) }, m(), m())
	both("add a row", 0, func(k kernels, m []matrix) {
		k.add(m[0], matrix{data: m[1].data, rows: rows, cols: cols})
	}, m(), fresh(1, cols))
	both("scaleRows", 0, func(k kernels, m []matrix) { k.scaleRows(m[0], m[1], m[2]) }, m(), m(), fresh(rows, 1))
	both("transpose", 3e-7, func(k kernels, m []matrix) { k.transpose(m[0], m[1], 1.5, true) }, fresh(cols, rows), m())
	both("rmsNorm", 2e-6, func(k kernels, m []matrix) { k.rmsNorm(m[0], m[1], m[2], m[3].row(0), 1e-5) }, fresh(rows, 2*cols), fresh(rows, 2), fresh(rows, 2*cols), fresh(1, cols))
	for _, add := range []bool{false, true} {
		both("rmsNormBack", 5e-6, func(k kernels, m []matrix) { k.rmsNormBack(m[0], m[1], m[2], m[3], m[4].row(0), add) },
			fresh(rows, 2*cols), fresh(rows, 2*cols), fresh(rows, 2*cols), fresh(rows, 2), fresh(1, cols))
	}
	for _, pairwise := range []bool{false, true} {
		table := &ropeTable{n: cols, pairwise: pairwise}
		table.cos, table.sin = fresh(1, rows*table.width()).row(0), fresh(1, rows*table.width()).row(0)
		if pairwise { // each pair's numbers belong together
			for i := 0; i < len(table.cos); i += 2 {
				table.cos[i], table.sin[i] = table.cos[i+1], -table.sin[i+1]
			}
		}
		both("rope", 1e-6, func(k kernels, m []matrix) { k.rope(m[0], 3, table, 1, -1) }, fresh(rows-1, 3*(2*cols+1)))
	}
	steep := m()
	for i := range steep.data {
		steep.data[i] *= 30
	}
	both("swiglu", 2e-6, func(k kernels, m []matrix) { k.swiglu(m[0], m[1], m[2]) }, m(), steep, m())
	both("swigluBack", 2e-6, func(k kernels, m []matrix) { k.swigluBack(m[0], m[1], m[2], m[3], m[4]) }, m(), m(), m(), steep, m())
	wide := up(cols+rows, 16)
	both("softmax", 2e-6, func(k kernels, m []matrix) { k.softmax(m[0], m[1].row(0), m[2], cols) }, fresh(rows, wide), fresh(1, rows), fresh(rows, 1))
	scores, slopes := fresh(rows, wide), fresh(rows, wide)
	both("softmaxBack", 5e-6, func(k kernels, m []matrix) { k.softmaxBack(m[0], m[1], m[2], m[3], m[4], cols) }, scores, slopes, fresh(rows, 1), fresh(rows, 24), fresh(rows, 24))
	step := [10]float32{0.5, 0.9, 0.1, 0.99, 0.01, 2, 3, 1e-3, 1e-2, 1e-4}
	positive := m()
	for i, v := range positive.data {
		positive.data[i] = v * v
	}
	both("adamW", 2e-6, func(k kernels, m []matrix) {
		k.adamW(m[0].row(1), m[1].row(1), m[2].row(1), m[3].row(1), &step)
	}, m(), m(), m(), positive)
	long := m()
	if got, want := k.sumSquares(long), p.sumSquares(long); math.Abs(got-want) > 1e-6*want {
		t.Errorf("sumSquares is %g in place of %g", got, want)
	}
}

// TestHeadKernel: the running sums over chunks are those of the whole row, also when every logit is far
// below 0 or the largest comes last, and what is not a number is not lost.
func TestHeadKernel(t *testing.T) {
	for _, k := range kernelSets() {
		for _, shift := range []float32{0, -500, 500} {
			z := numbers(4, 90, 3)
			for i := range z.data {
				z.data[i] = z.data[i]*20 + shift
			}
			z.row(1)[89] = shift + 60
			r := &running{make([]float32, 4), make([]float64, 4), make([]float64, 4), make([]float32, 4)}
			want := make([][2]float64, 4)
			for t := range want {
				want[t] = entropyOf(z.row(t))
			}
			for _, part := range [][2]int{{0, 37}, {37, 43}, {80, 10}} {
				k.head(z.part(0, 4, part[0], part[1]), r)
			}
			for row, w := range want {
				lse := float64(r.top[row]) + math.Log(r.sum[row])
				entropy := math.Log(r.sum[row]) - r.weighted[row]/r.sum[row]
				if math.Abs(lse-w[0]) > 1e-5*max(1, math.Abs(w[0])) || math.Abs(entropy-w[1]) > 1e-5 {
					t.Errorf("%s, shift %g, row %d: %g and %g in place of %g and %g", k.name(), shift, row, lse, entropy, w[0], w[1])
				}
			}
		}
		z := newMatrix([]float32{1, 2, float32(math.NaN()), 3}, 1, 4)
		r := &running{make([]float32, 1), make([]float64, 1), make([]float64, 1), make([]float32, 1)}
		if k.head(z, r); !math.IsNaN(r.sum[0]) {
			t.Errorf("%s: a logit that is not a number gives the sum %g", k.name(), r.sum[0])
		}
	}
}

// entropyOf is the log of the sum of exponentials and the entropy, in float64.
func entropyOf(z []float32) [2]float64 {
	top := float64(slices.Max(z))
	var sum, weighted float64
	for _, v := range z {
		e := math.Exp(float64(v) - top)
		sum += e
		weighted += e * (float64(v) - top)
	}
	return [2]float64{top + math.Log(sum), math.Log(sum) - weighted/sum}
}

// TestExponential: of every set exp is within 3 units in the last place, from where it is
// the smallest normal number to where it is the largest. silu(z) = z / (1 + exp(-z)) shows it.
func TestExponential(t *testing.T) {
	for _, k := range kernelSets() {
		var worst float64
		for i := -8700; i < 8800; i++ {
			z := newMatrix([]float32{float32(i) / 100}, 1, 1)
			one, out := newMatrix([]float32{1}, 1, 1), newMatrix([]float32{0}, 1, 1)
			k.swiglu(out, z, one)
			v := float64(z.data[0])
			want := v / (1 + math.Exp(-v))
			if i != 0 {
				worst = max(worst, math.Abs(float64(out.data[0])/want-1))
			}
		}
		if worst > 4e-7 {
			t.Errorf("%s: off by %g", k.name(), worst)
		}
	}
}
