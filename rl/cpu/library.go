package cpu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/cpu"
)

// library is a BLAS with Fortran's interface, where every argument is a pointer: so there
// are no floats in registers to pass, and 64-bit integers serve libraries of either width, on processors that put the low half first.
type library struct {
	title  string
	gemm   uintptr     // sgemm_
	serial *sync.Mutex // for a library built without threads, which may not be called from many; else nil
}

// opened are the libraries of this process by path. They are not unloaded.
var opened struct {
	sync.Mutex
	byPath map[string]*library
}

// libraryNames are the files of OpenBLAS, then MKL and BLIS, as systems name them. Fedora's
// libopenblas.so.0 is without threads, its libopenblasp is the one with.
func libraryNames() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"libopenblas.dll", "openblas.dll", "mkl_rt.2.dll", "mkl_rt.3.dll", "libblis.dll"}
	case "darwin":
		return []string{"libopenblas.dylib", "/opt/homebrew/opt/openblas/lib/libopenblas.dylib", "/System/Library/Frameworks/Accelerate.framework/Accelerate"}
	}
	return []string{"libopenblasp.so.0", "libopenblas.so.0", "libopenblas.so", "libopenblas64_.so.0", "libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so", "libblis.so.4", "libblis.so"}
}

// openLibrary opens the BLAS of a path, or the first that is found beside the program
// or where the system looks.
func openLibrary(path string) (*library, error) {
	opened.Lock()
	defer opened.Unlock()
	if lib := opened.byPath[path]; lib != nil {
		return lib, nil
	}
	names := []string{path}
	if path == "" {
		names = libraryNames()
		if exe, err := os.Executable(); err == nil {
			names = append([]string{filepath.Join(filepath.Dir(exe), filepath.Base(names[0])), filepath.Join(filepath.Dir(exe), filepath.Base(names[1]))}, names...)
		}
	}
	var failed error
	for _, name := range names {
		lib, err := load(name)
		if err == nil {
			if opened.byPath == nil {
				opened.byPath = map[string]*library{}
			}
			opened.byPath[path] = lib
			return lib, nil
		}
		if failed == nil {
			failed = err
		}
	}
	if path == "" {
		return nil, errors.New("no BLAS was found")
	}
	return nil, failed
}

// load opens a file and sets it to one thread. An OpenBLAS that does not know this
// processor, and so takes it for an old one, is loaded once more with the name of one that it knows.
func load(path string) (*library, error) {
	restore := setenv("OPENBLAS_NUM_THREADS", "1", "MKL_NUM_THREADS", "1", "MKL_THREADING_LAYER", "SEQUENTIAL", "BLIS_NUM_THREADS", "1", "VECLIB_MAXIMUM_THREADS", "1")
	defer restore()
	handle, err := openShared(path)
	if err != nil {
		return nil, fmt.Errorf("open the BLAS %s: %w", path, err)
	}
	if core := coreName(handle); core != "" && os.Getenv("OPENBLAS_CORETYPE") == "" {
		if better := betterCore(core); better != "" {
			if h, err := reopen(path, handle, better); err == nil {
				handle = h
			}
		}
	}
	gemm, err := symbol(handle, "sgemm_")
	if err != nil {
		gemm, err = symbol(handle, "sgemm_64_")
	}
	if err != nil {
		closeShared(handle)
		return nil, fmt.Errorf("open the BLAS %s: it has no sgemm_", path)
	}
	lib := &library{title: title(path, handle), gemm: gemm}
	lib.oneThread(handle)
	return lib, nil
}

// reopen loads an OpenBLAS again with the core type set, and settles for what
// it is then: the same, where others use it in this process.
func reopen(path string, handle uintptr, core string) (uintptr, error) {
	closeShared(handle)
	restore := setenv("OPENBLAS_CORETYPE", core)
	h, err := openShared(path)
	restore()
	if err != nil {
		return 0, err
	}
	if coreRank(coreName(h)) < coreRank(core) { // it does not know that one either: as it chose itself
		closeShared(h)
		return openShared(path)
	}
	return h, nil
}

// coreRank orders OpenBLAS's names of processors by what their float kernels use: 0 older than
// AVX2, 1 AVX2, 2 AVX-512.
func coreRank(core string) int {
	switch strings.ToLower(core) {
	case "skylakex", "cooperlake", "sapphirerapids":
		return 2
	case "haswell", "zen", "excavator":
		return 1
	}
	return 0
}

// betterCore is the name under which an OpenBLAS that calls this processor core uses more
// of it; "" when it already uses what there is.
func betterCore(core string) string {
	x := &cpu.X86
	switch {
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512CD && x.HasAVX512DQ && x.HasAVX512VL && coreRank(core) < 2:
		return "SkylakeX"
	case x.HasAVX2 && x.HasFMA && coreRank(core) < 1:
		return "Haswell"
	}
	return ""
}

