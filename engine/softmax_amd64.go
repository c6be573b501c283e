package engine

import (
	"math"

	processor "golang.org/x/sys/cpu"
)

// sumExp is the sum of exp((logit - high) scale), to 1e-14 of each term; terms
// below exp(-700) count as nothing. scale is positive, no logit above high.
func sumExp(logits []float32, high float32, scale float64) float64 {
	n := len(logits) &^ 3
	if n == 0 || !wide {
		return sumExpLoop(logits, high, scale)
	}
	return sumExpWide(&logits[0], n, high, scale, &expTable) + sumExpLoop(logits[n:], high, scale)
}

// highest is the highest logit; numbers that are none may be passed over.
func highest(logits []float32) float32 {
	n := len(logits) &^ 31
	if n == 0 || !wide {
		return highestLoop(logits)
	}
	return max(highestWide(&logits[0], n), highestLoop(logits[n:]))
}

// highestWide is highest of n logits, a positive multiple of 32.
//
//go:noescape
func highestWide(logits *float32, n int) float32

// wide says that the processor has the instructions of sumExpWide and highestWide.
var wide = processor.X86.HasAVX2 && processor.X86.HasFMA

// sumExpWide is sumExp of n logits, a positive multiple of four, four at a time:
// a third of the loop's time. With k = round(x / ln 2) and r = x - k ln 2
//
//	exp(x) = 2^k exp(r),  |r| < 0.35
//
// and the series of exp(r) up to r^11 / 11! leaves out 1e-14.
//
//go:noescape
func sumExpWide(logits *float32, n int, high float32, scale float64, t *[17][4]float64) float64

// expTable holds the constants of sumExpWide, each four times.
var expTable = func() (t [17][4]float64) {
	for i, c := range [17]float64{
		-708,                          // below it 2^k is no normal number
		math.Log2E,                    // 1 / ln 2
		math.Ln2, 2.3190468138462e-17, // ln 2 and what its rounding left
		1<<52 + 1023, // added to k it leaves the exponent's bits at the low end
		1. / 39916800, 1. / 3628800, 1. / 362880, 1. / 40320, 1. / 5040, 1. / 720, 1. / 120, 1. / 24, 1. / 6, 1. / 2, 1, 1,
	} {
		t[i] = [4]float64{c, c, c, c}
	}
	return t
}()
