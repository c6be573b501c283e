//go:build unix

package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// The benchmarks count processor time and not the clock, and of the runs they take the best, so that
// a busy machine disturbs them less: a rate is that of one thread. THREADS sets how many there are (1).
//
//	go test -bench . -run xxx ./rl/cpu
//
// shapes are those of SmolLM2-135M and Qwen2.5-0.5B.
var shapes = []struct {
	name                                      string
	width, heads, kv, size, ff, vocabulary, T int
}{
	{"135M", 576, 9, 3, 64, 1536, 49152, 2048},
	{"0.5B", 896, 14, 2, 64, 4864, 151936, 2048},
}

// step is one operation with what it costs.
type step struct {
	name        string
	flop, bytes float64
	run         func()
}

// bench runs steps as benchmarks of their own.
func bench(b *testing.B, d *Device, steps []step) {
	b.Helper()
	for _, s := range steps {
		b.Run(s.name, func(b *testing.B) {
			seconds := math.Inf(1)
			for b.Loop() {
				before := processorTime()
				s.run()
				seconds = min(seconds, processorTime()-before)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(seconds*1e3, "cpu-ms")
			if s.flop > 0 {
				b.ReportMetric(s.flop/seconds/1e9, "GFLOP/s")
			}
			if s.bytes > 0 {
				b.ReportMetric(s.bytes/seconds/1e9, "GB/s")
			}
		})
	}
	if err := d.Sync(); err != nil {
		b.Fatal(err)
	}
}

// processorTime is what this process has used, in seconds.
func processorTime() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// benchDevice is a device with one thread, or THREADS.
func benchDevice(b *testing.B, o Options) *Device {
	o.Threads, _ = strconv.Atoi(os.Getenv("THREADS"))
	o.Threads = max(1, o.Threads)
	d, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

// random is a buffer of numbers around 0.
func random(d *Device, rows, cols int) *buffer {
	m := d.Alloc(model.F32, rows, cols).(*buffer)
	r := rand.New(rand.NewPCG(1, uint64(cols)))
	for i := range m.data[:rows*cols] {
		m.data[i] = r.Float32()*2 - 1
	}
	return m
}

// frozen is a weight of a type with random bytes that are no outliers.
func frozen(b *testing.B, d *Device, typ checkpoint.Type, rows, cols int) model.Weight {
	values := make([]float32, rows*cols)
	r := rand.New(rand.NewPCG(2, 2))
	for i := range values {
		values[i] = r.Float32() - 0.5
	}
	w, err := d.Weight(checkpoint.NewTensor("w", typ, rows, cols, values))
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// BenchmarkSgemm is the BLAS alone, on whole products and on one thread.
func BenchmarkSgemm(b *testing.B) {
	for _, name := range []string{"", "own", "go"} {
		d := benchDevice(b, Options{BLAS: name})
		var steps []step
		for _, s := range shapes {
			for _, n := range [][3]int{{s.T, s.width, s.width}, {s.T, s.ff, s.width}, {s.T, s.width, s.ff}, {512, headChunk, s.width}} {
				if name == "go" && (s.name != "135M" || n[1] != s.width) {
					continue
				}
				x, y, z := random(d, n[0], n[2]), random(d, n[1], n[2]), random(d, n[0], n[1])
				steps = append(steps, step{fmt.Sprintf("%s/%dx%dx%d", d.blas.name(), n[0], n[1], n[2]), 2 * float64(n[0]*n[1]*n[2]), 0, func() {
					d.blas.sgemm(z.matrix, x.matrix, y.matrix, false, true, 1, false)
				}})
			}
		}
		bench(b, d, steps)
	}
}

// BenchmarkLayer is the operations of one layer, forward and backward, as the decoder calls
// them, and of the head: a time budget.
func BenchmarkLayer(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			d := benchDevice(b, Options{})
			T, q, kv, rank := s.T, s.heads*s.size, s.kv*s.size, 16
			qkv := q + 2*kv
			var steps []step
			add := func(name string, flop, bytes float64, run func()) {
				steps = append(steps, step{name, flop, bytes, run})
			}
			cells := func(n ...int) float64 {
				var all float64
				for _, c := range n {
					all += 4 * float64(T) * float64(c)
				}
				return all
			}
			x, y, inv, gain := random(d, T, s.width), random(d, T, s.width), random(d, T, 1), random(d, 1, s.width)
			add("RMSNorm", 0, cells(s.width, s.width), func() { d.RMSNorm(y, inv, x, gain, 1, 1e-5) })
			add("RMSNormBackward", 0, cells(s.width, s.width, s.width, s.width), func() { d.RMSNormBackward(y, x, x, inv, gain, 1, true) })
			add("Copy", 0, cells(s.width, s.width), func() { d.Copy(y, x) })
			for _, w := range []struct {
				name    string
				in, out int
				joined  int
			}{{"qkv", s.width, qkv, 3}, {"o", q, s.width, 1}, {"gateup", s.width, 2 * s.ff, 2}, {"down", s.ff, s.width, 1}} {
				weight := frozen(b, d, checkpoint.F32, w.out, w.in)
				in, out, in2 := random(d, T, w.in), random(d, T, w.out), random(d, T, w.in)
				flop := 2 * float64(T) * float64(w.in) * float64(w.out)
				add("Linear/"+w.name, flop, 0, func() { d.Linear(out, in, weight, nil, false) })
				add("LinearT/"+w.name, flop, 0, func() { d.LinearT(in2, out, weight, false) })
				r := rank * w.joined
				la, lb, xa, ga, gb := random(d, r, w.in), random(d, w.out, rank), random(d, T, r), random(d, r, w.in), random(d, w.out, rank)
				narrow, wide := 2*float64(T)*float64(r)*float64(w.in), 2*float64(T)*float64(w.out)*float64(rank)
				each := func(f func(out, xa, lb, gb model.Buffer)) {
					for i := range w.joined {
						n := w.out / w.joined
						f(out.View(0, T, i*n, n), xa.View(0, T, i*rank, rank), lb.View(i*n, n, 0, rank), gb.View(i*n, n, 0, rank))
					}
				}
				add("lora/x At/"+w.name, narrow, 0, func() { d.MatMul(xa, in, la, false, true, 1, false) })
				add("lora/h Bt/"+w.name, wide, 0, func() {
					each(func(out, xa, lb, _ model.Buffer) { d.MatMul(out, xa, lb, false, true, 1e-6, true) })
				})
				add("lora/dy B/"+w.name, wide, 0, func() {
					each(func(out, xa, lb, _ model.Buffer) { d.MatMul(xa, out, lb, false, false, 1e-6, false) })
				})
				add("lora/dB/"+w.name, wide, 0, func() {
					each(func(out, xa, _, gb model.Buffer) { d.MatMul(gb, out, xa, true, false, 1e-6, true) })
				})
				add("lora/dA/"+w.name, narrow, 0, func() { d.MatMul(ga, xa, in, true, false, 1e-6, true) })
				add("lora/h A/"+w.name, narrow, 0, func() { d.MatMul(in2, xa, la, false, false, 1e-6, true) })
			}
			group := random(d, T, qkv)
			heads, keys, values := group.View(0, T, 0, q), group.View(0, T, q, kv), group.View(0, T, q+kv, kv)
			rope := &model.RoPE{Freq: make([]float64, s.size/2), Pairwise: true}
			layouts := map[string]model.Layout{"8 sequences of 256": sequences(d, T, 256), "prompt 256 and 7 of 256": prompted(d, T, 256), "one of 2048": sequences(d, T, T)}
			add("RoPE", 0, cells(q, kv), func() {
				d.RoPE(heads, layouts["one of 2048"], s.heads, rope, false)
				d.RoPE(keys, layouts["one of 2048"], s.kv, rope, false)
			})
			out, lse, dout := random(d, T, q), random(d, T, s.heads), random(d, T, q)
			dgroup := random(d, T, qkv)
			for _, name := range []string{"8 sequences of 256", "prompt 256 and 7 of 256", "one of 2048"} {
				flop := 4 * pairs(layouts[name]) * float64(q)
				add("Attention/"+name, flop, 0, func() { d.Attention(out, lse, heads, keys, values, layouts[name], s.heads, s.kv) })
				add("AttentionBackward/"+name, 2.5*flop, 0, func() {
					d.AttentionBackward(dgroup.View(0, T, 0, q), dgroup.View(0, T, q, kv), dgroup.View(0, T, q+kv, kv), dout, out, heads, keys, values, lse, layouts[name], s.heads, s.kv)
				})
			}
			gate, up, gated := random(d, T, s.ff), random(d, T, s.ff), random(d, T, s.ff)
			add("SwiGLU", 0, cells(s.ff, s.ff, s.ff), func() { d.SwiGLU(gated, gate, up) })
			add("SwiGLUBackward", 0, cells(s.ff, s.ff, s.ff, s.ff, s.ff), func() { d.SwiGLUBackward(gated, y2(d, &up), gate, gate, up) })
			bench(b, d, steps)
		})
	}
}

