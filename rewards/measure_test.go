package rewards

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestDamagesAreDamage(t *testing.T) {
	pairs := Pairs(Samples(), 2, 1)
	kinds := map[Damage]int{}
	for _, p := range pairs {
		kinds[p.Damage]++
		good, bad := CountWords(p.Good), CountWords(p.Bad)
		share := float64(bad) / float64(good)
		sorted := func(s string) string {
			f := strings.Fields(s)
			slices.Sort(f)
			return strings.Join(f, " ")
		}
		switch p.Damage {
		case Shuffled:
			if detect(p.Good) != "zh" && sorted(p.Good) != sorted(p.Bad) || bad != good {
				t.Errorf("%s shuffled: other words", p.Name)
			}
		case Hollowed:
			if share < 0.45 || share > 0.85 {
				t.Errorf("%s hollowed: %d words of %d", p.Name, bad, good)
			}
		case Mixed:
			if share < 0.5 || share > 2 || detect(p.Bad) != detect(p.Good) {
				t.Errorf("%s mixed: %d words of %d, in %s", p.Name, bad, good, detect(p.Bad))
			}
		case Truncated:
			if share < 0.5 || share > 0.75 || !strings.HasPrefix(strings.TrimSpace(p.Good), p.Bad) || strings.ContainsRune(stops, firstRune(lastCharacter(p.Bad))) {
				t.Errorf("%s truncated: %d words of %d, ends with %q", p.Name, bad, good, p.Bad[len(p.Bad)-10:])
			}
		case Stuck:
			if share < 0.85 || share > 1.3 || repeated(p.Bad).value < 0.1 {
				t.Errorf("%s stuck: %d words of %d, repetition %.3f", p.Name, bad, good, repeated(p.Bad).value)
			}
		}
	}
	if len(pairs) < 100 || len(kinds) != len(Damages) {
		t.Errorf("%d pairs: %v", len(pairs), kinds)
	}
	again := Pairs(Samples(), 2, 1)
	if !slices.EqualFunc(pairs, again, func(a, b Pair) bool { return a.Bad == b.Bad }) {
		t.Error("the same seed makes other pairs")
	}
	for _, d := range Damages { // of nothing
		Degrade(d, "", "", rand.New(rand.NewPCG(1, 1)))
		Degrade(d, "a", "", rand.New(rand.NewPCG(1, 1)))
	}
}

// TestPureRewardsDiscriminate: what needs no model beats chance, and a coin does
// not.
func TestPureRewardsDiscriminate(t *testing.T) {
	pairs := Pairs(Samples(), 2, 1)
	for _, c := range []struct {
		name      string
		r         Reward
		low, high float64 // of the share right
	}{{"length", Length{}, 0.65, 1}, {"format", Format{}, 0.6, 1}, {"coin", Coin{}, 0.35, 0.65}} {
		a := Accuracy{}
		for s, err := range Discriminate(t.Context(), c.r, pairs) {
			if err != nil {
				t.Fatal(err)
			}
			a.Of++
			a.Right += s.Right
		}
		t.Logf("%s: %v", c.name, a)
		if share := a.Share(); a.Of != len(pairs) || share < c.low || share > c.high {
			t.Errorf("%s: %v", c.name, a)
		}
	}
}

func TestCutSamples(t *testing.T) {
	for _, s := range Cut(Samples(), 150) {
		n := CountWords(s.Text)
		if n < 100 || n > 420 || s.Prompt.Max < s.Prompt.Min || float64(n) > 1.3*float64(s.Prompt.Max) {
			t.Errorf("%s: %d words for %d to %d", s.Name, n, s.Prompt.Min, s.Prompt.Max)
		}
	}
}
