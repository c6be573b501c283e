//go:build cuda

package cuda

// #include <cuda.h>
// extern int cudaload_status; // what cuInit said; see loader
// extern const char *cudaload_error; // why a library that was named was not opened
import "C"

import (
	_ "embed"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"gorgonia.org/cu"
)

// What gorgonia.org/cu lacks is called here.

// oldestDriver can compile the PTX.
const oldestDriver = 11000

// driverError is why there is no driver to use; nil where there is.
func driverError() error {
	if C.cudaload_error != nil {
		return fmt.Errorf("the library that CUDA_DRIVER_LIB names cannot be opened: %s", C.GoString(C.cudaload_error))
	}
	switch status := int(C.cudaload_status); {
	case status == 100:
		return errors.New("no NVIDIA GPU or driver was found")
	case status == 803 || status == 804:
		return errors.New("the NVIDIA driver and its kernel module are of different versions; restart the machine")
	case status != 0:
		return fmt.Errorf("the NVIDIA driver does not start: CUDA error %d", status)
	}
	if v := cu.Version(); v < oldestDriver {
		return fmt.Errorf("the NVIDIA driver is too old: it speaks CUDA %d.%d, 11.0 is needed", v/1000, v%1000/10)
	}
	return nil
}

func result(r C.CUresult) error {
	if r == 0 {
		return nil
	}
	var name *C.char
	if C.cuGetErrorName(r, &name) != 0 || name == nil {
		return fmt.Errorf("CUDA error %d", int(r))
	}
	return errors.New(C.GoString(name))
}

// shared lets a kernel use n bytes of dynamic shared memory, which above 48 KiB must be asked for.
func shared(f cu.Function, n int) error {
	raw := *(*C.CUfunction)(unsafe.Pointer(&f)) // a struct of one pointer
	return result(C.cuFuncSetAttribute(raw, C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(n)))
}

// pinned is host memory that the card reads and writes itself.
func pinned(n int) ([]byte, error) {
	var p unsafe.Pointer
	if err := result(C.cuMemAllocHost(&p, C.size_t(n))); err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), n), nil
}

func unpin(b []byte) { C.cuMemFreeHost(unsafe.Pointer(unsafe.SliceData(b))) }

//go:embed kernels/sm80.ptx
var ptx string

// launch starts a kernel on blocks of threads with so many bytes of dynamic shared memory. Arguments are
// matrices (pointer, whether float, stride), bare ones (pointer, stride), vectors (pointer), pointers, ints (32 bits), int64 and float32.
func (d *Device) launch(name string, blocks [2]int, threads [2]int, bytes int, arguments ...any) error {
	f, ok := d.functions[name]
	if !ok {
		var err error
		if f, err = d.module.Function(name); err != nil {
			return fmt.Errorf("cuda: kernel %s: %w", name, err)
		}
		d.functions[name] = f
	}
	if bytes > 48<<10 && d.granted[name] < bytes {
		if err := shared(f, bytes); err != nil {
			return fmt.Errorf("cuda: kernel %s needs %d bytes of shared memory: %w", name, bytes, err)
		}
		d.granted[name] = bytes
	}
	// The driver copies 8 bytes of each argument.
	d.cells, d.places = d.cells[:0], d.places[:0]
	for _, a := range arguments {
		switch a := a.(type) {
		case matrix:
			d.cells = append(d.cells, uint64(a.address()), uint64(truth(a.kind == f32)), uint64(uint32(a.stride)))
		case vector:
			d.cells = append(d.cells, uint64(a.address()))
		case bare:
			d.cells = append(d.cells, uint64(a.address()), uint64(uint32(a.stride)))
		case cu.DevicePtr:
			d.cells = append(d.cells, uint64(a))
		case int:
			d.cells = append(d.cells, uint64(uint32(int32(a))))
		case bool:
			d.cells = append(d.cells, uint64(truth(a)))
		case int64:
			d.cells = append(d.cells, uint64(a))
		case float32:
			d.cells = append(d.cells, uint64(math.Float32bits(a)))
		default:
			panic(fmt.Sprintf("cuda: %T is no argument of a kernel", a))
		}
	}
	for i := range d.cells {
		d.places = append(d.places, unsafe.Pointer(&d.cells[i]))
	}
	if err := f.Launch(blocks[0], blocks[1], 1, threads[0], threads[1], 1, bytes, cu.Stream{}, d.places); err != nil {
		return fmt.Errorf("cuda: kernel %s on %d x %d blocks: %w", name, blocks[0], blocks[1], err)
	}
	return nil
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
