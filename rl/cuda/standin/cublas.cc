// cublas.cc - a stand-in for libcublas.so.12, for tests on a machine without a GPU: the two GEMM calls the trainer makes.
//
// Products are summed in float in runs of 256 and the runs in double. With the stand-in driver loaded, matrices that reach past
// their allocation and calls without a current context are refused.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <vector>

namespace {
enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum { F32 = 0, BF16 = 14, COMPUTE_F32 = 68 };
struct Handle {
	uint64_t magic = 0x73756c6275632d69;
	void *stream = nullptr;
};
bool good(Handle *h) { return h && h->magic == Handle().magic; }

bool current() {
	static auto f = (int (*)())dlsym(RTLD_DEFAULT, "standin_current");
	return !f || f();
}
// whether the driver has a matrix of cols columns, ld apart, rows of them used
bool holds(const char *name, const void *p, int type, int64_t rows, int64_t cols, int64_t ld) {
	static auto f = (int (*)(const void *, size_t))dlsym(RTLD_DEFAULT, "standin_holds");
	if (rows == 0 || cols == 0) return true;
	const size_t bytes = (size_t)((cols - 1) * ld + rows) * (type == BF16 ? 2 : 4);
	if (p && (!f || f(p, bytes))) return true;
	fprintf(stderr, "stand-in cublas: matrix %s, %lld x %lld with %lld between columns, is not in device memory\n", name, (long long)rows, (long long)cols, (long long)ld);
	return false;
}

float bits(uint32_t u) {
	float f;
	memcpy(&f, &u, 4);
	return f;
}
float load(const void *p, int type, int64_t i) { return type == F32 ? ((const float *)p)[i] : bits((uint32_t)((const uint16_t *)p)[i] << 16); }
void store(void *p, int type, int64_t i, float v) {
	if (type == F32) {
		((float *)p)[i] = v;
		return;
	}
	uint32_t u;
	memcpy(&u, &v, 4);
	// to the nearest, a tie to the even one; a NaN stays one
	((uint16_t *)p)[i] = (u & 0x7fffffff) > 0x7f800000 ? (uint16_t)(u >> 16 | 0x40) : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

// The inner loop works on 8 rows of A and 4 columns of B, packed so that both are read in order.
constexpr int ROWS = 8, COLS = 4, RUN = 256;
typedef float vec __attribute__((vector_size(16)));

void tile(const float *a, const float *b, int64_t k, double out[COLS][ROWS]) {
	for (int64_t p = 0; p < k; p += RUN) {
		vec s[COLS][2] = {};
		const int64_t n = std::min<int64_t>(RUN, k - p);
		for (int64_t i = 0; i < n; i++, a += ROWS, b += COLS) {
			vec lo, hi;
			memcpy(&lo, a, 16);
			memcpy(&hi, a + 4, 16);
			for (int j = 0; j < COLS; j++) s[j][0] += lo * b[j], s[j][1] += hi * b[j];
		}
		for (int j = 0; j < COLS; j++)
			for (int i = 0; i < ROWS; i++) out[j][i] += s[j][i / 4][i % 4];
	}
}

// rows of op(X) in panels of n, zero behind the last; at(r, i) is element r, i
template <class F> std::vector<float> pack(int n, int64_t rows, int64_t k, F at) {
	std::vector<float> out((size_t)((rows + n - 1) / n * n * k));
	float *w = out.data();
	for (int64_t r = 0; r < rows; r += n)
		for (int64_t i = 0; i < k; i++)
			for (int j = 0; j < n; j++) *w++ = r + j < rows ? at(r + j, i) : 0;
	return out;
}

int gemm(Handle *h, int ta, int tb, int64_t m, int64_t n, int64_t k, const float *alpha, const void *a, int at, int64_t lda,
	const void *b, int bt, int64_t ldb, const float *beta, void *c, int ct, int64_t ldc, int compute, bool run) {
	if (!good(h) || !current()) return NOT_INITIALIZED;
	if (at != bt || (at != F32 && at != BF16) || (ct != F32 && ct != at) || compute != COMPUTE_F32) return NOT_SUPPORTED;
	if (m < 0 || n < 0 || k < 0 || ta < 0 || ta > 2 || tb < 0 || tb > 2 || !alpha || !beta) return INVALID_VALUE;
	if (lda < std::max<int64_t>(1, ta ? k : m) || ldb < std::max<int64_t>(1, tb ? n : k) || ldc < std::max<int64_t>(1, m)) return INVALID_VALUE;
	if (m == 0 || n == 0 || !run) return SUCCESS;
	const bool product = *alpha != 0 && k > 0;
	if (product && (!holds("A", a, at, ta ? k : m, ta ? m : k, lda) || !holds("B", b, bt, tb ? n : k, tb ? k : n, ldb))) return EXECUTION_FAILED;
	if (!holds("C", c, ct, m, n, ldc)) return EXECUTION_FAILED;

	std::vector<float> pa, pb;
	if (product) {
		pa = pack(ROWS, m, k, [&](int64_t r, int64_t i) { return load(a, at, ta ? r * lda + i : i * lda + r); });
		pb = pack(COLS, n, k, [&](int64_t r, int64_t i) { return load(b, bt, tb ? i * ldb + r : r * ldb + i); });
	}
	for (int64_t j = 0; j < n; j += COLS)
		for (int64_t i = 0; i < m; i += ROWS) {
			double out[COLS][ROWS] = {};
			if (product) tile(&pa[(size_t)(i * k)], &pb[(size_t)(j * k)], k, out);
			for (int64_t y = 0; y < COLS && j + y < n; y++)
				for (int64_t x = 0; x < ROWS && i + x < m; x++) {
					const int64_t to = (j + y) * ldc + i + x;
					double v = product ? *alpha * out[y][x] : 0;
					if (*beta != 0) v += (double)*beta * load(c, ct, to); // with beta 0, C may hold anything
					store(c, ct, to, (float)v);
				}
		}
	return SUCCESS;
}
} // namespace

#define API extern "C" __attribute__((visibility("default")))

API int cublasCreate_v2(Handle **h) {
	if (!h) return INVALID_VALUE;
	if (!current()) return NOT_INITIALIZED;
	*h = new Handle;
	return SUCCESS;
}
API int cublasDestroy_v2(Handle *h) {
	if (!good(h)) return NOT_INITIALIZED;
	h->magic = 0;
	delete h;
	return SUCCESS;
}
API int cublasGetVersion_v2(Handle *, int *version) {
	if (!version) return INVALID_VALUE;
	*version = 120400;
	return SUCCESS;
}
API int cublasSetStream_v2(Handle *h, void *stream) {
	if (!good(h)) return NOT_INITIALIZED;
	h->stream = stream;
	return SUCCESS;
}
API int cublasSetWorkspace_v2(Handle *h, void *p, size_t bytes) {
	if (!good(h)) return NOT_INITIALIZED;
	if ((uintptr_t)p % 256) return INVALID_VALUE;
	return bytes == 0 || holds("workspace", p, F32, (int64_t)(bytes / 4), 1, (int64_t)bytes) ? SUCCESS : INVALID_VALUE;
}
API int cublasSetMathMode(Handle *h, int) { return good(h) ? SUCCESS : NOT_INITIALIZED; }
API const char *cublasGetStatusString(int status) {
	switch (status) {
	case SUCCESS: return "success";
	case NOT_INITIALIZED: return "the library was not initialized";
	case 3: return "the resource allocation failed";
	case INVALID_VALUE: return "an unsupported value or parameter was passed to the function";
	case 8: return "the function requires an architectural feature absent from the architecture of the device";
	case 11: return "an access to GPU memory space failed";
	case EXECUTION_FAILED: return "the function failed to launch on the GPU";
	case 14: return "an internal operation failed";
	case NOT_SUPPORTED: return "the functionality requested is not supported";
	default: return "unknown status";
	}
}
API int cublasGemmEx(Handle *h, int ta, int tb, int m, int n, int k, const float *alpha, const void *a, int at, int lda,
	const void *b, int bt, int ldb, const float *beta, void *c, int ct, int ldc, int compute, int) {
	return gemm(h, ta, tb, m, n, k, alpha, a, at, lda, b, bt, ldb, beta, c, ct, ldc, compute, true);
}
API int cublasGemmStridedBatchedEx(Handle *h, int ta, int tb, int m, int n, int k, const float *alpha, const void *a, int at, int lda, long long sa,
	const void *b, int bt, int ldb, long long sb, const float *beta, void *c, int ct, int ldc, long long sc, int batch, int compute, int) {
	// the arguments are checked also for a batch of none
	int r = gemm(h, ta, tb, m, n, k, alpha, a, at, lda, b, bt, ldb, beta, c, ct, ldc, compute, false);
	if (r == SUCCESS && batch < 0) r = INVALID_VALUE;
	auto bytes = [](long long stride, int i, int type) { return stride * i * (type == BF16 ? 2 : 4); };
	for (int i = 0; r == SUCCESS && i < batch; i++)
		r = gemm(h, ta, tb, m, n, k, alpha, (const char *)a + bytes(sa, i, at), at, lda, (const char *)b + bytes(sb, i, bt), bt, ldb,
			beta, (char *)c + bytes(sc, i, ct), ct, ldc, compute, true);
	return r;
}
