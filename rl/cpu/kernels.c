// kernels_body.h, compiled once for each instruction set. A compiler that chooses by
// itself at load time (target_clones) needs glibc's indirect functions, and a test could
// then run only what its machine chose.
#include "kernels.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define NAME(x) PASTE(x, SET)
#define INLINE static inline __attribute__((always_inline))

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef float quad __attribute__((vector_size(16)));

// A tile of a product, see kernels_product.h.
struct tile {
	long rows;
	void (*f[2])(float *c, long ldc, const float *a, long ra, const float *b, long ldb, long k, float s, int add);
};

// The set that every machine of its kind has: SSE2, NEON, or whatever 16 bytes become.
#define SET base
#define VL 4
#if defined(__x86_64__)
#define TITLE "SSE2"
#define WIDE 2
#define SQRT(v) ((V)_mm_sqrt_ps((__m128)(v)))
#define LESS(a, b) ((V)_mm_min_ps((__m128)(a), (__m128)(b)))
#define MORE(a, b) ((V)_mm_max_ps((__m128)(a), (__m128)(b)))
#define TURN(v) ((V)_mm_shuffle_ps((__m128)(v), (__m128)(v), 0xb1))
#elif defined(__aarch64__)
#define TITLE "NEON"
#define WIDE 4
#define SQRT(v) ((V)vsqrtq_f32((float32x4_t)(v)))
#define TURN(v) ((V)vrev64q_f32((float32x4_t)(v)))
#else
#define TITLE "16-byte"
#define WIDE 2
#define SQRT(v) ((V){sqrtf((v)[0]), sqrtf((v)[1]), sqrtf((v)[2]), sqrtf((v)[3])})
#define TURN(v) ((V){(v)[1], (v)[0], (v)[3], (v)[2]})
#endif
#ifndef LESS
#define LESS(a, b) ((V)(((I)(a) & ((a) < (b))) | ((I)(b) & ~((a) < (b)))))
#define MORE(a, b) ((V)(((I)(a) & ((a) > (b))) | ((I)(b) & ~((a) > (b)))))
#endif
#include "kernels_body.h"

// Windows is left out: GCC there does not align the stack for wider vectors (bug 54412).
#if defined(__x86_64__) && !defined(_WIN32)
#define WIDER 1

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define SET avx2
#define VL 8
#define TITLE "AVX2"
#define WIDE 2
#define SQRT(v) ((V)_mm256_sqrt_ps((__m256)(v)))
#define LESS(a, b) ((V)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define MORE(a, b) ((V)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define TURN(v) ((V)_mm256_permute_ps((__m256)(v), 0xb1))
#include "kernels_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,fma")
#endif
#define SET avx512
#define VL 16
#define TITLE "AVX-512"
#define WIDE 4
#define SQRT(v) ((V)_mm512_sqrt_ps((__m512)(v)))
#define LESS(a, b) ((V)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define MORE(a, b) ((V)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define TURN(v) ((V)_mm512_permute_ps((__m512)(v), 0xb1))
#include "kernels_body.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

const kernel_table *kernels_of(int level)
{
	if (level == 0)
		return &table_base;
#ifdef WIDER
	__builtin_cpu_init();
	if (level == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return &table_avx2;
	if (level == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
		return &table_avx512;
#endif
	return NULL;
}
