package rl

import (
	"fmt"
	"math"
	"slices"
)

// How several rewards become one advantage (TRL's multi_objective_aggregation,
// and the mean of LongWriter-Zero).
const (
	Average   = "average"            // each reward normalised in its group, then their weighted mean
	GDPO      = "normalize_then_sum" //nolint:misspell // TRL's word. The same, their weighted sum, normalised over the batch (arXiv 2601.05242)
	RewardSum = "sum_then_normalize" //nolint:misspell // TRL's word. The weighted sum of the rewards, normalised in its group
)

// What a reward's distance from its group's mean is divided by (TRL's scale_rewards).
const (
	ScaleGroup = "group" // its standard deviation in the group
	ScaleBatch = "batch" // in all groups of the step
	ScaleNone  = "none"  // nothing
)

const (
	stdEpsilon = 1e-4 // added to what is divided by
	noSpread   = 0.01 // a standard deviation below it is no signal
	deadBelow  = 1e-6 // a group whose advantages are all smaller is dead
	mustAtMost = -0.5 // the advantage of a completion that breaks a must-rule
)

// AdvantageOptions say how rewards become advantages. Weights has one for each reward.
type AdvantageOptions struct {
	Aggregation string
	Scale       string
	Weights     []float64
}

func (o AdvantageOptions) check() error {
	if all := []string{Average, GDPO, RewardSum}; !slices.Contains(all, o.Aggregation) {
		return fmt.Errorf("multi_objective_aggregation %q; %v are possible", o.Aggregation, all)
	}
	if all := []string{ScaleGroup, ScaleBatch, ScaleNone}; !slices.Contains(all, o.Scale) {
		return fmt.Errorf("scale_rewards %q; %v are possible", o.Scale, all)
	}
	return nil
}

// Advantages compares the completions of each group. rewards[g][i][k] is reward
// k of completion i of group g, NaN where it could not be computed: that one
// leaves mean and deviation and gives 0. broken[g][i] says that the completion
// breaks a must-rule, which holds its advantage at -0.5 or below unless the whole
// group does. A dead group has nothing to teach.
//
//	z[k,i] = (r[k,i] - mean_k) / (s_k + 1e-4), s_k with n - 1; 0 where s_k < 0.01
//	A[i]   = sum_k w_k z[k,i] / sum_k w_k
func Advantages(o AdvantageOptions, rewards [][][]float64, broken [][]bool) (advantages [][]float64, dead []bool) {
	weights := o.Weights
	if o.Aggregation == RewardSum {
		rewards, weights = summed(rewards, weights), []float64{1}
	}
	var share float64 // of the weights' sum
	for _, w := range weights {
		share += w
	}
	if o.Aggregation == GDPO {
		share = 1
	}
	advantages = make([][]float64, len(rewards))
	for g, group := range rewards {
		advantages[g] = make([]float64, len(group))
	}
	for k, w := range weights {
		whole := deviation(column(rewards, k))
		for g := range rewards {
			for i, z := range o.normalised(column(rewards[g:g+1], k), whole) {
				advantages[g][i] += w * z / share
			}
		}
	}
	if o.Aggregation == GDPO {
		overBatch(advantages)
	}
	dead = make([]bool, len(rewards))
	for g, a := range advantages {
		hold(a, broken[g])
		dead[g] = !slices.ContainsFunc(a, func(x float64) bool { return math.Abs(x) >= deadBelow })
	}
	return advantages, dead
}

// normalised are the z of one reward in one group; whole is its deviation in the batch.
func (o AdvantageOptions) normalised(r []float64, whole float64) []float64 {
	z := make([]float64, len(r))
	mean, n := meanKnown(r)
	by := 1.0
	switch o.Scale {
	case ScaleGroup:
		by = deviation(r)
	case ScaleBatch:
		by = whole
	}
	if n < 2 || !(by >= noSpread) {
		return z
	}
	if o.Scale != ScaleNone {
		by += stdEpsilon
	}
	for i, x := range r {
		if !math.IsNaN(x) {
			z[i] = (x - mean) / by
		}
	}
	return z
}

// column is reward k of every completion.
func column(rewards [][][]float64, k int) (c []float64) {
	for _, group := range rewards {
		for _, r := range group {
			c = append(c, r[k])
		}
	}
	return c
}

// summed makes one reward of all: the weighted sum of the known ones.
func summed(rewards [][][]float64, weights []float64) [][][]float64 {
	out := make([][][]float64, len(rewards))
	for g, group := range rewards {
		for _, r := range group {
			out[g] = append(out[g], []float64{weightedSum(r, weights)})
		}
	}
	return out
}

// weightedSum leaves out what is NaN; it is NaN when all are.
func weightedSum(r, weights []float64) float64 {
	sum, known := 0.0, false
	for k, x := range r {
		if !math.IsNaN(x) {
			sum, known = sum+weights[k]*x, true
		}
	}
	if !known {
		return math.NaN()
	}
	return sum
}

// overBatch normalises all advantages of the step together.
func overBatch(advantages [][]float64) {
	all := slices.Concat(advantages...)
	mean, _ := meanKnown(all)
	by := deviation(all) + stdEpsilon
	if math.IsNaN(by) {
		return
	}
	for _, a := range advantages {
		for i := range a {
			a[i] = (a[i] - mean) / by
		}
	}
}

// hold applies the must-rule to a group, after RLMR (arXiv 2508.18642).
func hold(a []float64, broken []bool) {
	if !slices.Contains(broken, false) {
		return
	}
	for i, b := range broken {
		if b {
			a[i] = min(a[i], mustAtMost)
		}
	}
}

// meanKnown is the mean of what is not NaN, and how many that are.
func meanKnown(r []float64) (mean float64, n int) {
	for _, x := range r {
		if !math.IsNaN(x) {
			mean += x
			n++
		}
	}
	return mean / float64(n), n
}

// deviation is the standard deviation, with n - 1, of what is not NaN; NaN for
// fewer than two.
func deviation(r []float64) float64 {
	mean, n := meanKnown(r)
	var sum float64
	for _, x := range r {
		if !math.IsNaN(x) {
			sum += (x - mean) * (x - mean)
		}
	}
	if n < 2 {
		return math.NaN()
	}
	return math.Sqrt(sum / float64(n-1))
}
