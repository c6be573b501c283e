package rl

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s is %.17g, not %.17g", what, got, want)
	}
}

// One token, N = 1: the loss and the gradient worked out by hand.
func TestLossByHand(t *testing.T) {
	ln := math.Log
	none := math.NaN()
	with := func(kind string, beta float64) LossOptions {
		o := NewLoss(kind)
		o.Beta, o.MaxTokens = beta, 1
		return o
	}
	for _, c := range []struct {
		what               string
		o                  LossOptions
		lp, old, ls, lr, a float64
		loss, grad         float64
		low, high          float64
	}{
		{what: "on policy", o: with(DAPO, 0), lp: -1, old: none, ls: none, a: 1.5, loss: -1.5, grad: -1.5},
		{what: "on policy, bad", o: with(DAPO, 0), lp: -1, old: none, ls: none, a: -1.5, loss: 1.5, grad: 1.5},
		{what: "ratio inside", o: with(DAPO, 0), lp: ln(0.11), old: ln(0.1), ls: none, a: 2, loss: -2.2, grad: -2.2},
		{what: "too likely, good: cut at 1.28", o: with(DAPO, 0), lp: ln(0.15), old: ln(0.1), ls: none, a: 2, loss: -2.56, grad: 0, high: 1},
		{what: "too likely, bad: not cut", o: with(DAPO, 0), lp: ln(0.15), old: ln(0.1), ls: none, a: -2, loss: 3, grad: 3},
		{what: "too unlikely, good: not cut", o: with(DAPO, 0), lp: ln(0.05), old: ln(0.1), ls: none, a: 2, loss: -1, grad: -1},
		{what: "too unlikely, bad: cut at 0.8", o: with(DAPO, 0), lp: ln(0.05), old: ln(0.1), ls: none, a: -2, loss: 1.6, grad: 0, low: 1},
		{what: "w from the old policy", o: with(DAPO, 0), lp: ln(0.11), old: ln(0.1), ls: ln(0.08), a: 2, loss: -2.75, grad: -2.75},
		{what: "w from lp, with no gradient through it", o: with(DAPO, 0), lp: ln(0.12), old: none, ls: ln(0.08), a: 2, loss: -3, grad: -3},
		{what: "w is capped at 2", o: with(DAPO, 0), lp: -1, old: -1, ls: -3, a: 1, loss: -2, grad: -2},
		{what: "log w is clamped at -20", o: with(DAPO, 0), lp: -50, old: -50, ls: -1, a: 1, loss: -math.Exp(-20), grad: -math.Exp(-20)},
		{what: "grpo", o: with(GRPO, 0), lp: ln(0.11), old: ln(0.1), ls: none, a: 2, loss: -2.2, grad: -2.2},
		{what: "dr_grpo", o: with(DrGRPO, 0), lp: ln(0.11), old: ln(0.1), ls: none, a: 2, loss: -2.2, grad: -2.2},
		{what: "cispo", o: with(CISPO, 0), lp: ln(0.3), old: ln(0.1), ls: ln(0.08), a: 2, loss: -1.25 * 3 * 2 * ln(0.3), grad: -1.25 * 3 * 2},
		{what: "cispo, capped, and still a gradient", o: with(CISPO, 0), lp: ln(0.8), old: ln(0.1), ls: none, a: -1, loss: 5 * ln(0.8), grad: 5, high: 1},
		{what: "gspo inside", o: with(GSPO, 0), lp: ln(0.50001), old: ln(0.5), ls: none, a: 2, loss: -2 * 1.00002, grad: -2 * 1.00002},
		{what: "gspo cut above", o: with(GSPO, 0), lp: ln(0.501), old: ln(0.5), ls: none, a: 2, loss: -2 * 1.0004, grad: 0, high: 1},
		{what: "gspo cut below", o: with(GSPO, 0), lp: ln(0.499), old: ln(0.5), ls: none, a: -2, loss: 2 * 0.9997, grad: 0, low: 1},
		// d = lr - lp = ln 2: exp(d) - 1 - d = 1 - ln 2; its gradient is -(exp(d) - 1).
		{what: "kl, which w does not weight", o: with(DAPO, 0.5), lp: ln(0.1), old: none, ls: ln(0.05), lr: ln(0.2), a: 1, loss: -2 + 0.5*(1-ln(2)), grad: -2 - 0.5},
		{what: "kl where the ratio is cut", o: with(DAPO, 0.5), lp: ln(0.2), old: ln(0.1), ls: none, lr: ln(0.1), a: 1, loss: -1.28 + 0.5*(-0.5+ln(2)), grad: 0.25, high: 1},
		{what: "sft", o: with(SFT, 0.5), lp: -3, old: -1, ls: -9, a: 7, loss: 3, grad: -1},
	} {
		it := Item{Logp: []float64{c.lp}, Ref: []float64{c.lr}, Advantage: c.a}
		if !math.IsNaN(c.old) {
			it.Old = []float64{c.old}
		}
		if !math.IsNaN(c.ls) {
			it.Sampler = []float64{c.ls}
		}
		items := []Item{it}
		loss, grad, stats := Loss(c.o, SizeOf(c.o, items), items)
		near(t, c.what+": the loss", loss, c.loss, 1e-12)
		near(t, c.what+": the gradient", grad[0][0], c.grad, 1e-12)
		if float64(stats.ClipLow) != c.low || float64(stats.ClipHigh) != c.high {
			t.Errorf("%s: cut %d low, %d high", c.what, stats.ClipLow, stats.ClipHigh)
		}
	}
}

