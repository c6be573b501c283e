package cpu

import "longhand/rl/model"

// Linear is dst = x Wᵀ + bias, a panel of W after another: each gives columns of dst.
func (d *Device) Linear(dst, x model.Buffer, w model.Weight, bias model.Buffer, add bool) {
	to, in, f := cells(dst), cells(x), w.(*weight)
	must(to.rows == in.rows && to.cols == f.rows && in.cols == f.cols, "Linear")
	var b matrix
	if bias != nil {
		b = cells(bias)
		must(b.rows == 1 && b.cols == f.rows, "Linear")
	}
	if d.err != nil || to.empty() {
		return
	}
	d.panels(f, func(panel matrix, row int) {
		part := to.part(0, to.rows, row, panel.rows)
		d.tiles(part.rows, part.cols, panel.cols, func(_ int, t tile) {
			c := part.part(t.row, t.rows, t.col, t.cols)
			d.blas.sgemm(c, in.between(t.row, t.row+t.rows), panel.between(t.col, t.col+t.cols), false, true, 1, add)
			if bias != nil {
				one := b.part(0, 1, row+t.col, t.cols)
				d.kern.add(c, matrix{data: one.data, rows: c.rows, cols: c.cols})
			}
		})
	})
}

// LinearT is dx = dy W: the panels of W add up.
func (d *Device) LinearT(dx, dy model.Buffer, w model.Weight, add bool) {
	to, in, f := cells(dx), cells(dy), w.(*weight)
	must(to.rows == in.rows && to.cols == f.cols && in.cols == f.rows, "LinearT")
	if d.err != nil || to.empty() {
		return
	}
	d.panels(f, func(panel matrix, row int) {
		part := in.part(0, in.rows, row, panel.rows)
		d.tiles(to.rows, to.cols, panel.rows, func(_ int, t tile) {
			d.blas.sgemm(to.part(t.row, t.rows, t.col, t.cols), part.between(t.row, t.row+t.rows),
				panel.part(0, panel.rows, t.col, t.cols), false, false, 1, add || row > 0)
		})
	})
}

// tile is a part of a product: rows by cols of it, from row and col on.
type tile struct{ row, rows, col, cols int }

// tiles cuts a product of rows x cols with an inner side of depth for the workers.
func (d *Device) tiles(rows, cols, depth int, f func(worker int, t tile)) {
	high, wide := rows, cols
	if float64(rows)*float64(cols)*float64(depth) > 1e6 { // else not worth a second worker
		high, wide = cut(rows, cols, d.threads)
	}
	across := (cols + wide - 1) / wide
	d.each((rows+high-1)/high*across, func(worker, i int) {
		r, c := i/across*high, i%across*wide
		f(worker, tile{r, min(high, rows-r), c, min(wide, cols-c)})
	})
}

// cut finds the size of tiles that are done first. A BLAS copies both sides of what it
// is given before it multiplies, which costs about as much as copied rows and columns
// more (measured with OpenBLAS); so tiles are as large as keeps all workers busy to the end.
func cut(rows, cols, threads int) (high, wide int) {
	const copied = 12
	high, wide = up(rows, 16), up(cols, 32)
	best := 0.0
	for down := 1; down <= max(1, rows/64) && down <= 8*threads; down++ {
		for across := 1; across <= max(1, cols/128) && down*across <= 8*threads; across++ {
			h, w := up((rows+down-1)/down, 16), up((cols+across-1)/across, 32)
			rounds := (down*across + threads - 1) / threads
			time := float64(rounds) * (float64(h)*float64(w) + copied*float64(h+w))
			if best == 0 || time < best {
				high, wide, best = h, w, time
			}
		}
	}
	return high, wide
}

