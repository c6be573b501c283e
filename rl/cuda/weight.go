//go:build cuda

package cuda

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// weight is a frozen matrix: in BF16, or its tensors as they lie in the file, dequantised by
// panels of rows wherever they are used.
type weight struct {
	rows, cols int
	resident   matrix // without memory where it stays quantised
	parts      []tensor
	key        *checkpoint.Tensor
}

func (w *weight) Rows() int { return w.rows }
func (w *weight) Cols() int { return w.cols }

// tensor is a part of a weight as it lies on the card.
type tensor struct {
	typ         checkpoint.Type
	first, rows int // of the weight's rows
	on          *memory
}

// base is which weights are held in BF16, and what using any of them takes. A limit of 0 becomes half of the memory that is
// free when it is first asked.
type base struct {
	model.Budget
	panel, logits, slopes int64 // the largest scratch that was asked for
}

// HoldNone leaves every weight quantised that is loaded from now on: what WeightBytes said before does not hold, unless
// that is taken back.
func (d *Device) HoldNone() (back func()) {
	before := d.base
	d.base = base{Budget: model.Budget{Limit: -1}}
	return func() { d.base = before }
}

// panelCells is what a panel has at most: all matrices of a layer fit, so that only heads are cut.
const panelCells = 160 << 20

// panelRows is the rows of a panel.
func panelRows(rows, cols int) int { return min(rows, max(64, panelCells/max(1, cols)/64*64)) }

// logitBytes is about what the logits of a tile of the head take, and slopeCols how many columns of their slopes
// are multiplied at once.
const logitBytes, slopeCols = 256 << 20, 32 << 10

// headRows is the rows of a tile of the head.
func headRows(vocabulary int) int { return max(64, min(2048, logitBytes/4/max(1, vocabulary)/64*64)) }

// WeightBytes counts weights in BF16 as long as Options.Resident allows, and after that in the file's types. The
// scratch is the largest so far of each kind: a dequantised panel, and what the head works in, should a tensor alone be one.
func (d *Device) WeightBytes(tensors ...*checkpoint.Tensor) (resident, scratch int64) {
	rows, cols := model.Joined(tensors)
	resident = d.book(tensors[0], d.Bytes(act, rows, cols))
	if resident == 0 {
		for _, t := range tensors {
			resident += handedOut(int64(len(t.Data)))
		}
		d.base.panel = max(d.base.panel, handedOut(2*int64(panelRows(rows, cols))*int64(cols)))
	}
	if len(tensors) == 1 {
		tile := int64(headRows(rows))
		d.base.logits = max(d.base.logits, handedOut(4*tile*int64(rows)))
		d.base.slopes = max(d.base.slopes, handedOut(2*tile*int64(min(rows, slopeCols))))
	}
	return resident, d.base.panel + d.base.logits + d.base.slopes
}

func (d *Device) book(first *checkpoint.Tensor, bytes int64) int64 {
	if d.base.Limit == 0 {
		free, _ := d.Memory()
		d.base.Limit = max(1, free/2)
	}
	return d.base.Book(first, bytes)
}

// Weight takes tensors in, and what they are dequantised into.
func (d *Device) Weight(tensors ...*checkpoint.Tensor) (model.Weight, error) {
	rows, cols := model.Joined(tensors)
	for _, t := range tensors {
		if err := t.Check(); err != nil {
			return nil, fmt.Errorf("cuda: %w", err)
		}
	}
	w := &weight{rows: rows, cols: cols, key: tensors[0]}
	d.WeightBytes(tensors...) // asks for the scratch, where that was not done
	bytes, scratch := d.book(tensors[0], d.Bytes(act, rows, cols)), d.base
	err := d.queue.wait(func() error { return d.load(w, tensors, bytes, scratch) })
	if err != nil {
		d.FreeWeight(w)
		return nil, err
	}
	return w, nil
}

