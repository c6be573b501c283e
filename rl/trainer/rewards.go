package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"longhand/engine"
	"longhand/rewards"
)

// judgeContext is how many tokens a judge reads at once, where texts are not longer.
const judgeContext = 4096

// openRewards opens what the job's rewards ask for: a judge, an embedder, the writer's own
// preferences. The judge is the base with no adapter in a context of its own, or another model.
func (w *workshop) openRewards(ctx context.Context) (err error) {
	var with rewards.With
	if w.judged() {
		path := w.job.Judge
		if path == "" {
			if path, err = w.drawnFrom(ctx); err != nil {
				return err
			}
		}
		m, err := w.engine(path, engine.Options{Context: max(judgeContext, 2*w.job.MaxTokens+1024)})
		if err != nil {
			return err
		}
		with.Judge, with.Embedder = engine.Plain{Engine: m}, engine.Plain{Engine: m}
	}
	if w.job.Head != "" {
		b, err := os.ReadFile(w.job.Head)
		if err != nil {
			return fmt.Errorf("read the preferences: %w", err)
		}
		with.Head = &rewards.Head{}
		if err := json.Unmarshal(b, with.Head); err != nil {
			return fmt.Errorf("read the preferences %s: %w", w.job.Head, err)
		}
	}
	w.parts.Rewards, err = rewards.Parse(w.job.Rewards, with)
	return err
}

// judged says whether a reward asks for a judge.
func (w *workshop) judged() bool { return w.named("writing", "checklist", "pairwise", "personal") }

// named says whether the job names one of these rewards.
func (w *workshop) named(names ...string) bool {
	for _, one := range strings.Split(w.job.Rewards, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(one), "=")
		for _, n := range names {
			if strings.TrimSuffix(name, "!") == n {
				return true
			}
		}
	}
	return false
}
