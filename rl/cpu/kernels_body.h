// The kernels of one instruction set: kernels.c includes this with
//
//	SET    the suffix of its names
//	VL     floats in a vector
//	WIDE   vectors that a tile of a product is wide
//	SQRT   square root of a vector
//	LESS, MORE   the smaller and the larger of two vectors, the second where one is not a number
//	TURN   a vector with neighbours exchanged
//
// A vector is the compiler's own (vector_size), so that the lanes, and with them the order of every sum, are
// written here and not left to its optimiser. What is left of a row after the last
// whole vector is computed in a vector that is filled up with zeros. Strides are in floats.

#define V NAME(vec)
#define I NAME(ivec)
typedef float V __attribute__((vector_size(4 * VL)));
typedef int I __attribute__((vector_size(4 * VL)));

INLINE V NAME(load)(const float *p)
{
	V v;
	memcpy(&v, p, sizeof v);
	return v;
}

INLINE void NAME(store)(float *p, V v) { memcpy(p, &v, sizeof v); }

// load_part and store_part take the first n lanes.
INLINE V NAME(load_part)(const float *p, long n)
{
	V v = {0};
	for (long i = 0; i < n; i++)
		v[i] = p[i];
	return v;
}

INLINE void NAME(store_part)(float *p, V v, long n)
{
	for (long i = 0; i < n; i++)
		p[i] = v[i];
}

INLINE V NAME(splat)(float x) { return x - (V){0}; }

// sum adds the lanes up in a fixed order: four sums of every fourth, then these.
INLINE float NAME(sum)(V v)
{
	quad q[VL / 4];
	memcpy(q, &v, sizeof v);
	for (int half = VL / 8; half > 0; half /= 2)
		for (int i = 0; i < half; i++)
			q[i] += q[i + half];
	return (q[0][0] + q[0][2]) + (q[0][1] + q[0][3]);
}

// top is the largest lane.
INLINE float NAME(top)(V v)
{
	quad q[VL / 4];
	memcpy(q, &v, sizeof v);
	float m[4];
	for (int j = 0; j < 4; j++) {
		m[j] = q[0][j];
		for (int i = 1; i < VL / 4; i++)
			m[j] = q[i][j] > m[j] ? q[i][j] : m[j];
	}
	m[0] = m[1] > m[0] ? m[1] : m[0];
	m[2] = m[3] > m[2] ? m[3] : m[2];
	return m[2] > m[0] ? m[2] : m[0];
}

// most is the largest of n floats, at least one.
INLINE float NAME(most)(const float *p, long n)
{
	float m = p[0];
	long i = 0;
	if (n >= 4 * VL) { // four at a time, since each waits for the one before
		V a = NAME(load)(p), b = a, c = a, d = a;
		for (; i + 4 * VL <= n; i += 4 * VL) {
			a = MORE(a, NAME(load)(p + i));
			b = MORE(b, NAME(load)(p + i + VL));
			c = MORE(c, NAME(load)(p + i + 2 * VL));
			d = MORE(d, NAME(load)(p + i + 3 * VL));
		}
		m = NAME(top)(MORE(MORE(a, b), MORE(c, d)));
	}
	for (; i < n; i++)
		m = p[i] > m ? p[i] : m;
	return m;
}

// expv is exp to about 2 units in the last place: x = n ln 2 + r with |r| <= ln 2 / 2, and
// the Taylor series of exp(r), whose first term left out is r^8 / 8! < 6e-9. Below -87.3 it stays
// at 1.2e-38, above 88.3 at 2.3e38; what is not a number stays none.
INLINE V NAME(expv)(V x)
{
	const V low = NAME(splat)(-87.3f), high = NAME(splat)(88.3f), round = NAME(splat)(12582912.f); // 1.5 * 2^23
	x = LESS(high, MORE(low, x));
	V t = x * 1.44269504f + round; // the low bits are n
	V n = t - round;
	V r = x - n * 0.693359375f; // ln 2 in two parts, the first of 9 bits
	r = r + n * 2.12194440e-4f;
	V p = r * (1.f / 5040) + 1.f / 720;
	p = p * r + 1.f / 120;
	p = p * r + 1.f / 24;
	p = p * r + 1.f / 6;
	p = p * r + 0.5f;
	p = p * r + 1.f;
	p = p * r + 1.f;
	return p * (V)(((I)t << 23) + (127 << 23));
}

