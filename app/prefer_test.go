package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"longhand/rewards"
)

func TestPreferThatCannotBegin(t *testing.T) {
	out := filepath.Join(t.TempDir(), "head.json")
	good := file(t, "c.jsonl", `{"prompt": "p", "kept": "a", "rejected": "b"}`)
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"--out " + out, 2, "--choices or --prompts"},
		{"--choices " + good, 2, "missing flags"},
		{"--choices " + good + " --out " + out + " --pairs 0", 2, "--pairs must be"},
		{"--choices /nowhere/c --out " + out, 1, "/nowhere/c"},
		{"--choices " + file(t, "e", "\n") + " --out " + out, 1, "e holds nothing"},
		{"--choices " + file(t, "x", "{\"prompt\": \"p\", \"kept\": \"a\", \"rejected\": \"b\"}\n{") + " --out " + out, 1, "x, line 2: "},
		{"--choices " + file(t, "y", `{"prompt": "p", "kept": "a"}`) + " --out " + out, 1, "y, line 1: kept and rejected must be texts"},
		{"--prompts " + file(t, "z", `{"prompt": " "}`) + " --out " + out, 1, "z, line 1: the prompt is empty"},
		{"--choices " + good + " --out /nowhere/h.json", 1, "cannot be written"},
		{"--choices " + good + " --out " + out, 1, "no model"},
	} {
		status, text, problems := command(t, t.TempDir(), append([]string{"prefer", "--json"}, strings.Fields(c.args)...)...)
		if status != c.status || !strings.Contains(problems, c.says) || strings.Contains(problems, "goroutine") {
			t.Errorf("prefer %s: status %d, %q, wanted %d, %q", c.args, status, problems, c.status, c.says)
		}
		if c.status == 1 && !strings.HasPrefix(text, `{"event":"error","message":`) {
			t.Errorf("prefer %s: %s", c.args, text)
		}
	}
}

// TestPreferLearnsWithTheSampleModel: from choices and from a prompt that is
// reduced. So few teach nothing, and the head says so.
func TestPreferLearnsWithTheSampleModel(t *testing.T) {
	p := newProgram(t)
	out := filepath.Join(t.TempDir(), "head.json")
	choices := file(t, "c.jsonl", `{"prompt": "p", "kept": "The rain came at noon. Nobody had asked for it.", "rejected": "Rain is a very important topic in today's world."}`)
	prompts := file(t, "p.jsonl", `{"prompt": "Write one sentence about a bear, in the first person."}`)
	cmd := p.command("prefer", "--choices", choices, "--prompts", prompts, "--pairs", "1", "--words", "20", "--model", p.model, "--out", out, "--json")
	b, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got preferred
	if err := json.Unmarshal(b, &got); err != nil || got.Pairs != 2 || got.Made != 1 || got.Enough || !strings.HasPrefix(got.Message, "not enough data: 2 preferences") {
		t.Errorf("%s: %v", b, err)
	}
	b, err = os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var h rewards.Head
	if err := json.Unmarshal(b, &h); err != nil || h.Pairs != 2 || len(h.Weights) < 100 || h.Embedder == "" {
		t.Errorf("%d pairs, %d features: %v", h.Pairs, len(h.Weights), err)
	}
}
