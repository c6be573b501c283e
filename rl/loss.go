package rl

import (
	"fmt"
	"math"
	"slices"
)

// The losses, by TRL's names, and plain likelihood.
const (
	DAPO   = "dapo"    // clipped ratio, mean over all tokens of the optimizer step
	GRPO   = "grpo"    // the same, mean of every completion's mean
	DrGRPO = "dr_grpo" // the same, over completions x token cap
	CISPO  = "cispo"   // likelihood weighted by the ratio, capped, without a gradient through it
	GSPO   = "gspo"    // the ratio is the completion's: exp of the mean log-ratio
	SFT    = "sft"     // -log p of every token: supervised
)

var lossTypes = []string{DAPO, GRPO, DrGRPO, CISPO, GSPO, SFT}

// LossOptions choose the loss. A zero is a zero: NewLoss has the defaults.
type LossOptions struct {
	Type        string  `json:"loss_type"`
	Epsilon     float64 `json:"epsilon"`                 // the ratio is clipped at 1 - Epsilon below ...
	EpsilonHigh float64 `json:"epsilon_high"`            // ... and 1 + EpsilonHigh above; for cispo the cap itself
	Beta        float64 `json:"beta"`                    // weight of the KL term; 0: none
	Cap         float64 `json:"importance_sampling_cap"` // of w
	MaxTokens   int     `json:"max_completion_length"`   // of a completion; dr_grpo divides by it
}

// NewLoss is a loss with the design's defaults: clip at 0.8 and 1.28, for gspo
// 3e-4 below and 4e-4 above, for cispo a cap of 5; w capped at 2; no KL term.
func NewLoss(kind string) LossOptions {
	o := LossOptions{Type: kind, Epsilon: 0.2, EpsilonHigh: 0.28, Cap: 2, MaxTokens: 512}
	switch kind {
	case GSPO:
		o.Epsilon, o.EpsilonHigh = 3e-4, 4e-4
	case CISPO:
		o.EpsilonHigh = 5
	}
	return o
}

func (o LossOptions) check() error {
	switch {
	case !slices.Contains(lossTypes, o.Type):
		return fmt.Errorf("the loss %q; %v are possible", o.Type, lossTypes)
	case !(o.Epsilon >= 0 && o.Epsilon <= 1):
		return fmt.Errorf("epsilon %g; 0 to 1 are possible", o.Epsilon)
	case !(o.EpsilonHigh >= 0 && o.EpsilonHigh <= 100):
		return fmt.Errorf("epsilon_high %g; 0 to 100 are possible", o.EpsilonHigh)
	case !(o.Beta >= 0 && o.Beta <= 10):
		return fmt.Errorf("beta %g; 0 to 10 are possible", o.Beta)
	case !(o.Cap > 0 && o.Cap <= 1000):
		return fmt.Errorf("importance_sampling_cap %g; above 0, up to 1000 are possible", o.Cap)
	case o.MaxTokens < 1:
		return fmt.Errorf("max_completion_length %d", o.MaxTokens)
	}
	return nil
}

// Item is one completion as the loss sees it. The slices are as long as the
// completion has tokens; a missing one is nil.
type Item struct {
	Logp      []float64 // lp: the trainer's log-probs, adapter on
	Old       []float64 // lpo: nil, lp itself with no gradient
	Sampler   []float64 // ls: nil, w = 1
	Ref       []float64 // lr: adapter off; needed at beta > 0
	Advantage float64
	Masked    bool // m = 0
	Dead      bool // of a group whose advantages are all 0: m = 0 at beta 0
}

// counts says whether m = 1.
func (o LossOptions) counts(it Item) bool {
	return !it.Masked && !(it.Dead && o.Beta == 0 && o.Type != SFT)
}

// Size is what the loss of an optimizer step is divided by. It follows from the
// completions' lengths and masks alone, so it is known before the first
// micro-batch.
type Size struct {
	Completions int // with m = 1
	Tokens      int // theirs
}

// Add counts a completion of n tokens, given its masks.
func (z *Size) Add(o LossOptions, it Item, n int) {
	if o.counts(it) {
		z.Completions++
		z.Tokens += n
	}
}

// SizeOf counts items that are a whole optimizer step.
func SizeOf(o LossOptions, items []Item) (z Size) {
	for _, it := range items {
		z.Add(o, it, len(it.Logp))
	}
	return z
}

// scale is what each token of a completion of n tokens is multiplied by.
func (o LossOptions) scale(z Size, n int) float64 {
	switch o.Type {
	case GRPO:
		return 1 / float64(z.Completions*n)
	case DrGRPO:
		return 1 / float64(z.Completions*o.MaxTokens)
	}
	return 1 / float64(z.Tokens)
}