// up rounds n up to a multiple.
func up(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// thin is the most that the smallest side of a product may be for this package's own
// kernels to be quicker than a BLAS.
const thin = 64

// MatMul is dst = s op(a) op(b).
func (d *Device) MatMul(dst, a, b model.Buffer, transA, transB bool, s float64, add bool) {
	c, x, y := cells(dst), cells(a), cells(b)
	m, k := x.rows, x.cols
	if transA {
		m, k = k, m
	}
	depth, n := y.rows, y.cols
	if transB {
		depth, n = n, depth
	}
	must(c.rows == m && c.cols == n && depth == k, "MatMul")
	if d.err != nil || c.empty() {
		return
	}
	if k == 0 {
		if !add {
			d.Zero(dst)
		}
		return
	}
	_, slow := d.kern.(plain)
	f := float32(s)
	switch {
	case slow || min(m, n, k) > thin || transA && transB || transB && min(n, k) > thin:
		d.tiles(m, n, k, func(_ int, t tile) {
			d.blas.sgemm(c.part(t.row, t.rows, t.col, t.cols), slice(x, transA, t.row, t.rows), slice(y, !transB, t.col, t.cols), transA, transB, f, add)
		})
	case transB:
		turned := newMatrix(d.turned(k*n), k, n)
		d.kern.transpose(turned, y, 1, false)
		d.thin(c, x, turned, transA, f, add)
	case transA && n < m:
		// The product the other way round, so that rows of the wide side are read in their order.
		turned := newMatrix(d.turned(n*m), n, m)
		d.deep(turned, y, x, 1, false)
		d.kern.transpose(c, turned, f, add)
	case transA && m <= thin:
		d.deep(c, x, y, f, add)
	default:
		d.thin(c, x, y, transA, f, add)
	}
}

// deepRows is the rows that a worker takes of a product that sums over rows.
const deepRows = 256

// deep is c = s aᵀ b with few columns of a, the gradient of a LoRA pair. Workers divide
// the rows, which are read in their order; what they give is added in the order of the rows.
func (d *Device) deep(c, a, b matrix, s float32, add bool) {
	parts := (a.rows + deepRows - 1) / deepRows
	if len(d.given) < parts*c.rows*c.cols {
		d.given = make([]float32, parts*c.rows*c.cols)
	}
	sums := newMatrix(d.given, parts*c.rows, c.cols)
	d.each(parts, func(_, i int) {
		from, to := i*deepRows, min(a.rows, (i+1)*deepRows)
		d.kern.gemm(sums.between(i*c.rows, (i+1)*c.rows), a.between(from, to), b.between(from, to), true, s, false)
	})
	d.eachRows(c.rows, parts*c.cols, func(from, to int) {
		first := sums.between(from, to)
		for i := 1; i < parts; i++ {
			d.kern.add(first, sums.between(i*c.rows+from, i*c.rows+to))
		}
		if add {
			d.kern.add(c.between(from, to), first)
			return
		}
		for r := from; r < to; r++ {
			copy(c.row(r), sums.row(r))
		}
	})
}

// slice is what a tile needs of a side: rows of it, or, where it is transposed, columns.
func slice(m matrix, transposed bool, from, n int) matrix {
	if transposed {
		return m.part(0, m.rows, from, n)
	}
	return m.between(from, from+n)
}

// turned is room for a transposed side.
func (d *Device) turned(n int) []float32 {
	if len(d.turn) < n {
		d.turn = make([]float32, n)
	}
	return d.turn[:n]
}

// thin multiplies with the kernels' gemm, in parts of rows or of columns.
func (d *Device) thin(c, a, b matrix, transA bool, s float32, add bool) {
	work := 2 * c.rows * c.cols * b.rows
	parts := max(1, min(work>>20, 64)) // not by the number of workers, so that it changes no bit
	if c.rows >= c.cols {
		run := up((c.rows+parts-1)/parts, 48)
		d.each((c.rows+run-1)/run, func(_, i int) {
			from, to := i*run, min(c.rows, (i+1)*run)
			d.kern.gemm(c.between(from, to), slice(a, transA, from, to-from), b, transA, s, add)
		})
		return
	}
	run := up((c.cols+parts-1)/parts, 64)
	d.each((c.cols+run-1)/run, func(_, i int) {
		from, n := i*run, min(run, c.cols-i*run)
		d.kern.gemm(c.part(0, c.rows, from, n), a, b.part(0, b.rows, from, n), transA, s, add)
	})
}
