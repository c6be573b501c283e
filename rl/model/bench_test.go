package model_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"longhand/rl/cpu"
	"longhand/rl/model"
)

// benchShapes are real sizes with random weights: those of SmolLM2-135M, and of Qwen2.5-0.5B.
var benchShapes = map[string]tiny{
	"135M": {architecture: "llama", layers: 30, width: 576, heads: 9, kvHeads: 3, headSize: 64, ff: 1536, vocabulary: 49152},
	"0.5B": {architecture: "qwen2", layers: 24, width: 896, heads: 14, kvHeads: 2, headSize: 64, ff: 4864, vocabulary: 151936},
}

// BenchmarkTrain is Forward and Backward on the processor: eight sequences of 256 that are trained
// throughout, and a prompt of 256 with eight completions of 256. It reports trained tokens
// a second and where the time went.
//
//	go test -bench Train/135M -benchtime 3x -run xxx ./rl/model
func BenchmarkTrain(b *testing.B) {
	for _, name := range []string{"135M", "0.5B"} {
		for _, work := range []string{"sequences", "group"} {
			for _, again := range []model.Recompute{model.Never, model.Always} {
				b.Run(fmt.Sprintf("%s/%s/recompute=%v", name, work, again), func(b *testing.B) {
					benchmarkTrain(b, benchShapes[name], work, again)
				})
			}
		}
	}
}

func benchmarkTrain(b *testing.B, s tiny, work string, again model.Recompute) {
	path := os.Getenv("LONGHAND_SAMPLE_MODEL")
	if s.width != 576 || path == "" {
		path = s.write(b, 1)
	}
	d, err := cpu.New(cpu.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	groups := []model.Group{benchGroup(s.vocabulary, 256, 256, 8)}
	if work == "sequences" {
		groups = nil
		for range 8 {
			groups = append(groups, benchGroup(s.vocabulary, 1, 256, 1))
		}
	}
	m := open(b, path, d, model.Options{MaxRows: 2304, Recompute: again})
	micro := whole(groups)
	slope := gradientOf(groups, micro)
	forward, backward := m.FLOPs(groups, micro)
	before := map[string]float64{}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if i == 1 {
			before = d.Times() // the first is for warming up
		}
		if _, err := m.Forward(groups, micro); err != nil {
			b.Fatal(err)
		}
		if err := m.Backward(slope); err != nil {
			b.Fatal(err)
		}
	}
	each := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(2048/each.Seconds(), "tokens/s")
	rate := (forward + backward) / each.Seconds() / 1e9
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(rate/sgemm(d, s, 2048), "of-sgemm")
	b.Logf("%s; %s", d.Name(), m.Plan().Message)
	b.Log(shares(before, d.Times()))
}

// sgemm is the BLAS's own rate, in GFLOP/s, at the shapes of a step's products: rows of the layers' matrices and
// of the head, forward and backward, each at its best of several, weighed by its operations.
func sgemm(d model.Device, s tiny, rows int) float64 {
	var flop, seconds float64
	for _, m := range [][3]int{ // out, in, how often
		{s.heads * s.headSize, s.width, s.layers}, {s.kvHeads * s.headSize, s.width, 2 * s.layers}, {s.width, s.heads * s.headSize, s.layers},
		{s.ff, s.width, 2 * s.layers}, {s.width, s.ff, s.layers}, {4096, s.width, s.vocabulary / 4096},
	} {
		x, w, y := d.Alloc(model.F32, rows, m[1]), d.Alloc(model.F32, m[0], m[1]), d.Alloc(model.F32, rows, m[0])
		forward, backward := math.Inf(1), math.Inf(1)
		for range 5 {
			begin := time.Now()
			d.MatMul(y, x, w, false, true, 1, false)
			middle := time.Now()
			d.MatMul(x, y, w, false, false, 1, false)
			forward, backward = min(forward, middle.Sub(begin).Seconds()), min(backward, time.Since(middle).Seconds())
		}
		for _, b := range []model.Buffer{x, w, y} {
			d.Free(b)
		}
		flop += 2 * 2 * float64(rows) * float64(m[0]) * float64(m[1]) * float64(m[2])
		seconds += (forward + backward) * float64(m[2])
	}
	return flop / seconds / 1e9
}

// benchGroup is random tokens.
func benchGroup(vocabulary, prompt, completion, n int) model.Group {
	r := rand.New(rand.NewPCG(1, 1))
	tokens := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32(r.IntN(vocabulary))
		}
		return ids
	}
	g := model.Group{Prompt: tokens(prompt)}
	for range n {
		g.Completions = append(g.Completions, tokens(completion))
	}
	return g
}

// shares are the parts of the time between two readings, largest first.
func shares(before, after map[string]float64) string {
	var total float64
	names := make([]string, 0, len(after))
	for name, s := range after {
		names, total = append(names, name), total+s-before[name]
	}
	slices.SortFunc(names, func(a, b string) int {
		return int(1e6 * (after[b] - before[b] - after[a] + before[a]))
	})
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = fmt.Sprintf("%s %.0f %%", name, 100*(after[name]-before[name])/total)
	}
	return strings.Join(words, ", ")
}
