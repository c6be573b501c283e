//go:build cgo

package cpu

// #cgo CFLAGS: -O3 -Wall
// #cgo LDFLAGS: -lm
// #include "kernels.h"
//
// // Go cannot call through a pointer.
// static void add(const kernel_table *k, float *dst, long ldd, const float *src, long lds, long rows, long cols)
// { k->add(dst, ldd, src, lds, rows, cols); }
// static void scale_rows(const kernel_table *k, float *dst, long ldd, const float *src, long lds, const float *g, long ldg, long rows, long cols)
// { k->scale_rows(dst, ldd, src, lds, g, ldg, rows, cols); }
// static double sum_squares(const kernel_table *k, const float *src, long lds, long rows, long cols)
// { return k->sum_squares(src, lds, rows, cols); }
// static void transpose(const kernel_table *k, float *dst, long ldd, const float *src, long lds, long rows, long cols, float s, int add)
// { k->transpose(dst, ldd, src, lds, rows, cols, s, add); }
// static void rms_norm(const kernel_table *k, float *dst, long ldd, float *inv, long ldi, const float *x, long ldx, const float *gain, long rows, long heads, long n, float eps)
// { k->rms_norm(dst, ldd, inv, ldi, x, ldx, gain, rows, heads, n, eps); }
// static void rms_norm_back(const kernel_table *k, float *dx, long lddx, const float *dy, long ldy, const float *x, long ldx, const float *inv, long ldi, const float *gain, long rows, long heads, long n, int add)
// { k->rms_norm_back(dx, lddx, dy, ldy, x, ldx, inv, ldi, gain, rows, heads, n, add); }
// static void rope(const kernel_table *k, float *x, long ldx, long rows, long heads, long size, const float *cos, const float *sin, long n, int pairwise, float sign)
// { k->rope(x, ldx, rows, heads, size, cos, sin, n, pairwise, sign); }
// static void swiglu(const kernel_table *k, float *dst, long ldd, const float *gate, long ldg, const float *up, long ldu, long rows, long cols)
// { k->swiglu(dst, ldd, gate, ldg, up, ldu, rows, cols); }
// static void swiglu_back(const kernel_table *k, float *dgate, long lddg, float *dup, long lddu, const float *dy, long ldy, const float *gate, long ldg, const float *up, long ldu, long rows, long cols)
// { k->swiglu_back(dgate, lddg, dup, lddu, dy, ldy, gate, ldg, up, ldu, rows, cols); }
// static void softmax(const kernel_table *k, float *s, long lds, float *sum_inv, float *lse, long ldl, long rows, long cols, long seen)
// { k->softmax(s, lds, sum_inv, lse, ldl, rows, cols, seen); }
// static void softmax_back(const kernel_table *k, float *s, float *dp, long lds, const float *lse, long ldl, const float *dout, long ldo, const float *out, long ldout, long size, long rows, long cols, long seen)
// { k->softmax_back(s, dp, lds, lse, ldl, dout, ldo, out, ldout, size, rows, cols, seen); }
// static void head(const kernel_table *k, float *z, long ldz, long rows, long cols, float *top, double *sum, double *weighted, float *rescale)
// { k->head(z, ldz, rows, cols, top, sum, weighted, rescale); }
// static void adamw(const kernel_table *k, float *p, const float *g, float *m, float *v, long n, const float *c)
// { k->adamw(p, g, m, v, n, c); }
// static void gemm(const kernel_table *k, float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb, long m, long n, long kk, float s, int add)
// { k->gemm(c, ldc, a, rs, cs, b, ldb, m, n, kk, s, add); }
// static void multiply(const kernel_table *k, float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb, int turned, long m, long n, long kk, float s, int add, float *space)
// { k->multiply(c, ldc, a, rs, cs, b, ldb, turned, m, n, kk, s, add, space); }
import "C"

import "unsafe"

// kernelSets are the kernels that this machine can run, best first.
func kernelSets() []kernels {
	var sets []kernels
	for level := C.int(2); level >= 0; level-- {
		if t := C.kernels_of(level); t != nil {
			sets = append(sets, compiled{t})
		}
	}
	return append(sets, plain{})
}

// compiled are the kernels of kernels_body.h.
type compiled struct{ table *C.kernel_table }

// at is where a matrix begins, and its stride.
func at(m matrix) (*C.float, C.long) {
	return (*C.float)(unsafe.Pointer(&m.data[0])), C.long(m.stride)
}

func floats(v []float32) *C.float { return (*C.float)(unsafe.Pointer(&v[0])) }

func doubles(v []float64) *C.double { return (*C.double)(unsafe.Pointer(&v[0])) }

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

func (k compiled) name() string { return C.GoString(k.table.name) }

func (k compiled) add(dst, src matrix) {
	d, ldd := at(dst)
	s, lds := at(src)
	C.add(k.table, d, ldd, s, lds, C.long(dst.rows), C.long(dst.cols))
}

