// Products in which one side is thin: 16 wide, as those of a LoRA pair, or the tiles of attention. They read their
// operands where they are; a BLAS copies both first, which costs as much as such a product.

// TILE is c = s a b, or c += the same, MR rows by NV vectors; a's element (i, p) is at i rs + p cs.
#define TILE(MR, NV)                                                                                                        \
	INLINE void NAME(tile_##MR##_##NV)(float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb,  \
					   long k, float s, int add)                                                        \
	{                                                                                                                   \
		V acc[MR][NV] = {0};                                                                                        \
		for (long p = 0; p < k; p++, a += cs, b += ldb) {                                                           \
			V row[NV];                                                                                          \
			for (int j = 0; j < NV; j++)                                                                        \
				row[j] = NAME(load)(b + j * VL);                                                            \
			for (int i = 0; i < MR; i++)                                                                        \
				for (int j = 0; j < NV; j++)                                                                \
					acc[i][j] += row[j] * a[i * rs];                                                    \
		}                                                                                                           \
		for (int i = 0; i < MR; i++, c += ldc)                                                                      \
			for (int j = 0; j < NV; j++) {                                                                      \
				V v = acc[i][j] * s;                                                                        \
				NAME(store)(c + j * VL, add ? NAME(load)(c + j * VL) + v : v);                              \
			}                                                                                                   \
	}

// STRIP is m rows by NV vectors, in tiles of MR rows and smaller ones. It is there for each layout
// of a, so that one stride is known: plain rows, and transposed.
#define STRIP(MR, NV)                                                                                                       \
	TILE(MR, NV)                                                                                                        \
	INLINE void NAME(any_strip_##NV)(float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb,    \
					 long m, long k, float s, int add)                                                  \
	{                                                                                                                   \
		for (; m >= MR; m -= MR, c += MR * ldc, a += MR * rs)                                                       \
			NAME(tile_##MR##_##NV)(c, ldc, a, rs, cs, b, ldb, k, s, add);                                       \
		for (int n = 8; n > 0; n /= 2)                                                                              \
			if (m & n && n < MR) {                                                                              \
				if (n == 8)                                                                                 \
					NAME(tile_8_##NV)(c, ldc, a, rs, cs, b, ldb, k, s, add);                            \
				if (n == 4)                                                                                 \
					NAME(tile_4_##NV)(c, ldc, a, rs, cs, b, ldb, k, s, add);                            \
				if (n == 2)                                                                                 \
					NAME(tile_2_##NV)(c, ldc, a, rs, cs, b, ldb, k, s, add);                            \
				if (n == 1)                                                                                 \
					NAME(tile_1_##NV)(c, ldc, a, rs, cs, b, ldb, k, s, add);                            \
				c += n * ldc, a += n * rs;                                                                  \
			}                                                                                                   \
	}                                                                                                                   \
	static __attribute__((noinline)) void NAME(strip_##NV)(float *c, long ldc, const float *a, long ra, const float *b,  \
								long ldb, long m, long k, float s, int add)                  \
	{                                                                                                                   \
		NAME(any_strip_##NV)(c, ldc, a, ra, 1, b, ldb, m, k, s, add);                                               \
	}                                                                                                                   \
	static __attribute__((noinline)) void NAME(strip_t_##NV)(float *c, long ldc, const float *a, long ra,                \
								  const float *b, long ldb, long m, long k, float s, int add) \
	{                                                                                                                   \
		NAME(any_strip_##NV)(c, ldc, a, 1, ra, b, ldb, m, k, s, add);                                               \
	}

#define SMALL(NV) TILE(8, NV) TILE(4, NV) TILE(2, NV) TILE(1, NV)
SMALL(1)
SMALL(2)
#if WIDE == 4
SMALL(3)
SMALL(4)
STRIP(16, 1)
STRIP(12, 2)
STRIP(6, 3)
STRIP(6, 4)
#else
STRIP(7, 1)
STRIP(6, 2)
#endif
#undef SMALL
#undef TILE
#undef STRIP

// product is gemm for a block of rows and a block of k.
static void NAME(product)(float *c, long ldc, const float *a, long rs, long cs, const float *b, long ldb, long m, long n, long k,
			  float s, int add)
{
	int plain = cs == 1;
	long ra = plain ? rs : cs, j = 0;
#define WHOLE(NV)                                                                                                \
	for (; j + NV * VL <= n; j += NV * VL)                                                                   \
		(plain ? NAME(strip_##NV) : NAME(strip_t_##NV))(c + j, ldc, a, ra, b + j, ldb, m, k, s, add);
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
