package rewards

import (
	"context"
	"errors"
	"math"
	"sync"
)

// Embedder turns texts into vectors, one each, all of one length. What it says
// of a text must not depend on the others in the call.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Overlap finds paragraphs that say an earlier one again in other words.
//
// The vectors of a causal model all point the same way, by language. When the
// mean of honest texts in the same language is taken off, their cosines tell
// something; from where on they tell that two paragraphs say the same is
// measured for each model on those texts, whose paragraphs do not. (The mean of
// the text itself takes off what it is about, and with it what a text that says
// one thing over and over has in common: see RESULTS.md.) A language with fewer
// than three honest texts is not judged.
type Overlap struct {
	Embedder Embedder
	// Likeness is Calibrate's of the embedder; nil: it is measured when it is
	// first needed, which embeds all texts of Samples.
	Likeness Likeness

	mu sync.Mutex
}

// Likeness is how an embedder's vectors are compared, by language.
type Likeness map[string]Centre

// Centre is what the paragraphs of one language have in common.
type Centre struct {
	Mean      []float32 `json:"mean"`
	Threshold float64   `json:"threshold"` // from this cosine on two paragraphs say the same
}

const (
	leastParagraph = 25 // words of a paragraph that can say another one again
	leastSamples   = 3  // texts of a language
	aboveHonest    = 0.1
)

// saidAgain is for each paragraph the first earlier one that it says again, or
// -1; nil where that cannot be told.
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
	centre, ok := like[detect(head(text, 40_000))]
	if !ok {
		return nil, nil
	}
	vectors, err := vectorsOf(ctx, o.Embedder, texts)
	if err != nil {
		return nil, err
	}
	if len(vectors[0]) != len(centre.Mean) {
		return nil, errors.New("the embedder is another one than was measured")
	}
	mean := make([]float64, len(centre.Mean))
	for k, x := range centre.Mean {
		mean[k] = float64(x)
	}
	directions := centred(vectors, mean)
	for i := range which {
		for k := range i {
			if dot(directions[i], directions[k]) >= centre.Threshold {
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
			return nil, err
		}
		o.Likeness = l
	}
	return o.Likeness, nil
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

// centred takes the mean off and scales to length 1. What has no length then
// stays zero, and is like nothing.
func centred(vectors [][]float32, mean []float64) [][]float64 {
	out := make([][]float64, len(vectors))
	for i, v := range vectors {
		out[i] = make([]float64, len(mean))
		for k := range mean {
			out[i][k] = float64(v[k]) - mean[k]
		}
		if length := math.Sqrt(dot(out[i], out[i])); length > 1e-9 {
			for k := range out[i] {
				out[i][k] /= length
			}
		}
	}
	return out
}

func meanOf(vectors [][]float32) []float64 {
	mean := make([]float64, len(vectors[0]))
	for _, v := range vectors {
		for k := range mean {
			mean[k] += float64(v[k]) / float64(len(vectors))
		}
	}
	return mean
}

// Calibrate measures an embedder on the honest texts of each language, whose
// paragraphs all say something else. Each text is compared with the mean of the
// others, as a new text would be; the threshold lies a tenth of the way from the
// highest cosine that comes up to 1.
func Calibrate(ctx context.Context, e Embedder) (Likeness, error) {
	texts := map[string][][][]float32{} // language, text, paragraph
	byLanguage := map[string][]Sample{}
	for _, s := range Samples() {
		l := detect(s.Text)
		byLanguage[l] = append(byLanguage[l], s)
	}
	like := Likeness{}
	for language, samples := range byLanguage {
		if len(samples) < leastSamples {
			continue
		}
		for _, s := range samples {
			lines, _ := linesOf(s.Text)
			var own []string
			for _, p := range paragraphsOf(lines, scan(s.Text)) {
				if p.words >= leastParagraph {
					own = append(own, s.Text[p.start:p.end])
				}
			}
			vectors, err := vectorsOf(ctx, e, own)
			if err != nil {
				return nil, err
			}
			texts[language] = append(texts[language], vectors)
		}
		like[language] = centreOf(texts[language])
	}
	return like, nil
}

func centreOf(texts [][][]float32) Centre {
	most := 0.0
	var all [][]float32
	for i, own := range texts {
		var others [][]float32
		for k, t := range texts {
			if k != i {
				others = append(others, t...)
			}
		}
		all = append(all, own...)
		directions := centred(own, meanOf(others))
		for a := range directions {
			for b := range a {
				most = max(most, dot(directions[a], directions[b]))
			}
		}
	}
	c := Centre{Mean: make([]float32, len(all[0])), Threshold: most + aboveHonest*(1-most)}
	for k, x := range meanOf(all) {
		c.Mean[k] = float32(x)
	}
	return c
}