// Loss is the loss of a micro-batch, its share of the optimizer step's which z
// counts: the losses and gradients of all micro-batches add up to the step's.
// grad is dL/dlp of every token, in the shape of the items. All in float64.
//
//	r = exp(lp - lpo)                    w = min(exp(clamp(lpo - ls, -20, 20)), cap), no gradient
//	dapo, grpo, dr_grpo, gspo            l = -w min(r A, clip(r, 1-eps, 1+eps_high) A)
//	cispo                                l = -w min(r, eps_high) A lp, no gradient through r
//	beta > 0                             l += beta (expm1(d) - d), d = lr - lp
//	sft                                  l = -lp
//	L = sum m l scale
func Loss(o LossOptions, z Size, items []Item) (loss float64, grad [][]float64, stats LossStats) {
	grad = make([][]float64, len(items))
	for i, it := range items {
		g := make([]float64, len(it.Logp))
		grad[i] = g
		if len(g) == 0 || !o.counts(it) {
			continue
		}
		scale := o.scale(z, len(g))
		var sum float64
		switch o.Type {
		case SFT:
			sum = likelihood(it, g)
		case CISPO:
			sum = o.weighted(it, g, &stats)
		default:
			sum = o.clipped(it, g, &stats)
		}
		if o.Beta > 0 && o.Type != SFT {
			sum += o.divergence(it, g)
		}
		for t := range g {
			g[t] *= scale
		}
		loss += sum * scale
		stats.Tokens += len(g)
	}
	return loss, grad, stats
}

// LossStats are sums over the tokens that count, so that micro-batches add up.
type LossStats struct {
	Tokens   int
	Ratio    float64 // of r
	ClipLow  int     // tokens whose gradient the lower bound cut off
	ClipHigh int     // and the upper one
}

// Add adds another micro-batch's.
func (s *LossStats) Add(t LossStats) {
	s.Tokens += t.Tokens
	s.Ratio += t.Ratio
	s.ClipLow += t.ClipLow
	s.ClipHigh += t.ClipHigh
}

// likelihood is the sum of -lp.
func likelihood(it Item, g []float64) (sum float64) {
	for t, lp := range it.Logp {
		sum -= lp
		g[t] = -1
	}
	return sum
}

// weighted is cispo's sum.
func (o LossOptions) weighted(it Item, g []float64, s *LossStats) (sum float64) {
	for t, lp := range it.Logp {
		r := it.ratio(t)
		s.Ratio += r
		if r > o.EpsilonHigh {
			s.ClipHigh++
		}
		c := it.weight(o, t) * min(r, o.EpsilonHigh) * it.Advantage
		sum -= c * lp
		g[t] = -c
	}
	return sum
}

// clipped is the sum of the losses with a clipped ratio. Where the clipped and
// the plain term are equal, the gradient is the plain one's.
func (o LossOptions) clipped(it Item, g []float64, s *LossStats) (sum float64) {
	a, n := it.Advantage, float64(len(g))
	var whole float64 // gspo's ratio
	if o.Type == GSPO {
		for t := range g {
			whole += it.Logp[t] - it.old(t)
		}
		whole = math.Exp(whole / n)
	}
	var through float64 // gspo: the sum of what goes through the shared ratio
	for t := range g {
		r := whole
		if o.Type != GSPO {
			r = it.ratio(t)
		}
		s.Ratio += r
		w := it.weight(o, t)
		plain, cut := r*a, min(max(r, 1-o.Epsilon), 1+o.EpsilonHigh)*a
		sum -= w * min(plain, cut)
		if plain <= cut {
			g[t] = -w * plain // dr/dlp = r
			through += g[t]
		} else if a > 0 {
			s.ClipHigh++
		} else {
			s.ClipLow++
		}
	}
	if o.Type == GSPO {
		for t := range g {
			g[t] = through / n // dr/dlp = r/n, for each token of the completion
		}
	}
	return sum
}

// divergence adds the KL term, which w does not weight.
func (o LossOptions) divergence(it Item, g []float64) (sum float64) {
	for t, lp := range it.Logp {
		d := it.Ref[t] - lp
		sum += o.Beta * (math.Expm1(d) - d)
		g[t] -= o.Beta * math.Expm1(d)
	}
	return sum
}

func (it Item) old(t int) float64 {
	if it.Old == nil {
		return it.Logp[t]
	}
	return it.Old[t]
}

func (it Item) ratio(t int) float64 { return math.Exp(it.Logp[t] - it.old(t)) }

// weight is w, what corrects a token for having been drawn by another policy
// than the trainer's.
func (it Item) weight(o LossOptions, t int) float64 {
	if it.Sampler == nil {
		return 1
	}
	return min(math.Exp(min(max(it.old(t)-it.Sampler[t], -20), 20)), o.Cap)
}

// Weights are w of every token, whether it counts or not.
func (it Item) Weights(o LossOptions) []float64 {
	w := make([]float64, len(it.Logp))
	for t := range w {
		w[t] = it.weight(o, t)
	}
	return w
}
