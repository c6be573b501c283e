package rewards

import (
	"context"
	"errors"
	"math"
	"slices"
)

// TrainHead learns a writer's taste from preferences. name says which model the
// embedder is. With few preferences it returns a head that says so. The work is
// that of the embedder; the rest takes milliseconds.
func TrainHead(ctx context.Context, e Embedder, name string, preferences []Preference) (*Head, error) {
	var kept, rejected [][]float64
	folds := map[string]int{}
	var fold []int
	for _, p := range preferences {
		if p.Kept == p.Rejected {
			continue
		}
		a, err := Features(ctx, e, p.Kept)
		if err != nil {
			return nil, err
		}
		b, err := Features(ctx, e, p.Rejected)
		if err != nil {
			return nil, err
		}
		if len(a) != len(b) || len(kept) > 0 && len(a) != len(kept[0]) {
			return nil, errors.New("rewards: train a personal head: the embedder's vectors are of different lengths")
		}
		kept, rejected = append(kept, a), append(rejected, b)
		// All preferences for one prompt are held out together.
		if _, ok := folds[p.Prompt]; !ok {
			folds[p.Prompt] = len(folds)
		}
		fold = append(fold, folds[p.Prompt])
	}
	h := &Head{Embedder: name, Pairs: len(kept)}
	if len(kept) == 0 {
		return h, nil
	}
	h.standardise(append(slices.Clone(kept), rejected...))
	differences := make([][]float64, len(kept))
	for i := range kept {
		differences[i] = make([]float64, len(h.Middle))
		for k := range h.Middle {
			differences[i][k] = (kept[i][k] - rejected[i][k]) / h.Scale[k]
		}
	}
	h.choose(differences, fold, len(folds))
	h.Weights = fitWeights(products(differences), differences, indexes(len(differences)), h.Penalty)
	for i := range kept {
		h.Known = append(h.Known, h.utility(kept[i]), h.utility(rejected[i]))
	}
	slices.Sort(h.Known)
	return h, nil
}

// standardise takes mean and spread of the features. Those of the embedding
// share their weight: together they count as much as the statistics.
func (h *Head) standardise(texts [][]float64) {
	n := len(texts[0])
	h.Middle, h.Scale = make([]float64, n), make([]float64, n)
	for k := range n {
		for _, x := range texts {
			h.Middle[k] += x[k] / float64(len(texts))
		}
		sum := 0.0
		for _, x := range texts {
			sum += (x[k] - h.Middle[k]) * (x[k] - h.Middle[k])
		}
		if h.Scale[k] = math.Sqrt(sum / float64(len(texts))); !(h.Scale[k] > 1e-9) {
			h.Scale[k] = 1
		}
		if k >= statistics {
			h.Scale[k] *= math.Sqrt(float64(n-statistics) / statistics)
		}
	}
}

// penalties are what is tried.
var penalties = []float64{1, 5, 25, 125}

// choose finds the penalty that says most about preferences that were held out.
// How often the head is right is counted on others, which had no part in that
// choice either: each fifth of the prompts is judged by what the rest teaches.
func (h *Head) choose(differences [][]float64, fold []int, prompts int) {
	h.Penalty = 25
	folds := min(prompts, 5)
	if folds < 3 {
		return // too few to hold out any and choose on others
	}
	g := products(differences)
	for out := range folds {
		var rest, test []int
		for i := range differences {
			if fold[i]%folds == out {
				test = append(test, i)
			} else {
				rest = append(rest, i)
			}
		}
		w := fitWeights(g, differences, rest, bestPenalty(g, differences, rest, fold, folds))
		for _, i := range test {
			h.HeldOut.Of++
			switch margin := dot(w, differences[i]); {
			case margin > 0:
				h.HeldOut.Right++
			case margin == 0:
				h.HeldOut.Right += 0.5
			}
		}
	}
	h.Penalty = bestPenalty(g, differences, indexes(len(differences)), fold, folds)
}

// bestPenalty has the highest likelihood on the folds of rows, each held out in turn.
func bestPenalty(g, differences [][]float64, rows, fold []int, folds int) float64 {
	chosen, best := penalties[0], math.Inf(-1)
	for _, penalty := range penalties {
		likelihood := 0.0
		for out := range folds {
			var train, test []int
			for _, i := range rows {
				if fold[i]%folds == out {
					test = append(test, i)
				} else {
					train = append(train, i)
				}
			}
			if len(test) == 0 || len(train) == 0 {
				continue
			}
			w := fitWeights(g, differences, train, penalty)
			for _, i := range test {
				likelihood -= math.Log1p(math.Exp(-dot(w, differences[i])))
			}
		}
		if likelihood > best {
			chosen, best = penalty, likelihood
		}
	}
	return chosen
}

// fitWeights minimises, over the rows d of differences that are named,
//
//	sum log(1 + exp(-w·d)) + penalty/2 |w|²
//
// by coordinate steps in its dual: w = sum a_i d_i with 0 < a_i < 1, of which
// each a_i is found in turn while the others stand (Yu, Huang and
// Lin, 2011). g holds the products of all rows.
func fitWeights(g [][]float64, differences [][]float64, rows []int, penalty float64) []float64 {
	a := make([]float64, len(differences))
	margins := make([]float64, len(differences)) // w·d
	for _, i := range rows {
		a[i] = 0.5 / penalty
	}
	for _, i := range rows {
		for _, k := range rows {
			margins[i] += a[k] * g[i][k]
		}
	}
	for range 1000 {
		moved := 0.0
		for _, i := range rows {
			x := oneWeight(a[i], margins[i], g[i][i], penalty)
			if d := x - a[i]; d != 0 {
				for _, k := range rows {
					margins[k] += d * g[i][k]
				}
				moved = max(moved, math.Abs(d)*penalty)
				a[i] = x
			}
		}
		if moved < 1e-7 {
			break
		}
	}
	w := make([]float64, len(differences[0]))
	for _, i := range rows {
		for k, d := range differences[i] {
			w[k] += a[i] * d
		}
	}
	return w
}

// oneWeight is the x at which x penalty = sigmoid(-(margin + (x-a) g)): the left
// side grows and the right side falls, so there is one, in (0, 1/penalty).
func oneWeight(a, margin, g, penalty float64) float64 {
	low, high, x := 0.0, 1/penalty, a
	for range 60 {
		s := sigmoid(-margin - (x-a)*g)
		f := x*penalty - s
		if f > 0 {
			high = x
		} else {
			low = x
		}
		next := x - f/(penalty+s*(1-s)*g)
		if !(next > low && next < high) {
			next = (low + high) / 2
		}
		if math.Abs(next-x)*penalty < 1e-12 {
			return next
		}
		x = next
	}
	return x
}

// products holds the products of all rows with each other.
func products(rows [][]float64) [][]float64 {
	g := make([][]float64, len(rows))
	for i := range rows {
		g[i] = make([]float64, len(rows))
		for k := range i + 1 {
			g[i][k] = dot(rows[i], rows[k])
			g[k][i] = g[i][k]
		}
	}
	return g
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