// y2 is a buffer shaped as another, made once.
var spare *buffer

func y2(d *Device, like **buffer) *buffer {
	if spare == nil || spare.rows != (*like).rows || spare.cols != (*like).cols {
		spare = d.Alloc(model.F32, (*like).rows, (*like).cols).(*buffer)
	}
	return spare
}

// sequences is rows as segments of n.
func sequences(d *Device, rows, n int) model.Layout {
	var list []model.Segment
	for from := 0; from < rows; from += n {
		list = append(list, model.Segment{Start: from, Rows: n})
	}
	return d.Layout(make([]int32, rows), list)
}

// prompted is a segment of n that others of n see.
func prompted(d *Device, rows, n int) model.Layout {
	list := []model.Segment{{Rows: n}}
	for from := n; from < rows; from += n {
		list = append(list, model.Segment{Start: from, Rows: n, PrefixRows: n})
	}
	return d.Layout(make([]int32, rows), list)
}

// pairs is how many queries and keys see one another.
func pairs(l model.Layout) float64 {
	var n float64
	for _, j := range l.(*layout).jobs {
		for row := j.from; row < j.to; row++ {
			n += float64(j.prefixRows + row - j.start + 1)
		}
	}
	return n
}

// BenchmarkHead scores 512 and 2,048 rows, with the gradient, from weights held in F32 and from
// Q8_0, as the sample model's embedding is.
func BenchmarkHead(b *testing.B) {
	for _, s := range shapes {
		for _, held := range []bool{true, false} {
			o := Options{Resident: 1}
			name := s.name + "/Q8_0"
			if held {
				o.Resident, name = 8<<30, s.name+"/held"
			}
			b.Run(name, func(b *testing.B) {
				d := benchDevice(b, o)
				w := frozen(b, d, checkpoint.Q8_0, s.vocabulary, s.width)
				var steps []step
				for _, rows := range []int{512, s.T} {
					x, u, logp, entropy := random(d, rows, s.width), random(d, rows, s.width), random(d, rows, 1), random(d, rows, 1)
					target := d.Ints(make([]int32, rows))
					steps = append(steps, step{fmt.Sprint(rows), 4 * float64(rows) * float64(s.width) * float64(s.vocabulary), 0, func() { d.Head(logp, entropy, u, x, w, target) }})
				}
				bench(b, d, steps)
			})
		}
	}
}

// BenchmarkQuantised is a product with a weight that is dequantised at each use.
func BenchmarkQuantised(b *testing.B) {
	for _, typ := range []checkpoint.Type{checkpoint.Q4_1, checkpoint.Q8_0, checkpoint.Q4_K, checkpoint.Q6_K, checkpoint.F16} {
		s := shapes[1]
		d := benchDevice(b, Options{Resident: 1})
		w := frozen(b, d, typ, s.width, 4864)
		var steps []step
		for _, rows := range []int{256, 2048} {
			x, y := random(d, rows, 4864), random(d, rows, s.width)
			flop := 2 * float64(rows) * 4864 * float64(s.width)
			steps = append(steps,
				step{fmt.Sprintf("Linear/%s/%d", typ, rows), flop, 0, func() { d.Linear(y, x, w, nil, false) }},
				step{fmt.Sprintf("LinearT/%s/%d", typ, rows), flop, 0, func() { d.LinearT(x, y, w, false) }})
		}
		bench(b, d, steps)
	}
}
