package engine

import (
	"math"
	"slices"
)

// greatest is the token with the highest logit, of equals the lowest id.
func greatest(logits []float32) (int32, error) {
	best, top := int32(-1), float32(math.Inf(-1))
	for i := beyond(logits, 0, top); i < len(logits); i = beyond(logits, i+1, top) {
		best, top = int32(i), logits[i]
		if top != top {
			return 0, errNaN
		}
	}
	if best < 0 {
		return 0, errNobody
	}
	return best, nil
}

// highestLoop is the highest logit; numbers that are none may be passed over.
func highestLoop(logits []float32) float32 {
	top := float32(math.Inf(-1))
	for i := beyond(logits, 0, top); i < len(logits); i = beyond(logits, i+1, top) {
		top = max(top, logits[i])
	}
	return top
}

// beyond is the first index from i on whose logit is above the limit or no
// number. Nearly all are below, so eight are passed at a time.
func beyond(logits []float32, i int, limit float32) int {
	for ; i+8 <= len(logits); i += 8 {
		l := (*[8]float32)(logits[i:])
		if !(l[0] <= limit && l[1] <= limit && l[2] <= limit && l[3] <= limit &&
			l[4] <= limit && l[5] <= limit && l[6] <= limit && l[7] <= limit) {
			break
		}
	}
	for i < len(logits) && logits[i] <= limit {
		i++
	}
	return i
}

// topK appends the k highest logits to best, in order. One pass: a heap with
// the lowest of the best on top, whose logit the others have to beat.
func topK(best []candidate, logits []float32, k int) ([]candidate, error) {
	least := float32(math.Inf(-1))
	for i := beyond(logits, 0, least); i < len(logits); i = beyond(logits, i+1, least) {
		c := candidate{int32(i), logits[i]}
		if c.logit != c.logit {
			return nil, errNaN
		}
		if len(best) == k {
			sink(best, c)
			least = best[0].logit
		} else if best = append(best, c); len(best) == k {
			slices.SortFunc(best, func(a, b candidate) int { return above(b, a) })
			least = best[0].logit
		}
	}
	slices.SortFunc(best, above)
	return best, nil
}

// sink replaces the top of the heap.
func sink(heap []candidate, c candidate) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(heap) {
			break
		}
		if child+1 < len(heap) && above(heap[child], heap[child+1]) < 0 {
			child++
		}
		if above(c, heap[child]) > 0 {
			break
		}
		heap[i] = heap[child]
		i = child
	}
	heap[i] = c
}

// topP appends the fewest highest logits whose probabilities sum to p. The
// candidates are gathered a few nats below the highest at a time, so that only
// they are sorted.
func topP(best []candidate, logits []float32, p float64) ([]candidate, error) {
	top, err := greatest(logits)
	if err != nil {
		return nil, err
	}
	high := logits[top]
	var all blocks
	want := p * all.sum(logits, high, 1)
	if math.IsNaN(want) {
		return nil, errNaN
	}
	for below := float32(4); ; below *= 2 {
		best = gather(best[:0], logits, high-below)
		if below > 1000 || mass(best, high, 1) >= want {
			slices.SortFunc(best, above)
			return best[:reach(best, want)], nil
		}
	}
}

// topMin appends the tokens at least p times as likely as the likeliest.
func topMin(best []candidate, logits []float32, p float64) ([]candidate, error) {
	top, err := greatest(logits)
	if err != nil {
		return nil, err
	}
	floor := float64(logits[top]) + math.Log(p)
	best = gather(best, logits, math.Nextafter32(float32(floor), float32(math.Inf(-1))))
	slices.SortFunc(best, above)
	return best, nil
}

// gather appends the tokens with a logit of at least floor, by id.
func gather(best []candidate, logits []float32, floor float32) []candidate {
	floor = math.Nextafter32(floor, float32(math.Inf(-1)))
	for i := beyond(logits, 0, floor); i < len(logits); i = beyond(logits, i+1, floor) {
		best = append(best, candidate{int32(i), logits[i]})
	}
	return best
}

