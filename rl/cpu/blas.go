package cpu

import (
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

// openBLAS opens the library of a path, or the best that is found. Without any the products are kern's
// own, and gonum's where kern has none.
func openBLAS(path string, kern kernels) (blas, error) {
	_, inGo := kern.(plain)
	switch {
	case path == "go" || path == "own" && inGo:
		return gonumBLAS{}, nil
	case path == "own":
		return ownBLAS{kern}, nil
	}
	lib, err := openLibrary(path)
	switch {
	case err != nil && path != "":
		return nil, err
	case err != nil && inGo:
		return gonumBLAS{}, nil
	case err != nil:
		return ownBLAS{kern}, nil
	}
	return lib, nil
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

// ownBLAS is the kernels' gemm for products of any size: parts of b are copied to where they are read
// in the order they lie.
type ownBLAS struct{ kern kernels }

func (o ownBLAS) name() string { return "own products (no BLAS found)" }

// Of b a block of depth x width is copied at once: it fits the second cache.
const (
	ownDepth = 256
	ownWidth = 512
)

func (o ownBLAS) sgemm(c, a, b matrix, transA, transB bool, s float32, add bool) {
	depth := b.rows
	if transB {
		depth = b.cols
	}
	packed := make([]float32, min(depth, ownDepth)*min(c.cols, ownWidth))
	for j := 0; j < c.cols; j += ownWidth {
		width := min(ownWidth, c.cols-j)
		for p := 0; p < depth; p += ownDepth {
			deep := min(ownDepth, depth-p)
			block := newMatrix(packed, deep, width)
			if transB {
				o.kern.transpose(block, b.part(j, width, p, deep), 1, false)
			} else {
				for r := range deep {
					copy(block.row(r), b.data[(p+r)*b.stride+j:])
				}
			}
			var left matrix
			if transA {
				left = a.part(p, deep, 0, a.cols)
			} else {
				left = a.part(0, a.rows, p, deep)
			}
			o.kern.gemm(c.part(0, c.rows, j, width), left, block, transA, s, add || p > 0)
		}
	}
}