// Where r is a bound to the bit, the gradient goes through r A.
func TestLossTies(t *testing.T) {
	for _, kind := range []string{DAPO, GRPO, DrGRPO, GSPO} {
		for _, x := range []float64{-0.25, 0.25, 0} {
			for _, a := range []float64{2, -2} {
				o := NewLoss(kind)
				o.MaxTokens = 1
				o.Epsilon, o.EpsilonHigh = max(0, 1-math.Exp(x)), max(0, math.Exp(x)-1) // both exact
				items := []Item{{Logp: []float64{x}, Old: []float64{0}, Advantage: a}}
				loss, grad, stats := Loss(o, SizeOf(o, items), items)
				if r := math.Exp(x); loss != -r*a || grad[0][0] != -r*a || stats.ClipLow+stats.ClipHigh != 0 {
					t.Errorf("%s, r %g at its bound, A %g: loss %g, gradient %g, %+v", kind, r, a, loss, grad[0][0], stats)
				}
			}
		}
	}
}

// One completion of 1 token and one of 3, on policy, A = 1 and -1.
func TestLossNormalisers(t *testing.T) {
	items := []Item{
		{Logp: []float64{-1}, Advantage: 1},
		{Logp: []float64{-1, -2, -3}, Advantage: -1},
		{Logp: []float64{-1, -1}, Advantage: 5, Masked: true},
		{Logp: []float64{-1, -1}, Advantage: 0, Dead: true},
	}
	for _, c := range []struct {
		kind         string
		beta         float64
		loss, g0, g1 float64
	}{
		{DAPO, 0, 2. / 4, -1. / 4, 1. / 4},
		{GSPO, 0, 2. / 4, -1. / 4, 1. / 4},
		{CISPO, 0, (1. - 6) / 4, -1. / 4, 1. / 4}, // -(1)(-1) + (-1 -2 -3)
		{GRPO, 0, 0, -1. / 2, 1. / 6},
		{DrGRPO, 0, 2. / 20, -1. / 20, 1. / 20},
		{SFT, 0, 9. / 6, -1. / 6, -1. / 6}, // a dead group's completion is an example like any other
		{DAPO, 0.5, 2. / 6, -1. / 6, 1. / 6},
		{DrGRPO, 0.5, 2. / 30, -1. / 30, 1. / 30},
		{GRPO, 0.5, 0, -1. / 3, 1. / 9},
	} {
		o := NewLoss(c.kind)
		o.Beta, o.MaxTokens = c.beta, 10
		if c.kind == SFT {
			items[3].Logp = []float64{-1, -1}
		}
		for i := range items {
			items[i].Ref = items[i].Logp // d = 0
		}
		loss, grad, _ := Loss(o, SizeOf(o, items), items)
		want := c.loss
		if c.kind == SFT {
			want = (1 + 6 + 2) / 6.
		}
		near(t, c.kind+": the loss", loss, want, 1e-15)
		near(t, c.kind+": the first gradient", grad[0][0], c.g0, 1e-15)
		near(t, c.kind+": the second gradient", grad[1][2], c.g1, 1e-15)
		if grad[2][0] != 0 || grad[2][1] != 0 {
			t.Errorf("%s: a masked completion has the gradient %g", c.kind, grad[2])
		}
	}
}

// random items off the kinks of the losses.
func randomItems(seed uint64, n int) []Item {
	r := rand.New(rand.NewPCG(seed, 1))
	var items []Item
	for i := range n {
		it := Item{Advantage: r.NormFloat64()}
		for range 1 + r.IntN(6) {
			lp := -5 * r.Float64()
			it.Logp = append(it.Logp, lp)
			it.Old = append(it.Old, lp+0.4*r.NormFloat64())
			it.Sampler = append(it.Sampler, lp+0.4*r.NormFloat64())
			it.Ref = append(it.Ref, lp+r.NormFloat64())
		}
		it.Masked = i%5 == 4
		items = append(items, it)
	}
	return items
}

