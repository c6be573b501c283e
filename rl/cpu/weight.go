package cpu

import (
	"fmt"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// weight is a frozen matrix: dequantised, or the tensors as they lie in the file, whose
// rows are dequantised a panel at a time wherever they are used. Both take the same panels in
// the same order, so that they give the same bits.
type weight struct {
	rows, cols int
	resident   matrix // no cells where it stays quantised
	memory     []byte
	tensors    []*checkpoint.Tensor
}

func (w *weight) Rows() int { return w.rows }
func (w *weight) Cols() int { return w.cols }

// panelCells is about what a panel has: 16 MB, few enough to be scratch and many against
// the cost of starting workers.
const panelCells = 4 << 20

// panelRows is the rows of a panel: a multiple of the head's chunk, or a part of it for wide weights.
func panelRows(cols int) int {
	if rows := panelCells / cols / headChunk * headChunk; rows > 0 {
		return rows
	}
	return max(256, panelCells/cols/256*256)
}

// WeightBytes counts dequantised weights as long as Options.Resident allows, and after that
// the file's own bytes, which the system may drop and read again. The scratch is a panel, and what
// attention and the head work in.
func (d *Device) WeightBytes(tensors ...*checkpoint.Tensor) (resident, scratch int64) {
	rows, cols := model.Joined(tensors)
	resident = d.base.Book(tensors[0], d.Bytes(model.F32, rows, cols))
	if resident == 0 {
		for _, t := range tensors {
			resident += int64(len(t.Data))
		}
		scratch = 4 * int64(min(rows, panelRows(cols))) * int64(cols)
	}
	return resident, scratch + contributions + 4*int64(d.threads)*headTile*headChunk
}

// Weight takes tensors in.
func (d *Device) Weight(tensors ...*checkpoint.Tensor) (model.Weight, error) {
	rows, cols := model.Joined(tensors)
	for _, t := range tensors {
		if err := t.Check(); err != nil {
			return nil, fmt.Errorf("cpu: %w", err)
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	w := &weight{rows: rows, cols: cols, tensors: tensors}
	d.weights[w] = struct{}{}
	bytes := d.base.Book(tensors[0], d.Bytes(model.F32, rows, cols))
	if bytes == 0 || rows == 0 || cols == 0 {
		return w, nil
	}
	memory, err := takeMemory(int(bytes))
	if err != nil {
		d.FreeWeight(w)
		return nil, fmt.Errorf("cpu: take %d bytes for %s: %w", bytes, tensors[0].Name, err)
	}
	m := newMatrix(asFloats(memory), rows, cols)
	d.dequantise(w, m, 0)
	w.memory, w.resident = memory, m
	return w, nil
}

// FreeWeight gives a weight's memory back.
func (d *Device) FreeWeight(f model.Weight) {
	w, ok := f.(*weight)
	if !ok || w == nil || w.tensors == nil {
		return
	}
	if w.memory != nil {
		if err := giveMemory(w.memory); err != nil {
			d.fail(fmt.Errorf("cpu: give memory back: %w", err))
		}
	}
	d.base.Release(w.tensors[0])
	delete(d.weights, w)
	w.memory, w.resident, w.tensors = nil, matrix{}, nil
}

// dequantise writes m.rows rows of a weight, from row on.
func (d *Device) dequantise(w *weight, m matrix, row int) {
	d.eachRows(m.rows, m.cols, func(from, to int) { w.read(m.between(from, to), row+from) })
}

// read dequantises the rows of m, from row on.
func (w *weight) read(m matrix, row int) {
	for _, t := range w.tensors {
		if row < t.Rows && m.rows > 0 {
			n := min(m.rows, t.Rows-row)
			t.Dequant(m.data, row, n)
			m, row = m.between(n, m.rows), row+n
		}
		row -= t.Rows
	}
}

// panels calls f with the weight's rows in order, a panel at a time: its matrix and its first row.
func (d *Device) panels(w *weight, f func(panel matrix, row int)) {
	step := panelRows(w.cols)
	for row := 0; row < w.rows; row += step {
		n := min(step, w.rows-row)
		if w.memory != nil {
			f(w.resident.between(row, row+n), row)
			continue
		}
		if len(d.panel) < n*w.cols {
			d.panel = make([]float32, n*w.cols)
		}
		m := newMatrix(d.panel, n, w.cols)
		d.dequantise(w, m, row)
		f(m, row)
	}
}

// row writes one row, or adds it.
func (d *Device) row(dst matrix, w *weight, row int, space []float32, add bool) {
	m := newMatrix(space, 1, w.cols)
	if w.memory != nil {
		m = w.resident.between(row, row+1)
	} else {
		w.read(m, row)
	}
	if add {
		d.kern.add(dst, m)
	} else {
		copy(dst.row(0), m.row(0))
	}
}

// Embed is dst[t,:] = w[ids[t],:].
func (d *Device) Embed(dst model.Buffer, w model.Weight, ids model.Ints) {
	to, f := cells(dst), w.(*weight)
	must(to.rows == ids.Len() && to.cols == f.cols, "Embed")
	if d.err != nil || to.empty() {
		return
	}
	list, ok := d.within(ids, f.rows, "token")
	if !ok {
		return
	}
	d.each(to.rows, func(worker, t int) {
		d.row(to.between(t, t+1), f, int(list[t]), d.workspace(worker, f.cols), false)
	})
}
