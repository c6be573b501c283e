package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// TestUpdate follows AdamW by hand, with decay and a clip that cuts, over steps of
// two micro-batches.
func TestUpdate(t *testing.T) {
	s := shapes()["qwen3"]
	m := open(t, s.write(t, 1), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 60})
	stir(t, m, 1)
	groups := draw(s.vocabulary, 2, 3, 5)
	step := model.Step{Rate: 0.01, Beta1: 0.8, Beta2: 0.95, Eps: 1e-4, Decay: 0.1, MaxNorm: 0.5}
	n := len(m.Params())
	want, moment, square := make([][]float64, n), make([][]float64, n), make([][]float64, n)
	for i, p := range m.Params() {
		want[i], moment[i], square[i] = p.Value(), make([]float64, p.Rows*p.Cols), make([]float64, p.Rows*p.Cols)
	}
	for k := 1; k <= 4; k++ {
		if k == 3 { // begin anew
			m.ResetMoments()
			for i := range moment {
				clear(moment[i])
				clear(square[i])
			}
		}
		since := float64((k-1)%2 + 1)
		_, grads := accumulate(t, m, groups, [][]model.Part{{{Group: 0, To: 3}}, {{Group: 1, To: 3}}})
		var sum float64
		for _, g := range grads {
			for _, v := range g {
				sum += v * v
			}
		}
		norm, err := m.Update(step)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(norm/math.Sqrt(sum)-1) > 1e-12 || norm < step.MaxNorm {
			t.Fatalf("norm %g, added up %g", norm, math.Sqrt(sum))
		}
		for i, p := range m.Params() {
			for j, g := range grads[p.Name] {
				g *= step.MaxNorm / (norm + 1e-6)
				moment[i][j] = step.Beta1*moment[i][j] + (1-step.Beta1)*g
				square[i][j] = step.Beta2*square[i][j] + (1-step.Beta2)*g*g
				root := math.Sqrt(square[i][j] / (1 - math.Pow(step.Beta2, since)))
				want[i][j] -= step.Rate * (moment[i][j]/(1-math.Pow(step.Beta1, since))/(root+step.Eps) + step.Decay*want[i][j])
			}
			if d := distance(p.Value(), want[i]); !(d < 1e-13) {
				t.Errorf("step %d: %s is off by %.2g", k, p.Name, d)
			}
			if slices.ContainsFunc(p.Grad(), func(v float64) bool { return v != 0 }) {
				t.Errorf("step %d: the gradient of %s is not zero", k, p.Name)
			}
		}
	}
}

// TestUpdateStopsAtInfinity leaves everything as it was where the gradient overflows.
func TestUpdateStopsAtInfinity(t *testing.T) {
	s := shapes()["llama"]
	m := open(t, s.write(t, 1), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 60})
	stir(t, m, 1)
	groups := draw(s.vocabulary, 1, 2, 5)
	step := model.Step{Rate: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, MaxNorm: 1}
	before := m.Params()[3].Value()
	if _, err := m.Forward(groups, whole(groups)); err != nil {
		t.Fatal(err)
	}
	g := gradientOf(groups, whole(groups))
	for i := range g[0] {
		g[0][i] = 1e200
	}
	if err := m.Backward(g); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Update(step); err == nil || !strings.Contains(err.Error(), "norm is +Inf") {
		t.Errorf("an infinite norm: %v", err)
	}
	if !slices.Equal(m.Params()[3].Value(), before) {
		t.Error("the adapter moved")
	}
	if norm, err := m.Update(step); norm != 0 || err != nil {
		t.Errorf("after it: norm %g, %v", norm, err)
	}
	accumulate(t, m, groups, [][]model.Part{whole(groups)})
	if norm, err := m.Update(step); err != nil || !(norm > 0) {
		t.Errorf("the next step: norm %g, %v", norm, err)
	}
}

// TestFirstAdapter: A lies within its bound and fills it, B is zero, both are of the seed and the name
// alone.
func TestFirstAdapter(t *testing.T) {
	s := shapes()["llama"]
	path := s.write(t, 1)
	first := open(t, path, devicetest.NewOracle(), model.Options{Rank: 8, Seed: 3, MaxRows: 8}).Params()
	same := open(t, path, devicetest.NewOracle(), model.Options{Rank: 8, Seed: 3, MaxRows: 30}).Params()
	other := open(t, path, devicetest.NewOracle(), model.Options{Rank: 8, Seed: 4, MaxRows: 8}).Params()
	for i, p := range first {
		v := p.Value()
		if strings.HasSuffix(p.Name, "_b") {
			if slices.ContainsFunc(v, func(x float64) bool { return x != 0 }) {
				t.Errorf("%s is not zero", p.Name)
			}
			continue
		}
		bound, most, sum := 1/math.Sqrt(float64(p.Cols)), 0.0, 0.0
		for _, x := range v {
			most, sum = max(most, math.Abs(x)), sum+x
		}
		if most > bound || most < 0.9*bound || math.Abs(sum/float64(len(v))) > 0.3*bound {
			t.Errorf("%s: largest %g of %g, mean %g", p.Name, most, bound, sum/float64(len(v)))
		}
		if !slices.Equal(v, same[i].Value()) || slices.Equal(v, other[i].Value()) || i > 0 && slices.Equal(v[:8], first[0].Value()[:8]) {
			t.Errorf("%s: the seed and the name do not decide the values", p.Name)
		}
	}
}
