package model_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// TestGradients holds Backward to central differences of the loss, for every
// number of every pair of each architecture.
func TestGradients(t *testing.T) {
	for name, s := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := open(t, s.write(t, 7), devicetest.NewOracle(), model.Options{Rank: 2, Alpha: 5, MaxRows: 64, Block: 7})
			stir(t, m, 1)
			groups := draw(s.vocabulary, 2, 3, 11)
			_, grads := accumulate(t, m, groups, [][]model.Part{whole(groups)})
			loss := func() float64 {
				scores, err := m.Score(groups, whole(groups))
				if err != nil {
					t.Fatal(err)
				}
				var sum float64
				for i, g := range gradientOf(groups, whole(groups)) {
					for j := range g {
						sum += g[j] * scores.Logp[i][j]
					}
				}
				return sum
			}
			for _, p := range m.Params() {
				v, want := p.Value(), make([]float64, p.Rows*p.Cols)
				const h = 1e-5
				for i, x := range slices.Clone(v) {
					set := func(x float64) float64 {
						v[i] = x
						if err := p.Set(v); err != nil {
							t.Fatal(err)
						}
						return loss()
					}
					want[i] = (set(x+h) - set(x-h)) / (2 * h)
					v[i] = x
				}
				if err := p.Set(v); err != nil {
					t.Fatal(err)
				}
				if d := distance(grads[p.Name], want); !(d < 1e-7) {
					t.Errorf("%s: gradient is off by %.2g of its norm", p.Name, d)
				}
			}
		})
	}
}

// TestSameGradients compares what must not matter: shared prompts, the order of packing, the cut
// into micro-batches, and blocks.
func TestSameGradients(t *testing.T) {
	for name, s := range shapes() {
		t.Run(name, func(t *testing.T) {
			path := s.write(t, 8)
			groups := draw(s.vocabulary, 3, 4, 12)
			run := func(o model.Options, micro ...[]model.Part) (map[[2]int][]float64, map[string][]float64) {
				o.Rank, o.Alpha = 3, 2
				m := open(t, path, devicetest.NewOracle(), o)
				stir(t, m, 2)
				if micro == nil {
					var err error
					if micro, err = m.Split(groups); err != nil {
						t.Fatal(err)
					}
				}
				return accumulate(t, m, groups, micro)
			}
			logp, grads := run(model.Options{MaxRows: 200}, whole(groups))
			turned := whole(groups)
			slices.Reverse(turned)
			cut := []model.Part{{Group: 1, From: 2, To: 4}, {Group: 0, From: 0, To: 3}}
			rest := []model.Part{{Group: 2, From: 0, To: 4}, {Group: 0, From: 3, To: 4}, {Group: 1, From: 0, To: 2}}
			for what, other := range map[string]func() (map[[2]int][]float64, map[string][]float64){
				"each completion with a prompt of its own": func() (map[[2]int][]float64, map[string][]float64) {
					return run(model.Options{MaxRows: 200, NoShare: true}, whole(groups))
				},
				"groups in another order": func() (map[[2]int][]float64, map[string][]float64) {
					return run(model.Options{MaxRows: 200}, turned)
				},
				"parts of groups in two micro-batches": func() (map[[2]int][]float64, map[string][]float64) {
					return run(model.Options{MaxRows: 200}, cut, rest)
				},
				"micro-batches of 12 rows":    func() (map[[2]int][]float64, map[string][]float64) { return run(model.Options{MaxRows: 12}) },
				"feed-forward in blocks of 3": func() (map[[2]int][]float64, map[string][]float64) { return run(model.Options{MaxRows: 200, Block: 3}) },
				"micro-batches without shared prompt": func() (map[[2]int][]float64, map[string][]float64) {
					return run(model.Options{MaxRows: 14, NoShare: true})
				},
			} {
				l, g := other()
				if len(l) != len(logp) {
					t.Errorf("%s: %d completions scored, not %d", what, len(l), len(logp))
				}
				for at, want := range logp {
					for i := range want {
						if d := math.Abs(l[at][i] - want[i]); !(d < 1e-12) {
							t.Errorf("%s: log-prob %v %d off by %.2g", what, at, i, d)
						}
					}
				}
				for p, want := range grads {
					if d := distance(g[p], want); !(d < 1e-11) {
						t.Errorf("%s: gradient of %s off by %.2g", what, p, d)
					}
				}
			}
		})
	}
}

