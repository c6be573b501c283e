package cpu

import (
	"sync"

	gblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// blas multiplies matrices. It may be called from many goroutines at once.
type blas interface {
	// name is the library's, its version, and what processor it takes this one for.
	name() string
	// sgemm is c = s op(a) op(b), or c += the same. No matrix is empty.
	sgemm(c, a, b matrix, transA, transB bool, s float32, add bool)
}

// openBLAS opens the library of a path, or the best that is found. Without any the
// products are kern's own, and gonum's where kern has none.
func openBLAS(path string, kern kernels) (blas, error) {
	if path != "go" && path != "own" {
		lib, err := openLibrary(path)
		if err == nil {
			return lib, nil
		}
		if path != "" {
			return nil, err
		}
	}
	if own, ok := kern.(multiplier); ok && path != "go" {
		return newOwnBLAS(own), nil
	}
	return gonumBLAS{}, nil
}

// gonumBLAS is gonum's implementation in Go.
type gonumBLAS struct{ impl gonum.Implementation }

func (gonumBLAS) name() string { return "gonum" }

func (g gonumBLAS) sgemm(c, a, b matrix, transA, transB bool, s float32, add bool) {
	inner := a.cols
	if transA {
		inner = a.rows
	}
	var beta float32
	if add {
		beta = 1
	}
	g.impl.Sgemm(transposed(transA), transposed(transB), c.rows, c.cols, inner, s, a.data, a.stride, b.data, b.stride, beta, c.data, c.stride)
}

func transposed(t bool) gblas.Transpose {
	if t {
		return gblas.Trans
	}
	return gblas.NoTrans
}

// multiplier are kernels that can take the place of a BLAS. space is ownSpace floats.
type multiplier interface {
	kernels
	sgemm(c, a, b matrix, transA, transB bool, s float32, add bool, space []float32)
}

// ownSpace is what multiply of kernels_product.h copies b into.
const ownSpace = 256 * 768

// ownBLAS is the products of kernels.
type ownBLAS struct {
	kern   multiplier
	spaces *sync.Pool
}

func newOwnBLAS(kern multiplier) ownBLAS {
	return ownBLAS{kern, &sync.Pool{New: func() any { return new([ownSpace]float32) }}}
}

func (o ownBLAS) name() string { return "own products" }

func (o ownBLAS) sgemm(c, a, b matrix, transA, transB bool, s float32, add bool) {
	space := o.spaces.Get().(*[ownSpace]float32)
	o.kern.sgemm(c, a, b, transA, transB, s, add, space[:])
	o.spaces.Put(space)
}
