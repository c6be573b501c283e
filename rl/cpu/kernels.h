// The vectorised kernels, see kernels_body.h. Every function exists once per
// instruction set; the table that kernels_of returns is one of them.
#ifndef LONGHAND_KERNELS_H
#define LONGHAND_KERNELS_H

typedef struct {
	const char *name;
	void (*add)(float *dst, long ldd, const float *src, long lds, long rows, long cols);
	void (*scale_rows)(float *dst, long ldd, const float *src, long lds, const float *g, long ldg, long rows, long cols);
	double (*sum_squares)(const float *src, long lds, long rows, long cols);
	void (*transpose)(float *dst, long ldd, const float *src, long lds, long rows, long cols, float s, int add);
	void (*rms_norm)(float *dst, long ldd, float *inv, long ldi, const float *x, long ldx, const float *gain,
			 long rows, long heads, long n, float eps);
	void (*rms_norm_back)(float *dx, long lddx, const float *dy, long ldy, const float *x, long ldx, const float *inv,
			      long ldi, const float *gain, long rows, long heads, long n, int add);
	void (*rope)(float *x, long ldx, long rows, long heads, long size, const float *cos, const float *sin, long n,
		     int pairwise, float sign);
	void (*swiglu)(float *dst, long ldd, const float *gate, long ldg, const float *up, long ldu, long rows, long cols);
	void (*swiglu_back)(float *dgate, long lddg, float *dup, long lddu, const float *dy, long ldy, const float *gate,
			    long ldg, const float *up, long ldu, long rows, long cols);
	void (*softmax)(float *s, long lds, float *sum_inv, float *lse, long ldl, long rows, long cols, long seen);
	void (*softmax_back)(float *s, float *dp, long lds, const float *lse, long ldl, const float *dout, long ldo,
			     const float *out, long ldout, long size, long rows, long cols, long seen);
	void (*head)(float *z, long ldz, long rows, long cols, float *top, double *sum, double *weighted, float *rescale);
	void (*adamw)(float *p, const float *g, float *m, float *v, long n, const float *c);
	void (*gemm)(float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb, long m, long n, long k,
		     float s, int add);
	void (*multiply)(float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb, int turned, long m, long n,
			 long k, float s, int add, float *space);
} kernel_table;

// kernels_of is the table of an instruction set, NULL where this machine or this
// build has none of it: 0 what every machine of its kind has, 1 AVX2 and FMA, 2 AVX-512.
const kernel_table *kernels_of(int level);

#endif
