// head.cu - what is scored over the whole vocabulary, from a tile of logits.
#include "cells.h"

// A running maximum m, the sum s of exp(z - m), and w of exp(z - m) (z - m).
struct Sums { float m, s, w; };

static __device__ __forceinline__ Sums merged(Sums a, Sums b) {
  if (b.s == 0) return a;
  if (a.s == 0) return b;
  const float m = fmaxf(a.m, b.m), da = a.m - m, db = b.m - m, ea = gpu_expf(da), eb = gpu_expf(db);
  return {m, a.s * ea + b.s * eb, (a.w + a.s * da) * ea + (b.w + b.s * db) * eb};
}

// A block takes a row of logits, as wide as the vocabulary: logp of the target, entropy, and the logsumexp.
extern "C" __global__ void __launch_bounds__(1024) head_score(float *logp, int ldp, float *entropy, int lde, float *lse, const float *logits, i64 ld, const int *target, int cols) {
  __shared__ float part[3][32];
  const int r = blockIdx.x;
  const float *z = logits + r * ld;
  Sums a = {0, 0, 0};
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    const float v = z[c];
    if (a.s == 0 || v > a.m) {
      a = merged(a, {v, 1, 0});
    } else {
      const float d = v - a.m, e = gpu_expf(d);
      a.s += e;
      a.w += e * d;
    }
  }
  for (int o = 16; o > 0; o >>= 1) {
    Sums b = {__shfl_xor_sync(0xffffffffu, a.m, o), __shfl_xor_sync(0xffffffffu, a.s, o), __shfl_xor_sync(0xffffffffu, a.w, o)};
    a = merged(a, b);
  }
  const int warp = threadIdx.x / 32;
  if (threadIdx.x % 32 == 0) part[0][warp] = a.m, part[1][warp] = a.s, part[2][warp] = a.w;
  __syncthreads();
  if (threadIdx.x) return;
  a = {part[0][0], part[1][0], part[2][0]};
  for (int i = 1; i < (int)blockDim.x / 32; i++) a = merged(a, {part[0][i], part[1][i], part[2][i]});
  const float logs = gpu_logf(a.s);
  lse[r] = a.m + logs;
  logp[(i64)r * ldp] = z[target[r]] - a.m - logs;
  entropy[(i64)r * lde] = logs - a.w / a.s;
}
KERNEL(head_score)

// dst = onehot(target) - exp(z - lse) for cols logits of each row, the first of them the vocabulary's first.
extern "C" __global__ void __launch_bounds__(256) head_slope(bf16 *dst, int ldd, const float *logits, i64 ld, const float *lse, const int *target, int first, int rows, int cols) {
  for_cells(r, c, rows, cols) {
    const float p = gpu_expf(logits[r * ld + first + c] - lse[r]);
    dst[(i64)r * ldd + c] = f2bf((target[r] == first + c ? 1.0f : 0.0f) - p);
  }
}
KERNEL(head_slope)
