package rl

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// evalFile writes an evaluation of n prompts with four samples each.
func evalFile(t *testing.T, name string, n int, reward func(prompt, sample int) float64) string {
	t.Helper()
	var b strings.Builder
	for p := range n {
		for s := range 4 {
			low := 30 + 30*(p%2)
			line, err := encode(EvalSample{PromptIndex: p, Sample: s, Prompt: fmt.Sprint("Prompt ", p), Min: low, Max: low + 20, Words: 40 + p%2*int(100*reward(p, s)),
				Rewards: map[string]Number{"length": Number(reward(p, s))}, Distinct2: 0.9, Repetition: 0.1, Finished: reward(p, s) > 0.5})
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// The prompts differ by normal numbers of standard deviation 0.1, their samples not at all, so that the interval has the
// width of 64 independent values: 2 * 1.96 * 0.1 / 8, not that of 256.
func TestCompare(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	gain := make([]float64, 64)
	mean := 0.0
	for i := range gain {
		gain[i] = 0.3 + 0.1*random.NormFloat64()
		mean += gain[i] / 64
	}
	base := func(p, s int) float64 { return 0.2 + 0.05*float64(s) }
	before := evalFile(t, "before.jsonl", 64, base)
	after := evalFile(t, "after.jsonl", 64, func(p, s int) float64 { return base(p, s) + gain[p] })
	all, err := Compare(before, after)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Change{}
	for _, c := range all {
		byName[fmt.Sprintf("%s %d", c.Name, c.Max)] = c
	}
	c := byName["reward length 0"]
	near(t, "before", float64(c.Before), 0.275, 1e-9)
	near(t, "the difference", c.Difference(), mean, 1e-9)
	near(t, "the interval's middle", float64(c.Low+c.High)/2, mean, 0.004)
	near(t, "the interval's width", float64(c.High-c.Low), 2*1.96*0.1/8, 0.012)
	if c.Prompts != 64 || c.Samples != 256 || len(all) != 5+4 {
		t.Errorf("%d changes, %+v", len(all), c)
	}
	if c := byName["repetition 0"]; c.Difference() != 0 || c.Low != 0 || c.High != 0 {
		t.Errorf("%+v", c)
	}
	if c := byName["words 50"]; c.Before != 40 || c.After != 40 || c.Prompts != 32 {
		t.Errorf("%+v", c)
	}
	if c := byName["words 80"]; !(c.Low > 20) {
		t.Errorf("%+v", c)
	}
}

func TestCompareRefuses(t *testing.T) {
	half := func(int, int) float64 { return 0.5 }
	whole := evalFile(t, "a.jsonl", 4, half)
	broken := func(text string) string {
		path := filepath.Join(t.TempDir(), "broken.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for want, other := range map[string]string{
		"16 and 12 samples":               evalFile(t, "b.jsonl", 3, half),
		"no such file":                    "none.jsonl",
		"not a sample of an evaluation":   broken(`{"prompt":"A"}`),
		"line 1 is not what it should be": broken("x"),
	} {
		if _, err := Compare(whole, other); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", want, err)
		}
	}
	one := evalFile(t, "one.jsonl", 1, half)
	all, err := Compare(one, one)
	if err != nil || !math.IsNaN(float64(all[0].Low)) {
		t.Errorf("one prompt has no interval: %v, %v", all, err)
	}
}