// oneThread keeps the library from starting threads of its own.
func (l *library) oneThread(handle uintptr) {
	if set, err := symbol(handle, "openblas_set_num_threads"); err == nil {
		purego.SyscallN(set, 1)
		if parallel, err := symbol(handle, "openblas_get_parallel"); err == nil {
			if kind, _, _ := purego.SyscallN(parallel); int32(kind) == 0 {
				l.serial = &sync.Mutex{}
			}
		}
	}
	if set, err := symbol(handle, "MKL_Set_Threading_Layer"); err == nil {
		purego.SyscallN(set, 1) // sequential
	}
	if set, err := symbol(handle, "bli_thread_set_num_threads"); err == nil {
		purego.SyscallN(set, 1)
	}
	if set, err := symbol(handle, "BLASSetThreading"); err == nil {
		purego.SyscallN(set, 1) // Accelerate, from macOS 15: single-threaded
	}
}

// coreName is what an OpenBLAS takes the processor for; "" for other libraries.
func coreName(handle uintptr) string { return text(handle, "openblas_get_corename") }

// title is how the library calls itself.
func title(path string, handle uintptr) string {
	if core := coreName(handle); core != "" {
		version := "OpenBLAS"
		if fields := strings.Fields(text(handle, "openblas_get_config")); len(fields) > 1 && fields[0] == "OpenBLAS" {
			version += " " + fields[1]
		}
		return version + " " + core
	}
	switch base := filepath.Base(path); {
	case strings.Contains(base, "mkl"):
		return "MKL " + base
	case strings.Contains(base, "blis"):
		return strings.TrimSpace("BLIS " + text(handle, "bli_info_get_version_str"))
	default:
		return base
	}
}

// text calls a function that returns a C string; "" when there is none.
func text(handle uintptr, function string) string {
	f, err := symbol(handle, function)
	if err != nil {
		return ""
	}
	p, _, _ := purego.SyscallN(f)
	if p == 0 {
		return ""
	}
	var b []byte
	for s := *(**byte)(unsafe.Pointer(&p)); *s != 0 && len(b) < 4096; s = (*byte)(unsafe.Add(unsafe.Pointer(s), 1)) {
		b = append(b, *s)
	}
	return string(b)
}

// setenv sets variables that are not set, and returns what takes them back.
func setenv(pairs ...string) (restore func()) {
	var set []string
	for i := 0; i < len(pairs); i += 2 {
		if _, ok := os.LookupEnv(pairs[i]); !ok && os.Setenv(pairs[i], pairs[i+1]) == nil {
			set = append(set, pairs[i])
		}
	}
	return func() {
		for _, name := range set {
			os.Unsetenv(name)
		}
	}
}

func (l *library) name() string { return l.title }

// call is the arguments of one sgemm_, of which the library gets the addresses.
type call struct {
	transA, transB               byte
	m, n, k, lda, ldb, ldc, unit int64
	alpha, beta                  float32
}

// sgemm asks for the transposed product, since Fortran's matrices are in columns:
// cᵀ = op(b)ᵀ op(a)ᵀ, where a matrix in rows already is its own transpose.
func (l *library) sgemm(c, a, b matrix, transA, transB bool, s float32, add bool) {
	inner := a.cols
	if transA {
		inner = a.rows
	}
	x := &call{
		transA: letter(transB), transB: letter(transA),
		m: int64(c.cols), n: int64(c.rows), k: int64(inner),
		lda: int64(b.stride), ldb: int64(a.stride), ldc: int64(c.stride), alpha: s,
	}
	if add {
		x.beta = 1
	}
	if l.serial != nil {
		l.serial.Lock()
		defer l.serial.Unlock()
	}
	// Converted here, in the list of arguments: this is what keeps the compiler from
	// leaving them on the stack, which moves.
	purego.SyscallN(l.gemm,
		uintptr(unsafe.Pointer(&x.transA)), uintptr(unsafe.Pointer(&x.transB)), uintptr(unsafe.Pointer(&x.m)), uintptr(unsafe.Pointer(&x.n)), uintptr(unsafe.Pointer(&x.k)),
		uintptr(unsafe.Pointer(&x.alpha)), uintptr(unsafe.Pointer(&b.data[0])), uintptr(unsafe.Pointer(&x.lda)), uintptr(unsafe.Pointer(&a.data[0])), uintptr(unsafe.Pointer(&x.ldb)),
		uintptr(unsafe.Pointer(&x.beta)), uintptr(unsafe.Pointer(&c.data[0])), uintptr(unsafe.Pointer(&x.ldc)))
	runtime.KeepAlive(x)
	runtime.KeepAlive(a.data)
	runtime.KeepAlive(b.data)
	runtime.KeepAlive(c.data)
}

func letter(transpose bool) byte {
	if transpose {
		return 'T'
	}
	return 'N'
}
