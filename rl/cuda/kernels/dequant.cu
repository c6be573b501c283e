// dequant.cu - rows of a quantised matrix as bf16 or float. The block layouts are ggml's (ggml-common.h). A
// thread makes one number: what it reads again of its block lies in the cache.
#include "cells.h"

typedef unsigned char u8;
static __device__ __forceinline__ unsigned u16_at(const u8 *b) { return b[0] | b[1] << 8; }
static __device__ __forceinline__ unsigned u32_at(const u8 *b) { return u16_at(b) | u16_at(b + 2) << 16; }
static __device__ __forceinline__ float half_at(const u8 *b) { return half2float((unsigned short)u16_at(b)); }
static __device__ __forceinline__ int low_or_high(unsigned v, int high) { return high ? v >> 4 : v & 15; }

// The values of the non-linear 4-bit types.
static __device__ __forceinline__ float level4(int i) {
  switch (i) {
    case 0: return -127; case 1: return -104; case 2: return -83; case 3: return -65; case 4: return -49; case 5: return -35; case 6: return -22; case 7: return -10;
    case 8: return 1; case 9: return 13; case 10: return 25; case 11: return 38; case 12: return 53; case 13: return 69; case 14: return 89;
  }
  return 113;
}

// Number i of a block.
struct F32Block { enum { N = 1, BYTES = 4 }; static __device__ __forceinline__ float at(const u8 *b, int) { return __uint_as_float(u32_at(b)); } };
struct F16Block { enum { N = 1, BYTES = 2 }; static __device__ __forceinline__ float at(const u8 *b, int) { return half_at(b); } };
struct BF16Block { enum { N = 1, BYTES = 2 }; static __device__ __forceinline__ float at(const u8 *b, int) { return bf2f((bf16)u16_at(b)); } };
struct Q8_0Block { enum { N = 32, BYTES = 34 }; static __device__ __forceinline__ float at(const u8 *b, int i) { return half_at(b) * (signed char)b[2 + i]; } };
struct Q4_0Block { enum { N = 32, BYTES = 18 }; static __device__ __forceinline__ float at(const u8 *b, int i) { return half_at(b) * (low_or_high(b[2 + i % 16], i / 16) - 8); } };
struct Q4_1Block { enum { N = 32, BYTES = 20 }; static __device__ __forceinline__ float at(const u8 *b, int i) { return half_at(b) * low_or_high(b[4 + i % 16], i / 16) + half_at(b + 2); } };
struct IQ4_NLBlock { enum { N = 32, BYTES = 18 }; static __device__ __forceinline__ float at(const u8 *b, int i) { return half_at(b) * level4(low_or_high(b[2 + i % 16], i / 16)); } };
struct Q5_0Block {
  enum { N = 32, BYTES = 22 };
  static __device__ __forceinline__ float at(const u8 *b, int i) { return half_at(b) * ((low_or_high(b[6 + i % 16], i / 16) | (int)(u32_at(b + 2) >> i & 1) << 4) - 16); }
};
struct Q5_1Block {
  enum { N = 32, BYTES = 24 };
  static __device__ __forceinline__ float at(const u8 *b, int i) { return half_at(b) * (low_or_high(b[8 + i % 16], i / 16) | (int)(u32_at(b + 4) >> i & 1) << 4) + half_at(b + 2); }
};

// Scale j of the eight of Q4_K and Q5_K, times d, or minimum j: 6 bits each in 12 bytes.
static __device__ __forceinline__ int scale_k(const u8 *b, int j) { return j < 4 ? b[j] & 63 : (b[j + 4] & 15) | b[j - 4] >> 6 << 4; }
static __device__ __forceinline__ int least_k(const u8 *b, int j) { return j < 4 ? b[j + 4] & 63 : b[j + 4] >> 4 | b[j] >> 6 << 4; }

struct Q4_KBlock {
  enum { N = 256, BYTES = 144 };
  static __device__ __forceinline__ float at(const u8 *b, int i) {
    const int g = i / 32, q = low_or_high(b[16 + g / 2 * 32 + i % 32], g % 2);
    return half_at(b) * scale_k(b + 4, g) * q - half_at(b + 2) * least_k(b + 4, g);
  }
};
struct Q5_KBlock {
  enum { N = 256, BYTES = 176 };
  static __device__ __forceinline__ float at(const u8 *b, int i) {
    const int g = i / 32, q = low_or_high(b[48 + g / 2 * 32 + i % 32], g % 2) | (b[16 + i % 32] >> g & 1) << 4;
    return half_at(b) * scale_k(b + 4, g) * q - half_at(b + 2) * least_k(b + 4, g);
  }
};
// Halves of 128 numbers, in each four groups of 32 which share bytes of high bits; each 16 numbers have a scale.
struct Q6_KBlock {
  enum { N = 256, BYTES = 210 };
  static __device__ __forceinline__ float at(const u8 *b, int i) {
    const int n = i / 128, g = i % 128 / 32, l = i % 32;
    const int q = low_or_high(b[64 * n + l + g % 2 * 32], g / 2) | (b[128 + 32 * n + l] >> 2 * g & 3) << 4;
    return half_at(b + 208) * (signed char)b[192 + i / 16] * (q - 32);
  }
};
struct IQ4_XSBlock {
  enum { N = 256, BYTES = 136 };
  static __device__ __forceinline__ float at(const u8 *b, int i) {
    const int g = i / 32, s = low_or_high(b[4 + g / 2], g % 2) | (int)(u16_at(b + 2) >> 2 * g & 3) << 4;
    return half_at(b) * (s - 32) * level4(low_or_high(b[8 + 16 * g + i % 16], i % 32 / 16));
  }
};

// Numbers are rounded to bf16 wherever they go, so that a weight is the same held or not. Row ids[r] of a weight, or row from + r where ids is 0. The matrix at src holds the weight's rows first to
// first + count - 1; others are left to the matrices joined with it.
template <class B> static __device__ __forceinline__ void rows_of(void *dst, int df, int ldd, const u8 *src, const int *ids, int from, int first, int count, int rows, int cols) {
  for_cells(r, c, rows, cols) {
    const int row = (ids ? ids[r] : from + r) - first;
    if (row < 0 || row >= count) break;
    set_cell(dst, df, (i64)r * ldd + c, bf2f(f2bf(B::at(src + ((i64)row * (cols / B::N) + c / B::N) * B::BYTES, c % B::N))));
  }
}

#define DEQUANT(T)                                                                                                                                     \
  extern "C" __global__ void __launch_bounds__(256) dequant_##T(void *dst, int df, int ldd, const u8 *src, const int *ids, int from, int first, int count, int rows, int cols) { \
    rows_of<T##Block>(dst, df, ldd, src, ids, from, first, count, rows, cols);                                                                          \
  }                                                                                                                                                    \
  KERNEL(dequant_##T)
DEQUANT(F32) DEQUANT(F16) DEQUANT(BF16) DEQUANT(Q8_0) DEQUANT(Q4_0) DEQUANT(Q4_1) DEQUANT(Q5_0) DEQUANT(Q5_1)
DEQUANT(IQ4_NL) DEQUANT(Q4_K) DEQUANT(Q5_K) DEQUANT(Q6_K) DEQUANT(IQ4_XS)
