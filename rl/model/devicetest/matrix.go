package devicetest

import (
	"fmt"

	"longhand/rl/model"
)

// cells are what Alloc gave: rows of cols float64, row-major.
type cells struct {
	v     []float64
	cols  int
	bytes int64
	freed bool
}

// A matrix is a rectangle of cells, the whole or a view.
type matrix struct {
	of                   *cells
	kind                 model.Kind
	row, rows, col, cols int
}

func (m *matrix) Kind() model.Kind { return m.kind }
func (m *matrix) Rows() int        { return m.rows }
func (m *matrix) Cols() int        { return m.cols }

func (m *matrix) View(row, rows, col, cols int) model.Buffer {
	must(row >= 0 && rows >= 0 && row+rows <= m.rows && col >= 0 && cols >= 0 && col+cols <= m.cols,
		"a view of %d rows from %d and %d columns from %d of %v", rows, row, cols, col, m)
	return &matrix{m.of, m.kind, m.row + row, rows, m.col + col, cols}
}

func (m *matrix) String() string {
	return fmt.Sprintf("%d x %d %s", m.rows, m.cols, [...]string{"F32", "Act"}[m.kind])
}

// at is row i.
func (m *matrix) at(i int) []float64 {
	from := (m.row+i)*m.of.cols + m.col
	return m.of.v[from : from+m.cols : from+m.cols]
}

// clear sets every cell to 0.
func (m *matrix) clear() {
	for i := range m.rows {
		clear(m.at(i))
	}
}

// steps are how far apart neighbours of a column and of a row lie, of the matrix or of its transpose.
func (m *matrix) steps(transposed bool) (down, right int) {
	if transposed {
		return 1, m.of.cols
	}
	return m.of.cols, 1
}

// size is rows and columns of the matrix or of its transpose.
func (m *matrix) size(transposed bool) (rows, cols int) {
	if transposed {
		return m.cols, m.rows
	}
	return m.rows, m.cols
}

// is says whether the matrix has this shape.
func (m *matrix) is(rows, cols int) bool { return m.rows == rows && m.cols == cols }

// isF32 says whether the matrix has this shape and is of the kind that
// statistics and the adapter are kept in.
func (m *matrix) isF32(rows, cols int) bool { return m.kind == model.F32 && m.is(rows, cols) }

// same says whether two matrices are the same rectangle of the same cells.
func (m *matrix) same(o *matrix) bool {
	return m.of == o.of && m.row == o.row && m.col == o.col && m.rows == o.rows && m.cols == o.cols
}

// meets says whether two matrices share a cell.
func (m *matrix) meets(o *matrix) bool {
	return m.of == o.of && m.row < o.row+o.rows && o.row < m.row+m.rows && m.col < o.col+o.cols && o.col < m.col+m.cols
}

// in is a buffer as the oracle holds it.
func in(b model.Buffer) *matrix {
	m, ok := b.(*matrix)
	must(ok, "%T is not a buffer of this device", b)
	must(!m.of.freed, "a buffer of %v that was freed", m)
	return m
}

// must panics for what is the caller's fault.
func must(ok bool, format string, args ...any) {
	if !ok {
		panic("devicetest: " + fmt.Sprintf(format, args...))
	}
}

// apart panics where what is written shares cells with what is read, which the
// interface does not allow and a device with queues or tiles could not do.
func apart(op string, written *matrix, read ...*matrix) {
	for _, r := range read {
		must(!written.meets(r), "%s: what is written shares cells with what is read", op)
	}
}

// apartOrSame is apart, but for operations that work in place.
func apartOrSame(op string, written, read *matrix) {
	must(written.same(read) || !written.meets(read), "%s: what is written shares some cells with what is read, not all", op)
}
