//go:build cuda

package cuda

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"longhand/rl/model"
)

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
