// gpu.h - one header, three compilers:
//   clang -x cuda --cuda-device-only -nocudainc -nocudalib   (PTX ahead of time, no CUDA SDK needed)
//   nvcc / NVRTC                                             (CUDA's own definitions)
//   g++ / clang++ -x c++ -DGPU_EMULATE                       (CPU emulation, emu.h)
#pragma once
typedef unsigned short bf16;   // raw bits
#if defined(GPU_EMULATE)
#include "emu.h"
#elif defined(__clang__) && defined(__CUDA__) && !defined(__CLANG_CUDA_RUNTIME_WRAPPER_H__)
#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define GPU_SREG(name, f) struct name##_t { \
  __declspec(property(get = gx)) unsigned x; __declspec(property(get = gy)) unsigned y; __declspec(property(get = gz)) unsigned z; \
  static __device__ __forceinline__ unsigned gx() { return __nvvm_read_ptx_sreg_##f##_x(); } \
  static __device__ __forceinline__ unsigned gy() { return __nvvm_read_ptx_sreg_##f##_y(); } \
  static __device__ __forceinline__ unsigned gz() { return __nvvm_read_ptx_sreg_##f##_z(); } }; \
  extern const __device__ __attribute__((weak)) name##_t name;
GPU_SREG(threadIdx, tid) GPU_SREG(blockIdx, ctaid) GPU_SREG(blockDim, ntid) GPU_SREG(gridDim, nctaid)
static __device__ __forceinline__ float __shfl_xor_sync(unsigned m, float v, int o) { return __nvvm_shfl_sync_bfly_f32(m, v, o, 0x1f); }
static __device__ __forceinline__ float __shfl_sync(unsigned m, float v, int lane) { return __nvvm_shfl_sync_idx_f32(m, v, lane, 0x1f); }
static __device__ __forceinline__ unsigned __float_as_uint(float f) { return __builtin_bit_cast(unsigned, f); }
static __device__ __forceinline__ float __uint_as_float(unsigned u) { return __builtin_bit_cast(float, u); }
static __device__ __forceinline__ float gpu_rsqrtf(float x) { return __nvvm_rsqrt_approx_f(x); }
static __device__ __forceinline__ float gpu_exp2f(float x) { return __nvvm_ex2_approx_ftz_f(x); }
static __device__ __forceinline__ float gpu_log2f(float x) { return __nvvm_lg2_approx_ftz_f(x); }
static __device__ __forceinline__ unsigned gpu_shared(const void *p) { return (unsigned)(unsigned long long)(__attribute__((address_space(3))) const void *)p; }
static __device__ __forceinline__ float fmaxf(float a, float b) { return __nvvm_fmax_f(a, b); }
#else  // nvcc or NVRTC
static __device__ __forceinline__ float gpu_rsqrtf(float x) { return rsqrtf(x); }
static __device__ __forceinline__ float gpu_exp2f(float x) { return exp2f(x); }
static __device__ __forceinline__ float gpu_log2f(float x) { return log2f(x); }
static __device__ __forceinline__ unsigned gpu_shared(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }
#endif

static __device__ __forceinline__ float gpu_expf(float x) { return gpu_exp2f(x * 1.4426950408889634f); }
static __device__ __forceinline__ float bf2f(bf16 h) { return __uint_as_float((unsigned)h << 16); }
static __device__ __forceinline__ bf16 f2bf(float f) {          // round to nearest even, every arch, bit exact on the CPU too
  unsigned u = __float_as_uint(f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (bf16)((u >> 16) | 0x40);
  return (bf16)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
#if defined(GPU_EMULATE)
#define GPU_DYN_SHARED(T, n) T *n = (T *)emu::dyn        // dynamic shared memory, size given at launch
#else
extern __shared__ __attribute__((aligned(16))) unsigned char gpu_dyn_smem[];
#define GPU_DYN_SHARED(T, n) T *n = (T *)gpu_dyn_smem
// D = A(16x16,row) * B(16x8,col) + D, one warp; bf16 tensor cores need sm_80
static __device__ __forceinline__ void mma_m16n8k16(float d[4], const unsigned a[4], const unsigned b[2]) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
    : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  asm volatile("trap;");
#endif
}
// The rest takes shared memory by its address in that memory, gpu_shared(p).
typedef unsigned gpu_addr;
// Four 8x8 matrices of bf16, one warp: lane l gives the address of row l % 8 of matrix l / 8, 16-byte aligned.
static __device__ __forceinline__ void gpu_ldmatrix(unsigned r[4], gpu_addr row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
    : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row) : "memory");
}
static __device__ __forceinline__ void gpu_ldmatrix_trans(unsigned r[4], gpu_addr row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
    : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row) : "memory");
}
// Both as bf16, lo in the low half
static __device__ __forceinline__ unsigned gpu_pack(float lo, float hi) {
  unsigned u;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(u) : "f"(hi), "f"(lo));
  return u;
}
// 16 bytes to shared memory, behind the thread's back: the first n from p, then zeros
static __device__ __forceinline__ void gpu_copy16(gpu_addr to, const void *p, int n) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(to), "l"(p), "r"(n) : "memory");
}
static __device__ __forceinline__ void gpu_copy_group() { asm volatile("cp.async.commit_group;" : : : "memory"); }   // ends a group of copies
// Waits for this thread's groups but the last n
template <int n> static __device__ __forceinline__ void gpu_copy_wait() { asm volatile("cp.async.wait_group %0;" : : "n"(n) : "memory"); }
#endif
