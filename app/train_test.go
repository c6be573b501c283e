package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be trained or exported is said in one sentence, before anything is written.
func TestTrainRefuses(t *testing.T) {
	home := t.TempDir()
	out := filepath.Join(home, "x")
	prompts := file(t, "prompts.jsonl", `{"prompt":"Why?","max_words":9}`)
	const base = "../rl/model/testdata/llama.gguf"
	for want, args := range map[string]string{
		"no file with prompts":       "train --base " + base + " --out " + out,
		"no base model":              "train --prompts " + prompts + " --out " + out,
		"no model named":             "train --base nobody --out " + out + " --prompts " + prompts,
		"NAME=VALUE":                 "train --base " + base + " --set beta --out " + out + " --prompts " + prompts,
		`no option "group_size"`:     "train --base " + base + " --set group_size=4 --out " + out + " --prompts " + prompts,
		"held-out prompts are the t": "train --base " + base + " --out " + out + " --eval " + prompts + " --prompts " + prompts,
		"must be at least 1":         "bench train --group=0",
		"there is no training run":   "bench learn --run " + home,
		"none":                       "export checkpoint " + home + "/none --format gguf --out " + out,
		"no finished draft":          "export examples --out " + out,
		`no draft "other"`:           "export examples other --out " + out,
		"--longest must be":          "export examples --longest 0 --out " + out,
	} {
		status, _, problems := command(t, home, strings.Fields(args)...)
		if status == 0 || !strings.Contains(problems, want) || strings.Contains(problems, "goroutine") {
			t.Errorf("%s: status %d, %q", args, status, problems)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s wrote something", args)
		}
	}
}