// The gradient is the loss's: central differences, what has no gradient held.
func TestLossGradient(t *testing.T) {
	for _, kind := range lossTypes {
		for _, beta := range []float64{0, 0.3} {
			for seed := range uint64(5) {
				o := NewLoss(kind)
				o.Beta = beta
				if kind == GSPO {
					o.Epsilon, o.EpsilonHigh = 0.1, 0.15
				}
				items := randomItems(seed, 10)
				z := SizeOf(o, items)
				_, grad, _ := Loss(o, z, items)
				coefficient := frozen(o, items)
				for i, it := range items {
					for k := range it.Logp {
						const h = 1e-6
						at := func(x float64) float64 {
							moved := slices.Clone(items)
							moved[i].Logp = slices.Clone(it.Logp)
							moved[i].Logp[k] += x
							if kind == CISPO {
								return surrogate(o, z, moved, coefficient)
							}
							loss, _, _ := Loss(o, z, moved)
							return loss
						}
						near(t, kind+": a gradient", grad[i][k], (at(h)-at(-h))/(2*h), 1e-8)
					}
				}
			}
		}
	}
}

// frozen are cispo's factors of lp, and surrogate the loss with them held.
func frozen(o LossOptions, items []Item) (c [][]float64) {
	for _, it := range items {
		var row []float64
		for t, lp := range it.Logp {
			w := math.Min(math.Exp(it.Old[t]-it.Sampler[t]), 2)
			row = append(row, w*math.Min(math.Exp(lp-it.Old[t]), 5)*it.Advantage)
		}
		c = append(c, row)
	}
	return c
}

func surrogate(o LossOptions, z Size, items []Item, c [][]float64) (sum float64) {
	for i, it := range items {
		for t, lp := range it.Logp {
			if !it.Masked {
				d := it.Ref[t] - lp
				sum += (-c[i][t]*lp + o.Beta*(math.Exp(d)-1-d)) / float64(z.Tokens)
			}
		}
	}
	return sum
}

// A step in one batch and in three is the same.
func TestLossSplits(t *testing.T) {
	for _, kind := range lossTypes {
		o := NewLoss(kind)
		o.Beta = 0.1
		items := randomItems(3, 8)
		z := SizeOf(o, items)
		whole, grad, stats := Loss(o, z, items)
		var sum float64
		var parts [][]float64
		var added LossStats
		for _, part := range [][]Item{items[:3], items[3:4], items[4:]} {
			loss, g, s := Loss(o, z, part)
			sum += loss
			parts = append(parts, g...)
			added.Add(s)
		}
		near(t, kind+": the sum of the parts", sum, whole, 1e-14)
		for i := range grad {
			if !slices.Equal(grad[i], parts[i]) {
				t.Errorf("%s: %g in one, %g in parts", kind, grad[i], parts[i])
			}
		}
		if added.Tokens != stats.Tokens || added.ClipLow != stats.ClipLow || added.ClipHigh != stats.ClipHigh {
			t.Errorf("%s: %+v, %+v", kind, added, stats)
		}
	}
}

// k3 is never negative, also where exp(d) - 1 would lose every digit.
func TestLossSmallDivergence(t *testing.T) {
	o := NewLoss(DAPO)
	o.Beta = 1
	for _, d := range []float64{1e-3, 1e-6, 1e-9, 1e-12, -1e-6, -1e-12} {
		items := []Item{{Logp: []float64{0}, Ref: []float64{d}}}
		loss, grad, _ := Loss(o, SizeOf(o, items), items)
		if loss < 0 || math.Abs(loss-d*d/2) > 1e-3*d*d+1e-28 {
			t.Errorf("d = %g: kl %g, not %g", d, loss, d*d/2)
		}
		if math.Abs(grad[0][0]+d) > math.Abs(d)*1e-2 {
			t.Errorf("d = %g: the gradient %g", d, grad[0][0])
		}
	}
}

// Nothing counts: a loss of 0 and no gradient, and no division by 0.
func TestLossOfNothing(t *testing.T) {
	for _, kind := range lossTypes {
		o := NewLoss(kind)
		items := []Item{{Logp: []float64{-1, -900}, Sampler: []float64{-800, 0}, Advantage: 1, Masked: true}, {}}
		loss, grad, _ := Loss(o, SizeOf(o, items), items)
		if loss != 0 || grad[0][0] != 0 || grad[0][1] != 0 {
			t.Errorf("%s: %g, %g", kind, loss, grad)
		}
	}
}
