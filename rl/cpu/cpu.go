// Package cpu is model.Device on the processor, in float32 for buffers of both kinds.
//
// Large products go to the BLAS of the machine, which is opened at run time and used
// from as many goroutines as there are threads, each with a part of the product: so its own threads never
// run, and do not spin beside those of llama.cpp. Where there is no BLAS the products are
// this package's own, or gonum's. Everything else, and products with a thin side, are
// kernels in C (kernels_body.h), compiled once for each instruction set and chosen when the
// device is made. C through cgo, and not Go assembly: the trainer is the only program that
// links this package, one text serves SSE, AVX2, AVX-512 and NEON, and whoever reads it can check it against
// the formula. Without cgo the same loops run in Go (plain.go), correct and
// slow. Explicit vectors in place of the compiler's own: GCC may not reorder a sum of floats, so
// it leaves such loops scalar, and flags that let it would let it differ between versions.
//
// Results do not depend on how fast threads are. How work is cut depends on shapes alone, but for large
// products, whose tiles depend on the number of threads too; OpenBLAS's AVX-512 kernels and this package's
// own give the same bits for any tiles, OpenBLAS's AVX2 kernels do not. What several workers give to a
// sum is added in a fixed order.
//
// Start with device.go for what is held, product.go for the products, attention.go and
// head.go for the two operations that are more than a loop.
package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"longhand/rl/model"
)

// Options choose how a Device computes.
type Options struct {
	Threads  int    // 0: as many as the process may use
	BLAS     string // path of a library; "": the best found; "own": this package's products; "go": gonum's
	Resident int64  // bytes of the base to hold in F32; 0: half of the memory that is free
}

// Device is a processor. It implements model.Device.
type Device struct {
	threads int
	blas    blas
	kern    kernels
	scratch [][]float32  // of each worker
	panel   []float32    // dequantised rows of a weight
	turn    []float32    // a transposed side of a product
	given   []float32    // what jobs give to a sum, before it is added up
	base    model.Budget // of weights held in F32
	room    int          // bytes for what attention jobs give
	buffers map[*buffer]struct{}
	weights map[*weight]struct{}
	err     error

	mark  string
	since time.Time
	times map[string]float64
}

var _ model.Device = (*Device)(nil)

// New opens the machine's BLAS and chooses the kernels.
func New(o Options) (*Device, error) {
	if o.Threads < 0 || o.Resident < 0 {
		return nil, errors.New("cpu: threads and resident bytes must not be negative")
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	kern := kernelSets()[0]
	b, err := openBLAS(o.BLAS, kern)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return newDevice(o, b, kern), nil
}

// newDevice is New with parts that were chosen.
func newDevice(o Options, b blas, kern kernels) *Device {
	d := &Device{
		threads: o.Threads, blas: b, kern: kern,
		scratch: make([][]float32, o.Threads),
		buffers: map[*buffer]struct{}{}, weights: map[*weight]struct{}{},
		since: time.Now(), times: map[string]float64{},
	}
	d.room = contributions
	d.base.Limit = o.Resident
	if o.Resident == 0 {
		free, _ := d.Memory()
		d.base.Limit = free / 2
	}
	return d
}

// Name is the BLAS with the kind of processor that it takes this one for, the kernels'
// instruction set, and the threads.
func (d *Device) Name() string {
	return fmt.Sprintf("cpu: %s, %s kernels, threads %d", d.blas.name(), d.kern.name(), d.threads)
}

// fail keeps the first error.
func (d *Device) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// Sync returns the first error. Nothing is ever queued.
func (d *Device) Sync() error { return d.err }

// Close gives the memory of all buffers and weights back. The BLAS stays loaded.
func (d *Device) Close() error {
	for b := range d.buffers {
		d.Free(b)
	}
	for w := range d.weights {
		d.FreeWeight(w)
	}
	d.scratch, d.panel, d.turn, d.given = nil, nil, nil, nil
	d.fail(errors.New("cpu: the device is closed"))
	return nil
}

// Mark names what is computed from here on.
func (d *Device) Mark(name string) {
	now := time.Now()
	if d.mark != "" {
		d.times[d.mark] += now.Sub(d.since).Seconds()
	}
	d.mark, d.since = name, now
}

// Times is seconds by the names of Mark.
func (d *Device) Times() map[string]float64 {
	d.Mark(d.mark)
	t := make(map[string]float64, len(d.times))
	for name, s := range d.times {
		t[name] = s
	}
	return t
}

// workspace is n floats of a worker's own, of any value. It is kept for the next call.
func (d *Device) workspace(worker, n int) []float32 {
	if len(d.scratch[worker]) < n {
		d.scratch[worker] = make([]float32, n)
	}
	return d.scratch[worker][:n]
}

// must panics where the caller's shapes are wrong.
func must(ok bool, operation string) {
	if !ok {
		panic("cpu: " + operation + ": the shapes do not fit")
	}
}
