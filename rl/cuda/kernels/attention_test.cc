// attention_test.cc - the attention kernels on the emulator, against a double loop.
//
//   g++ -std=c++17 -O2 -DGPU_EMULATE -pthread attention_test.cc && ./a.out
#include "attention.cu"

#include <algorithm>
#include <chrono>
#include <random>

static int failures;
#define CHECK(ok, ...) do { if (!(ok)) { failures++; printf("FAIL %s: ", current.c_str()); printf(__VA_ARGS__); printf("\n"); } } while (0)
static std::string current;

// A view of rows x cols into a buffer of NaN.
struct Mat {
  int f32 = 0, rows = 0, cols = 0, ld = 0, row0 = 0, col0 = 0;
  std::vector<uint8_t> cells;
  size_t width() const { return f32 ? 4 : 2; }
  void *p() { return cells.data() + ((size_t)row0 * ld + col0) * width(); }
  void clear() { std::fill(cells.begin(), cells.end(), 0xff); }
  double at(int r, int c) const {
    const uint8_t *x = cells.data() + ((size_t)(row0 + r) * ld + col0 + c) * width();
    if (f32) { float f; memcpy(&f, x, 4); return f; }
    bf16 h; memcpy(&h, x, 2); return bf2f(h);
  }
  void set(int r, int c, double v) {
    uint8_t *x = cells.data() + ((size_t)(row0 + r) * ld + col0 + c) * width();
    if (f32) { float f = (float)v; memcpy(x, &f, 4); } else { bf16 h = f2bf((float)v); memcpy(x, &h, 2); }
  }
  bool surroundings_kept() const {
    for (size_t i = 0; i < cells.size(); i++) {
      const long r = (long)(i / width() / ld) - row0, c = (long)(i / width() % ld) - col0;
      if ((r < 0 || r >= rows || c < 0 || c >= cols) && cells[i] != 0xff) return false;
    }
    return true;
  }
};

enum View { ALIGNED, ODD, TIGHT };   // TIGHT ends with the buffer, for the address sanitizer

static Mat matrix(int f32, int rows, int cols, View view) {
  Mat m;
  m.f32 = f32, m.rows = rows, m.cols = cols, m.ld = cols;
  if (view == ALIGNED) m.ld = (cols + 7) / 8 * 8 + 16, m.row0 = 2, m.col0 = 8;
  if (view == ODD) m.ld = (cols + 9) | 1, m.row0 = 1, m.col0 = 3;
  m.cells.assign((size_t)(rows + 2 * m.row0) * m.ld * m.width(), 0xff);
  return m;
}

struct Segment { int start, rows, prefix, prefix_rows; };
typedef std::vector<Segment> Layout;

struct Tables { std::vector<int> tiles, rows, ktiles, visits; };

static Tables tables_of(const Layout &segments, int T) {
  Tables t;
  t.rows.assign(T * 4, 0);
  std::vector<int> cuts = {0, T};
  for (const Segment &s : segments) {
    for (int i = 0; i < s.rows; i += 64)
      for (int x : {s.start + i, std::min(64, s.rows - i), s.start, s.prefix, s.prefix_rows}) t.tiles.push_back(x);
    for (int i = s.start; i < s.start + s.rows; i++) t.rows[i * 4] = s.start, t.rows[i * 4 + 1] = s.prefix, t.rows[i * 4 + 2] = s.prefix_rows;
    for (int x : {s.start, s.start + s.rows, s.prefix, s.prefix + s.prefix_rows}) cuts.push_back(x);
  }
  std::sort(cuts.begin(), cuts.end());
  for (size_t c = 0; c + 1 < cuts.size(); c++)
    for (int k = cuts[c]; k < cuts[c + 1]; k += 64) {
      const int first = (int)t.visits.size() / 3;
      for (const Segment &s : segments) {
        if (k >= s.prefix && k < s.prefix + s.prefix_rows) for (int x : {s.start, s.start + s.rows, 0}) t.visits.push_back(x);
        if (k < s.start || k >= s.start + s.rows) continue;
        // In two visits, cut where the diagonal runs: within a warp's keys, or as one of its steps ends.
        const int end = s.start + s.rows, cut = std::min(end, k + (c % 2 ? 1 : 14));
        for (int x : {s.start, cut, 1, cut, end, 1}) t.visits.push_back(x);
      }
      for (int x : {k, std::min(64, cuts[c + 1] - k), first, (int)t.visits.size() / 3 - first}) t.ktiles.push_back(x);
    }
  return t;
}

