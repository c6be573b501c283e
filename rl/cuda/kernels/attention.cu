// attention.cu - causal attention over packed rows with a shared prefix, forward and backward.
//
// The fast kernels take bf16 and keep no matrix of scores: a block of 4 warps holds 64 rows of one side, 16 a warp,
// and the other side passes through shared memory in tiles of 64 rows, one tile ahead of the arithmetic. Scores are
// float and, times log2(e), exponents of 2. Head sizes up to D run as D, with zeros behind. scale is above 0. All sums
// have a fixed order, so the same call gives the same bits.
#include "cells.h"

namespace attention {

constexpr int THREADS = 128, ROWS = 64;   // of a block, of a tile
constexpr float LOG2E = 1.4426950408889634f, LN2 = 0.6931471805599453f;
constexpr unsigned ALL = 0xffffffffu;
constexpr bool SPLIT = true;   // see split

// Dynamic shared memory in bytes, for D = 64 and 128: two stages of two tiles, and where the registers do not hold the
// block's own side, two tiles for it.
constexpr bool kept(int D) { return D <= 64; }
constexpr int tile_bytes(int D) { return ROWS * D * 2; }
constexpr int fwd_shared(int D) { return 4 * tile_bytes(D); }                  // 32768, 65536
constexpr int dq_shared(int D) { return (kept(D) ? 4 : 6) * tile_bytes(D); }   // 32768, 98304
constexpr int dkv_shared(int D) { return dq_shared(D) + 4 * ROWS * 4; }        // 33792, 99328; lse and delta of both stages

static __device__ __forceinline__ float infinity() { return __uint_as_float(0x7f800000u); }

// The n rows that a tile's queries see, numbered through: the prefix, then their segment. Query t sees those up to last(t).
struct Keys {
  int prefix, prefix_rows, start, n;
  __device__ __forceinline__ int last(int t) const { return prefix_rows + t - start; }
  __device__ __forceinline__ int at(int i) const { return i < prefix_rows ? prefix + i : start + i - prefix_rows; }
};

// The rows to fill a tile with, -1 for none; run() is the first where there are all of them one behind the other, else -1.
struct Run {
  int first, n;
  __device__ __forceinline__ int at(int r) const { return r < n ? first + r : -1; }
  __device__ __forceinline__ int run() const { return n < ROWS ? -1 : first; }
};
struct Seen {
  Keys keys; int first;
  __device__ __forceinline__ int at(int r) const { return first + r < keys.n ? keys.at(first + r) : -1; }
  __device__ __forceinline__ int run() const {
    const bool cut = first < keys.prefix_rows && first + ROWS > keys.prefix_rows;
    return cut || first + ROWS > keys.n ? -1 : keys.at(first);
  }
};

// A tile is ROWS rows of D bf16. The 16-byte pieces of a row change places by the row, so that 8 rows of one column
// lie in different banks.
template <int D> constexpr unsigned TILE = tile_bytes(D);
template <int D> static __device__ __forceinline__ unsigned piece(int row, int i) { return row * (D * 2) + ((i ^ (row & 7)) << 4); }

// Fills a tile; rows and columns that are not there are zeros and are not read.
template <int D, class Rows> static __device__ __forceinline__ void fill(unsigned tile, const bf16 *m, int ld, int size, int vec, Rows rows) {
  GPU_DYN_SHARED(unsigned char, smem);
  if (vec) {
    constexpr int STEP = THREADS / (D / 8);
    const int i = threadIdx.x % (D / 8), r0 = threadIdx.x / (D / 8), bytes = i * 8 < size ? 16 : 0, run = rows.run();
    const gpu_addr to = gpu_shared(smem) + tile + piece<D>(r0, i);
    if (bytes) m += i * 8;
    if (run >= 0) {
      m += (i64)(run + r0) * ld;
#pragma unroll
      for (int r = 0; r < ROWS; r += STEP) gpu_copy16(to + r * (D * 2), m + (i64)r * ld, bytes);
    } else {
#pragma unroll 1
      for (int r = 0; r < ROWS; r += STEP) {
        const int row = rows.at(r0 + r);
        gpu_copy16(to + r * (D * 2), m + (i64)(row < 0 ? 0 : row) * ld, row < 0 ? 0 : bytes);
      }
    }
  } else {
#pragma unroll 1
    for (int e = threadIdx.x; e < ROWS * D; e += THREADS) {
      const int r = e / D, c = e % D, row = rows.at(r);
      *(bf16 *)(smem + tile + piece<D>(r, c / 8) + c % 8 * 2) = row >= 0 && c < size ? m[(i64)row * ld + c] : 0;
    }
  }
}

// Where a lane reads a row of an 8x8 matrix: row and i are the lane's, the rest is the same for all of the warp.
template <int D> struct Spot {
  unsigned at, turn;
  __device__ __forceinline__ Spot(unsigned tile, int row, int i) : at(tile + row * (D * 2)), turn((i ^ (row & 7)) << 4) {}
  __device__ __forceinline__ gpu_addr operator()(int rows, int pieces) const {   // a multiple of 8 and of 2 further
    GPU_DYN_SHARED(unsigned char, smem);
    return gpu_shared(smem) + (at + (turn ^ pieces << 4)) + rows * (D * 2);
  }
};

// 16 rows of a tile as the left side of products, kept in registers or read each time.
template <int D, bool KEPT> struct Left {
  unsigned frag[KEPT ? D / 16 : 1][4];
  Spot<D> spot;
  __device__ __forceinline__ Left(unsigned tile, int first) : spot(tile, first + threadIdx.x % 16, threadIdx.x / 16 % 2) {
    if (KEPT) {
#pragma unroll
      for (int k = 0; k < D / 16; k++) gpu_ldmatrix(frag[k], spot(0, k * 2));
    }
  }
  __device__ __forceinline__ void get(unsigned f[4], int k) const {
    if (KEPT) {
#pragma unroll
      for (int i = 0; i < 4; i++) f[i] = frag[k][i];
    } else {
      gpu_ldmatrix(f, spot(0, k * 2));
    }
  }
};

// s = left (rows first .. first+8N of the tile)^T
template <int D, int N, bool KEPT> static __device__ __forceinline__ void times_rows(float s[N][4], const Left<D, KEPT> &left, unsigned tile, int first) {
  const int lane = threadIdx.x % 32;
  const Spot<D> spot(tile + first * (D * 2), lane % 8 + lane / 16 * 8, lane / 8 % 2);
#pragma unroll
  for (int n = 0; n < N; n++) s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0;
#pragma unroll
  for (int k = 0; k < D / 16; k++) {
    unsigned a[4], b[4];
    left.get(a, k);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      gpu_ldmatrix(b, spot(n * 8, k * 2));
      mma_m16n8k16(s[n], a, b);
      mma_m16n8k16(s[n + 1], a, b + 2);
    }
  }
}

