package rewards

import (
	"context"
	"fmt"
	"math"
)

// Entry is a reward with its name and weight in a Set.
type Entry struct {
	Name   string
	Reward Reward
	Weight float64 // above 0
	Must   float64 // above 0: a completion that is worth less breaks a constraint it must keep
}

// Set is the rewards that a text is scored with.
type Set []Entry

// Scores are what the rewards of a set say of one completion.
type Scores struct {
	// Total is the weighted mean of the rewards that are known, NaN where none
	// is. It is for showing; training works on Rewards.
	Total   float64
	Rewards []Score // one for each entry, in the set's order
}

// Value is the value of a reward by its name, NaN where there is none.
func (s Scores) Value(name string) float64 {
	for _, r := range s.Rewards {
		if r.Name == name {
			return r.Value
		}
	}
	return math.NaN()
}

// Broken says whether the completion breaks a constraint that it must keep.
func (s Scores) Broken() bool {
	for _, r := range s.Rewards {
		if r.Must {
			return true
		}
	}
	return false
}

// Names are the entries' names.
func (s Set) Names() []string {
	names := make([]string, len(s))
	for i, e := range s {
		names[i] = e.Name
	}
	return names
}

// Weights are the entries' weights.
func (s Set) Weights() []float64 {
	weights := make([]float64, len(s))
	for i, e := range s {
		weights[i] = e.Weight
	}
	return weights
}

// Warnings say of which rewards little should be expected, and why: a sentence for each judge that is weak.
func (s Set) Warnings() (all []string) {
	for _, e := range s {
		if w := warningOf(e.Reward); w != "" {
			all = append(all, e.Name+": "+w)
		}
	}
	return all
}

func warningOf(r Reward) string {
	if r, ok := r.(interface{ warning() string }); ok {
		return r.warning()
	}
	return ""
}

// Score scores one completion.
func (s Set) Score(ctx context.Context, p Prompt, c Completion) (Scores, error) {
	all, err := s.ScoreGroup(ctx, p, []Completion{c})
	if err != nil {
		return Scores{}, err
	}
	return all[0], nil
}

// ScoreGroup scores the completions of one prompt. Rewards that judge them
// against each other do so; to the others each stands alone.
func (s Set) ScoreGroup(ctx context.Context, p Prompt, group []Completion) ([]Scores, error) {
	all := make([]Scores, len(group))
	for _, e := range s {
		scores, err := scoreGroup(ctx, e.Reward, p, group)
		if err != nil {
			return nil, fmt.Errorf("rewards: %s: %w", e.Name, err)
		}
		for i, score := range scores {
			score.Name = e.Name
			if score.Known() {
				score.Value = clamp(score.Value)
				score.Must = score.Must || score.Value < e.Must
			}
			all[i].Rewards = append(all[i].Rewards, score)
		}
	}
	for i := range all {
		all[i].Total = s.total(all[i].Rewards)
	}
	return all, nil
}

func scoreGroup(ctx context.Context, r Reward, p Prompt, group []Completion) ([]Score, error) {
	if g, ok := r.(GroupReward); ok && len(group) > 1 {
		scores, err := g.ScoreGroup(ctx, p, group)
		if err == nil && len(scores) != len(group) {
			err = fmt.Errorf("%d scores for %d completions", len(scores), len(group))
		}
		return scores, err
	}
	scores := make([]Score, len(group))
	for i, c := range group {
		var err error
		if scores[i], err = r.Score(ctx, p, c); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// total is the weighted mean of what is known.
func (s Set) total(scores []Score) float64 {
	sum, weight := 0.0, 0.0
	for i, e := range s {
		if scores[i].Known() {
			sum += e.Weight * scores[i].Value
			weight += e.Weight
		}
	}
	if weight == 0 {
		return math.NaN()
	}
	return clamp(sum / weight)
}
