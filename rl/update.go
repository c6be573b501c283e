package rl

import (
	"fmt"
	"math"

	"longhand/rl/model"
)

// A batch is what one optimizer step learns from: groups of token ids, and beside each
// completion what the loss needs of it.
type batch struct {
	groups []model.Group
	items  [][]Item // by group and completion
	size   Size
}

// add adds a group. Completions that count for nothing are left out by the caller.
func (b *batch) add(o LossOptions, g model.Group, items []Item) {
	b.groups = append(b.groups, g)
	b.items = append(b.items, items)
	for i, it := range items {
		b.size.Add(o, it, len(g.Completions[i]))
	}
}

// of are the items of a micro-batch, in the order of its scores.
func (b *batch) of(micro []model.Part) (items []*Item) {
	for _, p := range micro {
		for i := p.From; i < p.To; i++ {
			items = append(items, &b.items[p.Group][i])
		}
	}
	return items
}

// rows are the tokens that a micro-batch takes through the model.
func (b *batch) rows(micro []model.Part) (n int) {
	for _, p := range micro {
		n += len(b.groups[p.Group].Prompt)
		for _, c := range b.groups[p.Group].Completions[p.From:p.To] {
			n += len(c)
		}
	}
	return n
}

// sums are what a pass over a batch adds up.
type sums struct {
	loss     float64
	stats    LossStats
	mismatch Mismatch
	entropy  float64 // over tokens, in nat
	kl       float64 // k3 to the reference
	klTokens int
	tokens   int // scored
	rows     int // taken through the model
	micro    int
}

// pass takes a batch forward and backward, one micro-batch after another; their
// gradients add up in the policy. The first pass over a batch finds the reference's log-probs
// where the loss wants them. seen, unless nil, is shown each micro-batch's entropies.
func pass(p Policy, o LossOptions, b *batch, first bool, seen func(micro []model.Part, entropy [][]float64)) (s sums, err error) {
	split, err := p.Split(b.groups)
	if err != nil {
		return s, err
	}
	for _, micro := range split {
		items := b.of(micro)
		if o.Beta > 0 && o.Type != SFT && first {
			ref, err := p.Reference(b.groups, micro)
			if err != nil {
				return s, err
			}
			for i, it := range items {
				it.Ref = ref.Logp[i]
			}
		}
		scores, err := p.Forward(b.groups, micro)
		if err != nil {
			return s, err
		}
		values := make([]Item, len(items))
		for i, it := range items {
			it.Logp = scores.Logp[i]
			values[i] = *it
		}
		loss, grad, stats := Loss(o, b.size, values)
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return s, fmt.Errorf("rl: the loss is %g", loss)
		}
		if err := p.Backward(grad); err != nil {
			return s, err
		}
		if seen != nil {
			seen(micro, scores.Entropy)
		}
		s.loss += loss
		s.stats.Add(stats)
		s.look(o, values, scores.Entropy)
		s.rows += b.rows(micro)
		s.micro++
	}
	return s, nil
}

// look adds what is shown of a micro-batch and not learnt from.
func (s *sums) look(o LossOptions, items []Item, entropy [][]float64) {
	for i, it := range items {
		s.mismatch.Add(o, it)
		s.addKL(it)
		for _, h := range entropy[i] {
			s.entropy += h
		}
		s.tokens += len(it.Logp)
	}
}

// merge adds the sums of another pass over the same batch. What is looked at and not
// learnt from is the first pass's.
func (s *sums) merge(t sums, first bool) {
	if first {
		*s = t
		return
	}
	s.loss += t.loss
	s.stats.Add(t.stats)
	s.rows += t.rows
}

// show puts the sums into a step's event: means over tokens, NaN where there were none.
func (s *sums) show(ev *Step) {
	n, m := float64(s.tokens), float64(s.mismatch.Tokens)
	ev.Entropy, ev.KL = Number(s.entropy/n), Number(s.kl/float64(s.klTokens))
	ev.Difference, ev.MismatchK3 = Number(s.mismatch.Mean()), Number(s.mismatch.K3/m)
	ev.Importance, ev.Truncated = Number(s.mismatch.Weight/m), Number(float64(s.mismatch.Cut)/m)
	ev.ClipLow, ev.ClipHigh = Number(float64(s.stats.ClipLow)/float64(s.stats.Tokens)), Number(float64(s.stats.ClipHigh)/float64(s.stats.Tokens))
	ev.Micro = s.micro
}

// addKL adds a completion's divergence from the reference, where that is known.
func (s *sums) addKL(it Item) {
	if it.Ref == nil {
		return
	}
	for t, lp := range it.Logp {
		d := it.Ref[t] - lp
		s.kl += math.Expm1(d) - d
	}
	s.klTokens += len(it.Logp)
}

// keepOld makes the log-probs of the last pass the old policy's, for the passes after it.
func (b *batch) keepOld() {
	for _, items := range b.items {
		for i := range items {
			if items[i].Old == nil {
				items[i].Old = items[i].Logp
			}
		}
	}
}

// dropOld forgets what keepOld kept. given says of each completion whether its old
// log-probs came from outside.
func (b *batch) dropOld(given func(g, i int) bool) {
	for g, items := range b.items {
		for i := range items {
			if !given(g, i) {
				items[i].Old = nil
			}
		}
	}
}

// optimizer is the job's AdamW at a learning rate.
func (j Job) optimizer(rate float64) model.Step {
	return model.Step{Rate: rate, Beta1: j.Beta1, Beta2: j.Beta2, Eps: j.AdamEps, Decay: j.Decay, MaxNorm: j.MaxNorm}
}

// ramp is the learning rate of a step, which rises to rate over the first steps.
func ramp(rate float64, step, over int) float64 {
	if step+1 >= over {
		return rate
	}
	return rate * float64(step+1) / float64(over)
}