// The accumulators of one product become the left side of the next, 16 columns at a time. Rounded to bf16 they would
// cost as much accuracy as rounding the result does, so what rounding leaves goes through a product of its own.
static __device__ __forceinline__ void split(unsigned high[4], unsigned low[4], const float p[2][4]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float x = p[i / 2][i % 2 * 2], y = p[i / 2][i % 2 * 2 + 1];
    high[i] = gpu_pack(x, y);
    low[i] = gpu_pack(x - __uint_as_float(high[i] << 16), y - __uint_as_float(high[i] & 0xffff0000u));
  }
}

// acc += p (rows first .. first+8N of the tile)
template <int D, int N> static __device__ __forceinline__ void add_rows(float acc[D / 8][4], const float p[N][4], unsigned tile, int first) {
  const Spot<D> spot(tile + first * (D * 2), threadIdx.x % 16, threadIdx.x / 16 % 2);
#pragma unroll
  for (int n = 0; n < N; n += 2) {
    unsigned high[4], low[4], b[4];
    split(high, low, p + n);
#pragma unroll
    for (int d = 0; d < D / 8; d += 2) {
      gpu_ldmatrix_trans(b, spot(n * 8, d));
      mma_m16n8k16(acc[d], high, b);
      mma_m16n8k16(acc[d + 1], high, b + 2);
      if (SPLIT) {
        mma_m16n8k16(acc[d], low, b);
        mma_m16n8k16(acc[d + 1], low, b + 2);
      }
    }
  }
}

// Hides scores by the columns' numbers relative to the thread's first: those behind the last, which is 8 further for the
// thread's second row, or those before the first. The empty assembly keeps the compiler from doing it to every tile.
template <int N> static __device__ __forceinline__ void hide_behind(float s[N][4], int last) {
  asm volatile("");
#pragma unroll
  for (int n = 0; n < N; n++)
#pragma unroll
    for (int e = 0; e < 4; e++)
      if (n * 8 + e % 2 - e / 2 * 8 > last) s[n][e] = -infinity();
}
template <int N> static __device__ __forceinline__ void hide_before(float s[N][4], int first) {
  asm volatile("");
#pragma unroll
  for (int n = 0; n < N; n++)
#pragma unroll
    for (int e = 0; e < 4; e++)
      if (n * 8 + e % 2 - e / 2 * 8 < first) s[n][e] = -infinity();
}

