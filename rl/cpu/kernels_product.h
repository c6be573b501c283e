// Products in which one side is thin: 16 wide, as those of a LoRA pair, or the tiles of attention. They read their
// operands where they are; a BLAS copies both first, which costs as much as such a product.

// TILE is a function for c = s a b, or c += the same, MR rows by NV vectors: element (i, p) of a is at
// AT + p NEXT. Each is on its own, not inlined: its sums fill the registers.
#define TILE(kind, MR, NV, AT, NEXT)                                                                                       \
	static __attribute__((noinline)) void NAME(kind##_##MR##_##NV)(float *c, long ldc, const float *a, long ra,        \
								       const float *b, long ldb, long k, float s, int add) \
	{                                                                                                                  \
		V acc[MR][NV];                                                                                             \
		UNROLL for (int i = 0; i < MR; i++) UNROLL for (int j = 0; j < NV; j++) acc[i][j] = (V){0};                \
		for (long p = 0; p < k; p++, a += NEXT, b += ldb) {                                                        \
			V row[NV];                                                                                         \
			UNROLL for (int j = 0; j < NV; j++)                                                                \
				row[j] = NAME(load)(b + j * VL);                                                           \
			UNROLL for (int i = 0; i < MR; i++)                                                                \
				UNROLL for (int j = 0; j < NV; j++)                                                        \
					acc[i][j] += row[j] * a[AT];                                                       \
		}                                                                                                          \
		if (add)                                                                                                   \
			UNROLL for (int i = 0; i < MR; i++)                                                                \
				UNROLL for (int j = 0; j < NV; j++)                                                        \
					NAME(store)(c + i * ldc + j * VL, NAME(load)(c + i * ldc + j * VL) + acc[i][j] * s); \
		else                                                                                                       \
			UNROLL for (int i = 0; i < MR; i++)                                                                \
				UNROLL for (int j = 0; j < NV; j++)                                                        \
					NAME(store)(c + i * ldc + j * VL, acc[i][j] * s);                                  \
	}

// SIZE is a tile for both layouts of a: plain rows, and turned, where columns are rows.
#define SIZE(MR, NV) TILE(plain, MR, NV, i *ra, 1) TILE(turned, MR, NV, i, ra)
#define ENTRY(MR, NV) {MR, {NAME(plain_##MR##_##NV), NAME(turned_##MR##_##NV)}}

// STRIP is the tiles of a width by their rows, most first.
#define STRIP(NV, A, B, C, D, E)                                                          \
	SIZE(A, NV) SIZE(B, NV) SIZE(C, NV) SIZE(D, NV) SIZE(E, NV)                       \
	static const struct tile NAME(strip_##NV)[] = {                                   \
		ENTRY(A, NV), ENTRY(B, NV), ENTRY(C, NV), ENTRY(D, NV), ENTRY(E, NV),     \
	};
#if WIDE == 4
STRIP(1, 16, 8, 4, 2, 1)
STRIP(2, 12, 6, 3, 2, 1)
STRIP(3, 8, 6, 4, 2, 1)
STRIP(4, 6, 4, 3, 2, 1)
#else
STRIP(1, 8, 6, 4, 2, 1)
STRIP(2, 6, 4, 3, 2, 1)
#endif
#undef STRIP
#undef ENTRY
#undef SIZE
#undef TILE

// product is gemm for a block of rows and a block of k.
static void NAME(product)(float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb, long m, long n, long k,
			  float s, int add)
{
	int turned = cs != 1;
	long ra = turned ? cs : rs, j = 0;
#define WHOLE(NV)                                                                                                   \
	for (; j + NV * VL <= n; j += NV * VL) {                                                                    \
		long i = 0;                                                                                         \
		for (const struct tile *t = NAME(strip_##NV); i < m; t++)                                           \
			for (; i + t->rows <= m; i += t->rows)                                                      \
				t->f[turned](c + i * ldc + j, ldc, a + i * rs, ra, b + j, ldb, k, s, add);          \
	}
#if WIDE == 4
	WHOLE(4)
	WHOLE(3)
#endif
	WHOLE(2)
	WHOLE(1)
#undef WHOLE
	long rest = n - j;
	for (long i = 0; rest > 0 && i < m; i++) { // the last columns, in part of a vector
		V acc = {0};
		for (long p = 0; p < k; p++)
			acc += NAME(load_part)(b + p * ldb + j, rest) * a[i * rs + p * cs];
		acc = acc * s;
		if (add)
			acc += NAME(load_part)(c + i * ldc + j, rest);
		NAME(store_part)(c + i * ldc + j, acc, rest);
	}
}

// gemm is c = s a b, or c += the same: c m x n, b k x n, and a's element (i, p) at i rs + p cs, where one of
// rs and cs is 1. Blocks of k keep b's rows in the first cache. What is large is gone through in the order
// it lies, a few rows at a time, or it would come from memory at a third of the rate: c where k is small, b where m is.
static void NAME(gemm)(float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb, long m, long n, long k,
		       float s, int add)
{
	long rows = k <= 48 ? 12 : 48;
	long deep = n <= 16 ? 512 : m <= 48 && cs != 1 ? 32 : 128;
	for (long i = 0; i < m; i += rows) {
		long mb = m - i < rows ? m - i : rows;
		for (long p = 0; p < k; p += deep)
			NAME(product)(c + i * ldc, ldc, a + i * rs + p * cs, rs, cs, b + p * ldb, ldb, mb, n,
				      k - p < deep ? k - p : deep, s, add || p > 0);
	}
}

// multiply is gemm for products that are large on every side; b is n x k where it is turned. A block of b is
// copied to space (256 x 768 floats) as panels as wide as a tile, which then are read in the order
// they lie. Blocks of a's rows are such as the second cache holds beside it.
static void NAME(multiply)(float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb, int turned, long m, long n,
			   long k, float s, int add, float *space)
{
	enum { wide = 256, deep = 768, rows = 192, panel = WIDE * VL };
	for (long j = 0; j < n; j += wide)
		for (long p = 0; p < k; p += deep) {
			long w = n - j < wide ? n - j : wide, d = k - p < deep ? k - p : deep;
			for (long q = 0; q < w; q += panel) {
				long pw = w - q < panel ? w - q : panel;
				float *to = space + q * d;
				if (turned)
					NAME(transpose)(to, pw, b + (j + q) * ldb + p, ldb, pw, d, 1, 0);
				else
					for (long r = 0; r < d; r++)
						memcpy(to + r * pw, b + (p + r) * ldb + j + q, pw * sizeof *to);
			}
			for (long i = 0; i < m; i += rows)
				for (long q = 0; q < w; q += panel) {
					long pw = w - q < panel ? w - q : panel, mb = m - i < rows ? m - i : rows;
					NAME(product)(c + i * ldc + j + q, ldc, a + i * rs + p * cs, rs, cs, space + q * d, pw, mb, pw,
						      d, s, add || p > 0);
				}
		}
}
