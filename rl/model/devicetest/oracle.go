package devicetest

import (
	"fmt"
	"slices"
	"time"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// Memory of the oracle, in bytes. It is used for tiny models; more is refused.
const oracleMemory = 8 << 30

// Oracle is the Device that others are held to: every formula of model.Device as
// a plain loop in float64, which is what it holds in buffers of both kinds and in
// weights, dequantised. It panics where a shape is wrong, where an operation would
// write into what it reads and the interface does not say it may, and on buffers
// that were freed. A test of what a fault does embeds it and overrides a method.
type Oracle struct {
	err   error
	used  int64
	mark  string
	since time.Time
	times map[string]float64
	bf16  bool // weights are rounded
}

var _ model.Offloader = (*Oracle)(nil)

// NewOracle makes an oracle.
func NewOracle() *Oracle {
	return &Oracle{since: time.Now(), times: map[string]float64{}}
}

// Name says what computes.
func (d *Oracle) Name() string { return "float64 in plain Go" }

// Memory is what may still be allocated, and all that may.
func (d *Oracle) Memory() (free, total int64) { return oracleMemory - d.used, oracleMemory }

// Bytes of a buffer: 8 a cell.
func (d *Oracle) Bytes(_ model.Kind, rows, cols int) int64 { return 8 * int64(rows) * int64(cols) }

// WeightBytes of tensors: all of them dequantised, 8 a weight.
func (d *Oracle) WeightBytes(tensors ...*checkpoint.Tensor) (resident, scratch int64) {
	for _, t := range tensors {
		resident += 8 * int64(t.Rows) * int64(t.Cols)
	}
	return resident, 0
}

// take counts bytes as used, or says that there are not so many.
func (d *Oracle) take(bytes int64) error {
	if bytes > oracleMemory-d.used {
		return fmt.Errorf("devicetest: %d bytes wanted, %d are free", bytes, oracleMemory-d.used)
	}
	d.used += bytes
	return nil
}

// Alloc makes a buffer of zeros. One that does not fit is the error that sticks.
func (d *Oracle) Alloc(k model.Kind, rows, cols int) model.Buffer {
	must(rows >= 0 && cols >= 0, "Alloc: %d x %d", rows, cols)
	c := &cells{cols: cols}
	m := &matrix{of: c, kind: k, rows: rows, cols: cols}
	if rows > 0 && cols > oracleMemory/rows {
		d.stick(fmt.Errorf("devicetest: a buffer of %d x %d does not fit", rows, cols))
		return m
	}
	bytes := d.Bytes(k, rows, cols)
	if err := d.take(bytes); err != nil {
		d.stick(err)
		return m
	}
	c.bytes, c.v = bytes, make([]float64, rows*cols)
	return m
}

// AllocHost is Alloc: there is one memory.
func (d *Oracle) AllocHost(rows, cols int) model.Buffer { return d.Alloc(model.F32, rows, cols) }

// Free gives a buffer back.
func (d *Oracle) Free(b model.Buffer) {
	if b == nil {
		return
	}
	m := in(b)
	must(m.row == 0 && m.col == 0 && (m.of.v == nil || m.rows*m.cols == len(m.of.v)), "Free: a view")
	d.used -= m.of.bytes
	m.of.freed, m.of.v = true, nil
}

// Upload fills dst, row by row.
func (d *Oracle) Upload(dst model.Buffer, src []float64) {
	m := in(dst)
	must(len(src) == m.rows*m.cols, "Upload: %d values into %v", len(src), m)
	if d.err != nil {
		return
	}
	for i := range m.rows {
		copy(m.at(i), src[i*m.cols:])
	}
}

// Download is Upload's reverse.
func (d *Oracle) Download(dst []float64, src model.Buffer) error {
	m := in(src)
	must(len(dst) == m.rows*m.cols, "Download: %v into %d values", m, len(dst))
	if d.err != nil {
		return d.err
	}
	for i := range m.rows {
		copy(dst[i*m.cols:], m.at(i))
	}
	return nil
}

// ints are a copy of what Ints was given.
type ints struct {
	v     []int32
	freed bool
}

func (v *ints) Len() int { return len(v.v) }

// Ints takes numbers in.
func (d *Oracle) Ints(v []int32) model.Ints { return &ints{v: slices.Clone(v)} }

// FreeInts gives them back.
func (d *Oracle) FreeInts(v model.Ints) {
	if v != nil {
		numbers(v)
		v.(*ints).freed = true
	}
}

// numbers are the values of Ints.
func numbers(v model.Ints) []int32 {
	n, ok := v.(*ints)
	must(ok && !n.freed, "ints of another device, or freed")
	return n.v
}

// weight is a frozen matrix, dequantised.
type weight struct {
	v          []float64 // rows x cols
	rows, cols int
	freed      bool
}

func (w *weight) Rows() int          { return w.rows }
func (w *weight) Cols() int          { return w.cols }
func (w *weight) at(i int) []float64 { return w.v[i*w.cols : (i+1)*w.cols] }

// Weight dequantises tensors and joins them.
func (d *Oracle) Weight(tensors ...*checkpoint.Tensor) (model.Weight, error) {
	must(len(tensors) > 0, "Weight: no tensor")
	bytes, _ := d.WeightBytes(tensors...)
	if err := d.take(bytes); err != nil {
		return nil, err
	}
	w := &weight{cols: tensors[0].Cols}
	for _, t := range tensors {
		must(t.Cols == w.cols, "Weight: %s is %d wide, %s %d", tensors[0].Name, w.cols, t.Name, t.Cols)
		w.rows += t.Rows
		w.v = slices.Grow(w.v, t.Rows*t.Cols)
		row := make([]float32, t.Cols)
		for i := range t.Rows {
			t.Dequant(row, i, 1)
			for _, x := range row {
				if d.bf16 {
					x = checkpoint.RoundBF16(x)
				}
				w.v = append(w.v, float64(x))
			}
		}
	}
	return w, nil
}

// FreeWeight gives a weight back.
func (d *Oracle) FreeWeight(w model.Weight) {
	if w == nil {
		return
	}
	f := frozen(w)
	d.used -= 8 * int64(len(f.v))
	f.freed, f.v = true, nil
}

// frozen is a weight as the oracle holds it.
func frozen(w model.Weight) *weight {
	f, ok := w.(*weight)
	must(ok && !f.freed, "a weight of another device, or freed")
	return f
}

// Mark names what is computed from here on.
func (d *Oracle) Mark(name string) {
	now := time.Now()
	if d.mark != "" {
		d.times[d.mark] += now.Sub(d.since).Seconds()
	}
	d.mark, d.since = name, now
}

// Times is seconds by name, up to now.
func (d *Oracle) Times() map[string]float64 {
	d.Mark(d.mark)
	t := map[string]float64{}
	for name, s := range d.times {
		t[name] = s
	}
	return t
}

// stick keeps the first error.
func (d *Oracle) stick(err error) {
	if d.err == nil {
		d.err = err
	}
}

// Sync returns the first error.
func (d *Oracle) Sync() error { return d.err }

// Close returns the first error.
func (d *Oracle) Close() error { return d.err }