// Writes the block's rows, n of them from first on, times a factor each for the two rows of a thread. They go through
// shared memory, which nothing else may need any more, so that a warp writes whole rows.
template <int D> static __device__ __forceinline__ void write(void *m, int f32, int ld, i64 column, int first, int n, const float acc[D / 8][4], float f0, float f1, int size, int vec) {
  constexpr int WIDTH = D + 8;   // for the banks
  static_assert(ROWS * WIDTH * 4 <= fwd_shared(D), "the rows fit");
  GPU_DYN_SHARED(float, rows);
  float *mine = rows + (threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4) * WIDTH + threadIdx.x % 4 * 2;
  __syncthreads();
#pragma unroll
  for (int d = 0; d < D / 8; d++)
#pragma unroll
    for (int e = 0; e < 4; e++) mine[d * 8 + e % 2 + e / 2 * 8 * WIDTH] = acc[d][e] * (e / 2 ? f1 : f0);
  __syncthreads();
  const int c = threadIdx.x % (D / 4) * 4;
#pragma unroll 1
  for (int r = threadIdx.x / (D / 4); r < n; r += THREADS / (D / 4)) {
    const float *x = rows + r * WIDTH + c;
    const i64 at = (i64)(first + r) * ld + column + c;
    if (vec && !f32) {
      if (c < size) *(unsigned long long *)((bf16 *)m + at) = gpu_pack(x[0], x[1]) | (unsigned long long)gpu_pack(x[2], x[3]) << 32;
    } else {
#pragma unroll 1
      for (int i = 0; i < 4 && c + i < size; i++) set_cell(m, f32, at + i, x[i]);
    }
  }
}

static __device__ __forceinline__ Keys keys_of(const int *tile) {
  return {tile[3], tile[4], tile[2], tile[4] + tile[0] + tile[1] - tile[2]};
}

template <int D> static __device__ __forceinline__ void forward(void *out, int out_f32, int ldo, float *lse, int ldl, const bf16 *q, int ldq, const bf16 *k, int ldk, const bf16 *v, int ldv, const int *tiles, int heads, int kv_heads, int size, float scale, int vec) {
  const int *tile = tiles + blockIdx.x * 5;
  const int head = blockIdx.y, first = threadIdx.x / 32 * 16, q0 = tile[0] + first, rows = tile[1] - first, lane = threadIdx.x % 32;
  const Keys keys = keys_of(tile);
  const i64 shared = (i64)(head * kv_heads / heads) * size;
  k += shared, v += shared;

  // Two stages of K and V. Q lies in the second until it is in registers.
  fill<D>(2 * TILE<D>, q + (i64)head * size, ldq, size, vec, Run{tile[0], tile[1]});
  gpu_copy_group();
  fill<D>(0, k, ldk, size, vec, Seen{keys, 0});
  fill<D>(TILE<D>, v, ldv, size, vec, Seen{keys, 0});
  gpu_copy_group();
  gpu_copy_wait<1>();
  __syncthreads();
  const Left<D, true> query(2 * TILE<D>, first);

  float o[D / 8][4] = {}, most[2] = {-infinity(), -infinity()}, sum[2] = {0, 0};
  const float c = scale * LOG2E;
  const int last = keys.last(q0);   // of the warp's first row
  for (int i0 = 0, stage = 0; i0 < keys.n; i0 += ROWS, stage ^= 1) {
    gpu_copy_wait<0>();
    __syncthreads();
    const unsigned kt = stage * 2 * TILE<D>, vt = kt + TILE<D>;
    if (i0 + ROWS < keys.n) {
      fill<D>(2 * TILE<D> - kt, k, ldk, size, vec, Seen{keys, i0 + ROWS});
      fill<D>(3 * TILE<D> - kt, v, ldv, size, vec, Seen{keys, i0 + ROWS});
    }
    gpu_copy_group();
    if (rows <= 0 || i0 > last + 15) continue;   // nothing for this warp

    float s[8][4];
    times_rows<D, 8>(s, query, kt, 0);
    if (i0 + ROWS - 1 > last) hide_behind<8>(s, last - i0 + lane / 4 - lane % 4 * 2);
    // Number 0 is seen by every row, so from the first tile on most is no infinity.
#pragma unroll
    for (int r = 0; r < 2; r++) {
      float m = most[r];
#pragma unroll
      for (int n = 0; n < 8; n++) m = fmaxf(m, fmaxf(s[n][r * 2], s[n][r * 2 + 1]));
      m = fmaxf(m, __shfl_xor_sync(ALL, m, 1));
      m = fmaxf(m, __shfl_xor_sync(ALL, m, 2));
      const float fade = gpu_exp2f((most[r] - m) * c), base = m * c;
      most[r] = m;
      sum[r] *= fade;
#pragma unroll
      for (int d = 0; d < D / 8; d++) o[d][r * 2] *= fade, o[d][r * 2 + 1] *= fade;
#pragma unroll
      for (int n = 0; n < 8; n++)
#pragma unroll
        for (int e = r * 2; e < r * 2 + 2; e++) {
          s[n][e] = gpu_exp2f(s[n][e] * c - base);
          sum[r] += s[n][e];
        }
    }
    add_rows<D, 8>(o, s, vt, 0);
  }
#pragma unroll
  for (int r = 0; r < 2; r++) {
    sum[r] += __shfl_xor_sync(ALL, sum[r], 1);
    sum[r] += __shfl_xor_sync(ALL, sum[r], 2);
    const int row = lane / 4 + r * 8;
    if (row < rows && lane % 4 == 0) lse[(i64)(q0 + row) * ldl + head] = most[r] * scale + gpu_log2f(sum[r]) * LN2;
  }
  write<D>(out, out_f32, ldo, (i64)head * size, tile[0], tile[1], o, 1 / sum[0], 1 / sum[1], size, vec);
}

