//go:build cuda

package cuda

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/ebitengine/purego"
	"gorgonia.org/cu"
)

// cublas is NVIDIA's BLAS, of CUDA 13, 12 or 11: the calls used here are the same in all three.
type cublas struct {
	handle       uintptr
	version      int32
	create       func(handle *uintptr) int32
	destroy      func(handle uintptr) int32
	getVersion   func(handle uintptr, version *int32) int32
	setMathMode  func(handle uintptr, mode int32) int32
	setWorkspace func(handle, space, bytes uintptr) int32
	gemmEx       func(handle uintptr, transA, transB, m, n, k int32, alpha unsafe.Pointer, a uintptr, typeA, lda int32, b uintptr, typeB, ldb int32, beta unsafe.Pointer, c uintptr, typeC, ldc, compute, algorithm int32) int32
}

// NVIDIA's numbers (library_types.h, cublas_api.h).
const (
	typeF32, typeBF16 = 0, 14
	asItIs, turned    = 0, 1
	sumInF32          = 68
	anyAlgorithm      = -1
	sumNowhereInBF16  = 16 // also where a product is cut into parts
)

// workspace is what cuBLAS may work in. It must be the same for the same bits.
const workspace = 32 << 20

// places are where cuBLAS may lie, the loader's own search first.
func places() []string {
	list := []string{}
	if p := os.Getenv("CUBLAS_LIB"); p != "" {
		return []string{p}
	}
	versions := []string{"13", "12", "11"}
	for _, v := range versions {
		list = append(list, "libcublas.so."+v)
	}
	home, _ := os.UserHomeDir()
	for _, v := range versions {
		name := "libcublas.so." + v
		for _, pattern := range []string{
			"/usr/local/cuda/lib64/" + name, "/usr/local/cuda-" + v + "*/lib64/" + name, "/opt/cuda/lib64/" + name,
			"/usr/lib/x86_64-linux-gnu/" + name, "/usr/lib64/" + name,
			"/usr/lib/python3*/*-packages/nvidia/*/lib/" + name, "/usr/local/lib/python3*/*-packages/nvidia/*/lib/" + name,
			filepath.Join(home, ".local/lib/python3*/site-packages/nvidia/*/lib", name), "/opt/*/lib/python3*/site-packages/nvidia/*/lib/" + name,
		} {
			found, _ := filepath.Glob(pattern)
			list = append(list, found...)
		}
	}
	return list
}

// openCublas opens the newest that is found. A context must be current.
func openCublas() (*cublas, error) {
	var errs []error
	for _, path := range places() {
		library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b := &cublas{}
		if err := b.bind(library); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		if err := b.start(); err != nil { // an older one may go with an older driver
			errs = append([]error{fmt.Errorf("%s: %w", path, err)}, errs...)
			continue
		}
		return b, nil
	}
	return nil, fmt.Errorf("cuda: no cuBLAS can be used; install it (libcublas of CUDA 13, 12 or 11) or name its file in CUBLAS_LIB: %w", errs[0])
}

func (b *cublas) start() error {
	if status := b.create(&b.handle); status != 0 {
		return fmt.Errorf("it does not start: cuBLAS status %d", status)
	}
	b.getVersion(b.handle, &b.version)
	if status := b.setMathMode(b.handle, sumNowhereInBF16); status != 0 {
		b.destroy(b.handle)
		return fmt.Errorf("it does not sum in float32 alone: cuBLAS status %d", status)
	}
	return nil
}

func (b *cublas) bind(library uintptr) error {
	for name, f := range map[string]any{
		"cublasCreate_v2": &b.create, "cublasDestroy_v2": &b.destroy, "cublasGetVersion_v2": &b.getVersion,
		"cublasSetMathMode": &b.setMathMode, "cublasSetWorkspace_v2": &b.setWorkspace, "cublasGemmEx": &b.gemmEx,
	} {
		symbol, err := purego.Dlsym(library, name)
		if err != nil {
			return err
		}
		purego.RegisterFunc(f, symbol)
	}
	return nil
}

func (b *cublas) name() string {
	return fmt.Sprintf("cuBLAS %d.%d", b.version/10000, b.version/100%100) // as of 12; 11's are a little off
}

// product is dst = s op(a) op(b), or dst += the same, for a and b of one kind. Rows of ours are columns of cuBLAS, so
// it computes the transpose: op(b)ᵀ op(a)ᵀ.
func (d *Device) product(dst, a, b matrix, transA, transB bool, s float32, add bool) error {
	k := a.cols
	if transA {
		k = a.rows
	}
	if dst.empty() {
		return nil
	}
	beta := float32(truth(add))
	of := func(m matrix) (uintptr, int32, int32) {
		typ := int32(typeBF16)
		if m.kind == f32 {
			typ = typeF32
		}
		return uintptr(m.address()), typ, int32(max(m.stride, 1))
	}
	form := func(t bool) int32 {
		if t {
			return turned
		}
		return asItIs
	}
	pa, ta, lda := of(a)
	pb, tb, ldb := of(b)
	pc, tc, ldc := of(dst)
	if status := d.blas.gemmEx(d.blas.handle, form(transB), form(transA), int32(dst.cols), int32(dst.rows), int32(k), unsafe.Pointer(&s), pb, tb, ldb, pa, ta, lda,
		unsafe.Pointer(&beta), pc, tc, ldc, sumInF32, anyAlgorithm); status != 0 {
		return fmt.Errorf("cuda: a product of %d x %d by %d: cuBLAS status %d", dst.rows, k, dst.cols, status)
	}
	return nil
}

// reserve gives cuBLAS its workspace.
func (d *Device) reserve() error {
	p, err := cu.MemAlloc(workspace)
	if err != nil {
		return d.short(workspace, err)
	}
	d.space = p
	if status := d.blas.setWorkspace(d.blas.handle, uintptr(p), workspace); status != 0 {
		return fmt.Errorf("cuda: cuBLAS takes no workspace: status %d", status)
	}
	return nil
}
