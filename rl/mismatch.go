package rl

import (
	"fmt"
	"math"
)

// Mismatch is how far the sampler's log-probs lie from the trainer's on the same
// tokens and weights: sums over tokens. llama.cpp quantises activations, so they
// differ even where both are right.
type Mismatch struct {
	Tokens int
	Abs    float64 // of |lp - ls|
	K3     float64 // of exp(d) - 1 - d, d = lp - ls: the divergence of the trainer from the sampler
	Weight float64 // of w
	Cut    int     // tokens whose w is cut at the cap
}

// Add takes in a completion. Without sampler's log-probs it adds nothing.
func (m *Mismatch) Add(o LossOptions, it Item) {
	if it.Sampler == nil {
		return
	}
	for t, lp := range it.Logp {
		d := lp - it.Sampler[t]
		m.Abs += math.Abs(d)
		m.K3 += math.Expm1(d) - d
		m.Weight += it.weight(o, t)
		if it.old(t)-it.Sampler[t] > math.Log(o.Cap) {
			m.Cut++
		}
	}
	m.Tokens += len(it.Logp)
}

// Mean is of |lp - ls|, in nat; NaN where there is none.
func (m Mismatch) Mean() float64 { return m.Abs / float64(m.Tokens) }

// mismatchLimit is the mean |lp - ls| from which on sampler and trainer do not
// compute the same model: quantised activations give less than 0.1 nat.
const mismatchLimit = 0.5

// Slope is a regression through the origin of ls - lr on lp - lr: how much of
// what the adapter changes in the trainer it changes in the sampler. 1: all of it;
// 0: it is not applied; 2: its scale is wrong.
type Slope struct {
	N  int     `json:"n"`
	XX float64 `json:"xx"` // sums over tokens, x = lp - lr, y = ls - lr
	XY float64 `json:"xy"`
	YY float64 `json:"yy"`
}

// Add takes in a completion that has all three log-probs.
func (s *Slope) Add(it Item) {
	if it.Sampler == nil || it.Ref == nil {
		return
	}
	for t, lp := range it.Logp {
		x, y := lp-it.Ref[t], it.Sampler[t]-it.Ref[t]
		s.XX += x * x
		s.XY += x * y
		s.YY += y * y
	}
	s.N += len(it.Logp)
}

// Merge adds another regression's tokens.
func (s *Slope) Merge(t Slope) {
	s.N += t.N
	s.XX += t.XX
	s.XY += t.XY
	s.YY += t.YY
}

// Value is the slope and its standard error, NaN while the adapter changes nothing.
func (s Slope) Value() (slope, standardError float64) {
	if s.N < 2 || s.XX == 0 {
		return math.NaN(), math.NaN()
	}
	slope = s.XY / s.XX
	residual := max(0, s.YY-slope*s.XY)
	return slope, math.Sqrt(residual / float64(s.N-1) / s.XX)
}

// check says when the slope is certainly wrong: further from 1 than a half, by more
// than four standard errors.
func (s Slope) check() error {
	slope, e := s.Value()
	switch {
	case slope+4*e < 0.5:
		return fmt.Errorf("the sampler does not apply the adapter: its log-probabilities move %.2f +- %.2f times as far as the trainer's", slope, e)
	case slope-4*e > 1.5:
		return fmt.Errorf("the sampler applies the adapter with a wrong scale: its log-probabilities move %.2f +- %.2f times as far as the trainer's", slope, e)
	}
	return nil
}
