//go:build !amd64

package engine

// sumExp is the sum of exp((logit - high) scale), to 1e-14 of each term; terms
// below exp(-700) count as nothing. scale is positive, no logit above high.
func sumExp(logits []float32, high float32, scale float64) float64 {
	return sumExpLoop(logits, high, scale)
}

// highest is the highest logit; numbers that are none may be passed over.
func highest(logits []float32) float32 { return highestLoop(logits) }
