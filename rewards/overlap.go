package rewards

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
)

// Embedder turns texts into vectors, one each, all of one length. What it says
// of a text must not depend on the others in the call.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Overlap finds paragraphs that say an earlier one again in other words.
//
// The vectors of a causal model all point the same way, and within a text more
// so. What counts is how far two of them lie apart, measured by how far apart
// different paragraphs of honest texts lie for the same model:
//
//	likeness(a, b) = 1 - |a - b|² / (2 scale²),  scale² the mean squared distance of an honest paragraph from its text's mean
//
// That is the cosine after the mean is taken off, for vectors of usual length;
// but where a text says one thing over and over, so that its mean is that thing,
// it still says so.
type Overlap struct {
	Embedder Embedder
	// Likeness is Calibrate's of the embedder; nil: it is measured when it is
	// first needed, which embeds some 2,000 words.
	Likeness *Likeness

	mu sync.Mutex
}

// Likeness is how an embedder's vectors are compared.
type Likeness struct {
	Scale     float64 `json:"scale"`     // distance of an honest paragraph from its text's mean
	Threshold float64 `json:"threshold"` // from this likeness on two paragraphs say the same
}

// leastParagraph is the shortest paragraph that can say another one again, in words.
const leastParagraph = 25

// saidAgain is for each paragraph the first earlier one that it says again, or -1.
func (o *Overlap) saidAgain(ctx context.Context, text string, paragraphs []paragraph) ([]int, error) {
	again := make([]int, len(paragraphs))
	var texts []string
	var which []int
	for i, p := range paragraphs {
		again[i] = -1
		if p.words >= leastParagraph && p.sentences() {
			texts, which = append(texts, text[p.start:p.end]), append(which, i)
		}
	}
	if len(texts) < 2 {
		return again, nil
	}
	like, err := o.likeness(ctx)
	if err != nil {
		return nil, err
	}
	vectors, err := vectorsOf(ctx, o.Embedder, texts)
	if err != nil {
		return nil, err
	}
	for i := range which {
		for k := range i {
			if like.of(vectors[i], vectors[k]) >= like.Threshold {
				again[which[i]] = which[k]
				break
			}
		}
	}
	return again, nil
}

func (o *Overlap) likeness(ctx context.Context) (Likeness, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.Likeness == nil {
		l, err := Calibrate(ctx, o.Embedder)
		if err != nil {
			return Likeness{}, err
		}
		o.Likeness = &l
	}
	return *o.Likeness, nil
}

// vectorsOf checks what it gets.
func vectorsOf(ctx context.Context, e Embedder, texts []string) ([][]float32, error) {
	vectors, err := e.Embed(ctx, texts)
	if err != nil {
		return nil, err
	}
	if len(vectors) != len(texts) {
		return nil, errors.New("the embedder gave another number of vectors than it got texts")
	}
	for _, v := range vectors {
		if len(v) != len(vectors[0]) || len(v) == 0 {
			return nil, errors.New("the embedder's vectors are of different lengths")
		}
	}
	return vectors, nil
}

// of is the likeness of two vectors: 1 for the same, 0 for two of one text that
// have nothing in common but that.
func (l Likeness) of(a, b []float32) float64 {
	return 1 - squared(a, b)/(2*l.Scale*l.Scale)
}

func squared(a, b []float32) float64 {
	sum := 0.0
	for k := range a {
		d := float64(a[k]) - float64(b[k])
		sum += d * d
	}
	return sum
}

// calibrating are the samples that Calibrate embeds, of several kinds.
var calibrating = []string{"essay", "science", "town", "deutsch"}

// Calibrate measures an embedder on honest texts, whose paragraphs all say
// something else: the scale of their distances, and as the threshold a likeness
// that is further above the highest it finds than that is above the mean of the
// highest of each paragraph.
func Calibrate(ctx context.Context, e Embedder) (Likeness, error) {
	var all [][][]float32
	spread, n := 0.0, 0
	for _, s := range Samples() {
		if !slices.Contains(calibrating, s.Name) {
			continue
		}
		lines, _ := linesOf(s.Text)
		var texts []string
		for _, p := range paragraphsOf(lines, scan(s.Text)) {
			if p.words >= leastParagraph {
				texts = append(texts, s.Text[p.start:p.end])
			}
		}
		vectors, err := vectorsOf(ctx, e, texts)
		if err != nil {
			return Likeness{}, err
		}
		// The mean of squared distances of pairs is twice that from the mean.
		for i := range vectors {
			for k := range i {
				spread += squared(vectors[i], vectors[k]) / 2
				n++
			}
		}
		all = append(all, vectors)
	}
	l := Likeness{Scale: math.Sqrt(spread / float64(n))}
	if !(l.Scale > 0) {
		return Likeness{Scale: 1, Threshold: math.MaxFloat64}, nil // it cannot tell texts apart: it finds nothing
	}
	l.Threshold = l.limit(all)
	return l, nil
}

func (l Likeness) limit(all [][][]float32) float64 {
	most, sum, n := math.Inf(-1), 0.0, 0
	for _, vectors := range all {
		for i := range vectors {
			best := math.Inf(-1)
			for k := range vectors {
				if k != i {
					best = max(best, l.of(vectors[i], vectors[k]))
				}
			}
			most = max(most, best)
			sum += best
			n++
		}
	}
	return most + max(0, most-sum/float64(n))
}
