package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// numbers is a matrix of numbers around 0 in wider rows.
func numbers(rows, cols int, seed uint64) matrix {
	r := rand.New(rand.NewPCG(seed, uint64(rows*cols)))
	m := newMatrix(make([]float32, rows*(cols+3)), rows, cols+3)
	for i := range m.data {
		m.data[i] = r.Float32()*2 - 1
	}
	return m.part(0, rows, 1, cols)
}

// product is s op(a) op(b) in float64.
func product(a, b matrix, transA, transB bool, s float64) [][]float64 {
	get := func(m matrix, t bool, r, c int) float64 {
		if t {
			r, c = c, r
		}
		return float64(m.data[r*m.stride+c])
	}
	rows, depth, cols := a.rows, a.cols, b.cols
	if transA {
		rows, depth = depth, rows
	}
	if transB {
		cols = b.rows
	}
	c := make([][]float64, rows)
	for i := range c {
		c[i] = make([]float64, cols)
		for j := range c[i] {
			for p := range depth {
				c[i][j] += get(a, transA, i, p) * get(b, transB, p, j)
			}
			c[i][j] *= s
		}
	}
	return c
}

// TestProducts compares each BLAS, on shapes on both sides of what they treat as small, with
// float64. Alpha and beta arrive in the library, and c's other cells keep what they hold.
func TestProducts(t *testing.T) {
	best, _ := machine(t)
	all := []blas{best, gonumBLAS{}}
	for _, k := range kernelSets() {
		if own, ok := k.(multiplier); ok {
			all = append(all, newOwnBLAS(own))
		}
	}
	for _, n := range [][3]int{{1, 1, 1}, {3, 5, 7}, {16, 33, 9}, {64, 64, 64}, {130, 70, 300}, {37, 530, 290}, {200, 270, 800}} {
		for how := range 4 {
			transA, transB := how&1 != 0, how&2 != 0
			x, y := numbers(n[0], n[2], 1), numbers(n[2], n[1], 2)
			if transA {
				x = numbers(n[2], n[0], 1)
			}
			if transB {
				y = numbers(n[1], n[2], 2)
			}
			want := product(x, y, transA, transB, -1.5)
			for _, b := range all {
				for _, add := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v/%t %t %t/%s", n, transA, transB, add, b.name()), func(t *testing.T) {
						checkProduct(t, n, func(c matrix) { b.sgemm(c, x, y, transA, transB, -1.5, add) }, want, add)
					})
				}
			}
		}
	}
}

// TestThinProducts does the same for the kernels that products with a thin side take.
func TestThinProducts(t *testing.T) {
	for _, k := range kernelSets() {
		for _, n := range [][3]int{{1, 1, 1}, {7, 16, 600}, {50, 16, 130}, {16, 70, 200}, {13, 100, 48}, {100, 37, 16}, {31, 96, 64}, {6, 17, 5}} {
			for how := range 4 {
				transA, add := how&1 != 0, how&2 != 0
				x, y := numbers(n[0], n[2], 3), numbers(n[2], n[1], 4)
				if transA {
					x = numbers(n[2], n[0], 3)
				}
				if !k.gemm(numbers(n[0], n[1], 5), x, y, transA, 0.5, add) {
					continue // plain Go has none
				}
				t.Run(fmt.Sprintf("%s/%v/%t %t", k.name(), n, transA, add), func(t *testing.T) {
					checkProduct(t, n, func(c matrix) { k.gemm(c, x, y, transA, 0.5, add) }, product(x, y, transA, false, 0.5), add)
				})
			}
		}
	}
}

// checkProduct runs f on a matrix within a larger one and compares.
func checkProduct(t *testing.T, n [3]int, f func(c matrix), want [][]float64, add bool) {
	t.Helper()
	c := numbers(n[0], n[1], 9)
	whole := c
	whole.data = whole.data[:cap(whole.data)]
	before := append([]float32(nil), whole.data...)
	f(c)
	for i, v := range whole.data {
		row, col := i/c.stride, i%c.stride
		if row >= c.rows || col >= c.cols {
			if v != before[i] {
				t.Fatalf("cell %d, which is beside the product, is %g in place of %g", i, v, before[i])
			}
			continue
		}
		w := want[row][col]
		if add {
			w += float64(before[i])
		}
		if off := math.Abs(float64(v) - w); !(off < 3e-6*math.Sqrt(float64(n[2]))) {
			t.Fatalf("%d, %d is %g in place of %g", row, col, v, w)
		}
	}
}

// TestTilesChangeNoBit holds this package's products to what makes a run independent of the
// number of threads: the same bits whole and in tiles. Of the machine's BLAS it says whether that is so.
func TestTilesChangeNoBit(t *testing.T) {
	best, kern := machine(t)
	own, err := openBLAS("own", kern)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []blas{best, own} {
		x, y := numbers(300, 576, 1), numbers(700, 576, 2)
		whole, parts := newMatrix(make([]float32, 300*700), 300, 700), newMatrix(make([]float32, 300*700), 300, 700)
		b.sgemm(whole, x, y, false, true, 1, false)
		for r := 0; r < 300; r += 144 {
			for c := 0; c < 700; c += 352 {
				h, w := min(144, 300-r), min(352, 700-c)
				b.sgemm(parts.part(r, h, c, w), x.between(r, r+h), y.between(c, c+w), false, true, 1, false)
			}
		}
		differ := 0
		for i := range whole.data {
			if whole.data[i] != parts.data[i] {
				differ++
			}
		}
		t.Logf("%s: %d of %d cells differ", b.name(), differ, len(whole.data))
		if _, foreign := b.(*library); differ > 0 && !foreign { // OpenBLAS's AVX2 kernels sum the last columns in another order
			t.Errorf("%s: %d of %d cells differ", b.name(), differ, len(whole.data))
		}
	}
}
