// norm.cu - RMSNorm, rotary positions, SwiGLU, and their backwards.
#include "cells.h"

// A part of a row, n wide, is taken by blockDim.x threads: a warp, or a block. Blocks have blockDim.y parts.
static __device__ __forceinline__ float part_sum(float v, float *part) { return blockDim.y > 1 ? warp_sum(v) : block_sum(v, part); }

// inv = 1 / sqrt(mean(x^2) + eps), dst = x inv gain
extern "C" __global__ void __launch_bounds__(256) rms_norm(void *dst, int df, int ldd, float *inv, int ldi, const void *x, int xf, int ldx, const float *gain, int rows, int heads, int n, float eps) {
  __shared__ float part[32];
  const i64 at = (i64)blockIdx.x * blockDim.y + threadIdx.y;
  if (at >= (i64)rows * heads) return;  // a whole warp
  const int r = at / heads, h = at % heads;
  float sum = 0;
  for (int c = threadIdx.x; c < n; c += blockDim.x) {
    const float v = cell(x, xf, (i64)r * ldx + h * n + c);
    sum += v * v;
  }
  const float s = gpu_rsqrtf(part_sum(sum, part) / n + eps);
  if (threadIdx.x == 0) inv[(i64)r * ldi + h] = s;
  for (int c = threadIdx.x; c < n; c += blockDim.x)
    set_cell(dst, df, (i64)r * ldd + h * n + c, s * cell(x, xf, (i64)r * ldx + h * n + c) * gain[c]);
}
KERNEL(rms_norm)

// dx = inv (gain dy - x inv^2 mean(x gain dy)), or dx += the same
extern "C" __global__ void __launch_bounds__(256) rms_norm_back(void *dx, int df, int ldd, const void *dy, int yf, int ldy, const void *x, int xf, int ldx, const float *inv, int ldi, const float *gain, int rows, int heads, int n, int add) {
  __shared__ float part[32];
  const i64 at = (i64)blockIdx.x * blockDim.y + threadIdx.y;
  if (at >= (i64)rows * heads) return;
  const int r = at / heads, h = at % heads;
  float sum = 0;
  for (int c = threadIdx.x; c < n; c += blockDim.x)
    sum += cell(x, xf, (i64)r * ldx + h * n + c) * gain[c] * cell(dy, yf, (i64)r * ldy + h * n + c);
  const float s = inv[(i64)r * ldi + h], mean = part_sum(sum, part) / n * s * s;
  for (int c = threadIdx.x; c < n; c += blockDim.x) {
    float v = s * (gain[c] * cell(dy, yf, (i64)r * ldy + h * n + c) - mean * cell(x, xf, (i64)r * ldx + h * n + c));
    const i64 to = (i64)r * ldd + h * n + c;
    if (add) v += cell(dx, df, to);
    set_cell(dx, df, to, v);
  }
}
KERNEL(rms_norm_back)

// Pair j of each head turns by the angle of the row's position; the table has a row of pairs for each position.
extern "C" __global__ void __launch_bounds__(256) rope(void *x, int f32, int ld, const int *pos, const float *cosines, const float *sines, int rows, int heads, int size, int pairs, int pairwise, float sign) {
  for_cells(r, i, rows, heads * pairs) {
    const int j = i % pairs;
    const i64 head = (i64)r * ld + i / pairs * size, a = head + (pairwise ? 2 * j : j), b = head + (pairwise ? 2 * j + 1 : j + pairs);
    const i64 t = (i64)pos[r] * pairs + j;
    const float c = cosines[t], s = sign * sines[t], u = cell(x, f32, a), v = cell(x, f32, b);
    set_cell(x, f32, a, u * c - v * s);
    set_cell(x, f32, b, u * s + v * c);
  }
}
KERNEL(rope)

extern "C" __global__ void __launch_bounds__(256) swiglu(void *dst, int df, int ldd, const void *gate, int gf, int ldg, const void *up, int uf, int ldu, int rows, int cols) {
  for_cells(r, c, rows, cols) {
    const float z = cell(gate, gf, (i64)r * ldg + c);
    set_cell(dst, df, (i64)r * ldd + c, z * sigmoid(z) * cell(up, uf, (i64)r * ldu + c));
  }
}
KERNEL(swiglu)

// dup = dy silu(gate), dgate = dy up s (1 + z (1 - s))
extern "C" __global__ void __launch_bounds__(256) swiglu_back(void *dgate, int af, int lda, void *dup, int bf, int ldb, const void *dy, int yf, int ldy, const void *gate, int gf, int ldg, const void *up, int uf, int ldu, int rows, int cols) {
  for_cells(r, c, rows, cols) {
    const float z = cell(gate, gf, (i64)r * ldg + c), u = cell(up, uf, (i64)r * ldu + c), d = cell(dy, yf, (i64)r * ldy + c), s = sigmoid(z);
    set_cell(dgate, af, (i64)r * lda + c, d * u * s * (1 + z * (1 - s)));
    set_cell(dup, bf, (i64)r * ldb + c, d * z * s);
  }
}
KERNEL(swiglu_back)