// mass is the sum of exp((logit - high) / t).
func mass(best []candidate, high float32, t float64) (sum float64) {
	for _, c := range best {
		sum += math.Exp(float64(c.logit-high) / t)
	}
	return sum
}

// reach is how many of the ordered candidates it takes to reach a mass.
func reach(best []candidate, want float64) int {
	for i, c := range best {
		if want -= math.Exp(float64(c.logit - best[0].logit)); want <= 0 {
			return i + 1
		}
	}
	return len(best)
}

// blocks hold the partial sums of a softmax, so that a draw need not compute
// all exponentials twice.
type blocks struct {
	sums  []float64
	high  float32 // the highest logit, after weigh
	total float64 // of the sums, after weigh
}

const blockSize = 256

// sum is the sum of exp((logit - high) / t).
func (b *blocks) sum(logits []float32, high float32, t float64) (total float64) {
	b.sums = b.sums[:0]
	for len(logits) > 0 {
		n := min(blockSize, len(logits))
		sum := sumExp(logits[:n], high, 1/t)
		b.sums = append(b.sums, sum)
		total += sum
		logits = logits[n:]
	}
	return total
}

// powers holds 2^(j/2048).
var powers = func() (t [2048]float64) {
	for j := range t {
		t[j] = math.Exp2(float64(j) / 2048)
	}
	return t
}()

// sumExpLoop is sumExp, one logit after the other. Every exponent is split into a
// multiple of ln 2 / 2048, looked up, and a rest for which three terms of the
// series do: half the time of math.Exp, and a softmax over a vocabulary is
// nothing else.
func sumExpLoop(logits []float32, high float32, scale float64) (sum float64) {
	for _, l := range logits {
		x := float64(l-high) * scale
		if x < -700 {
			continue
		}
		k := int64(x * (2048 / math.Ln2))
		r := x - float64(k)*(math.Ln2/2048)
		series := 1 + r*(1+r*(0.5+r*(1./6)))
		sum += series * math.Float64frombits(math.Float64bits(powers[k&2047])+uint64(k>>11)<<52)
	}
	return sum
}

// weigh takes the sums of the softmax at temperature t.
func (b *blocks) weigh(logits []float32, t float64) error {
	b.high = highest(logits)
	if math.IsInf(float64(b.high), -1) {
		_, err := greatest(logits)
		return err
	}
	if b.total = b.sum(logits, b.high, t); math.IsNaN(b.total) {
		return errNaN
	}
	return nil
}

// take takes a token out of the softmax at temperature 1 that was weighed. It
// says whether enough is left for the sums to be exact.
func (b *blocks) take(logits []float32, id int32) (exact bool) {
	w := math.Exp(float64(logits[id] - b.high))
	b.sums[id/blockSize] -= w
	b.total -= w
	logits[id] = float32(math.Inf(-1))
	return b.total > 1e-3
}

// draw draws from the softmax that was weighed: the first token at which the sum
// of the probabilities exceeds u.
func (b *blocks) draw(logits []float32, t, u float64) int32 {
	target := u * b.total
	at := 0
	for at < len(b.sums)-1 && target >= b.sums[at] {
		target -= b.sums[at]
		at++
	}
	last := int32(-1) // rounding may leave a little of the target at the very end
	for i := at * blockSize; i < len(logits); i++ {
		if w := math.Exp(float64(logits[i]-b.high) / t); w > 0 {
			if target -= w; target < 0 {
				return int32(i)
			}
			last = int32(i)
		}
	}
	if last < 0 {
		last, _ = greatest(logits)
	}
	return last
}

// logSum is the log of the sum of exp(logit) that was weighed at temperature 1.
func (b *blocks) logSum() float64 { return float64(b.high) + math.Log(b.total) }

// logSumExp is log of the sum of exp(logit).
func logSumExp(logits []float32) float64 {
	var b blocks
	if b.weigh(logits, 1) != nil {
		return math.NaN()
	}
	return b.logSum()
}
