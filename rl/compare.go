package rl

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// Change is how a mean over held-out prompts differs between two evaluations of a run.
// The interval is of the difference: 95 % of the bootstrap, which draws prompts
// with all their samples, since the samples of a prompt are alike (percentiles of 10,000 draws).
type Change struct {
	Name    string `json:"name"` // "reward length", "words", "repetition", ...
	Min     int    `json:"min_words"`
	Max     int    `json:"max_words"` // 0: all prompts, else those that ask for Min to Max words
	Before  Number `json:"before"`
	After   Number `json:"after"`
	Low     Number `json:"low"` // of After - Before
	High    Number `json:"high"`
	Prompts int    `json:"prompts"`
	Samples int    `json:"samples"` // of one evaluation
}

// Difference is After - Before.
func (c Change) Difference() float64 { return float64(c.After - c.Before) }

// Draws of the bootstrap, and their seed: the same files give the same interval.
const (
	bootstraps    = 10_000
	bootstrapSeed = 0x10a9
)

// Compare sets two evaluations' files against each other, pair by pair: the rewards and what
// guards them, over all prompts and, of the rewards and words, over those of each range of lengths.
// What is unknown in one of a pair is left out of both.
func Compare(before, after string) ([]Change, error) {
	old, err := readFile(before, EvalSample.check)
	if err != nil {
		return nil, err
	}
	now, err := readFile(after, EvalSample.check)
	if err != nil {
		return nil, err
	}
	pairs, err := pairUp(old, now)
	if err != nil {
		return nil, fmt.Errorf("rl: compare %s with %s: %w", before, after, err)
	}
	return compare(pairs), nil
}

func (s EvalSample) check() error {
	if s.Prompt == "" || len(s.Rewards) == 0 {
		return errors.New("it is not a sample of an evaluation")
	}
	return nil
}

// pairUp finds the same sample of the same prompt in both.
func pairUp(old, now []EvalSample) ([][2]EvalSample, error) {
	type key struct{ prompt, sample int }
	at := map[key]EvalSample{}
	for _, s := range now {
		at[key{s.PromptIndex, s.Sample}] = s
	}
	if len(at) != len(old) || len(now) != len(old) {
		return nil, fmt.Errorf("they have %d and %d samples", len(old), len(now))
	}
	pairs := make([][2]EvalSample, len(old))
	for i, s := range old {
		n, ok := at[key{s.PromptIndex, s.Sample}]
		if !ok || n.Prompt != s.Prompt {
			return nil, errors.New("they are not of the same prompts")
		}
		pairs[i] = [2]EvalSample{s, n}
	}
	return pairs, nil
}

func compare(pairs [][2]EvalSample) (all []Change) {
	type measure struct {
		name string
		of   func(EvalSample) float64
	}
	var main []measure
	for _, name := range slices.Sorted(maps.Keys(pairs[0][0].Rewards)) {
		main = append(main, measure{"reward " + name, func(s EvalSample) float64 {
			if v, ok := s.Rewards[name]; ok {
				return float64(v)
			}
			return math.NaN()
		}})
	}
	main = append(main, measure{"words", func(s EvalSample) float64 { return float64(s.Words) }})
	for _, m := range main {
		all = append(all, change(m.name, pairs, m.of))
	}
	for _, m := range []measure{
		{"finished", func(s EvalSample) float64 { return truth(s.Finished) }},
		{"distinct-2", func(s EvalSample) float64 { return float64(s.Distinct2) }},
		{"repetition", func(s EvalSample) float64 { return float64(s.Repetition) }},
	} {
		all = append(all, change(m.name, pairs, m.of))
	}
	ranges := map[[2]int][][2]EvalSample{}
	for _, p := range pairs {
		if p[0].Max > 0 {
			r := [2]int{p[0].Min, p[0].Max}
			ranges[r] = append(ranges[r], p)
		}
	}
	order := slices.SortedFunc(maps.Keys(ranges), func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	for _, r := range order {
		for _, m := range main {
			if len(ranges) > 1 && len(ranges) < 10 {
				c := change(m.name, ranges[r], m.of)
				c.Min, c.Max = r[0], r[1]
				all = append(all, c)
			}
		}
	}
	return all
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// change compares one mean.
func change(name string, pairs [][2]EvalSample, of func(EvalSample) float64) Change {
	type sums struct{ before, after, n float64 }
	byPrompt := map[int]*sums{}
	var order []int
	var whole sums
	for _, p := range pairs {
		b, a := of(p[0]), of(p[1])
		if math.IsNaN(a) || math.IsNaN(b) {
			continue
		}
		s := byPrompt[p[0].PromptIndex]
		if s == nil {
			s = &sums{}
			byPrompt[p[0].PromptIndex] = s
			order = append(order, p[0].PromptIndex)
		}
		s.before, s.after, s.n = s.before+b, s.after+a, s.n+1
		whole.before, whole.after, whole.n = whole.before+b, whole.after+a, whole.n+1
	}
	unknown := Number(math.NaN())
	c := Change{Name: name, Before: Number(whole.before / whole.n), After: Number(whole.after / whole.n), Prompts: len(order), Samples: int(whole.n), Low: unknown, High: unknown}
	if len(order) < 2 {
		return c
	}
	random := rand.New(rand.NewPCG(bootstrapSeed, bootstrapSeed))
	differences := make([]float64, bootstraps)
	for i := range differences {
		sum, n := 0.0, 0.0
		for range order {
			s := byPrompt[order[random.IntN(len(order))]]
			sum, n = sum+s.after-s.before, n+s.n
		}
		differences[i] = sum / n
	}
	slices.Sort(differences)
	c.Low, c.High = Number(differences[bootstraps*25/1000]), Number(differences[bootstraps*975/1000-1])
	return c
}
