package cpu

// matrix is cells in rows: element (r, c) is data[r*stride+c].
type matrix struct {
	data               []float32
	rows, cols, stride int
}

// newMatrix lays a matrix over cells.
func newMatrix(data []float32, rows, cols int) matrix {
	return matrix{data: data[:rows*cols], rows: rows, cols: cols, stride: cols}
}

// part is rows row to row+rows-1 and columns col to col+cols-1.
func (m matrix) part(row, rows, col, cols int) matrix {
	if row < 0 || rows < 0 || row > m.rows-rows || col < 0 || cols < 0 || col > m.cols-cols {
		panic("cpu: a part that is not within its matrix")
	}
	p := matrix{rows: rows, cols: cols, stride: m.stride}
	if rows > 0 && cols > 0 {
		from := row*m.stride + col
		p.data = m.data[from : from+(rows-1)*m.stride+cols]
	}
	return p
}

// between is rows from up to but without to.
func (m matrix) between(from, to int) matrix { return m.part(from, to-from, 0, m.cols) }

// row is the cells of one row.
func (m matrix) row(r int) []float32 { return m.data[r*m.stride : r*m.stride+m.cols] }

// empty says whether there is no cell.
func (m matrix) empty() bool { return m.rows == 0 || m.cols == 0 }

// kernels are the loops that work on rows, of one instruction set or in plain Go. Matrices
// of one call have the same rows, and the same columns where the formula asks for it; none is empty.
type kernels interface {
	// name is the instruction set's.
	name() string
	// add is dst += src. A src of stride 0 is one row, added to each.
	add(dst, src matrix)
	// scaleRows is dst = g[t] src, g of one column.
	scaleRows(dst, src, g matrix)
	// sumSquares sums in double.
	sumSquares(src matrix) float64
	// transpose is dst = s srcᵀ, or dst += the same.
	transpose(dst, src matrix, s float32, add bool)
	// rmsNorm and rmsNormBack are model.Device's, a head being as wide as gain.
	rmsNorm(dst, inv, x matrix, gain []float32, eps float32)
	rmsNormBack(dx, dy, x, inv matrix, gain []float32, add bool)
	// rope turns x by a table's rows, times sign for the sines.
	rope(x matrix, heads int, t *ropeTable, from int, sign float32)
	// swiglu and swigluBack are model.Device's.
	swiglu(dst, gate, up matrix)
	swigluBack(dgate, dup, dy, gate, up matrix)
	// softmax makes exp(s - max) of scores, of which row i has seen+i columns and 0 behind
	// them; there are a multiple of 16.
	// sumInv is 1 over a row's sum, lse, of one column, the log of its sum of exponentials.
	softmax(s matrix, sumInv []float32, lse matrix, seen int)
	// softmaxBack makes p = exp(s - lse) of scores, and p (dp - sum(dout out)) of dp.
	softmaxBack(s, dp, lse, dout, out matrix, seen int)
	// head takes logits into the running sums of their rows: they become exp(z - top).
	head(z matrix, r *running)
	// adamW is model.Device's, c its numbers as adamNumbers gives them.
	adamW(p, g, m, v []float32, c *[10]float32)
	// gemm is c = s op(a) b, or c += the same, for products with a thin side. It is
	// false, and nothing done, where there is no such kernel.
	gemm(c, a, b matrix, transA bool, s float32, add bool) bool
}

// running are the sums over the logits of each row, as far as they have been seen.
type running struct {
	top      []float32 // the largest logit z
	sum      []float64 // of exp(z - top); 0 before the first
	weighted []float64 // of exp(z - top) (z - top)
	rescale  []float32 // what sums of before were multiplied by, because top moved
}

// between is rows from up to but without to.
func (r *running) between(from, to int) *running {
	return &running{r.top[from:to], r.sum[from:to], r.weighted[from:to], r.rescale[from:to]}
}

// ropeTable holds the turns of each row. Pairwise, it has 2n numbers a row, each cosine twice
// and the sines as -sin, sin; else n.
type ropeTable struct {
	cos, sin []float32
	n        int // pairs
	pairwise bool
}

// width is the numbers of a row.
func (t *ropeTable) width() int {
	if t.pairwise {
		return 2 * t.n
	}
	return t.n
}