// N is a step's number of keys / 8: fewer take fewer registers.
template <int D, int N> static __device__ __forceinline__ void backward_queries(void *dq, int dq_f32, int lddq, const bf16 *dout, int lddo, const float *delta, int ldd, const float *lse, int ldl, const bf16 *q, int ldq, const bf16 *k, int ldk, const bf16 *v, int ldv, const int *tiles, int heads, int kv_heads, int size, float scale, int vec) {
  constexpr bool KEPT = kept(D);
  constexpr unsigned QT = (KEPT ? 2 : 4) * TILE<D>, GT = QT + TILE<D>;
  const int *tile = tiles + blockIdx.x * 5;
  const int head = blockIdx.y, first = threadIdx.x / 32 * 16, q0 = tile[0] + first, rows = tile[1] - first, lane = threadIdx.x % 32;
  const Keys keys = keys_of(tile);
  const i64 own = (i64)head * size, shared = (i64)(head * kv_heads / heads) * size;
  k += shared, v += shared;

  fill<D>(QT, q + own, ldq, size, vec, Run{tile[0], tile[1]});
  fill<D>(GT, dout + own, lddo, size, vec, Run{tile[0], tile[1]});
  gpu_copy_group();
  fill<D>(0, k, ldk, size, vec, Seen{keys, 0});
  fill<D>(TILE<D>, v, ldv, size, vec, Seen{keys, 0});
  gpu_copy_group();
  float whole[2] = {0, 0}, mean[2] = {0, 0};
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const int row = lane / 4 + r * 8;
    if (row < rows) {
      whole[r] = lse[(i64)(q0 + row) * ldl + head] * LOG2E;
      mean[r] = delta[(i64)(q0 + row) * ldd + head];
    }
  }
  gpu_copy_wait<1>();
  __syncthreads();
  const Left<D, KEPT> query(QT, first), grad(GT, first);

  float acc[D / 8][4] = {};
  const float c = scale * LOG2E;
  const int last = keys.last(q0);
  for (int i0 = 0, stage = 0; i0 < keys.n; i0 += ROWS, stage ^= 1) {
    gpu_copy_wait<0>();
    __syncthreads();
    const unsigned kt = stage * 2 * TILE<D>, vt = kt + TILE<D>;
    if (i0 + ROWS < keys.n) {
      fill<D>(2 * TILE<D> - kt, k, ldk, size, vec, Seen{keys, i0 + ROWS});
      fill<D>(3 * TILE<D> - kt, v, ldv, size, vec, Seen{keys, i0 + ROWS});
    }
    gpu_copy_group();
    if (rows <= 0) continue;
#pragma unroll
    for (int part = 0; part < ROWS; part += N * 8) {
      if (i0 + part > last + 15) break;   // nothing for this warp
      float s[N][4], dp[N][4];
      times_rows<D, N>(s, query, kt, part);
      times_rows<D, N>(dp, grad, vt, part);
      if (i0 + part + N * 8 - 1 > last) hide_behind<N>(s, last - i0 - part + lane / 4 - lane % 4 * 2);
#pragma unroll
      for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) s[n][e] = gpu_exp2f(s[n][e] * c - whole[e / 2]) * (dp[n][e] - mean[e / 2]);
      add_rows<D, N>(acc, s, kt, part);
    }
  }
  write<D>(dq, dq_f32, lddq, own, tile[0], tile[1], acc, scale, scale, size, vec);
}