// EACH runs one statement for every vector of n floats: i is where it begins, and LOAD and
// STORE take all or, at the end, a part of it.
#define EACH(n, body)                                                  \
	do {                                                           \
		long i = 0, part = VL;                                 \
		for (; i + VL <= (n); i += VL) {                       \
			enum { whole = 1 };                            \
			body                                           \
		}                                                      \
		part = (n)-i;                                          \
		if (part > 0) {                                        \
			enum { whole = 0 };                            \
			body                                           \
		}                                                      \
	} while (0)
#define LOAD(p) (whole ? NAME(load)((p) + i) : NAME(load_part)((p) + i, part))
#define STORE(p, v)                                                    \
	do {                                                           \
		if (whole)                                             \
			NAME(store)((p) + i, v);                       \
		else                                                   \
			NAME(store_part)((p) + i, v, part);            \
	} while (0)

static void NAME(add)(float *dst, long ldd, const float *src, long lds, long rows, long cols)
{
	for (long t = 0; t < rows; t++, dst += ldd, src += lds)
		EACH(cols, { STORE(dst, LOAD(dst) + LOAD(src)); });
}

static void NAME(scale_rows)(float *dst, long ldd, const float *src, long lds, const float *g, long ldg, long rows, long cols)
{
	for (long t = 0; t < rows; t++, dst += ldd, src += lds, g += ldg)
		EACH(cols, { STORE(dst, LOAD(src) * *g); });
}

static double NAME(sum_squares)(const float *src, long lds, long rows, long cols)
{
	double all = 0;
	for (long t = 0; t < rows; t++, src += lds) {
		for (long from = 0; from < cols; from += 1024) { // short sums in float, these in double
			const float *p = src + from;
			long n = cols - from < 1024 ? cols - from : 1024;
			V s = {0};
			EACH(n, { V v = LOAD(p); s += v * v; });
			all += NAME(sum)(s);
		}
	}
	return all;
}

// transpose writes s src^T, or adds it: dst is cols x rows.
static void NAME(transpose)(float *dst, long ldd, const float *src, long lds, long rows, long cols, float s, int add)
{
	for (long c0 = 0; c0 < cols; c0 += 16) {
		long c1 = c0 + 16 < cols ? c0 + 16 : cols;
		for (long r0 = 0; r0 < rows; r0 += 16) {
			long r1 = r0 + 16 < rows ? r0 + 16 : rows;
			for (long c = c0; c < c1; c++)
				for (long r = r0; r < r1; r++) {
					float v = s * src[r * lds + c];
					dst[c * ldd + r] = add ? dst[c * ldd + r] + v : v;
				}
		}
	}
}

static void NAME(rms_norm)(float *dst, long ldd, float *inv, long ldi, const float *x, long ldx, const float *gain, long rows,
			   long heads, long n, float eps)
{
	for (long t = 0; t < rows; t++, dst += ldd, x += ldx, inv += ldi) {
		for (long h = 0; h < heads; h++) {
			const float *xs = x + h * n;
			float *to = dst + h * n;
			V s = {0};
			EACH(n, { V v = LOAD(xs); s += v * v; });
			float scale = 1 / sqrtf(NAME(sum)(s) / n + eps);
			inv[h] = scale;
			EACH(n, { STORE(to, LOAD(xs) * scale * LOAD(gain)); });
		}
	}
}