static void put(std::vector<uint64_t> &) {}
template <class A, class... B> static void put(std::vector<uint64_t> &cells, A a, B... b) {
  uint64_t cell = 0;
  static_assert(sizeof a <= 8);
  memcpy(&cell, &a, sizeof a);
  cells.push_back(cell);
  put(cells, b...);
}
// With shared given, runs on one thread and sees that no byte beyond is used.
template <class... A> static void launch(const std::string &name, unsigned x, unsigned y, unsigned threads, size_t shared, A... args) {
  std::vector<uint64_t> cells;
  put(cells, args...);
  std::vector<void *> params;
  for (uint64_t &c : cells) params.push_back(&c);
  CHECK(emu::registry().count(name), "no kernel %s", name.c_str());
  emu::launch({x, y, 1}, {threads, 1, 1}, emu::registry()[name], params.data(), shared ? 1 : 2);
  if (shared)
    for (size_t i = shared; i < sizeof emu::dyn; i++)
      if (emu::dyn[i] != 0xff) { CHECK(false, "%s uses byte %zu of shared memory", name.c_str(), i); break; }
}

// The largest error of all cases with this name, as a part of the largest value or of least. Rounding to bf16 alone is
// up to 2^-8 of a value.
static std::map<std::string, double> worst;
static void compare(std::string what, const Mat &got, const std::vector<double> &want, double limit, double least = 0) {
  double error = 0, most = least;
  if (!got.f32) what += " as bf16", limit = 4e-3;
  for (double w : want) most = std::max(most, std::fabs(w));
  for (int r = 0; r < got.rows; r++)
    for (int c = 0; c < got.cols; c++) {
      const double e = std::fabs(got.at(r, c) - want[(size_t)r * got.cols + c]);
      if (!(e <= error) && error == error) error = e;   // NaN stays
    }
  error /= most;
  CHECK(error <= limit, "%s is off by %g", what.c_str(), error);
  CHECK(got.surroundings_kept(), "%s was written outside", what.c_str());
  if (!(error <= worst[what])) worst[what] = error;
}

struct Case { const char *name; Layout layout; int T, heads, kv_heads, size; View view; int out_f32; double spread; };

