package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func randomLogits(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	logits := make([]float32, n)
	for i := range logits {
		logits[i] = float32(r.NormFloat64()*3 - 5)
	}
	return logits
}

func ordered(logits []float32) []candidate {
	all := gather(nil, logits, -1000)
	slices.SortFunc(all, above)
	return all
}

func TestTopKIsTheHeadOfASort(t *testing.T) {
	logits := randomLogits(5000, 1)
	for i := range logits {
		logits[i] = float32(math.Round(float64(logits[i]*4)) / 4) // many ties
	}
	logits[17] = float32(math.Inf(-1))
	var all []candidate
	for i, l := range logits {
		if i != 17 {
			all = append(all, candidate{int32(i), l})
		}
	}
	slices.SortFunc(all, above)
	for _, k := range []int{1, 2, 7, 40, 500, 4999, 10000} {
		got, err := topK(nil, logits, k)
		if err != nil || !slices.Equal(got, all[:min(k, len(all))]) {
			t.Errorf("k = %d: %v", k, err)
		}
	}
}

func TestSumExpIsExact(t *testing.T) {
	for name, sumExp := range map[string]func([]float32, float32, float64) float64{"wide": sumExp, "loop": sumExpLoop} {
		for n := range 40 {
			logits := randomLogits(n+1, uint64(n))
			if n == 39 {
				logits = randomLogits(10001, 2)
			}
			high := slices.Max(logits)
			for _, scale := range []float64{1, 0.25, 3} {
				want := 0.0
				for _, l := range logits {
					want += math.Exp(float64(l-high) * scale)
				}
				if got := sumExp(logits, high, scale); math.Abs(got/want-1) > 1e-12 {
					t.Errorf("%s, %d logits, scale %g: %g instead of %g", name, len(logits), scale, got, want)
				}
			}
		}
		low := float32(math.Inf(-1))
		if got := sumExp([]float32{0, -1e30, low, low, -800, -709}, 0, 1); got != 1 {
			t.Errorf("%s, far below: %g", name, got)
		}
		for i := range 9 {
			logits := make([]float32, 9)
			logits[i] = float32(math.NaN())
			if got := sumExp(logits, 0, 1); !math.IsNaN(got) {
				t.Errorf("%s: not a number at %d gave %g", name, i, got)
			}
		}
	}
}

func TestTopPTakesTheFewestTokens(t *testing.T) {
	for seed := range uint64(20) {
		logits := randomLogits(2000, seed)
		all := ordered(logits)
		for _, p := range []float64{0.01, 0.5, 0.95, 0.9999} {
			got, err := topP(nil, logits, p)
			if err != nil {
				t.Fatal(err)
			}
			total := mass(all, all[0].logit, 1)
			if n := len(got); mass(all[:n], all[0].logit, 1) < p*total*(1-1e-12) || n > 1 && mass(all[:n-1], all[0].logit, 1) >= p*total {
				t.Errorf("seed %d, p %g: %d tokens hold %g", seed, p, n, mass(all[:n], all[0].logit, 1)/total)
			}
		}
	}
}

// sampling draws n tokens from one set of logits and counts them.
func sampling(t *testing.T, s Sampling, logits []float32, n int) []float64 {
	t.Helper()
	counts := make([]float64, len(logits))
	work := make([]float32, len(logits))
	sampler := sampler{s: s}
	for i := range n {
		copy(work, logits)
		id, _, err := sampler.next(nil, work, i)
		if err != nil {
			t.Fatal(err)
		}
		counts[id]++
	}
	return counts
}

// chiSquared compares counts with probabilities; the result is near 0 in units
// of its standard deviation if they agree.
func chiSquared(counts, p []float64) float64 {
	n := 0.0
	for _, c := range counts {
		n += c
	}
	sum, cells := 0.0, 0.0
	for i := range p {
		if e := p[i] * n; e >= 5 {
			sum += (counts[i] - e) * (counts[i] - e) / e
			cells++
		}
	}
	return (sum - (cells - 1)) / math.Sqrt(2*(cells-1))
}