static void NAME(rms_norm_back)(float *dx, long lddx, const float *dy, long ldy, const float *x, long ldx, const float *inv,
				long ldi, const float *gain, long rows, long heads, long n, int add)
{
	for (long t = 0; t < rows; t++, dx += lddx, dy += ldy, x += ldx, inv += ldi) {
		for (long h = 0; h < heads; h++) {
			const float *xs = x + h * n, *ds = dy + h * n;
			float *to = dx + h * n, scale = inv[h];
			V s = {0};
			EACH(n, { s += LOAD(xs) * LOAD(gain) * LOAD(ds); });
			float pull = scale * scale * scale * (NAME(sum)(s) / n);
			if (add)
				EACH(n, { STORE(to, LOAD(to) + LOAD(gain) * LOAD(ds) * scale - LOAD(xs) * pull); });
			else
				EACH(n, { STORE(to, LOAD(gain) * LOAD(ds) * scale - LOAD(xs) * pull); });
		}
	}
}

// rope turns n pairs of each head. Pairwise, cos and sin hold 2n numbers a row, each cosine
// twice and the sines as -sin, sin; else n of each.
static void NAME(rope)(float *x, long ldx, long rows, long heads, long size, const float *cos, const float *sin, long n,
		       int pairwise, float sign)
{
	for (long t = 0; t < rows; t++, x += ldx, cos += pairwise ? 2 * n : n, sin += pairwise ? 2 * n : n) {
		for (long h = 0; h < heads; h++) {
			float *a = x + h * size, *b = a + n;
			if (pairwise) {
				EACH(2 * n, {
					V v = LOAD(a);
					STORE(a, v * LOAD(cos) + TURN(v) * (LOAD(sin) * sign));
				});
			} else {
				EACH(n, {
					V p = LOAD(a);
					V q = LOAD(b);
					V c = LOAD(cos);
					V s = LOAD(sin) * sign;
					STORE(a, p * c - q * s);
					STORE(b, q * c + p * s);
				});
			}
		}
	}
}

static void NAME(swiglu)(float *dst, long ldd, const float *gate, long ldg, const float *up, long ldu, long rows, long cols)
{
	for (long t = 0; t < rows; t++, dst += ldd, gate += ldg, up += ldu)
		EACH(cols, {
			V z = LOAD(gate);
			STORE(dst, z / (1.f + NAME(expv)(-z)) * LOAD(up));
		});
}

static void NAME(swiglu_back)(float *dgate, long lddg, float *dup, long lddu, const float *dy, long ldy, const float *gate,
			      long ldg, const float *up, long ldu, long rows, long cols)
{
	for (long t = 0; t < rows; t++, dgate += lddg, dup += lddu, dy += ldy, gate += ldg, up += ldu)
		EACH(cols, {
			V z = LOAD(gate);
			V u = LOAD(up);
			V d = LOAD(dy);
			V s = 1.f / (1.f + NAME(expv)(-z));
			STORE(dup, d * z * s);
			STORE(dgate, d * u * s * (1.f + z * (1.f - s)));
		});
}

// softmax makes exp(s - max) of rows of scores. Row i sees the first seen + i columns, the
// others become 0; cols is a multiple of 16. sum_inv is 1 over a row's sum, by which the caller
// still multiplies; lse is the log of its sum of exponentials.
static void NAME(softmax)(float *s, long lds, float *sum_inv, float *lse, long ldl, long rows, long cols, long seen)
{
	for (long t = 0; t < rows; t++, s += lds, lse += ldl) {
		long n = seen + t, whole = (n + VL - 1) / VL * VL;
		for (long j = n; j < whole; j++)
			s[j] = -INFINITY; // of which expv makes 1e-38
		float m = NAME(most)(s, whole);
		V sums = {0};
		for (long j = 0; j < whole; j += VL) {
			V e = NAME(expv)(NAME(load)(s + j) - m);
			NAME(store)(s + j, e);
			sums += e;
		}
		memset(s + n, 0, (cols - n) * sizeof *s);
		float sum = NAME(sum)(sums);
		sum_inv[t] = 1 / sum;
		*lse = m + logf(sum);
	}
}

