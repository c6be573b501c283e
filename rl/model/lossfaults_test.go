package model_test

import (
	"math"

	"longhand/rl"
)

// lossFaults are mistakes in a loss, each made around rl.Loss: it gets other options or items,
// or what it gives is changed.
var lossFaults = map[string]lossFunc{
	"a normaliser of one token more": func(o rl.LossOptions, z rl.Size, items []rl.Item) (float64, [][]float64, rl.LossStats) {
		z.Tokens++
		return rl.Loss(o, z, items)
	},
	"each micro-batch by its own tokens": func(o rl.LossOptions, _ rl.Size, items []rl.Item) (float64, [][]float64, rl.LossStats) {
		return rl.Loss(o, rl.SizeOf(o, items), items)
	},
	"completions are not weighted alike":      withOptions(func(o *rl.LossOptions) { only(o, rl.GRPO, func() { o.Type = rl.DAPO }) }),
	"over the tokens, not the cap":            withOptions(func(o *rl.LossOptions) { only(o, rl.DrGRPO, func() { o.Type = rl.DAPO }) }),
	"a ratio for each token in place of one":  withOptions(func(o *rl.LossOptions) { only(o, rl.GSPO, func() { o.Type = rl.DAPO }) }),
	"cispo with a gradient through the ratio": withOptions(func(o *rl.LossOptions) { only(o, rl.CISPO, func() { o.Type = rl.DAPO }) }),
	"cispo without its cap":                   withOptions(func(o *rl.LossOptions) { only(o, rl.CISPO, func() { o.EpsilonHigh = 1e3 }) }),
	"the upper clip as near as the lower":     withOptions(func(o *rl.LossOptions) { only(o, rl.DAPO, func() { o.EpsilonHigh = o.Epsilon }) }),
	"no clip":                                 withOptions(func(o *rl.LossOptions) { only(o, rl.DAPO, func() { o.Epsilon, o.EpsilonHigh = 1, 1e3 }) }),
	"no KL term":                              withOptions(func(o *rl.LossOptions) { o.Beta = 0 }),
	"weights are not capped":                  withOptions(func(o *rl.LossOptions) { o.Cap = 1e3 }),
	"no weights":                              withItems(func(it *rl.Item) { it.Sampler = nil }),
	"weights by the new log-probs":            withItems(newWeights),
	"a reference of zeros":                    withItems(func(it *rl.Item) { it.Ref = make([]float64, len(it.Logp)) }),
	"the KL term the other way":               withItems(otherWay),
	"old log-probs left out":                  withItems(func(it *rl.Item) { it.Old = nil }),
	"the sampler's for the old log-probs":     withItems(func(it *rl.Item) { it.Old = it.Sampler }),
	"masked completions count":                withItems(func(it *rl.Item) { it.Masked = false }),
	"dead groups count":                       withItems(func(it *rl.Item) { it.Dead = false }),
	"a tie goes to the clipped branch":        tied,
	"the clip before the advantage's sign":    clippedFirst,
}

// only changes options of one loss.
func only(o *rl.LossOptions, kind string, change func()) {
	if o.Type == kind {
		change()
	}
}

func withOptions(change func(*rl.LossOptions)) lossFunc {
	return func(o rl.LossOptions, z rl.Size, items []rl.Item) (float64, [][]float64, rl.LossStats) {
		change(&o)
		return rl.Loss(o, z, items)
	}
}

func withItems(change func(*rl.Item)) lossFunc {
	return func(o rl.LossOptions, z rl.Size, items []rl.Item) (float64, [][]float64, rl.LossStats) {
		changed := append([]rl.Item(nil), items...)
		for i := range changed {
			change(&changed[i])
		}
		return rl.Loss(o, z, changed)
	}
}

// newWeights makes w = exp(lp - ls) of an item, by a sampler that is off as much as
// the policy has moved.
func newWeights(it *rl.Item) {
	if it.Old == nil || it.Sampler == nil {
		return
	}
	moved := append([]float64(nil), it.Sampler...)
	for t := range moved {
		moved[t] += it.Old[t] - it.Logp[t]
	}
	it.Sampler = moved
}

// otherWay makes d = lp - lr.
func otherWay(it *rl.Item) {
	turned := append([]float64(nil), it.Ref...)
	for t := range turned {
		turned[t] = 2*it.Logp[t] - it.Ref[t]
	}
	it.Ref = turned
}

// without is the loss at an advantage of zero: the KL term.
func without(o rl.LossOptions, z rl.Size, items []rl.Item) (float64, [][]float64) {
	still := append([]rl.Item(nil), items...)
	for i := range still {
		still[i].Advantage = 0
	}
	loss, grad, _ := rl.Loss(o, z, still)
	return loss, grad
}

// tied gives tokens within the clip's range the gradient of a constant. The loss itself is right.
func tied(o rl.LossOptions, z rl.Size, items []rl.Item) (float64, [][]float64, rl.LossStats) {
	loss, grad, stats := rl.Loss(o, z, items)
	if o.Type != rl.DAPO {
		return loss, grad, stats
	}
	_, kl := without(o, z, items)
	for i, it := range items {
		for t := range grad[i] {
			r := 1.0
			if it.Old != nil {
				r = math.Exp(it.Logp[t] - it.Old[t])
			}
			if r >= 1-o.Epsilon && r <= 1+o.EpsilonHigh {
				grad[i][t] = kl[i][t]
			}
		}
	}
	return loss, grad, stats
}

// clippedFirst is min(r, clip(r)) A, which for negative advantages is not min(r A, clip(r) A).
func clippedFirst(o rl.LossOptions, z rl.Size, items []rl.Item) (float64, [][]float64, rl.LossStats) {
	var sum float64
	grad := make([][]float64, len(items))
	var stats rl.LossStats
	for i, it := range items {
		sign := math.Copysign(1, it.Advantage)
		it.Advantage *= sign
		one := []rl.Item{it}
		loss, g, s := rl.Loss(o, z, one)
		klLoss, kl := without(o, z, one)
		sum += klLoss + sign*(loss-klLoss)
		grad[i] = g[0]
		for t := range g[0] {
			grad[i][t] = kl[0][t] + sign*(g[0][t]-kl[0][t])
		}
		stats.Add(s)
	}
	return sum, grad, stats
}
