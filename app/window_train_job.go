package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"longhand/rewards"
	"longhand/rl"
)

// job is the run that the form asks for, under a name of its own. The prompts
// of earlier drafts are written into a prompt file beside the run's folder.
func (f *trainForm) job(id string, seed uint64) (rl.Job, error) {
	j := rl.NewJob()
	j.Seed = seed
	j.Base, j.Steps = f.model().path, f.count()
	j.Out = filepath.Join(f.folder, id)
	var each []string
	for _, name := range f.wanted() {
		each = append(each, name+"=1")
	}
	j.Rewards = strings.Join(each, ",")
	lines := f.prompts.lines
	if f.prompts.fromFile {
		j.Prompts = f.prompts.file
	} else {
		lines = asked(f.prompts.picked(), f.attempt())
		j.Prompts = ownPrompts(j)
		if err := writePrompts(j.Prompts, lines); err != nil {
			return j, err
		}
	}
	j.PromptsPerStep = perStep(j, len(lines))
	j.MaxTokens = tokensFor(lines)
	return j, j.Check()
}

// ownPrompts is where a run's prompts are written that come from no file.
func ownPrompts(j rl.Job) string { return j.Out + "-prompts.jsonl" }

// discard removes what a run has written that was given up before it began.
func discard(j rl.Job) error {
	os.Remove(ownPrompts(j))
	if err := os.RemoveAll(j.Out); err != nil {
		return fmt.Errorf("remove the run that was given up: %w", err)
	}
	return nil
}

// writePrompts writes a prompt file.
func writePrompts(path string, lines []rl.Prompt) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil { // strings and numbers: it cannot be
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("the training cannot be kept there: %w", err)
	}
	return replaceFile(path, []byte(b.String()))
}

// tokensFor is a cap on the tokens of a text that leaves the longest one half
// as much again, at 1.4 tokens a word; where no length is asked for, the
// trainer's own.
func tokensFor(lines []rl.Prompt) int {
	most := 0
	for _, l := range lines {
		n := l.Max
		if n == 0 {
			n = l.Min * 11 / 10
		}
		if n == 0 {
			if r, ok := rewards.Wanted(l.Text); ok {
				n = r.Max
			}
		}
		most = max(most, n)
	}
	if most == 0 {
		return rl.NewJob().MaxTokens
	}
	return (most*21/10 + 63) / 64 * 64
}