func (d *Device) load(w *weight, tensors []*checkpoint.Tensor, resident int64, b base) error {
	first := 0
	for _, t := range tensors {
		on, err := d.raw(t)
		if err != nil {
			return err
		}
		w.parts = append(w.parts, tensor{t.Type, first, t.Rows, on})
		first += t.Rows
	}
	// Scratch is taken now, so that what does not fit is known before the first step.
	for use, bytes := range map[int]int64{scratchWeight: b.panel, scratchLogits: b.logits, scratchSlope: b.slopes} {
		if bytes > 0 {
			if _, err := d.scratchFor(use, bytes); err != nil {
				return err
			}
		}
	}
	if resident == 0 {
		return nil
	}
	m, err := d.take(resident)
	if err != nil {
		return err
	}
	w.resident = matrix{of: m, kind: act, rows: w.rows, cols: w.cols, stride: w.cols}
	if err := d.dequantise(w.resident, w, nil, 0); err != nil {
		return err
	}
	for _, p := range w.parts {
		d.drop(p.on) // the driver waits for what still reads it
	}
	w.parts = nil
	return nil
}

// stagingBytes is the pinned memory that files are read into on their way to the card.
const stagingBytes = 32 << 20

// raw brings a tensor to the card as it is.
func (d *Device) raw(t *checkpoint.Tensor) (*memory, error) {
	if d.staging == nil {
		var err error
		if d.staging, err = pinned(stagingBytes); err != nil {
			return nil, fmt.Errorf("cuda: %d MiB of memory for uploads: %w", stagingBytes>>20, err)
		}
	}
	m, err := d.take(int64(len(t.Data)))
	if err != nil {
		return nil, err
	}
	for at := 0; at < len(t.Data); at += stagingBytes {
		n := min(stagingBytes, len(t.Data)-at)
		if err := t.Raw(d.staging[:n], at); err != nil {
			d.drop(m)
			return nil, fmt.Errorf("cuda: %w", err)
		}
		if err := cu.MemcpyHtoD(m.ptr+cu.DevicePtr(at), unsafe.Pointer(&d.staging[0]), int64(n)); err != nil {
			return nil, doing("upload a weight", err)
		}
	}
	return m, nil
}

// FreeWeight gives a weight's memory back.
func (d *Device) FreeWeight(f model.Weight) {
	w, ok := f.(*weight)
	if !ok || w == nil || w.key == nil {
		return
	}
	d.base.Release(w.key)
	w.key = nil
	d.queue.must(func() {
		d.drop(w.resident.of)
		for _, p := range w.parts {
			d.drop(p.on)
		}
	})
}

// dequantise writes rows of a weight: those that ids names, or dst.rows from a row on.
func (d *Device) dequantise(dst matrix, w *weight, ids *ints, from int) error {
	list := cu.DevicePtr(0)
	if ids != nil {
		list = ids.on.ptr
	}
	for _, p := range w.parts {
		if ids == nil && (p.first >= from+dst.rows || p.first+p.rows <= from) {
			continue
		}
		if err := d.each("dequant_"+p.typ.String(), dst.rows, dst.cols, dst, p.on.ptr, list, from, p.first, p.rows, dst.rows, dst.cols); err != nil {
			return err
		}
	}
	return nil
}

// panels calls f with the weight's rows in order: all at once, or a panel at a time.
func (d *Device) panels(w *weight, f func(panel matrix, row int) error) error {
	if w.resident.of != nil {
		return f(w.resident, 0)
	}
	step := panelRows(w.rows, w.cols)
	for row := 0; row < w.rows; row += step {
		m, err := d.scratchMatrix(scratchWeight, act, min(step, w.rows-row), w.cols)
		if err != nil {
			return err
		}
		if err := d.dequantise(m, w, nil, row); err != nil {
			return err
		}
		if err := f(m, row); err != nil {
			return err
		}
	}
	return nil
}

// Embed is dst[t,:] = w[ids[t],:].
func (d *Device) Embed(dst model.Buffer, w model.Weight, ids model.Ints) {
	to, f := cellsOf(dst), w.(*weight)
	must(to.is(ids.Len(), f.cols), "Embed")
	d.do("Embed", func() error {
		list, err := within(ids, f.rows, "token")
		if err != nil || to.empty() {
			return err
		}
		if f.resident.of != nil {
			return d.each("gather_rows", to.rows, to.cols, to, f.resident, list.on.ptr, to.rows, to.cols)
		}
		return d.dequantise(to, f, list, 0)
	})
}
