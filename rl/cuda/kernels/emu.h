// emu.h - run CUDA-style kernels on the CPU: one fiber per CUDA thread, one block at a time per OS thread.
#pragma once
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#define __host__
#define __device__
#define __global__
#define __shared__ static thread_local   // one block per OS thread, so its shared memory is that thread's
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
namespace emu {
struct dim3 { unsigned x = 1, y = 1, z = 1; };
struct Warp { uint32_t buf[32]; uint32_t frag[32][6]; uintptr_t row[32]; int n = 0, arrived = 0; unsigned gen = 0; };
struct Copy { void *to; const void *from; int n, group; };
struct Fiber {
  std::vector<Copy> copies; int group = 0;   // under way
  dim3 tid; Warp *warp = nullptr; int lane = 0, wait = 0; unsigned gen = 0;   // wait: 0 runnable, 1 block barrier, 2 warp barrier, 3 done
#if defined(__x86_64__)
  void *ctx = nullptr;
#else
  ucontext_t ctx;
#endif
};
struct Block {
  dim3 bid, bdim, gdim; std::vector<Fiber> f; std::vector<Warp> w; char *stacks = nullptr;
  int alive = 0, arrived = 0; unsigned gen = 0; void (*run)(void *) = nullptr; void *arg = nullptr;
#if defined(__x86_64__)
  void *main = nullptr;
#else
  ucontext_t main;
#endif
};
inline thread_local Block *blk; inline thread_local Fiber *cur;
inline thread_local unsigned char dyn[228 << 10] __attribute__((aligned(16)));
inline bool poison = false;   // dynamic shared memory starts as NaN in every block
constexpr size_t STACK = 64 << 10;
inline void yield();
inline void entry() { blk->run(blk->arg); cur->wait = 3; for (;;) yield(); }
#if defined(__x86_64__)   // a switch without a system call: 13 times faster than swapcontext here
extern "C" void emu_switch(void **from, void *to);
asm(".text\n.weak emu_switch\n.type emu_switch,@function\nemu_switch:\n"
    "push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
    "mov %rsp,(%rdi); mov %rsi,%rsp\n"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret\n");
inline void yield() { emu_switch(&cur->ctx, blk->main); }
inline void resume(Fiber &f) { cur = &f; emu_switch(&blk->main, f.ctx); }
inline void prepare(Fiber &f, char *st) {
  void **p = (void **)(((uintptr_t)(st + STACK)) & ~uintptr_t(15));
  *--p = nullptr; *--p = (void *)entry; for (int i = 0; i < 6; i++) *--p = nullptr; f.ctx = p;
}
#else
inline void yield() { swapcontext(&cur->ctx, &blk->main); }
inline void resume(Fiber &f) { cur = &f; swapcontext(&blk->main, &f.ctx); }
inline void prepare(Fiber &f, char *st) { getcontext(&f.ctx); f.ctx.uc_stack.ss_sp = st; f.ctx.uc_stack.ss_size = STACK; f.ctx.uc_link = nullptr; makecontext(&f.ctx, entry, 0); }
#endif
inline void die(const char *m) { fprintf(stderr, "emu: %s (block %u,%u,%u)\n", m, blk->bid.x, blk->bid.y, blk->bid.z); abort(); }
inline void sync_block() {
  Block &b = *blk; unsigned g = b.gen;
  if (++b.arrived == b.alive) { b.arrived = 0; b.gen++; return; }
  cur->wait = 1; cur->gen = g; yield(); cur->wait = 0;
}
inline void sync_warp() {
  Warp &w = *cur->warp; unsigned g = w.gen;
  if (++w.arrived == w.n) { w.arrived = 0; w.gen++; return; }
  cur->wait = 2; cur->gen = g; yield(); cur->wait = 0;
}
inline uint32_t shfl(uint32_t v, int src) { Warp &w = *cur->warp; w.buf[cur->lane] = v; sync_warp(); uint32_t r = w.buf[src & 31]; sync_warp(); return r; }
inline void run_block(Block &b) {
  size_t n = b.f.size(); b.alive = (int)n; b.arrived = 0; blk = &b;
  if (poison) memset(dyn, 0xff, sizeof dyn);
  for (auto &w : b.w) { w.n = 0; w.arrived = 0; }
  for (size_t i = 0; i < n; i++) {
    Fiber &f = b.f[i]; f.tid = {unsigned(i % b.bdim.x), unsigned(i / b.bdim.x % b.bdim.y), unsigned(i / b.bdim.x / b.bdim.y)};
    f.warp = &b.w[i / 32]; f.lane = int(i % 32); f.warp->n++; f.wait = 0; f.copies.clear(); f.group = 0; prepare(f, b.stacks + i * STACK);
  }
  for (int left = (int)n; left;) {
    bool progress = false;
    for (auto &f : b.f) {
      if (f.wait == 3 || (f.wait == 1 && b.gen == f.gen) || (f.wait == 2 && f.warp->gen == f.gen)) continue;
      resume(f); progress = true;
      if (f.wait == 3) {   // an exited thread no longer counts at barriers
        left--; b.alive--; f.warp->n--;
        if (b.arrived && b.arrived == b.alive) { b.arrived = 0; b.gen++; }
        if (f.warp->arrived && f.warp->arrived == f.warp->n) { f.warp->arrived = 0; f.warp->gen++; }
      }
    }
    if (!progress) die("deadlock: divergent __syncthreads or shuffle");
  }
}
// The stacks of a thread's fibers, kept for its next launch.
struct Stacks {
  char *p = nullptr; size_t bytes = 0;
  char *of(size_t n) { if (n > bytes) { free(p); p = (char *)aligned_alloc(64, bytes = n); } return p; }
  ~Stacks() { free(p); }
};
inline thread_local Stacks stacks;
inline void launch(dim3 g, dim3 bd, void (*run)(void *), void *arg, int nthreads = 0) {
  if (nthreads <= 0) nthreads = (int)std::thread::hardware_concurrency();
  std::atomic<long> next{0}; long total = (long)g.x * g.y * g.z;
  auto worker = [&] {
    size_t n = (size_t)bd.x * bd.y * bd.z; Block b; b.gdim = g; b.bdim = bd; b.f.resize(n); b.w.resize((n + 31) / 32); b.run = run; b.arg = arg;
    b.stacks = stacks.of(n * STACK);
    for (long i; (i = next++) < total;) { b.bid = {unsigned(i % g.x), unsigned(i / g.x % g.y), unsigned(i / g.x / g.y)}; run_block(b); }
  };
  if (nthreads == 1 || total == 1) { worker(); return; }
  std::vector<std::thread> t; for (int i = 0; i < nthreads; i++) t.emplace_back(worker);
  for (auto &x : t) x.join();
}
// void** params (as cuLaunchKernel gets them) -> typed call
template <class... A, size_t... I> void call(void (*f)(A...), void **p, std::index_sequence<I...>) { f(*(A *)p[I]...); }
template <auto F> struct Thunk;
template <class... A, void (*F)(A...)> struct Thunk<F> { static void run(void *p) { call(F, (void **)p, std::index_sequence_for<A...>{}); } };
inline std::map<std::string, void (*)(void *)> &registry() { static std::map<std::string, void (*)(void *)> r; return r; }
}
#define EMU_REGISTER(k) static int emu_reg_##k = (emu::registry()[#k] = emu::Thunk<k>::run, 0);
#define threadIdx (emu::cur->tid)
#define blockIdx (emu::blk->bid)
#define blockDim (emu::blk->bdim)
#define gridDim (emu::blk->gdim)
static inline void __syncthreads() { emu::sync_block(); }
static inline unsigned __float_as_uint(float f) { unsigned u; memcpy(&u, &f, 4); return u; }
static inline float __uint_as_float(unsigned u) { float f; memcpy(&f, &u, 4); return f; }
static inline float __shfl_xor_sync(unsigned, float v, int o) { return __uint_as_float(emu::shfl(__float_as_uint(v), emu::cur->lane ^ o)); }
static inline float __shfl_sync(unsigned, float v, int lane) { return __uint_as_float(emu::shfl(__float_as_uint(v), lane)); }
static inline float gpu_rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float gpu_exp2f(float x) { return exp2f(x); }
static inline float gpu_log2f(float x) { return log2f(x); }
static inline void mma_m16n8k16(float d[4], const unsigned a[4], const unsigned b[2]) {   // warp-collective, PTX fragment layout
  emu::Warp &w = *emu::cur->warp; uint32_t *f = w.frag[emu::cur->lane];
  for (int i = 0; i < 4; i++) f[i] = a[i];
  f[4] = b[0]; f[5] = b[1]; emu::sync_warp();
  int g = emu::cur->lane >> 2, q = emu::cur->lane & 3;
  auto h = [](uint32_t v, int hi) { return __uint_as_float(hi ? (v & 0xffff0000u) : (v << 16)); };
  for (int e = 0; e < 4; e++) {
    int row = g + (e >> 1) * 8, col = q * 2 + (e & 1); float s = 0;
    for (int k = 0; k < 16; k++)
      s += h(w.frag[(row & 7) * 4 + ((k & 7) >> 1)][(row >> 3) + 2 * (k >> 3)], k & 1) * h(w.frag[col * 4 + ((k & 7) >> 1)][4 + (k >> 3)], k & 1);
    d[e] += s;
  }
  emu::sync_warp();
}
static inline unsigned gpu_pack(float lo, float hi) {
  auto bf = [](float f) { unsigned u = __float_as_uint(f); return f != f ? 0x7fffu : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16; };
  return bf(lo) | bf(hi) << 16;
}
typedef uintptr_t gpu_addr;
static inline gpu_addr gpu_shared(const void *p) { return (gpu_addr)p; }
static inline void gpu_ldmatrix(unsigned r[4], gpu_addr row) {
  emu::Warp &w = *emu::cur->warp; const int l = emu::cur->lane;
  if (row % 16) emu::die("a matrix whose rows are not aligned");
  w.row[l] = row; emu::sync_warp();
  for (int i = 0; i < 4; i++) r[i] = ((const uint32_t *)w.row[i * 8 + l / 4])[l % 4];
  emu::sync_warp();
}
static inline void gpu_ldmatrix_trans(unsigned r[4], gpu_addr row) {
  emu::Warp &w = *emu::cur->warp; const int l = emu::cur->lane;
  if (row % 16) emu::die("a matrix whose rows are not aligned");
  w.row[l] = row; emu::sync_warp();
  for (int i = 0; i < 4; i++) {
    const int k = i * 8 + l % 4 * 2;
    r[i] = ((const bf16 *)w.row[k])[l / 4] | (unsigned)((const bf16 *)w.row[k + 1])[l / 4] << 16;
  }
  emu::sync_warp();
}
// A copy lands at its wait and not before; what lies there until then is NaN.
static inline void gpu_copy16(gpu_addr to, const void *p, int n) {
  if (to % 16 || (n && (uintptr_t)p % 16)) emu::die("a copy that is not aligned");
  memset((void *)to, 0xff, 16); emu::cur->copies.push_back({(void *)to, p, n, emu::cur->group});
}
static inline void gpu_copy_group() { emu::cur->group++; }
template <int n> static inline void gpu_copy_wait() {
  size_t kept = 0; auto &c = emu::cur->copies;
  for (auto &x : c)
    if (x.group < emu::cur->group - n) { memset(x.to, 0, 16); memcpy(x.to, x.from, x.n); } else c[kept++] = x;
  c.resize(kept);
}
