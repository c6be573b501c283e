package checkpoint

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// Tensor is a matrix of a file, or one made by NewTensor: Rows x Cols, row-major,
// each row whole blocks of its type. A vector has Rows 1; what has more than two
// dimensions has all but the first as Rows.
type Tensor struct {
	Name       string
	Type       Type
	Rows, Cols int
	Dims       []int  // ggml order, fastest first: Cols is Dims[0]
	Data       []byte // as it lies in the file; not to be written to

	file *File // whose mapping Data is of; nil after NewTensor
}

// Check is nil where Dequant knows the tensor's type, else a sentence that names
// tensor and type.
func (t *Tensor) Check() error {
	if t.Type.Supported() {
		return nil
	}
	return fmt.Errorf("checkpoint: the tensor %.100q is of %s, which is not supported", t.Name, t.Type)
}

// Dequant writes rows row to row+n-1 as n*Cols numbers. It may be called from many
// goroutines. A type that Check refuses, and rows or a dst out of range, panic. Of a file that
// was cut after it was opened the missing rows become NaN, and File.Err says so.
func (t *Tensor) Dequant(dst []float32, row, n int) {
	if err := t.Check(); err != nil {
		panic(err.Error())
	}
	if row < 0 || n < 0 || row > t.Rows-n || len(dst) < n*t.Cols {
		panic(fmt.Sprintf("checkpoint: rows %d to %d of the %d of %q, into %d numbers", row, row+n, t.Rows, t.Name, len(dst)))
	}
	dst = dst[:n*t.Cols]
	bytes := int(t.Type.Bytes(t.Cols))
	src := t.Data[row*bytes : (row+n)*bytes]
	if t.file == nil {
		dequant(t.Type, dst, src)
		return
	}
	if err := t.file.read(func() { dequant(t.Type, dst, src) }); err != nil {
		for i := range dst {
			dst[i] = float32(math.NaN())
		}
	}
}

// Raw copies len(dst) of the tensor's bytes, from one on, as they lie in the file.
func (t *Tensor) Raw(dst []byte, from int) error {
	src := t.Data[from : from+len(dst)]
	if t.file == nil {
		copy(dst, src)
		return nil
	}
	return t.file.read(func() { copy(dst, src) })
}

// NewTensor makes a tensor of rows x cols values, quantised to a type that Supported
// names. Wrong sizes panic.
func NewTensor(name string, typ Type, rows, cols int, values []float32) *Tensor {
	if !typ.Supported() || rows <= 0 || cols <= 0 || len(values) != rows*cols || cols%typ.Block() != 0 {
		panic(fmt.Sprintf("checkpoint: %d values as %d rows of %d %s", len(values), rows, cols, typ))
	}
	t := &Tensor{Name: name, Type: typ, Rows: rows, Cols: cols, Dims: []int{cols, rows}, Data: make([]byte, typ.Bytes(rows*cols))}
	if rows == 1 {
		t.Dims = t.Dims[:1]
	}
	bytes := int(typ.Bytes(cols))
	inParallel(rows, func(row int) {
		quantize(typ, t.Data[row*bytes:(row+1)*bytes], values[row*cols:(row+1)*cols], nil)
	})
	return t
}

// inParallel calls do for 0 to n-1 on every processor.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}
