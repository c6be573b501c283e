package checkpoint

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
func (t *Tensor) Check() error { panic("checkpoint: not written yet") }

// Dequant writes rows row to row+n-1 as n*Cols numbers. It may be called from many
// goroutines. A type that Check refuses, and rows or a dst out of range, panic. Of a file that
// was cut after it was opened the missing rows become NaN, and File.Err says so.
func (t *Tensor) Dequant(dst []float32, row, n int) { panic("checkpoint: not written yet") }

// NewTensor makes a tensor of rows x cols values, quantised to a type that Supported
// names. Wrong sizes panic.
func NewTensor(name string, typ Type, rows, cols int, values []float32) *Tensor {
	panic("checkpoint: not written yet")
}
