// cells.h - matrices as kernels get them: a pointer to the first cell, whether cells are float or bf16, and
// the cells from one row to the next.
#pragma once
#include "gpu.h"

typedef long long i64;

static __device__ __forceinline__ float cell(const void *p, int f32, i64 i) { return f32 ? ((const float *)p)[i] : bf2f(((const bf16 *)p)[i]); }
static __device__ __forceinline__ void set_cell(void *p, int f32, i64 i, float v) {
  if (f32) ((float *)p)[i] = v; else ((bf16 *)p)[i] = f2bf(v);
}

// A block of 256 threads takes 1,024 columns of a row. for_cells runs the body for each of a thread's.
#define BLOCK_COLS 1024
#define for_cells(r, c, rows, cols)                                                                   \
  const int block_cols = ((cols) + BLOCK_COLS - 1) / BLOCK_COLS, r = blockIdx.x / block_cols;         \
  const int c_end = min_int(cols, (int)(blockIdx.x % block_cols + 1) * BLOCK_COLS);                   \
  for (int c = blockIdx.x % block_cols * BLOCK_COLS + threadIdx.x; c < c_end; c += blockDim.x)

static __device__ __forceinline__ int min_int(int a, int b) { return a < b ? a : b; }
static __device__ __forceinline__ float sigmoid(float z) { return 1.0f / (1.0f + gpu_expf(-z)); }

// The sum over a warp, in every lane.
static __device__ __forceinline__ float warp_sum(float v) {
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}

// The sum over a block of at most 1,024 threads, whole warps, in every thread; part has 32 cells.
static __device__ __forceinline__ float block_sum(float v, float *part) {
  const int warps = blockDim.x / 32;
  v = warp_sum(v);
  if (warps == 1) return v;
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
  __syncthreads();
  v = 0;
  for (int i = 0; i < warps; i++) v += part[i];
  __syncthreads();
  return v;
}

#if defined(GPU_EMULATE) || !defined(__CUDA_ARCH__)
static __device__ __forceinline__ float half2float(unsigned short h) {
  const unsigned sign = (h & 0x8000u) << 16, e = (h >> 10) & 31, m = h & 1023;
  if (e == 31) return __uint_as_float(sign | 0x7f800000u | m << 13);
  if (e) return __uint_as_float(sign | (e + 112) << 23 | m << 13);
  const float v = m * 5.9604644775390625e-8f;  // 2^-24
  return sign ? -v : v;
}
#else
static __device__ __forceinline__ float half2float(unsigned short h) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h)); return f; }
#endif

#if defined(GPU_EMULATE)
#define KERNEL(name) EMU_REGISTER(name)
static inline float gpu_logf(float x) { return logf(x); }
static inline float gpu_sqrtf(float x) { return sqrtf(x); }
#else
#define KERNEL(name)
#if defined(__clang__) && defined(__CUDA__)
static __device__ __forceinline__ float gpu_logf(float x) { return __nvvm_lg2_approx_ftz_f(x) * 0.6931471805599453f; }
static __device__ __forceinline__ float gpu_sqrtf(float x) { return __nvvm_sqrt_rn_f(x); }
#else
static __device__ __forceinline__ float gpu_logf(float x) { return log2f(x) * 0.6931471805599453f; }
static __device__ __forceinline__ float gpu_sqrtf(float x) { return sqrtf(x); }
#endif
#endif
