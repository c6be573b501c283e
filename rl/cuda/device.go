//go:build cuda

package cuda

import (
	"errors"
	"fmt"
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

// must panics where the caller's shapes are wrong.
func must(ok bool, operation string) {
	if !ok {
		panic("cuda: " + operation + ": the shapes do not fit")
	}
}

// doing adds to an error of the driver what was done.
func doing(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cuda: %s: %w", what, err)
}
