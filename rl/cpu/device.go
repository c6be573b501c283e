package cpu

import (
	"fmt"
	"math"
	"slices"

	"longhand/rl/model"
)

// buffer is a matrix of the device, or a view of one.
type buffer struct {
	matrix
	kind   model.Kind
	memory []byte // what the system gave; nil for a view
}

func (b *buffer) Kind() model.Kind { return b.kind }
func (b *buffer) Rows() int        { return b.rows }
func (b *buffer) Cols() int        { return b.cols }

// View shares the cells of a part.
func (b *buffer) View(row, rows, col, cols int) model.Buffer {
	if b.data == nil && !b.empty() { // not allocated: the device's error says why
		return &buffer{matrix: matrix{rows: rows, cols: cols, stride: b.stride}, kind: b.kind}
	}
	return &buffer{matrix: b.part(row, rows, col, cols), kind: b.kind}
}

// cells is a buffer's matrix.
func cells(b model.Buffer) matrix {
	m := b.(*buffer)
	return m.matrix
}

// Bytes is 4 a cell, for both kinds.
func (d *Device) Bytes(_ model.Kind, rows, cols int) int64 { return 4 * int64(rows) * int64(cols) }

// Alloc takes zeroed memory from the system, so that Free gives it back at once.
func (d *Device) Alloc(k model.Kind, rows, cols int) model.Buffer {
	must(rows >= 0 && cols >= 0, "Alloc")
	b := &buffer{matrix: matrix{rows: rows, cols: cols, stride: cols}, kind: k}
	if d.err != nil || b.empty() {
		return b
	}
	bytes := d.Bytes(k, rows, cols)
	if int64(rows) > math.MaxInt64/4/int64(cols) || int64(int(bytes)) != bytes {
		d.fail(fmt.Errorf("cpu: a buffer of %d x %d is too large", rows, cols))
		return b
	}
	memory, err := takeMemory(int(bytes))
	if err != nil {
		d.fail(fmt.Errorf("cpu: take %d bytes for a buffer of %d x %d: %w", bytes, rows, cols, err))
		return b
	}
	b.memory, b.data = memory, asFloats(memory)
	d.buffers[b] = struct{}{}
	return b
}

// Free gives the memory back. What still reads a view of it then is at fault.
func (d *Device) Free(b model.Buffer) {
	m, ok := b.(*buffer)
	if !ok || m == nil {
		return
	}
	if m.memory != nil {
		if err := giveMemory(m.memory); err != nil {
			d.fail(fmt.Errorf("cpu: give memory back: %w", err))
		}
		delete(d.buffers, m)
	}
	m.memory, m.data = nil, nil
}

// Upload rounds to float32.
func (d *Device) Upload(dst model.Buffer, src []float64) {
	m := cells(dst)
	must(len(src) == m.rows*m.cols, "Upload")
	if d.err != nil {
		return
	}
	d.eachRows(m.rows, m.cols, func(from, to int) {
		for r := from; r < to; r++ {
			row := m.row(r)
			for i, v := range src[r*m.cols : (r+1)*m.cols] {
				row[i] = float32(v)
			}
		}
	})
}

// Download is Upload's reverse.
func (d *Device) Download(dst []float64, src model.Buffer) error {
	m := cells(src)
	must(len(dst) == m.rows*m.cols, "Download")
	if d.err != nil {
		return d.err
	}
	d.eachRows(m.rows, m.cols, func(from, to int) {
		for r := from; r < to; r++ {
			row := dst[r*m.cols : (r+1)*m.cols]
			for i, v := range m.row(r) {
				row[i] = float64(v)
			}
		}
	})
	return nil
}

// ints are numbers as they came.
type ints struct{ v []int32 }

func (n *ints) Len() int { return len(n.v) }

// Ints copies numbers.
func (d *Device) Ints(v []int32) model.Ints { return &ints{slices.Clone(v)} }

// FreeInts leaves them to the garbage collector.
func (d *Device) FreeInts(model.Ints) {}

// within returns the numbers. One that is not a row of limit is an error, not a panic:
// such numbers are tokens, which come from outside.
func (d *Device) within(v model.Ints, limit int, what string) ([]int32, bool) {
	n := v.(*ints).v
	for _, i := range n {
		if i < 0 || int(i) >= limit {
			d.fail(fmt.Errorf("cpu: %s %d is not one of %d", what, i, limit))
			return nil, false
		}
	}
	return n, true
}
