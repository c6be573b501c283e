//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"longhand/rl/model"
)

const f32, act = model.F32, model.Act

// Options choose how a Device computes.
type Options struct {
	Resident int64 // bytes of the base to hold in BF16; 0: half of the memory that is free; negative: none
	Kernels  bool  // Times by method, in place of by the names of Mark
}

// Device is the first GPU that the driver shows (CUDA_VISIBLE_DEVICES chooses). It implements model.Device.
type Device struct {
	queue *queue
	name  string
	base  base
	trace bool

	closed bool
	failed error // the first error, when it was closed

	// Of the queue's thread alone:
	device    cu.Device
	module    cu.Module
	functions map[string]cu.Function
	granted   map[string]int // bytes of dynamic shared memory, by kernel
	cells     []uint64       // of a launch
	places    []unsafe.Pointer
	blas      *cublas
	space     cu.DevicePtr // cuBLAS's
	held      map[*memory]struct{}
	scratch   [scratches]*memory
	turns     []*turn
	clock     clock
	staging   []byte // pinned
}

var _ model.Offloader = (*Device)(nil)

// Found says whether there is a GPU to use, or in a sentence why not.
func Found() error {
	if err := driverError(); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	if n, err := cu.NumDevices(); err != nil || n == 0 {
		return errors.New("cuda: no NVIDIA GPU was found")
	}
	return nil
}

// New takes the GPU and compiles the kernels for it, which the driver remembers.
func New(o Options) (*Device, error) {
	if err := Found(); err != nil {
		return nil, err
	}
	d := &Device{queue: newQueue(), trace: o.Kernels, functions: map[string]cu.Function{}, granted: map[string]int{}, held: map[*memory]struct{}{}}
	err := d.queue.wait(d.open)
	if err != nil {
		d.queue.close()
		return nil, err
	}
	d.base.Limit = o.Resident
	return d, nil
}

func (d *Device) open() (err error) {
	if d.device, err = cu.GetDevice(0); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	name, err := d.device.Name()
	if err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	major, err := d.device.Attribute(cu.ComputeCapabilityMajor)
	if err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	if major < 8 {
		return fmt.Errorf("cuda: the %s is of compute capability %d; training needs 8 (Ampere) or newer", name, major)
	}
	ctx, err := d.device.RetainPrimaryCtx()
	if err != nil {
		return fmt.Errorf("cuda: open the %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			d.give()
		}
	}()
	if err := cu.SetCurrentContext(ctx); err != nil {
		return fmt.Errorf("cuda: open the %s: %w", name, err)
	}
	if d.module, err = cu.LoadData(ptx); err != nil {
		return fmt.Errorf("cuda: the driver does not compile the kernels: %w", err)
	}
	if d.blas, err = openCublas(); err != nil {
		return err
	}
	if err := d.reserve(); err != nil {
		return err
	}
	v := cu.Version()
	d.name = fmt.Sprintf("cuda: %s, driver for CUDA %d.%d, %s", name, v/1000, v%1000/10, d.blas.name())
	return nil
}

// give lets go of everything.
func (d *Device) give() {
	for m := range d.held {
		d.free(m)
	}
	d.clock.close()
	if d.staging != nil {
		unpin(d.staging)
	}
	if d.space != 0 {
		_ = cu.MemFree(d.space)
	}
	if d.blas != nil {
		d.blas.destroy(d.blas.handle)
	}
	_ = d.module.Unload()
	_ = d.device.ReleasePrimaryCtx()
}

// Name is the card, the driver and the BLAS.
func (d *Device) Name() string { return d.name }

// Memory is what the card has free, and in all.
func (d *Device) Memory() (free, total int64) {
	d.queue.ask(func() (err error) {
		free, total, err = cu.MemInfo()
		return err
	})
	return free, total
}

// Sync waits and returns the first error.
func (d *Device) Sync() error {
	return d.queue.wait(func() error {
		if err := cu.Synchronize(); err != nil {
			return fmt.Errorf("cuda: %w", err)
		}
		return nil
	})
}

// Close waits and gives everything back.
func (d *Device) Close() error {
	if !d.closed {
		d.closed = true
		d.failed = d.Sync()
		d.queue.must(d.give)
		d.queue.close()
	}
	return d.failed
}

// memory is what a buffer, its views, or a weight lie in. The pointer is the thread's.
type memory struct {
	ptr   cu.DevicePtr
	bytes int64
	host  []byte // pinned memory of the machine, in place of the card's
}

// take allocates. What it holds is anything.
func (d *Device) take(bytes int64) (*memory, error) {
	m := &memory{}
	return m, d.fill(m, bytes)
}

