// rows.cu - operations on cells and rows, the optimizer, sums of squares.
#include "cells.h"

extern "C" __global__ void __launch_bounds__(256) zero_cells(void *dst, int f32, int ld, int rows, int cols) {
  for_cells(r, c, rows, cols) set_cell(dst, f32, (i64)r * ld + c, 0);
}
KERNEL(zero_cells)

// dst = src, or dst += src.
extern "C" __global__ void __launch_bounds__(256) copy_cells(void *dst, int df, int ldd, const void *src, int sf, int lds, int rows, int cols, int add) {
  for_cells(r, c, rows, cols) {
    float v = cell(src, sf, (i64)r * lds + c);
    if (add) v += cell(dst, df, (i64)r * ldd + c);
    set_cell(dst, df, (i64)r * ldd + c, v);
  }
}
KERNEL(copy_cells)

// dst[t,:] = g[t] src[t,:]
extern "C" __global__ void __launch_bounds__(256) scale_rows(void *dst, int df, int ldd, const void *src, int sf, int lds, const void *g, int gf, int ldg, int rows, int cols) {
  for_cells(r, c, rows, cols) set_cell(dst, df, (i64)r * ldd + c, cell(g, gf, (i64)r * ldg) * cell(src, sf, (i64)r * lds + c));
}
KERNEL(scale_rows)

// dst[t,:] += row
extern "C" __global__ void __launch_bounds__(256) add_row(void *dst, int df, int ldd, const void *row, int rf, int rows, int cols) {
  for_cells(r, c, rows, cols) set_cell(dst, df, (i64)r * ldd + c, cell(dst, df, (i64)r * ldd + c) + cell(row, rf, c));
}
KERNEL(add_row)

// dst[i,:] = src[index[i],:]
extern "C" __global__ void __launch_bounds__(256) gather_rows(void *dst, int df, int ldd, const void *src, int sf, int lds, const int *index, int rows, int cols) {
  for_cells(r, c, rows, cols) set_cell(dst, df, (i64)r * ldd + c, cell(src, sf, (i64)index[r] * lds + c));
}
KERNEL(gather_rows)

// Row k of the targets gets the source rows order[starts[k]] to order[starts[k+1]-1], in that order, which is
// the sources' own: nothing is added atomically.
extern "C" __global__ void __launch_bounds__(256) scatter_add_rows(void *dst, int df, int ldd, const void *src, int sf, int lds, const int *targets, const int *starts, const int *order, int rows, int cols) {
  for_cells(k, c, rows, cols) {
    const i64 at = (i64)targets[k] * ldd + c;
    float v = cell(dst, df, at);
    for (int i = starts[k]; i < starts[k + 1]; i++) v += cell(src, sf, (i64)order[i] * lds + c);
    set_cell(dst, df, at, v);
  }
}
KERNEL(scatter_add_rows)

// The sum over a block of 256 threads, in the first one.
static __device__ __forceinline__ double tree_sum(double v, double *part) {
  part[threadIdx.x] = v;
  __syncthreads();
  for (int n = blockDim.x / 2; n > 0; n >>= 1) {
    if ((int)threadIdx.x < n) part[threadIdx.x] += part[threadIdx.x + n];
    __syncthreads();
  }
  return part[0];
}

// Each block leaves the sum of a fixed share of the rows; sum_parts adds them, always alike.
extern "C" __global__ void __launch_bounds__(256) sum_squares(double *parts, const void *src, int f32, int ld, int rows, int cols) {
  __shared__ double part[256];
  double sum = 0;
  for (int r = blockIdx.x; r < rows; r += gridDim.x)
    for (int c = threadIdx.x; c < cols; c += blockDim.x) {
      const double v = cell(src, f32, (i64)r * ld + c);
      sum += v * v;
    }
  sum = tree_sum(sum, part);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}
KERNEL(sum_squares)

extern "C" __global__ void __launch_bounds__(256) sum_parts(float *dst, const double *parts, int n) {
  __shared__ double part[256];
  double sum = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += parts[i];
  sum = tree_sum(sum, part);
  if (threadIdx.x == 0) dst[0] += (float)sum;
}
KERNEL(sum_parts)

// AdamW on n numbers; see model.AdamW. rate and decay are Rate and Rate*Decay, c1 and c2 1/Correction.
extern "C" __global__ void __launch_bounds__(256) adamw(float *p, const float *g, float *m, float *v, int n, float scale, float b1, float a1, float b2, float a2, float c1, float c2, float eps, float rate, float decay) {
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
    const float d = scale * g[i], mi = b1 * m[i] + a1 * d, vi = b2 * v[i] + a2 * d * d;
    m[i] = mi;
    v[i] = vi;
    p[i] -= rate * (mi * c1 / (gpu_sqrtf(vi * c2) + eps)) + decay * p[i];
  }
}
KERNEL(adamw)
