package engine

import (
	"math"
	"slices"
)

// greatest is the token with the highest logit, of equals the lowest id.
func greatest(logits []float32) (int32, error) {
	best, top := int32(-1), float32(math.Inf(-1))
	for i, l := range logits {
		if !(l <= top) {
			if l != l {
				return 0, errNaN
			}
			best, top = int32(i), l
		}
	}
	if best < 0 {
		return 0, errNobody
	}
	return best, nil
}

// topK appends the k highest logits to best, in order. One pass: a heap with
// the lowest of the best on top, whose logit the others have to beat.
func topK(best []candidate, logits []float32, k int) ([]candidate, error) {
	least := float32(math.Inf(-1))
	for i, l := range logits {
		if l <= least {
			continue
		}
		if l != l {
			return nil, errNaN
		}
		c := candidate{int32(i), l}
		if len(best) < k {
			if best = append(best, c); len(best) == k {
				slices.SortFunc(best, func(a, b candidate) int { return above(b, a) })
				least = best[0].logit
			}
			continue
		}
		sink(best, c)
		least = best[0].logit
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
		if mass(best, 1) >= want || below > 1000 {
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
	return gather(best, logits, float32(math.Nextafter(floor, math.Inf(-1)))), nil
}

// gather appends the tokens with a logit of at least floor, in order.
func gather(best []candidate, logits []float32, floor float32) []candidate {
	for i, l := range logits {
		if l >= floor {
			best = append(best, candidate{int32(i), l})
		}
	}
	slices.SortFunc(best, above)
	return best
}

// mass is the sum of exp((logit - highest) / t) over ordered candidates.
func mass(best []candidate, t float64) (sum float64) {
	for _, c := range best {
		sum += math.Exp(float64(c.logit-best[0].logit) / t)
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
type blocks struct{ sums []float64 }

const blockSize = 256

// sum is the sum of exp((logit - high) / t).
func (b *blocks) sum(logits []float32, high float32, t float64) (total float64) {
	b.sums = b.sums[:0]
	for len(logits) > 0 {
		n := min(blockSize, len(logits))
		sum := 0.0
		for _, l := range logits[:n] {
			sum += math.Exp(float64(l-high) / t)
		}
		b.sums = append(b.sums, sum)
		total += sum
		logits = logits[n:]
	}
	return total
}

// draw draws from the whole softmax at temperature t: the first token at which
// the sum of the probabilities exceeds u.
func (b *blocks) draw(logits []float32, t, u float64) (int32, error) {
	top, err := greatest(logits)
	if err != nil {
		return 0, err
	}
	high := logits[top]
	target := u * b.sum(logits, high, t)
	if math.IsNaN(target) {
		return 0, errNaN
	}
	at := 0
	for at < len(b.sums)-1 && target >= b.sums[at] {
		target -= b.sums[at]
		at++
	}
	last := top // rounding may leave a little of the target at the very end
	for i := at * blockSize; i < len(logits); i++ {
		if w := math.Exp(float64(logits[i]-high) / t); w > 0 {
			if target -= w; target < 0 {
				return int32(i), nil
			}
			last = int32(i)
		}
	}
	return last, nil
}

// logSumExp is log of the sum of exp(logit).
func logSumExp(logits []float32) float64 {
	top, err := greatest(logits)
	if err != nil {
		return math.NaN()
	}
	var b blocks
	return float64(logits[top]) + math.Log(b.sum(logits, logits[top], 1))
}