// fill allocates for memory that is there already.
func (d *Device) fill(m *memory, bytes int64) (err error) {
	bytes = handedOut(bytes)
	if m.ptr, err = cu.MemAlloc(bytes); err != nil {
		m.ptr = 0
		return d.short(bytes, err)
	}
	m.bytes = bytes
	d.held[m] = struct{}{}
	return nil
}

func (d *Device) free(m *memory) {
	if m.host != nil {
		unpin(m.host)
		return
	}
	_ = cu.MemFree(m.ptr)
}

// AllocHost pins memory of the machine. Of it the driver copies by itself.
func (d *Device) AllocHost(rows, cols int) model.Buffer {
	must(rows > 0 && cols > 0, "AllocHost")
	m := &memory{bytes: width(f32) * int64(rows) * int64(cols)}
	d.queue.add(func() error {
		host, err := pinned(int(m.bytes))
		if err != nil {
			return fmt.Errorf("cuda: %d MiB of the machine's memory for what does not fit on the card: %w", m.bytes>>20, err)
		}
		m.host, m.ptr = host, cu.DevicePtr(unsafe.Pointer(&host[0]))
		d.held[m] = struct{}{}
		return nil
	})
	return &buffer{matrix: matrix{of: m, kind: f32, rows: rows, cols: cols, stride: cols}}
}

// short is the error of an allocation, with advice.
func (d *Device) short(bytes int64, err error) error {
	if err != cu.OutOfMemory {
		return fmt.Errorf("cuda: %d MiB of the card's memory: %w", bytes>>20, err)
	}
	free, total, _ := cu.MemInfo()
	return fmt.Errorf("cuda: %d MiB more of the card's memory are needed, and of %d MiB %d are free: close what else uses it, or train with fewer rows (max_rows), "+
		"a smaller base, or --device cpu", bytes>>20, total>>20, free>>20)
}

// drop gives memory back.
func (d *Device) drop(m *memory) {
	if m == nil || m.ptr == 0 {
		return
	}
	delete(d.held, m)
	d.free(m)
	m.ptr, m.host = 0, nil
}

// The scratch buffers, each for what is needed together with the others. They grow and are kept.
const (
	scratchStage = iota // what is uploaded or downloaded
	scratchLeft         // operands of another kind
	scratchRight
	scratchResult
	scratchWeight // a dequantised matrix
	scratchLogits
	scratchSlope
	scratchRows  // numbers for each row
	scratchParts // of a sum
	scratches
)

// scratchFor is memory of at least so many bytes.
func (d *Device) scratchFor(use int, bytes int64) (*memory, error) {
	if m := d.scratch[use]; m != nil && m.bytes >= bytes {
		return m, nil
	}
	d.drop(d.scratch[use])
	d.scratch[use] = nil
	m, err := d.take(bytes)
	if err == nil {
		d.scratch[use] = m
	}
	return m, err
}

// scratchMatrix is a matrix in scratch.
func (d *Device) scratchMatrix(use int, k model.Kind, rows, cols int) (matrix, error) {
	m, err := d.scratchFor(use, width(k)*int64(rows)*int64(cols))
	return matrix{of: m, kind: k, rows: rows, cols: cols, stride: cols}, err
}

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

// must panics where the caller's shapes are wrong.
func must(ok bool, operation string) {
	if !ok {
		panic("cuda: " + operation + ": the shapes do not fit")
	}
}

// Bytes is 4 a cell for F32 and 2 for Act, as the driver hands memory out.
func (d *Device) Bytes(k model.Kind, rows, cols int) int64 {
	return handedOut(width(k) * int64(rows) * int64(cols))
}

// handedOut is what an allocation takes: small ones share pages of 2 MiB, large ones are whole pages.
func handedOut(bytes int64) int64 {
	granule := int64(512)
	if bytes > 1<<20 {
		granule = 2 << 20
	}
	return (max(bytes, 1) + granule - 1) / granule * granule
}

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
		return d.driver("zero a buffer", cu.MemsetD8Async(m.ptr, 0, m.bytes, cu.Stream{}))
	})
	return b
}

// driver is an error of the driver, with what was done.
func (d *Device) driver(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cuda: %s: %w", what, err)
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
			return d.driver("upload", err)
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
			return d.driver("wait", cu.Synchronize())
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
		return d.driver("download", cu.MemcpyDtoH(unsafe.Pointer(&v[0]), stage.address(), int64(4*len(v))))
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
	return d.driver("upload", cu.MemcpyHtoD(m.ptr, unsafe.Pointer(&v[0]), int64(4*len(v))))
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