static void run(const Case &c, unsigned seed) {
  char text[200];
  snprintf(text, sizeof text, "%s, heads %d/%d of %d, view %d, spread %g", c.name, c.heads, c.kv_heads, c.size, c.view, c.spread);
  current = text;
  const int T = c.T, H = c.heads, K = c.kv_heads, D = c.size;
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  auto input = [&](int cols, double by) {
    Mat m = matrix(1, T, cols, c.view);
    for (int r = 0; r < T; r++) for (int i = 0; i < cols; i++) m.set(r, i, bf2f(f2bf((float)(by * normal(random)))));
    return m;
  };
  auto as_bf16 = [&](const Mat &from) {
    Mat m = matrix(0, T, from.cols, c.view);
    for (int r = 0; r < T; r++) for (int i = 0; i < from.cols; i++) m.set(r, i, from.at(r, i));
    return m;
  };
  Mat q32 = input(H * D, c.spread), k32 = input(K * D, 1), v32 = input(K * D, 1), g32 = input(H * D, 1);
  Mat q = as_bf16(q32), k = as_bf16(k32), v = as_bf16(v32), g = as_bf16(g32);

  // The double loop. Rows of no segment are nobody's keys and no queries.
  const double scale = 1 / std::sqrt((double)D);
  std::vector<double> out(T * H * D), lse(T * H), delta(T * H), dq(T * H * D), dk(T * K * D), dv(T * K * D);
  Mat out16 = matrix(0, T, H * D, c.view), lse32 = matrix(1, T, H, c.view);
  std::vector<char> owned(T);
  for (int r = 0; r < T; r++) for (int h = 0; h < H; h++) lse32.set(r, h, 0);
  for (const Segment &s : c.layout)
    for (int t = s.start; t < s.start + s.rows; t++) {
      owned[t] = 1;
      std::vector<int> seen;
      for (int i = 0; i < s.prefix_rows; i++) seen.push_back(s.prefix + i);
      for (int i = s.start; i <= t; i++) seen.push_back(i);
      std::vector<double> p(seen.size());
      for (int h = 0; h < H; h++) {
        const int kv = h * K / H;
        double most = -1e300, sum = 0, mean = 0;
        for (size_t i = 0; i < seen.size(); i++) {
          double x = 0;
          for (int d = 0; d < D; d++) x += q32.at(t, h * D + d) * k32.at(seen[i], kv * D + d);
          p[i] = x * scale, most = std::max(most, p[i]);
        }
        for (double x : p) sum += std::exp(x - most);
        lse[t * H + h] = most + std::log(sum);
        double *o = &out[(t * H + h) * D];
        for (size_t i = 0; i < seen.size(); i++) {
          p[i] = std::exp(p[i] - lse[t * H + h]);
          for (int d = 0; d < D; d++) o[d] += p[i] * v32.at(seen[i], kv * D + d);
        }
        lse32.set(t, h, lse[t * H + h]);
        for (int d = 0; d < D; d++) out16.set(t, h * D + d, o[d]), mean += g32.at(t, h * D + d) * out16.at(t, h * D + d);
        delta[t * H + h] = mean;
        for (size_t i = 0; i < seen.size(); i++) {
          double dp = 0;
          for (int d = 0; d < D; d++) dp += g32.at(t, h * D + d) * v32.at(seen[i], kv * D + d);
          const double ds = scale * p[i] * (dp - mean);
          for (int d = 0; d < D; d++) {
            dv[(seen[i] * K + kv) * D + d] += p[i] * g32.at(t, h * D + d);
            dq[(t * H + h) * D + d] += ds * k32.at(seen[i], kv * D + d);
            dk[(seen[i] * K + kv) * D + d] += ds * q32.at(t, h * D + d);
          }
        }
      }
    }
  // The fast kernels leave out, lse and dq of a row of no segment alone.
  auto blank = [&](Mat &m) {
    for (int r = 0; r < T; r++) if (!owned[r]) for (int i = 0; i < m.cols; i++) {
      CHECK(m.at(r, i) != m.at(r, i), "row %d of no segment was written", r);
      m.set(r, i, 0);
    }
  };

  const Tables tab = tables_of(c.layout, T);
  const int *tiles = tab.tiles.data(), *rows = tab.rows.data(), *ktiles = tab.ktiles.data(), *visits = tab.visits.data();
  const unsigned n = tab.tiles.size() / 5, nk = tab.ktiles.size() / 4;
  const float sc = (float)scale;
  const double by = c.spread, fast = 5e-6 * by, exact = 2e-6 * by;
  const std::string kind = c.spread > 1 ? " at spread 50" : "";
  Mat dl = matrix(1, T, H, c.view);

  launch("attn_delta", (T * H + 7) / 8, 1, 256, 0, dl.p(), dl.ld, g.p(), g.f32, g.ld, out16.p(), out16.f32, out16.ld, T, H, D);
  for (int r = 0; r < T; r++) if (!owned[r]) for (int h = 0; h < H; h++) dl.set(r, h, 0);   // of NaN
  compare("delta", dl, delta, 1e-6);

  if (D <= 128) {
    const int inst = D <= 64 ? 64 : 128, vec = c.view == ALIGNED && D % 8 == 0;
    const std::string suffix = inst == 64 ? "_64" : "_128";
    const size_t shared_fwd = attention::fwd_shared(inst), shared_dq = attention::dq_shared(inst), shared_dkv = attention::dkv_shared(inst);
    Mat o = matrix(c.out_f32, T, H * D, c.view), l = matrix(1, T, H, c.view), a = matrix(c.out_f32, T, H * D, c.view);
    Mat b = matrix(c.out_f32, T, K * D, c.view), e = matrix(!c.out_f32, T, K * D, c.view);
    std::vector<std::vector<uint8_t>> before;
    for (int again = 0; again < (seed % 4 ? 1 : 2); again++) {
      for (Mat *m : {&o, &l, &a, &b, &e}) m->clear();
      launch("attn_fwd" + suffix, n, H, 128, again ? shared_fwd : 0, o.p(), o.f32, o.ld, l.p(), l.ld, q.p(), q.ld, k.p(), k.ld, v.p(), v.ld, tiles, H, K, D, sc, vec);
      launch("attn_dq" + suffix, n, H, 128, again ? shared_dq : 0, a.p(), a.f32, a.ld, g.p(), g.ld, dl.p(), dl.ld, lse32.p(), lse32.ld, q.p(), q.ld, k.p(), k.ld, v.p(), v.ld, tiles, H, K, D, sc, vec);
      launch("attn_dkv" + suffix, nk, K, 128, again ? shared_dkv : 0, b.p(), b.f32, b.ld, e.p(), e.f32, e.ld, g.p(), g.ld, dl.p(), dl.ld, lse32.p(), lse32.ld, q.p(), q.ld, k.p(), k.ld, v.p(), v.ld, ktiles, visits, H, K, D, sc, vec);
      if (again) CHECK((before == std::vector<std::vector<uint8_t>>{o.cells, l.cells, a.cells, b.cells, e.cells}), "not the same bits again");
      before = {o.cells, l.cells, a.cells, b.cells, e.cells};
    }
    blank(o), blank(l), blank(a);
    compare("out" + kind, o, out, fast);
    compare("lse" + kind, l, lse, 1e-4 * by, 1);
    compare("dq" + kind, a, dq, fast, 1);
    compare("dk" + kind, b, dk, fast, 1);
    compare("dv" + kind, e, dv, fast);
  }

  // The plain kernels take either kind; the numbers are the same.
  Mat o = matrix(1, T, H * D, c.view), l = matrix(1, T, H, c.view), a = matrix(1, T, H * D, c.view), b = matrix(1, T, K * D, c.view), e = matrix(c.out_f32, T, K * D, c.view);
  Mat &qx = seed % 2 ? q : q32, &kx = seed % 3 ? k32 : k, &vx = seed % 2 ? v32 : v;
  launch("attn_plain_fwd", (T * H + 7) / 8, 1, 256, 0, o.p(), o.f32, o.ld, l.p(), l.ld, qx.p(), qx.f32, qx.ld, kx.p(), kx.f32, kx.ld, vx.p(), vx.f32, vx.ld, rows, T, H, K, D, sc);
  launch("attn_plain_dq", (T * H + 7) / 8, 1, 256, 0, a.p(), a.f32, a.ld, g.p(), g.f32, g.ld, dl.p(), dl.ld, lse32.p(), lse32.ld, qx.p(), qx.f32, qx.ld, kx.p(), kx.f32, kx.ld, vx.p(), vx.f32, vx.ld, rows, T, H, K, D, sc);
  launch("attn_plain_dkv", nk * K * 8, 1, 256, 0, b.p(), b.f32, b.ld, e.p(), e.f32, e.ld, g32.p(), g32.f32, g32.ld, dl.p(), dl.ld, lse32.p(), lse32.ld, qx.p(), qx.f32, qx.ld, kx.p(), kx.f32, kx.ld, vx.p(), vx.f32, vx.ld, ktiles, visits, H, K, D, sc);
  for (int r = 0; r < T; r++) if (!owned[r]) {   // the row table has no way to leave a row out
    for (int i = 0; i < H * D; i++) o.set(r, i, 0), a.set(r, i, 0);
    for (int h = 0; h < H; h++) l.set(r, h, 0);
  }
  compare("plain out" + kind, o, out, exact);
  compare("plain lse" + kind, l, lse, exact * 5, 1);
  compare("plain dq" + kind, a, dq, exact * 2, 1);
  compare("plain dk" + kind, b, dk, exact * 2, 1);
  compare("plain dv" + kind, e, dv, exact * 2);
}