// The queries that a tile of keys is seen by, in steps: for each head that reads these keys, each visit's rows.
struct Walk {
  const int *visits; int n, k0;
  int head, heads_end, visit, q, end, causal;
  __device__ __forceinline__ bool open() {   // the visit, or the next that has queries
    for (; head < heads_end; head++, visit = 0)
      for (; visit < n; visit++) {
        q = visits[visit * 3], end = visits[visit * 3 + 1], causal = visits[visit * 3 + 2];
        if (causal && q < k0) q = k0;   // those before see nothing of the tile
        if (q < end) return true;
      }
    return false;
  }
  __device__ __forceinline__ bool next() {
    q += ROWS;
    if (q < end) return true;
    visit++;
    return open();
  }
};

template <int D, int N> static __device__ __forceinline__ void backward_keys(void *dk, int dk_f32, int lddk, void *dv, int dv_f32, int lddv, const bf16 *dout, int lddo, const float *delta, int ldd, const float *lse, int ldl, const bf16 *q, int ldq, const bf16 *k, int ldk, const bf16 *v, int ldv, const int *ktiles, const int *visits, int heads, int kv_heads, int size, float scale, int vec) {
  constexpr bool KEPT = kept(D);
  constexpr unsigned KT = (KEPT ? 2 : 4) * TILE<D>, VT = KT + TILE<D>, STATS = dq_shared(D);
  GPU_DYN_SHARED(unsigned char, smem);
  float *stats = (float *)(smem + STATS);   // of each stage: -lse log2(e), delta
  const int *tile = ktiles + blockIdx.x * 4;
  const int first = threadIdx.x / 32 * 16, k0 = tile[0] + first, rows = tile[1] - first, lane = threadIdx.x % 32, group = heads / kv_heads;
  const i64 column = (i64)blockIdx.y * size;
  Walk walk = {visits + (i64)tile[2] * 3, tile[3], tile[0], (int)blockIdx.y * group, (int)(blockIdx.y + 1) * group, 0, 0, 0, 0};

  const auto fetch = [&](unsigned to) {
    fill<D>(to, q + (i64)walk.head * size, ldq, size, vec, Run{walk.q, walk.end - walk.q});
    fill<D>(to + TILE<D>, dout + (i64)walk.head * size, lddo, size, vec, Run{walk.q, walk.end - walk.q});
  };
  const auto fetch_stat = [&]() {   // half of the threads the one, half the other; 0 does where Q and dout are 0
    const int t = walk.q + threadIdx.x % ROWS;
    if (t >= walk.end) return 0.0f;
    return threadIdx.x < ROWS ? -LOG2E * lse[(i64)t * ldl + walk.head] : delta[(i64)t * ldd + walk.head];
  };

  fill<D>(KT, k + column, ldk, size, vec, Run{tile[0], tile[1]});
  fill<D>(VT, v + column, ldv, size, vec, Run{tile[0], tile[1]});
  gpu_copy_group();
  bool more = walk.open();
  if (more) {
    fetch(0);
    stats[threadIdx.x] = fetch_stat();
  }
  gpu_copy_group();
  gpu_copy_wait<1>();
  __syncthreads();
  const Left<D, KEPT> key(KT, first), value(VT, first);

  float key_acc[D / 8][4] = {}, value_acc[D / 8][4] = {};
  const float c = scale * LOG2E;
  for (int stage = 0; more; stage ^= 1) {
    gpu_copy_wait<0>();
    __syncthreads();
    const unsigned qt = stage * 2 * TILE<D>, gt = qt + TILE<D>;
    const int q0 = walk.q, causal = walk.causal;
    const float *stat = stats + stage * THREADS;
    float coming = 0;
    more = walk.next();
    if (more) {
      fetch(2 * TILE<D> - qt);
      coming = fetch_stat();
    }
    gpu_copy_group();
#pragma unroll 1
    for (int part = 0; part < ROWS; part += N * 8) {
      if (rows <= 0 || (causal && q0 + part + N * 8 <= k0)) continue;   // nothing for this warp
      float s[N][4], ds[N][4];
      times_rows<D, N>(s, key, qt, part);
      if (causal && q0 + part < k0 + 15) hide_before<N>(s, k0 - q0 - part + lane / 4 - lane % 4 * 2);
      const float *mine = stat + part + lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) s[n][e] = gpu_exp2f(s[n][e] * c + mine[n * 8 + e % 2]);
      add_rows<D, N>(value_acc, s, gt, part);
      times_rows<D, N>(ds, value, gt, part);
#pragma unroll
      for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) ds[n][e] = s[n][e] * (ds[n][e] - mine[ROWS + n * 8 + e % 2]);
      add_rows<D, N>(key_acc, ds, qt, part);
    }
    if (more) stats[(stage ^ 1) * THREADS + threadIdx.x] = coming;
  }
  write<D>(dk, dk_f32, lddk, column, tile[0], tile[1], key_acc, scale, scale, size, vec);
  write<D>(dv, dv_f32, lddv, column, tile[0], tile[1], value_acc, 1, 1, size, vec);
}

