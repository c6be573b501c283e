package rewards

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A sample is a text of testdata.
type sample struct {
	name   string
	prompt Prompt
	text   string
	honest string // of a cheat
	needs  string
}

// readSamples reads a folder of testdata; README.md there says how files look.
func readSamples(t testing.TB, folder string) []sample {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no texts in testdata/%s: %v", folder, err)
	}
	var all []sample
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		head, text, ok := strings.Cut(string(b), "\n---\n")
		if !ok {
			if text, ok = strings.CutPrefix(string(b), "---\n"); !ok {
				t.Fatalf("%s: no line ---", name)
			}
			head = ""
		}
		s := sample{name: strings.TrimSuffix(filepath.Base(name), ".txt"), text: text}
		for l := range strings.Lines(head) {
			key, value, _ := strings.Cut(strings.TrimSpace(l), ": ")
			s.set(t, key, value)
		}
		all = append(all, s)
	}
	return all
}

func (s *sample) set(t testing.TB, key, value string) {
	t.Helper()
	switch key {
	case "prompt":
		s.prompt.Text = value
	case "words":
		low, high, _ := strings.Cut(value, " ")
		s.prompt.Min, _ = strconv.Atoi(low)
		s.prompt.Max, _ = strconv.Atoi(high)
	case "form":
		forms := map[string]Form{"plain": Plain, "planned": Planned, "one-pass": OnePass}
		if _, ok := forms[value]; !ok {
			t.Fatalf("%s: there is no form %q", s.name, value)
		}
		s.prompt.Form = forms[value]
	case "outline":
		for _, title := range strings.Split(value, " | ") {
			s.prompt.Outline = append(s.prompt.Outline, Heading{Title: title})
		}
	case "honest":
		s.honest = value
	case "needs":
		s.needs = value
	default:
		t.Fatalf("%s: what is %q?", s.name, key)
	}
}

// pure is what needs no model.
var pure = Set{{Name: "length", Reward: Length{}, Weight: 1}, {Name: "format", Reward: Format{}, Weight: 1}}

func TestHonestTextsPayNothing(t *testing.T) {
	for _, s := range readSamples(t, "honest") {
		scores, err := pure.Score(t.Context(), s.prompt, Completion{s.text, true})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d words, total %.3f", s.name, Words(s.text, s.prompt.Form), scores.Total)
		for _, r := range scores.Rewards {
			for _, p := range r.Parts {
				if p.Value != 1 {
					t.Logf("   %s %.4f", p.Name, p.Value)
				}
			}
			for _, sp := range r.Spans {
				t.Logf("   %s: %q", sp.Why, head(string([]rune(s.text)[sp.Start:sp.End]), 60))
			}
		}
		if scores.Total < 0.97 {
			t.Errorf("%s: %.3f", s.name, scores.Total)
		}
	}
}
