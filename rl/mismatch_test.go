package rl

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestMismatchByHand(t *testing.T) {
	o := NewLoss(DAPO)
	var m Mismatch
	m.Add(o, Item{Logp: []float64{-1, -2, -1}, Sampler: []float64{-1.5, -1, -2}})
	m.Add(o, Item{Logp: []float64{-7}})
	if m.Tokens != 3 || m.Cut != 1 {
		t.Errorf("%+v", m)
	}
	near(t, "the mean", m.Mean(), 2.5/3, 1e-15)
	near(t, "k3", m.K3, (math.Exp(0.5)-1.5)+(math.Exp(-1)-1+1)+(math.E-2), 1e-14)
	near(t, "w", m.Weight, math.Exp(0.5)+math.Exp(-1)+2, 1e-14)
	if !math.IsNaN((Mismatch{}).Mean()) {
		t.Error("a mean of nothing")
	}
}

// ls = lr + slope (lp - lr) + noise three times the size of what is looked for.
func TestSlope(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(slope float64, n int) (s Slope) {
		it := Item{}
		for range n {
			lr := -3 * r.Float64()
			d := 0.02 * r.NormFloat64()
			it.Ref = append(it.Ref, lr)
			it.Logp = append(it.Logp, lr+d)
			it.Sampler = append(it.Sampler, lr+slope*d+0.06*r.NormFloat64())
		}
		s.Add(it)
		return s
	}
	for _, slope := range []float64{0, 1, 2} {
		s := draw(slope, 5000)
		got, e := s.Value()
		if math.Abs(got-slope) > 4*e || e < 0.03 || e > 0.06 {
			t.Errorf("slope %g: %g +- %g", slope, got, e)
		}
		err := s.check()
		if (err == nil) != (slope == 1) {
			t.Errorf("slope %g: %v", slope, err)
		}
		if slope == 0 && !strings.Contains(err.Error(), "does not apply") {
			t.Error(err)
		}
	}
	few := draw(0, 20)
	if err := few.check(); err != nil {
		t.Error("twenty tokens prove nothing:", err)
	}
	var parts Slope
	parts.Merge(few)
	parts.Merge(few)
	if parts.N != 40 || parts.XY != 2*few.XY {
		t.Errorf("%+v", parts)
	}
	if slope, e := (Slope{N: 9}).Value(); !math.IsNaN(slope) || !math.IsNaN(e) || (Slope{N: 9}).check() != nil {
		t.Error("an adapter that changes nothing:", slope, e)
	}
}