// The plain kernels take any kind and head size, a warp for each row and head, 256 threads; delta's too.
// Lanes take the rows of the other side, 32 at a time, then columns of the result, PLAIN at a time.
constexpr int WARPS = 8, PLAIN = 128;

struct Matrix {
  const void *p; int f32, ld;
  __device__ __forceinline__ float at(i64 row, i64 column) const { return cell(p, f32, row * ld + column); }
};
static __device__ __forceinline__ float dot(Matrix a, int i, i64 ca, Matrix b, int j, i64 cb, int size) {
  float sum = 0;
  for (int d = 0; d < size; d++) sum += a.at(i, ca + d) * b.at(j, cb + d);
  return sum;
}

struct Columns {
  float x[PLAIN / 32];
  __device__ __forceinline__ void clear() { for (int i = 0; i < PLAIN / 32; i++) x[i] = 0; }
  // += the sum over lanes of their w times n columns, from c on, of row(lane)
  template <class Row> __device__ __forceinline__ void add(float w, Matrix m, i64 c, int n, int lanes, Row row) {
    for (int l = 0; l < lanes; l++) {
      const float f = __shfl_sync(ALL, w, l);
#pragma unroll
      for (int i = 0; i < PLAIN / 32; i++) {
        const int d = i * 32 + threadIdx.x % 32;
        if (d < n) x[i] += f * m.at(row(l), c + d);
      }
    }
  }
  __device__ __forceinline__ void write(void *p, int f32, i64 at, int n, float f) const {
#pragma unroll
    for (int i = 0; i < PLAIN / 32; i++) {
      const int d = i * 32 + threadIdx.x % 32;
      if (d < n) set_cell(p, f32, at + d, x[i] * f);
    }
  }
};

static __device__ __forceinline__ Keys keys_of_row(const int *table, int t) {
  const int *r = table + (i64)t * 4;
  return {r[1], r[2], r[0], r[2] + t - r[0] + 1};
}

}  // namespace attention

