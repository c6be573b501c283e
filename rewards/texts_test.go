package rewards

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readSamples reads a folder of testdata; README.md there says how files look.
func readSamples(t testing.TB, folder string) []Sample {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no texts in testdata/%s: %v", folder, err)
	}
	var all []Sample
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseSample(strings.TrimSuffix(filepath.Base(name), ".txt"), string(b))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// pure is what needs no model.
var pure = Set{{Name: "length", Reward: Length{}, Weight: 1}, {Name: "format", Reward: Format{}, Weight: 1}}

func TestHonestTextsPayNothing(t *testing.T) {
	for _, s := range readSamples(t, "honest") {
		scores, err := pure.Score(t.Context(), s.Prompt, Completion{s.Text, true})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d words, total %.3f", s.Name, Words(s.Text, s.Prompt.Form), scores.Total)
		for _, r := range scores.Rewards {
			for _, p := range r.Parts {
				if p.Value != 1 {
					t.Logf("   %s %.4f", p.Name, p.Value)
				}
			}
			for _, sp := range r.Spans {
				t.Logf("   %s: %q", sp.Why, head(string([]rune(s.Text)[sp.Start:sp.End]), 60))
			}
		}
		if scores.Total < 0.97 {
			t.Errorf("%s: %.3f", s.Name, scores.Total)
		}
	}
}
