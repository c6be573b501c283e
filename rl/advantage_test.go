package rl

import (
	"math"
	"slices"
	"testing"
)

var nan = math.NaN()

// one group of one reward
func single(r ...float64) [][][]float64 {
	group := [][]float64{}
	for _, x := range r {
		group = append(group, []float64{x})
	}
	return [][][]float64{group}
}

func TestAdvantagesByHand(t *testing.T) {
	own := AdvantageOptions{Aggregation: Average, Scale: ScaleGroup, Weights: []float64{1}}
	as := func(aggregation, scale string, weights ...float64) AdvantageOptions {
		return AdvantageOptions{aggregation, scale, weights}
	}
	// 0, 0, 1, 1: mean 0.5, s = sqrt(4 x 0.25 / 3)
	s := math.Sqrt(1. / 3)
	z := 0.5 / (s + 1e-4)
	// Two rewards of one group, (0, 1) and (0.2, 0.4): s = sqrt(0.5) and sqrt(0.02).
	two := [][][]float64{{{0, 0.2}, {1, 0.4}}}
	z0, z1 := 0.5/(math.Sqrt(0.5)+1e-4), 0.1/(math.Sqrt(0.02)+1e-4)
	for _, c := range []struct {
		what    string
		o       AdvantageOptions
		rewards [][][]float64
		broken  [][]bool
		want    [][]float64
		dead    []bool
	}{
		{what: "one reward", o: own, rewards: single(0, 0, 1, 1), want: [][]float64{{-z, -z, z, z}}},
		{what: "all equal", o: own, rewards: single(0.3, 0.3, 0.3), want: [][]float64{{0, 0, 0}}, dead: []bool{true}},
		{what: "a spread below 0.01 is none", o: own, rewards: single(0.5, 0.513), want: [][]float64{{0, 0}}, dead: []bool{true}},
		{what: "a spread just above", o: own, rewards: single(0.5, 0.5142), want: [][]float64{{-0.0071 / (0.0142/math.Sqrt2 + 1e-4), 0.0071 / (0.0142/math.Sqrt2 + 1e-4)}}},
		{what: "an unknown one leaves mean and deviation", o: own, rewards: single(0, nan, 1), want: [][]float64{{-z0, 0, z0}}},
		{what: "one known", o: own, rewards: single(nan, nan, 1), want: [][]float64{{0, 0, 0}}, dead: []bool{true}},
		{what: "all unknown", o: own, rewards: single(nan, nan), want: [][]float64{{0, 0}}, dead: []bool{true}},
		{what: "two rewards", o: as(Average, ScaleGroup, 1, 1), rewards: two, want: [][]float64{{-(z0 + z1) / 2, (z0 + z1) / 2}}},
		{what: "with weights", o: as(Average, ScaleGroup, 3, 1), rewards: two, want: [][]float64{{-(3*z0 + z1) / 4, (3*z0 + z1) / 4}}},
		{what: "no deviation", o: as(Average, ScaleNone, 1, 1), rewards: two, want: [][]float64{{-0.3, 0.3}}},
		{what: "the sum", o: as(RewardSum, ScaleGroup, 1, 1), rewards: two, want: [][]float64{{-0.6 / (1.2/math.Sqrt2 + 1e-4), 0.6 / (1.2/math.Sqrt2 + 1e-4)}}},
		{what: "the sum, one part unknown", o: as(RewardSum, ScaleNone, 1, 2), rewards: [][][]float64{{{0, nan}, {1, 0.5}}}, want: [][]float64{{-1, 1}}},
		{what: "two groups", o: own, rewards: [][][]float64{single(0, 0, 1, 1)[0], single(1, 1)[0]}, want: [][]float64{{-z, -z, z, z}, {0, 0}}, dead: []bool{false, true}},
		// The batch 0, 1, 0.5, 0.5 has the deviation sqrt(0.5/3).
		{what: "the batch's deviation", o: as(Average, ScaleBatch, 1), rewards: [][][]float64{single(0, 1)[0], single(0.5, 0.5)[0]},
			want: [][]float64{{-0.5 / (math.Sqrt(0.5/3) + 1e-4), 0.5 / (math.Sqrt(0.5/3) + 1e-4)}, {0, 0}}, dead: []bool{false, true}},
		{what: "broken", o: own, rewards: single(0, 0, 1, 1), broken: [][]bool{{false, false, true, false}}, want: [][]float64{{-z, -z, -0.5, z}}},
		{what: "broken and worse already", o: own, rewards: single(0, 0, 1, 1), broken: [][]bool{{true, false, false, false}}, want: [][]float64{{-z, -z, z, z}}},
		{what: "the whole group broken", o: own, rewards: single(0, 1), broken: [][]bool{{true, true}}, want: [][]float64{{-z0, z0}}},
		{what: "a breach is a difference", o: own, rewards: single(1, 1), broken: [][]bool{{false, true}}, want: [][]float64{{0, -0.5}}},
	} {
		if c.broken == nil {
			for _, group := range c.rewards {
				c.broken = append(c.broken, make([]bool, len(group)))
			}
		}
		if c.dead == nil {
			c.dead = make([]bool, len(c.rewards))
		}
		got, dead := Advantages(c.o, c.rewards, c.broken)
		for g := range c.want {
			for i := range c.want[g] {
				near(t, c.what, got[g][i], c.want[g][i], 1e-12)
			}
		}
		if !slices.Equal(dead, c.dead) {
			t.Errorf("%s: dead %v, not %v", c.what, dead, c.dead)
		}
	}
}

// GDPO: the weighted sum of each reward's z, normalised over the batch.
func TestAdvantagesGDPO(t *testing.T) {
	rewards := [][][]float64{{{0, 0.2}, {1, 0.4}}, {{0.7, 0.9}, {0.7, 0.1}}}
	z := func(d float64) float64 { return d / 2 / (d/math.Sqrt2 + 1e-4) }
	raw := []float64{-z(1) - 2*z(0.2), z(1) + 2*z(0.2), 2 * z(0.8), -2 * z(0.8)}
	var square float64
	for _, x := range raw {
		square += x * x
	}
	by := math.Sqrt(square/3) + 1e-4
	got, dead := Advantages(AdvantageOptions{GDPO, ScaleGroup, []float64{1, 2}}, rewards, [][]bool{{false, false}, {false, false}})
	for i, x := range slices.Concat(got...) {
		near(t, "an advantage", x, raw[i]/by, 1e-12)
	}
	if dead[0] || dead[1] {
		t.Error("dead:", dead)
	}
	got, dead = Advantages(AdvantageOptions{GDPO, ScaleGroup, []float64{1}}, single(1, 1, 1), [][]bool{{false, false, false}})
	if !dead[0] || got[0][0] != 0 {
		t.Error("a group without a difference:", got, dead)
	}
}

// The rewards themselves are left as they were.
func TestAdvantagesLeaveRewards(t *testing.T) {
	rewards := single(0, 0.5, nan, 1)
	Advantages(AdvantageOptions{RewardSum, ScaleGroup, []float64{2}}, rewards, [][]bool{{true, false, false, false}})
	for i, want := range []float64{0, 0.5, nan, 1} {
		if x := rewards[0][i][0]; x != want && !(math.IsNaN(x) && math.IsNaN(want)) {
			t.Error(i, x)
		}
	}
}