// The fast kernels: 128 threads, D the head size or more. vec says that all bf16 pointers are 16-byte aligned, their lds
// multiples of 8, and size too. Tables of int:
//   tiles   5 each: first query, queries (1 to 64, of one segment), segment's start, prefix, prefix's rows
//   ktiles  4 each: first key, keys (1 to 64), first visit, visits
//   visits  3 each: queries from, to, and 1 where query t sees key s only if s <= t, else 0
// Grids: tiles x heads for out and dq, key tiles x kv_heads for dk and dv.
#define ATTENTION_FWD(D) \
  extern "C" __global__ void __launch_bounds__(128, D == 64 ? 3 : 2) attn_fwd_##D(void *out, int out_f32, int ldo, float *lse, int ldl, const bf16 *q, int ldq, const bf16 *k, int ldk, const bf16 *v, int ldv, const int *tiles, int heads, int kv_heads, int size, float scale, int vec) { \
    attention::forward<D>(out, out_f32, ldo, lse, ldl, q, ldq, k, ldk, v, ldv, tiles, heads, kv_heads, size, scale, vec); \
  } \
  KERNEL(attn_fwd_##D)
ATTENTION_FWD(64)
ATTENTION_FWD(128)

#define ATTENTION_DQ(D, N) \
  extern "C" __global__ void __launch_bounds__(128, D == 64 ? 3 : 2) attn_dq_##D(void *dq, int dq_f32, int lddq, const bf16 *dout, int lddo, const float *delta, int ldd, const float *lse, int ldl, const bf16 *q, int ldq, const bf16 *k, int ldk, const bf16 *v, int ldv, const int *tiles, int heads, int kv_heads, int size, float scale, int vec) { \
    attention::backward_queries<D, N>(dq, dq_f32, lddq, dout, lddo, delta, ldd, lse, ldl, q, ldq, k, ldk, v, ldv, tiles, heads, kv_heads, size, scale, vec); \
  } \
  KERNEL(attn_dq_##D)
ATTENTION_DQ(64, 4)
ATTENTION_DQ(128, 8)

#define ATTENTION_DKV(D, N) \
  extern "C" __global__ void __launch_bounds__(128, 2) attn_dkv_##D(void *dk, int dk_f32, int lddk, void *dv, int dv_f32, int lddv, const bf16 *dout, int lddo, const float *delta, int ldd, const float *lse, int ldl, const bf16 *q, int ldq, const bf16 *k, int ldk, const bf16 *v, int ldv, const int *ktiles, const int *visits, int heads, int kv_heads, int size, float scale, int vec) { \
    attention::backward_keys<D, N>(dk, dk_f32, lddk, dv, dv_f32, lddv, dout, lddo, delta, ldd, lse, ldl, q, ldq, k, ldk, v, ldv, ktiles, visits, heads, kv_heads, size, scale, vec); \
  } \
  KERNEL(attn_dkv_##D)
ATTENTION_DKV(64, 4)
ATTENTION_DKV(128, 4)

// delta = the sum over a head of dout out; a warp for each row and head
extern "C" __global__ void __launch_bounds__(256) attn_delta(float *delta, int ldd, const void *dout, int dout_f32, int lddo, const void *out, int out_f32, int ldo, int rows, int heads, int size) {
  using namespace attention;
  const i64 w = (i64)blockIdx.x * WARPS + threadIdx.x / 32;
  if (w >= (i64)rows * heads) return;
  const i64 t = w / heads, h = w % heads;
  float sum = 0;
  for (int d = threadIdx.x % 32; d < size; d += 32) sum += cell(dout, dout_f32, t * lddo + h * size + d) * cell(out, out_f32, t * ldo + h * size + d);
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) delta[t * ldd + h] = sum;
}
KERNEL(attn_delta)

// rows_table: 4 ints for each row, the start of its segment, its prefix, the prefix's rows, 0
extern "C" __global__ void __launch_bounds__(256) attn_plain_fwd(void *out, int out_f32, int ldo, float *lse, int ldl, const void *q, int q_f32, int ldq, const void *k, int k_f32, int ldk, const void *v, int v_f32, int ldv, const int *rows_table, int T, int heads, int kv_heads, int size, float scale) {
  using namespace attention;
  const i64 w = (i64)blockIdx.x * WARPS + threadIdx.x / 32;
  if (w >= (i64)T * heads) return;
  const int t = (int)(w / heads), h = (int)(w % heads), lane = threadIdx.x % 32;
  const Keys keys = keys_of_row(rows_table, t);
  const Matrix qm = {q, q_f32, ldq}, km = {k, k_f32, ldk}, vm = {v, v_f32, ldv};
  const i64 own = (i64)h * size, shared = (i64)(h * kv_heads / heads) * size;
  const auto score = [&](int i) { return scale * LOG2E * dot(qm, t, own, km, keys.at(i), shared, size); };
  float most = -infinity(), sum = 0;
  for (int i = lane; i < keys.n; i += 32) most = fmaxf(most, score(i));
  for (int o = 16; o; o >>= 1) most = fmaxf(most, __shfl_xor_sync(ALL, most, o));
  for (int i = lane; i < keys.n; i += 32) sum += gpu_exp2f(score(i) - most);
  sum = warp_sum(sum);
  if (lane == 0) lse[(i64)t * ldl + h] = (most + gpu_log2f(sum)) * LN2;
  for (int c = 0; c < size; c += PLAIN) {
    const int n = min_int(PLAIN, size - c);
    Columns acc;
    acc.clear();
    for (int i0 = 0; i0 < keys.n; i0 += 32) {
      const float p = i0 + lane < keys.n ? gpu_exp2f(score(i0 + lane) - most) : 0;
      acc.add(p, vm, shared + c, n, min_int(32, keys.n - i0), [&](int l) { return keys.at(i0 + l); });
    }
    acc.write(out, out_f32, (i64)t * ldo + own + c, n, 1 / sum);
  }
}
KERNEL(attn_plain_fwd)

