//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"longhand/rl/model"
)

// matrix is a part of memory: rows of cells of a kind.
type matrix struct {
	of         *memory
	kind       model.Kind
	at         int64 // cells before the first
	rows, cols int
	stride     int
}

// vector is an argument of a kernel that takes the pointer alone, of a matrix that is known to be F32.
type vector struct{ matrix }

// bare is one that takes pointer and stride.
type bare struct{ matrix }

func width(k model.Kind) int64 {
	if k == f32 {
		return 4
	}
	return 2
}

// address is the first cell's. Of the thread.
func (m matrix) address() cu.DevicePtr { return m.of.ptr + cu.DevicePtr(m.at*width(m.kind)) }

func (m matrix) empty() bool { return m.rows == 0 || m.cols == 0 }

// dense says whether rows follow each other without a gap.
func (m matrix) dense() bool { return m.stride == m.cols || m.rows == 1 }

func (m matrix) is(rows, cols int) bool    { return m.rows == rows && m.cols == cols }
func (m matrix) isF32(rows, cols int) bool { return m.kind == f32 && m.is(rows, cols) }

func (m matrix) part(row, rows, col, cols int) matrix {
	m.at += int64(row)*int64(m.stride) + int64(col)
	m.rows, m.cols = rows, cols
	return m
}

func (m matrix) between(from, to int) matrix { return m.part(from, to-from, 0, m.cols) }

// buffer is a matrix of Alloc, or a view.
type buffer struct {
	matrix
	view bool
}

func (b *buffer) Kind() model.Kind { return b.kind }
func (b *buffer) Rows() int        { return b.rows }
func (b *buffer) Cols() int        { return b.cols }

// View shares the cells of a part.
func (b *buffer) View(row, rows, col, cols int) model.Buffer {
	must(row >= 0 && rows >= 0 && row+rows <= b.rows && col >= 0 && cols >= 0 && col+cols <= b.cols, "View")
	return &buffer{b.part(row, rows, col, cols), true}
}

// cellsOf is a buffer's matrix.
func cellsOf(b model.Buffer) matrix { return b.(*buffer).matrix }

// Alloc takes zeroed memory.
func (d *Device) Alloc(k model.Kind, rows, cols int) model.Buffer {
	must(rows >= 0 && cols >= 0, "Alloc")
	m := &memory{}
	b := &buffer{matrix: matrix{of: m, kind: k, rows: rows, cols: cols, stride: cols}}
	d.queue.add(func() error {
		if cols > 0 && int64(rows) > math.MaxInt64/8/int64(cols) {
			return fmt.Errorf("cuda: a buffer of %d x %d is too large", rows, cols)
		}
		if err := d.fill(m, d.Bytes(k, rows, cols)); err != nil {
			return err
		}
		return doing("zero a buffer", cu.MemsetD8Async(m.ptr, 0, m.bytes, cu.Stream{}))
	})
	return b
}

// Free gives memory back.
func (d *Device) Free(b model.Buffer) {
	m, ok := b.(*buffer)
	if !ok || m == nil {
		return
	}
	must(!m.view, "Free of a view")
	d.queue.must(func() { d.drop(m.of) })
}

// Upload rounds to the kind of dst.
func (d *Device) Upload(dst model.Buffer, src []float64) {
	to := cellsOf(dst)
	must(len(src) == to.rows*to.cols, "Upload")
	if len(src) == 0 {
		return
	}
	v := make([]float32, len(src))
	for i, x := range src {
		v[i] = float32(x)
	}
	d.queue.add(func() error {
		stage := to
		if to.kind != f32 || !to.dense() {
			var err error
			if stage, err = d.scratchMatrix(scratchStage, f32, to.rows, to.cols); err != nil {
				return err
			}
		}
		if err := cu.MemcpyHtoD(stage.address(), unsafe.Pointer(&v[0]), int64(4*len(v))); err != nil {
			return doing("upload", err)
		}
		if stage == to {
			return nil
		}
		return d.copy(to, stage, false)
	})
}

// Download is Upload's reverse.
func (d *Device) Download(dst []float64, src model.Buffer) error {
	from := cellsOf(src)
	must(len(dst) == from.rows*from.cols, "Download")
	v := make([]float32, len(dst))
	err := d.queue.wait(func() error {
		if len(v) == 0 {
			return doing("wait", cu.Synchronize())
		}
		stage := from
		if from.kind != f32 || !from.dense() {
			var err error
			if stage, err = d.scratchMatrix(scratchStage, f32, from.rows, from.cols); err != nil {
				return err
			}
			if err := d.copy(stage, from, false); err != nil {
				return err
			}
		}
		return doing("download", cu.MemcpyDtoH(unsafe.Pointer(&v[0]), stage.address(), int64(4*len(v))))
	})
	if err != nil {
		return err
	}
	for i, x := range v {
		dst[i] = float64(x)
	}
	return nil
}

// ints are numbers here and on the card.
type ints struct {
	v  []int32
	on *memory

	// For ScatterAddRows: the rows that are named, where each one's sources begin, and the sources in order.
	named, starts, order *memory
	names                int
}

func (n *ints) Len() int { return len(n.v) }

// Ints copies numbers.
func (d *Device) Ints(v []int32) model.Ints {
	n := &ints{v: slices.Clone(v), on: &memory{}}
	d.queue.add(func() error { return d.number(n.on, n.v) })
	return n
}

// number brings numbers to memory that is taken for them.
func (d *Device) number(m *memory, v []int32) error {
	if err := d.fill(m, int64(4*len(v))); err != nil {
		return err
	}
	if len(v) == 0 {
		return nil
	}
	return doing("upload", cu.MemcpyHtoD(m.ptr, unsafe.Pointer(&v[0]), int64(4*len(v))))
}

// FreeInts gives them back.
func (d *Device) FreeInts(v model.Ints) {
	n, ok := v.(*ints)
	if !ok || n == nil {
		return
	}
	d.queue.must(func() {
		for _, m := range []*memory{n.on, n.named, n.starts, n.order} {
			d.drop(m)
		}
	})
}

// within checks that numbers are rows of limit. One that is not is an error, not a panic: such numbers are
// tokens, which come from outside.
func within(v model.Ints, limit int, what string) (*ints, error) {
	n := v.(*ints)
	for _, i := range n.v {
		if i < 0 || int(i) >= limit {
			return nil, fmt.Errorf("cuda: %s %d is not one of %d", what, i, limit)
		}
	}
	return n, nil
}
