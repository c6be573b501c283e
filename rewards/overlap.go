package rewards

import (
	"context"
	"math"
)

// Embedder turns texts into vectors, one each, all of one length. What it says
// of a text must not depend on the others in the call.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// leastParagraph is the shortest paragraph that can say another one again.
const leastParagraph = 25

// saidAgain finds for each paragraph the first earlier one that it says again,
// or -1. The vectors of a causal model all point the same way; what tells them
// apart is left when the document's mean is taken off.
func saidAgain(ctx context.Context, e Embedder, threshold float64, text string, paragraphs []paragraph) ([]int, error) {
	again := make([]int, len(paragraphs))
	var texts []string
	var which []int
	for i, p := range paragraphs {
		again[i] = -1
		if p.words >= leastParagraph {
			texts, which = append(texts, text[p.start:p.end]), append(which, i)
		}
	}
	if len(texts) < 3 { // of two, one is what the other is not
		return again, nil
	}
	if threshold == 0 {
		var err error
		if threshold, err = Calibrate(ctx, e); err != nil {
			return nil, err
		}
	}
	vectors, err := e.Embed(ctx, texts)
	if err != nil {
		return nil, err
	}
	directions := centred(vectors)
	for i := range which {
		for k := range i {
			if cosine(directions[i], directions[k]) >= threshold {
				again[which[i]] = which[k]
				break
			}
		}
	}
	return again, nil
}

// centred takes the mean off and scales to length 1. What has no length then
// stays zero, and is like nothing.
func centred(vectors [][]float32) [][]float64 {
	if len(vectors) == 0 {
		return nil
	}
	mean := make([]float64, len(vectors[0]))
	for _, v := range vectors {
		for k := range mean {
			mean[k] += float64(v[k]) / float64(len(vectors))
		}
	}
	out := make([][]float64, len(vectors))
	for i, v := range vectors {
		out[i] = make([]float64, len(mean))
		sum := 0.0
		for k := range mean {
			x := float64(v[k]) - mean[k]
			out[i][k] = x
			sum += x * x
		}
		if length := math.Sqrt(sum); length > 1e-9 {
			for k := range out[i] {
				out[i][k] /= length
			}
		}
	}
	return out
}

func cosine(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// Calibrate is TODO.
func Calibrate(ctx context.Context, e Embedder) (float64, error) { return 0.9, nil }