// TestRecomputationIsBitwise compares gradients with layers kept, computed again, and some of each.
func TestRecomputationIsBitwise(t *testing.T) {
	for name, s := range shapes() {
		path := s.write(t, 9)
		groups := draw(s.vocabulary, 2, 4, 13)
		for on, device := range devices(t) {
			t.Run(name+"/"+on, func(t *testing.T) {
				run := func(o model.Options) (model.Plan, map[string][]float64) {
					o.Rank, o.MaxRows, o.Block = 3, 50, 9
					m := open(t, path, device(), o)
					stir(t, m, 3)
					_, grads := accumulate(t, m, groups, [][]model.Part{whole(groups)})
					return m.Plan(), grads
				}
				never, kept := run(model.Options{Recompute: model.Never})
				_, twice := run(model.Options{Recompute: model.Never})
				always, again := run(model.Options{Recompute: model.Always})
				some, mixed := run(model.Options{Memory: never.Bytes - 1})
				if never.Recomputed != 0 || always.Recomputed != s.layers || some.Recomputed == 0 || some.Recomputed == s.layers {
					t.Errorf("layers computed again: %d, %d, %d of %d", never.Recomputed, always.Recomputed, some.Recomputed, s.layers)
				}
				if !(always.Bytes < some.Bytes && some.Bytes < never.Bytes) {
					t.Errorf("memory: never %d, some %d, always %d", never.Bytes, some.Bytes, always.Bytes)
				}
				for p, want := range kept {
					for what, got := range map[string][]float64{"the same again": twice[p], "all layers computed again": again[p], "some": mixed[p]} {
						if !slices.Equal(got, want) {
							t.Errorf("%s: other bits with %s", p, what)
						}
					}
				}
			})
		}
	}
}

// TestScoresAgree compares the three ways to score, and that the ones which keep nothing leave what
// Backward needs alone.
func TestScoresAgree(t *testing.T) {
	for name, s := range shapes() {
		t.Run(name, func(t *testing.T) {
			m := open(t, s.write(t, 10), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 64, Block: 8})
			groups := draw(s.vocabulary, 2, 3, 14)
			micro := whole(groups)
			base, err := m.Score(groups, micro)
			if err != nil {
				t.Fatal(err)
			}
			stir(t, m, 4)
			reference, _ := m.Reference(groups, micro)
			if fmt.Sprint(reference) != fmt.Sprint(base) {
				t.Error("the reference is not the base, which a B of zero leaves as it is")
			}
			score, _ := m.Score(groups, micro)
			if fmt.Sprint(score) == fmt.Sprint(base) {
				t.Error("the adapter changes nothing")
			}
			_, want := accumulate(t, m, groups, [][]model.Part{micro})
			if _, err := m.Update(model.Step{}); err != nil {
				t.Fatal(err)
			}
			forward, _ := m.Forward(groups, micro)
			if fmt.Sprint(forward) != fmt.Sprint(score) {
				t.Error("Forward and Score differ")
			}
			one := []model.Part{{Group: 1, From: 1, To: 2}}
			if _, err := m.Reference(groups, one); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Score(groups, one); err != nil {
				t.Fatal(err)
			}
			if err := m.Backward(gradientOf(groups, micro)); err != nil {
				t.Fatal(err)
			}
			for _, p := range m.Params() {
				if !slices.Equal(p.Grad(), want[p.Name]) {
					t.Errorf("%s: other bits after Reference and Score", p.Name)
				}
			}
			for i, row := range forward.Entropy {
				for j, h := range row {
					if !(h > 0 && h <= math.Log(float64(s.vocabulary))) || !(forward.Logp[i][j] < 0) {
						t.Errorf("completion %d token %d: entropy %g, log-prob %g", i, j, h, forward.Logp[i][j])
					}
				}
			}
		})
	}
}