int main() {
  const auto start = std::chrono::steady_clock::now();
  emu::poison = true;
  const Layout one = {{0, 1, 0, 0}};
  const Layout alone = {{0, 1, 0, 0}, {1, 65, 0, 0}, {66, 2, 0, 0}, {68, 0, 0, 0}, {68, 64, 0, 0}, {132, 63, 0, 0}};                       // 195
  const Layout ahead = {{0, 70, 0, 0}, {70, 1, 0, 70}, {71, 65, 0, 70}, {136, 0, 0, 70}, {136, 20, 0, 70}};                            // 156
  const Layout behind = {{0, 33, 34, 100}, {33, 1, 34, 100}, {34, 100, 0, 0}, {134, 3, 34, 100}};                                       // 137
  const Layout partly = {{0, 1, 0, 0}, {1, 90, 0, 1}, {91, 17, 5, 7}, {108, 66, 80, 11}, {180, 5, 108, 64}};                            // 186, rows 174 to 179 and 185 of nobody
  const Layout edges = {{0, 46, 0, 0}, {46, 50, 0, 46}, {96, 63, 0, 0}, {159, 20, 95, 63}, {179, 18, 0, 62}};                            // 197
  const Layout longer = {{0, 200, 0, 0}, {200, 130, 0, 200}};                                                                           // 330
  std::vector<Case> cases = {
    {"one row", one, 1, 1, 1, 8, TIGHT, 0, 1},
    {"one row", one, 1, 2, 1, 128, ALIGNED, 1, 1},
    {"alone", alone, 195, 1, 1, 64, ALIGNED, 0, 1},
    {"alone", alone, 195, 2, 1, 20, ODD, 1, 1},
    {"alone", alone, 195, 2, 2, 96, TIGHT, 0, 1},
    {"prefix ahead", ahead, 156, 2, 1, 64, ALIGNED, 1, 1},
    {"prefix ahead", ahead, 156, 3, 1, 8, ALIGNED, 0, 1},
    {"prefix ahead", ahead, 156, 7, 1, 20, TIGHT, 0, 1},
    {"prefix ahead", ahead, 156, 6, 2, 8, ODD, 1, 1},
    {"prefix ahead", ahead, 156, 1, 1, 80, ALIGNED, 0, 1},
    {"prefix ahead", ahead, 156, 2, 2, 128, ODD, 1, 1},
    {"prefix behind", behind, 137, 2, 2, 64, ODD, 0, 1},
    {"prefix behind", behind, 137, 4, 2, 8, TIGHT, 1, 1},
    {"prefix behind", behind, 137, 2, 1, 128, ALIGNED, 0, 1},
    {"prefix behind", behind, 137, 3, 1, 80, ODD, 0, 1},
    {"part of a prefix", partly, 186, 2, 1, 64, ALIGNED, 0, 1},
    {"part of a prefix", partly, 186, 1, 1, 20, ALIGNED, 1, 1},
    {"part of a prefix", partly, 186, 2, 1, 96, ALIGNED, 1, 1},
    {"tiles' edges", edges, 197, 1, 1, 8, ALIGNED, 0, 1},
    {"tiles' edges", edges, 197, 1, 1, 96, ALIGNED, 1, 1},
    {"longer", longer, 330, 2, 1, 64, ALIGNED, 0, 1},
    {"longer", longer, 330, 1, 1, 128, ALIGNED, 0, 1},
    {"alone", alone, 195, 2, 1, 64, ALIGNED, 0, 50},
    {"prefix ahead", ahead, 156, 1, 1, 128, ALIGNED, 1, 50},
    {"prefix behind", behind, 137, 3, 1, 20, ODD, 0, 50},
    {"part of a prefix", partly, 186, 1, 1, 80, TIGHT, 1, 50},
    {"plain only", ahead, 156, 2, 1, 136, ODD, 0, 1},
    {"plain only", one, 1, 2, 1, 300, TIGHT, 1, 1},
  };
  unsigned seed = 0;
  for (const Case &c : cases) {
    const auto from = std::chrono::steady_clock::now();
    run(c, seed++);
    if (getenv("VERBOSE")) printf("%6.2f s  %s\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count(), current.c_str());
  }
  for (const auto &w : worst) printf("%-30s %.1e\n", w.first.c_str(), w.second);
  printf("%zu cases, %d failures, %.1f s\n", cases.size(), failures, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return failures != 0;
}