func softmax(logits []float32, t float64) []float64 {
	high := float64(slices.Max(logits))
	p := make([]float64, len(logits))
	sum := 0.0
	for i, l := range logits {
		p[i] = math.Exp((float64(l) - high) / t)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func TestDrawsFollowTheSoftmax(t *testing.T) {
	logits := randomLogits(600, 3)
	for _, temperature := range []float32{0.5, 1, 2} {
		counts := sampling(t, Sampling{Temperature: temperature, Seed: 5}, logits, 40_000)
		if z := chiSquared(counts, softmax(logits, float64(temperature))); math.Abs(z) > 4 {
			t.Errorf("temperature %g: %.1f deviations off", temperature, z)
		}
	}
}

func TestTruncatedDrawsFollowTheTruncatedSoftmax(t *testing.T) {
	logits := randomLogits(600, 4)
	order := ordered(logits)
	p := softmax(logits, 1)
	keep := func(n int, temperature float64) []float64 {
		cut := make([]float32, len(logits))
		for i := range cut {
			cut[i] = float32(math.Inf(-1))
		}
		for _, c := range order[:n] {
			cut[c.id] = c.logit
		}
		return softmax(cut, temperature)
	}
	reaches := func(limit int, want float64) int {
		total, sum := 0.0, 0.0
		for _, c := range order[:limit] {
			total += p[c.id]
		}
		for i, c := range order[:limit] {
			if sum += p[c.id]; sum >= want*total {
				return i + 1
			}
		}
		return limit
	}
	least := func(share float64) (n int) {
		for _, c := range order {
			if p[c.id] >= share*p[order[0].id] {
				n++
			}
		}
		return n
	}
	cases := []struct {
		name string
		s    Sampling
		n    int
	}{
		{"top-k", Sampling{Temperature: 1, TopK: 20}, 20},
		{"top-p", Sampling{Temperature: 1, TopP: 0.7}, reaches(600, 0.7)},
		{"top-k and top-p", Sampling{Temperature: 0.7, TopK: 50, TopP: 0.8}, reaches(50, 0.8)},
		{"min-p", Sampling{Temperature: 1.5, MinP: 0.1}, least(0.1)},
		{"all", Sampling{Temperature: 1.5, TopK: 100, TopP: 0.99, MinP: 0.05}, min(100, reaches(100, 0.99), least(0.05))},
	}
	for _, c := range cases {
		want := keep(c.n, float64(c.s.Temperature))
		counts := sampling(t, c.s, logits, 20_000)
		for id := range counts {
			if counts[id] > 0 && want[id] == 0 {
				t.Errorf("%s: token %d was drawn and should have been cut off", c.name, id)
			}
		}
		if z := chiSquared(counts, want); math.Abs(z) > 4 {
			t.Errorf("%s: %.1f deviations off", c.name, z)
		}
	}
}

func TestGreedyTakesTheLowestOfEquals(t *testing.T) {
	if id, err := greatest([]float32{1, 3, 3, 2}); id != 1 || err != nil {
		t.Errorf("%d, %v", id, err)
	}
	nan, low := float32(math.NaN()), float32(math.Inf(-1))
	if _, err := greatest([]float32{1, nan, 2}); err != errNaN {
		t.Errorf("not a number: %v", err)
	}
	if _, err := greatest([]float32{low, low}); err != errNobody {
		t.Errorf("all banned: %v", err)
	}
	for _, s := range []Sampling{{Temperature: 1}, {Temperature: 1, TopK: 2}, {Temperature: 1, TopP: 0.5}, {Temperature: 1, MinP: 0.5}} {
		one := sampler{s: s}
		if _, err := one.choose([]float32{1, nan, 2}, 0.5); err != errNaN {
			t.Errorf("%+v: not a number: %v", s, err)
		}
		if _, err := one.choose([]float32{low, low, low}, 0.5); err != errNobody {
			t.Errorf("%+v: all banned: %v", s, err)
		}
	}
}

func TestHighestIsTheGreatest(t *testing.T) {
	for n := range 140 {
		logits := randomLogits(n+1, uint64(n))
		for _, at := range []int{-1, 0, n / 2, n} {
			if at >= 0 {
				logits[at] = 100
			}
			want, got, loop := slices.Max(logits), highest(logits), highestLoop(logits)
			if got != want || loop != want {
				t.Fatalf("%d logits: %g and %g, not %g", n+1, got, loop, want)
			}
			if at >= 0 {
				logits[at] = float32(math.Inf(-1))
			}
		}
	}
}

// TestBansAndLogProbsDrawAlike compares a draw from sums that were taken for the
// log-probability with one from sums of its own.
func TestBansAndLogProbsDrawAlike(t *testing.T) {
	logits := randomLogits(3000, 8)
	order := ordered(logits)
	var few, nearly []int32
	for _, c := range order[:len(order)-1] {
		nearly = append(nearly, c.id)
	}
	for _, c := range order[:9] {
		few = append(few, c.id, c.id)
	}
	for _, banned := range [][]int32{nil, few, nearly} {
		with := sampler{s: Sampling{Temperature: 1, Seed: 3}, logProbs: true, banned: banned}
		without := sampler{s: Sampling{Temperature: 1, Seed: 3}, banned: banned}
		for i := range 300 {
			a, logProb, err := with.next(nil, slices.Clone(logits), i)
			b, _, err2 := without.next(nil, slices.Clone(logits), i)
			if err != nil || err2 != nil || a != b || slices.Contains(banned, a) {
				t.Fatalf("%d bans, draw %d: %d and %d (%v, %v)", len(banned), i, a, b, err, err2)
			}
			if want := float64(logits[a]) - logSumExp(logits); math.Abs(float64(logProb)-want) > 1e-5 {
				t.Fatalf("token %d has %g, not %g", a, logProb, want)
			}
		}
	}
}

func TestBannedTokensAreNotDrawnAndLogProbsAreUntruncated(t *testing.T) {
	logits := randomLogits(300, 6)
	p := softmax(logits, 1)
	top, _ := greatest(logits)
	s := sampler{s: Sampling{Temperature: 0.7, TopK: 5, Seed: 3}, logProbs: true, banned: []int32{top}}
	for i := range 500 {
		id, logProb, err := s.next(nil, slices.Clone(logits), i)
		if err != nil {
			t.Fatal(err)
		}
		if id == top {
			t.Fatal("a banned token was drawn")
		}
		if want := math.Log(p[id]); math.Abs(float64(logProb)-want) > 1e-5 {
			t.Fatalf("token %d: log-probability %g instead of %g", id, logProb, want)
		}
	}
}

func TestRandomNumbersAreEvenAndKeyedByIndex(t *testing.T) {
	const n = 100_000
	var cells [64]float64
	product, last := 0.0, 0.5
	for i := range n {
		x := random(7, i, 0)
		if x != random(7, i, 0) || x == random(7, i, 1) || x == random(8, i, 0) {
			t.Fatal("not a function of seed, index and lane")
		}
		cells[int(x*64)]++
		product += (x - 0.5) * (last - 0.5)
		last = x
	}
	p := make([]float64, 64)
	for i := range p {
		p[i] = 1. / 64
	}
	if z := chiSquared(cells[:], p); math.Abs(z) > 4 {
		t.Errorf("uneven by %.1f deviations", z)
	}
	if z := product * 12 / math.Sqrt(n); math.Abs(z) > 4 {
		t.Errorf("neighbours correlate by %.1f deviations", z)
	}
}

func benchmarkSampling(b *testing.B, vocabulary int, s Sampling, logProbs bool) {
	logits := randomLogits(vocabulary, 9)
	one := sampler{s: s, logProbs: logProbs}
	for i := 0; b.Loop(); i++ {
		if _, _, err := one.next(nil, logits, i); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSampleGreedy49k(b *testing.B) { benchmarkSampling(b, 49152, Sampling{}, false) }
func BenchmarkSampleTopK49k(b *testing.B) {
	benchmarkSampling(b, 49152, Sampling{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05}, false)
}
func BenchmarkSampleTopK152k(b *testing.B) {
	benchmarkSampling(b, 151936, Sampling{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05}, false)
}
func BenchmarkSampleTopP49k(b *testing.B) {
	benchmarkSampling(b, 49152, Sampling{Temperature: 0.8, TopP: 0.95}, false)
}
func BenchmarkSampleAll49k(b *testing.B) {
	benchmarkSampling(b, 49152, Sampling{Temperature: 1}, false)
}
func BenchmarkSampleAllLogProb152k(b *testing.B) {
	benchmarkSampling(b, 151936, Sampling{Temperature: 1}, true)
}