extern "C" __global__ void __launch_bounds__(256) attn_plain_dq(void *dq, int dq_f32, int lddq, const void *dout, int dout_f32, int lddo, const float *delta, int ldd, const float *lse, int ldl, const void *q, int q_f32, int ldq, const void *k, int k_f32, int ldk, const void *v, int v_f32, int ldv, const int *rows_table, int T, int heads, int kv_heads, int size, float scale) {
  using namespace attention;
  const i64 w = (i64)blockIdx.x * WARPS + threadIdx.x / 32;
  if (w >= (i64)T * heads) return;
  const int t = (int)(w / heads), h = (int)(w % heads), lane = threadIdx.x % 32;
  const Keys keys = keys_of_row(rows_table, t);
  const Matrix qm = {q, q_f32, ldq}, km = {k, k_f32, ldk}, vm = {v, v_f32, ldv}, gm = {dout, dout_f32, lddo};
  const i64 own = (i64)h * size, shared = (i64)(h * kv_heads / heads) * size;
  const float whole = lse[(i64)t * ldl + h], mean = delta[(i64)t * ldd + h];
  for (int c = 0; c < size; c += PLAIN) {
    const int n = min_int(PLAIN, size - c);
    Columns acc;
    acc.clear();
    for (int i0 = 0; i0 < keys.n; i0 += 32) {
      float ds = 0;
      if (i0 + lane < keys.n) {
        const int s = keys.at(i0 + lane);
        ds = gpu_expf(scale * dot(qm, t, own, km, s, shared, size) - whole) * (dot(gm, t, own, vm, s, shared, size) - mean);
      }
      acc.add(ds, km, shared + c, n, min_int(32, keys.n - i0), [&](int l) { return keys.at(i0 + l); });
    }
    acc.write(dq, dq_f32, (i64)t * lddq + own + c, n, scale);
  }
}
KERNEL(attn_plain_dq)

// Grid: key tiles * kv_heads * 8, the blocks of a tile's head next to one another, then the heads of a tile.
extern "C" __global__ void __launch_bounds__(256) attn_plain_dkv(void *dk, int dk_f32, int lddk, void *dv, int dv_f32, int lddv, const void *dout, int dout_f32, int lddo, const float *delta, int ldd, const float *lse, int ldl, const void *q, int q_f32, int ldq, const void *k, int k_f32, int ldk, const void *v, int v_f32, int ldv, const int *ktiles, const int *visits, int heads, int kv_heads, int size, float scale) {
  using namespace attention;
  const int part = blockIdx.x % (ROWS / WARPS), kv = blockIdx.x / (ROWS / WARPS) % kv_heads, row = part * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
  const int *tile = ktiles + (i64)(blockIdx.x / (ROWS / WARPS) / kv_heads) * 4;
  if (row >= tile[1]) return;
  const int s = tile[0] + row, group = heads / kv_heads;
  const i64 shared = (i64)kv * size;
  const Matrix qm = {q, q_f32, ldq}, km = {k, k_f32, ldk}, vm = {v, v_f32, ldv}, gm = {dout, dout_f32, lddo};
  for (int c = 0; c < size; c += PLAIN) {
    const int n = min_int(PLAIN, size - c);
    Columns key_acc, value_acc;
    key_acc.clear(), value_acc.clear();
    Walk walk = {visits + (i64)tile[2] * 3, tile[3], s, kv * group, (kv + 1) * group, 0, 0, 0, 0};
    for (bool more = walk.open(); more; more = walk.next()) {
      const i64 own = (i64)walk.head * size;
      for (int t0 = walk.q; t0 < min_int(walk.q + ROWS, walk.end); t0 += 32) {
        const int t = t0 + lane;
        float p = 0, ds = 0;
        if (t < walk.end) {
          p = gpu_expf(scale * dot(qm, t, own, km, s, shared, size) - lse[(i64)t * ldl + walk.head]);
          ds = p * (dot(gm, t, own, vm, s, shared, size) - delta[(i64)t * ldd + walk.head]);
        }
        const auto query = [&](int l) { return t0 + l; };
        key_acc.add(ds, qm, own + c, n, min_int(32, walk.end - t0), query);
        value_acc.add(p, gm, own + c, n, min_int(32, walk.end - t0), query);
      }
    }
    key_acc.write(dk, dk_f32, (i64)s * lddk + shared + c, n, scale);
    value_acc.write(dv, dv_f32, (i64)s * lddv + shared + c, n, 1);
  }
}
KERNEL(attn_plain_dkv)