// softmax_back makes p = exp(s - lse) of the scores s, and ds = p (dp - D) of dp = dout v^T, where D is the
// sum of dout out over a row. Row i sees the first seen + i columns, the others become 0; cols is a multiple of 16.
static void NAME(softmax_back)(float *s, float *dp, long lds, const float *lse, long ldl, const float *dout, long ldo,
			       const float *out, long ldout, long size, long rows, long cols, long seen)
{
	for (long t = 0; t < rows; t++, s += lds, dp += lds, lse += ldl, dout += ldo, out += ldout) {
		long n = seen + t;
		V both = {0};
		EACH(size, { both += LOAD(dout) * LOAD(out); });
		float d = NAME(sum)(both), l = *lse;
		for (long j = 0; j < n; j += VL) {
			V p = NAME(expv)(NAME(load)(s + j) - l);
			NAME(store)(s + j, p);
			NAME(store)(dp + j, p * (NAME(load)(dp + j) - d));
		}
		memset(s + n, 0, (cols - n) * sizeof *s);
		memset(dp + n, 0, (cols - n) * sizeof *dp);
	}
}

// head takes in the next cols logits of each row and makes e = exp(z - top) of them, where top
// is the most so far. sum is the sum of e over all columns so far, weighted that of e (z - top),
// rescale what earlier sums were multiplied by because top has moved.
static void NAME(head)(float *z, long ldz, long rows, long cols, float *top, double *sum, double *weighted, float *rescale)
{
	for (long t = 0; t < rows; t++, z += ldz) {
		float m = NAME(most)(z, cols), old = top[t];
		if (sum[t] > 0 && old > m)
			m = old;
		V s0 = {0}, s1 = {0};
		long j = 0;
		for (; j + VL <= cols; j += VL) {
			V d = NAME(load)(z + j) - m;
			V e = NAME(expv)(d);
			NAME(store)(z + j, e);
			s0 += e;
			s1 += e * d;
		}
		double a = NAME(sum)(s0), b = NAME(sum)(s1);
		if (j < cols) {
			V d = NAME(load_part)(z + j, cols - j) - m;
			V e = NAME(expv)(d);
			NAME(store_part)(z + j, e, cols - j);
			for (long i = 0; i < cols - j; i++) {
				a += e[i];
				b += (double)e[i] * d[i];
			}
		}
		double f = sum[t] > 0 ? exp((double)old - m) : 0;
		weighted[t] = f * (weighted[t] + ((double)old - m) * sum[t]) + b;
		if (!(sum[t] > 0))
			weighted[t] = b;
		sum[t] = f * sum[t] + a;
		top[t] = m;
		rescale[t] = (float)f;
	}
}

// adamw: c is Scale, Beta1, 1-Beta1, Beta2, 1-Beta2, 1/Correction1, 1/Correction2, Eps, Rate, Rate Decay.
static void NAME(adamw)(float *p, const float *g, float *m, float *v, long n, const float *c)
{
	EACH(n, {
		V gs = LOAD(g) * c[0];
		V ms = LOAD(m) * c[1] + gs * c[2];
		V vs = LOAD(v) * c[3] + gs * gs * c[4];
		V ps = LOAD(p);
		STORE(m, ms);
		STORE(v, vs);
		V root = vs * c[6];
		STORE(p, ps - (ms * c[5] / (SQRT(root) + c[7]) * c[8] + ps * c[9]));
	});
}

#include "kernels_product.h"

static const kernel_table NAME(table) = {
	TITLE, NAME(add), NAME(scale_rows), NAME(sum_squares), NAME(transpose), NAME(rms_norm), NAME(rms_norm_back), NAME(rope),
	NAME(swiglu), NAME(swiglu_back), NAME(softmax), NAME(softmax_back), NAME(head), NAME(adamw), NAME(gemm), NAME(multiply),
};

#undef V
#undef I
#undef EACH
#undef LOAD
#undef STORE
#undef SET
#undef VL
#undef TITLE
#undef WIDE
#undef SQRT
#undef LESS
#undef MORE
#undef TURN