func (k compiled) scaleRows(dst, src, g matrix) {
	d, ldd := at(dst)
	s, lds := at(src)
	f, ldg := at(g)
	C.scale_rows(k.table, d, ldd, s, lds, f, ldg, C.long(dst.rows), C.long(dst.cols))
}

func (k compiled) sumSquares(src matrix) float64 {
	s, lds := at(src)
	return float64(C.sum_squares(k.table, s, lds, C.long(src.rows), C.long(src.cols)))
}

func (k compiled) transpose(dst, src matrix, s float32, add bool) {
	d, ldd := at(dst)
	p, lds := at(src)
	C.transpose(k.table, d, ldd, p, lds, C.long(src.rows), C.long(src.cols), C.float(s), flag(add))
}

func (k compiled) rmsNorm(dst, inv, x matrix, gain []float32, eps float32) {
	d, ldd := at(dst)
	i, ldi := at(inv)
	p, ldx := at(x)
	C.rms_norm(k.table, d, ldd, i, ldi, p, ldx, floats(gain), C.long(x.rows), C.long(x.cols/len(gain)), C.long(len(gain)), C.float(eps))
}

func (k compiled) rmsNormBack(dx, dy, x, inv matrix, gain []float32, add bool) {
	d, lddx := at(dx)
	y, ldy := at(dy)
	p, ldx := at(x)
	i, ldi := at(inv)
	C.rms_norm_back(k.table, d, lddx, y, ldy, p, ldx, i, ldi, floats(gain), C.long(x.rows), C.long(x.cols/len(gain)), C.long(len(gain)), flag(add))
}

func (k compiled) rope(x matrix, heads int, t *ropeTable, from int, sign float32) {
	p, ldx := at(x)
	w := t.width()
	C.rope(k.table, p, ldx, C.long(x.rows), C.long(heads), C.long(x.cols/heads), floats(t.cos[from*w:]), floats(t.sin[from*w:]), C.long(t.n), flag(t.pairwise), C.float(sign))
}

func (k compiled) swiglu(dst, gate, up matrix) {
	d, ldd := at(dst)
	g, ldg := at(gate)
	u, ldu := at(up)
	C.swiglu(k.table, d, ldd, g, ldg, u, ldu, C.long(dst.rows), C.long(dst.cols))
}

func (k compiled) swigluBack(dgate, dup, dy, gate, up matrix) {
	dg, lddg := at(dgate)
	du, lddu := at(dup)
	d, ldy := at(dy)
	g, ldg := at(gate)
	u, ldu := at(up)
	C.swiglu_back(k.table, dg, lddg, du, lddu, d, ldy, g, ldg, u, ldu, C.long(dy.rows), C.long(dy.cols))
}

func (k compiled) softmax(s matrix, sumInv []float32, lse matrix, seen int) {
	p, lds := at(s)
	l, ldl := at(lse)
	C.softmax(k.table, p, lds, floats(sumInv), l, ldl, C.long(s.rows), C.long(s.cols), C.long(seen))
}

func (k compiled) softmaxBack(s, dp, lse, dout, out matrix, seen int) {
	p, lds := at(s)
	d, ldd := at(dp)
	if ldd != lds {
		panic("cpu: scores and their gradients in different strides")
	}
	l, ldl := at(lse)
	o, ldo := at(dout)
	y, ldy := at(out)
	C.softmax_back(k.table, p, d, lds, l, ldl, o, ldo, y, ldy, C.long(out.cols), C.long(s.rows), C.long(s.cols), C.long(seen))
}

func (k compiled) head(z matrix, r *running) {
	p, ldz := at(z)
	C.head(k.table, p, ldz, C.long(z.rows), C.long(z.cols), floats(r.top), doubles(r.sum), doubles(r.weighted), floats(r.rescale))
}

func (k compiled) adamW(p, g, m, v []float32, c *[10]float32) {
	C.adamw(k.table, floats(p), floats(g), floats(m), floats(v), C.long(len(p)), floats(c[:]))
}

func (k compiled) gemm(c, a, b matrix, transA bool, s float32, add bool) bool {
	to, ldc := at(c)
	p, lda := at(a)
	q, ldb := at(b)
	rs, cs := lda, C.long(1)
	if transA {
		rs, cs = 1, lda
	}
	C.gemm(k.table, to, ldc, p, rs, cs, q, ldb, C.long(c.rows), C.long(c.cols), C.long(b.rows), C.float(s), flag(add))
	return true
}

// sgemm makes these kernels a BLAS, see ownBLAS.
func (k compiled) sgemm(c, a, b matrix, transA, transB bool, s float32, add bool, space []float32) {
	to, ldc := at(c)
	p, lda := at(a)
	q, ldb := at(b)
	rs, cs, depth := lda, C.long(1), a.cols
	if transA {
		rs, cs, depth = 1, lda, a.rows
	}
	C.multiply(k.table, to, ldc, p, rs, cs, q, ldb, flag(transB), C.long(c.rows), C.long(c.cols), C.long(depth), C.float(s), flag(add), floats(space))
}
