package rewards

import (
	"fmt"
	"testing"
)

// margin is by how much of the total an honest text must win.
const margin = 0.05

// TestCheatsDoNotPay scores each cheat and the honest text for the same prompt.
func TestCheatsDoNotPay(t *testing.T) {
	honest := map[string]Sample{}
	for _, s := range readSamples(t, "honest") {
		honest[s.Name] = s
	}
	for _, cheat := range readSamples(t, "cheats") {
		h, ok := honest[cheat.Honest]
		if !ok {
			t.Errorf("%s: there is no honest text %q", cheat.Name, cheat.Honest)
			continue
		}
		if cheat.Needs != "" {
			continue
		}
		good, err := pure.Score(t.Context(), h.Prompt, Completion{h.Text, true})
		if err != nil {
			t.Fatal(err)
		}
		bad, err := pure.Score(t.Context(), h.Prompt, Completion{cheat.Text, true})
		if err != nil {
			t.Fatal(err)
		}
		line := ""
		for _, r := range bad.Rewards {
			for _, p := range r.Parts {
				if p.Name[0] == 'f' && p.Value < 1 && p.Value > 0 || p.Name == "format.form" && p.Value == 0 {
					line += " " + p.Name[7:] + sprint(p.Value)
				}
			}
		}
		t.Logf("%-28s %.3f: %.3f length %.2f format %.2f%s", cheat.Name, good.Total, bad.Total, bad.Value("length"), bad.Value("format"), line)
		if !(good.Total >= bad.Total+margin) {
			t.Errorf("%s: the honest text has %.3f, the cheat %.3f", cheat.Name, good.Total, bad.Total)
		}
	}
}

func sprint(x float64) string { return fmt.Sprintf(" %.3f", x) }
