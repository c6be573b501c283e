package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"longhand/engine"
	"longhand/rl"
	"longhand/rl/checkpoint"
)

// exportCmd is "longhand export".
type exportCmd struct {
	Checkpoint exportCheckpointCmd `cmd:"" help:"A training checkpoint as an adapter, a PEFT folder, or a model of its own."`
	Examples   exportExamplesCmd   `cmd:"" help:"Finished drafts as examples that a training run warms up with."`
}

// exportCheckpointCmd is "longhand export checkpoint DIR".
type exportCheckpointCmd struct {
	Dir     string `arg:"" help:"A checkpoint folder, a run's folder (its last checkpoint), or an adapter's GGUF file."`
	Format  string `required:"" enum:"gguf,peft,merged" help:"gguf: the adapter for llama.cpp. peft: a folder for Python. merged: a model with the training in it."`
	Type    string `enum:"keep,f16,q8_0" default:"keep" help:"Of a merged model's changed matrices; of a gguf adapter keep is F32. keep, f16 or q8_0."`
	Base    string `help:"The model that was trained. Without it: the one the run names." placeholder:"M"`
	Out     string `required:"" help:"File or, for peft, folder to write." placeholder:"PATH"`
	NoCheck bool   `help:"Do not measure how much of the training a merged model keeps."`
}

func (c *exportCheckpointCmd) Run(e *env) error {
	a, err := checkpoint.ReadAdapter(c.Dir)
	if err != nil {
		return err
	}
	if c.Format == "gguf" {
		return c.writeGGUF(e, a)
	}
	path, err := c.base(e)
	if err != nil {
		return err
	}
	base, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer base.Close()
	if c.Format == "peft" {
		if err := a.WritePEFT(c.Out, base); err != nil {
			return err
		}
		fmt.Fprintf(e.stderr, "%s: adapter_config.json and adapter_model.safetensors, rank %d, for %s\n", c.Out, a.Rank, filepath.Base(path))
		return nil
	}
	if err := c.merge(e, base, a); err != nil {
		return err
	}
	if c.NoCheck {
		return nil
	}
	return c.sayKept(e, path)
}

func (c *exportCheckpointCmd) writeGGUF(e *env, a *checkpoint.Adapter) error {
	typ := checkpoint.F32
	switch c.Type {
	case "f16":
		typ = checkpoint.F16
	case "q8_0":
		return usage("an adapter is written as F32 (keep) or f16; llama.cpp takes no quantised ones")
	}
	if err := a.WriteGGUF(c.Out, typ); err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "%s: adapter of rank %d, alpha %g, %d matrices\n", c.Out, a.Rank, a.Alpha, len(a.Pairs))
	return nil
}

// merge writes the merged model and says how far it is.
func (c *exportCheckpointCmd) merge(e *env, base *checkpoint.File, a *checkpoint.Adapter) error {
	as := map[string]checkpoint.MergeType{"keep": checkpoint.MergeKeep, "f16": checkpoint.MergeF16, "q8_0": checkpoint.MergeQ8_0}[c.Type]
	live, last := terminal(e.stderr), time.Time{}
	changed := 0
	for ev, err := range checkpoint.Merge(e.ctx, base, a, c.Out, as) {
		if err != nil {
			return err
		}
		if ev.Changed {
			changed++
		}
		if live && (time.Since(last) > 100*time.Millisecond || ev.Done == ev.Total) {
			last = time.Now()
			fmt.Fprintf(e.stderr, "\r\x1b[K%s  %s", meter(int(ev.Done>>10), int(ev.Total>>10)), ev.Name)
		}
	}
	if live {
		fmt.Fprint(e.stderr, "\r\x1b[K")
	}
	fmt.Fprintf(e.stderr, "%s: %d matrices changed\n", c.Out, changed)
	return nil
}

// sayKept says how much of the training the merged model kept.
func (c *exportCheckpointCmd) sayKept(e *env, base string) error {
	k, err := e.survival(e.ctx, base, c.Dir, c.Out)
	if err != nil {
		return fmt.Errorf("the merged model is written, but what it keeps of the training could not be measured: %w", err)
	}
	fmt.Fprintf(e.stderr, "%.0f %% of the training is in the merged model (divergence from base with adapter: base %.2g, merged %.2g nat a token, over %d tokens)\n",
		100*k.share(), k.base, k.merged, k.tokens)
	if k.share() < advise && c.Type == "keep" {
		fmt.Fprintln(e.stderr, "The base's own quantisation is too coarse to hold it: use --type f16, or draft with --adapter.")
	}
	return nil
}

// advise is the share of the training below which another type is advised.
const advise = 0.8

// base is the file of the model that was trained.
func (c *exportCheckpointCmd) base(e *env) (string, error) {
	if c.Base != "" {
		path, _, err := e.model(c.Base)
		return path, err
	}
	j, err := runJob(c.Dir)
	if err != nil {
		return "", hinted{err, "name the model that was trained with --base"}
	}
	if _, err := os.Stat(j.Base); err != nil {
		return "", hinted{fmt.Errorf("the run's base %s is not there any more", j.Base), "name the model that was trained with --base"}
	}
	return j.Base, nil
}

// runJob is the job of the run that a checkpoint, or its folder, is of.
func runJob(dir string) (rl.Job, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return rl.Job{}, err
	}
	for _, d := range []string{dir, filepath.Dir(dir), filepath.Dir(filepath.Dir(dir))} {
		b, err := os.ReadFile(filepath.Join(d, "job.json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return rl.Job{}, err
		}
		return rl.ReadJob(b)
	}
	return rl.Job{}, fmt.Errorf("%s does not say which run it is of", dir)
}

// kept is what a merged model keeps of an adapter: divergences, per token, from the base with the
// adapter, estimated by k3 on tokens that it drew (Schulman, "Approximating KL Divergence").
type kept struct {
	base, merged float64
	tokens       int
}

// share is 1 where the merged model is the base with the adapter, and 0 where it is no nearer to it
// than the base.
func (k kept) share() float64 {
	if k.base <= 0 {
		return 1
	}
	return max(0, 1-k.merged/k.base)
}

// survival scores some completions, drawn with the adapter, by the trainer's arithmetic
// on the base, the base with the adapter, and the merged model.
func (e *env) survival(ctx context.Context, base, adapter, merged string) (kept, error) {
	dir, err := os.MkdirTemp("", "longhand-kept-")
	if err != nil {
		return kept{}, err
	}
	defer os.RemoveAll(dir)
	lines, err := e.drawn(ctx, base, adapter)
	if err != nil {
		return kept{}, err
	}
	replay := filepath.Join(dir, "tokens.jsonl")
	if err := writeLines(replay, lines); err != nil {
		return kept{}, err
	}
	var logps [3]map[string]checkpoint.Array
	for i, m := range []struct{ base, adapter string }{{base, ""}, {base, adapter}, {merged, ""}} {
		j := rl.NewJob()
		zero := 0.0
		j.Base, j.Adapter, j.Replay, j.Dump, j.Rate, j.Rank = m.base, m.adapter, replay, filepath.Join(dir, fmt.Sprint(i, ".safetensors")), &zero, 1
		for _, err := range e.train(ctx, j) {
			if err != nil {
				return kept{}, err
			}
		}
		if logps[i], _, err = checkpoint.ReadSafetensors(j.Dump); err != nil {
			return kept{}, err
		}
	}
	k := kept{}
	for i, l := range lines {
		for j := range l.Completions {
			name := fmt.Sprintf("logps.%d.%d", i, j)
			k.base += k3(logps[0][name].F32, logps[1][name].F32)
			k.merged += k3(logps[2][name].F32, logps[1][name].F32)
			k.tokens += len(logps[1][name].F32)
		}
	}
	k.base, k.merged = k.base/float64(max(1, k.tokens)), k.merged/float64(max(1, k.tokens))
	return k, nil
}

// drawn are completions of a few prompts, drawn with the adapter.
func (e *env) drawn(ctx context.Context, base, adapter string) ([]rl.Replayed, error) {
	folder, _, _, err := e.library()
	if err != nil {
		return nil, err
	}
	const each, slots, longest = 2, 8, 64
	if adapter, err = filepath.Abs(adapter); err != nil {
		return nil, err
	}
	p, err := engine.Start(ctx, []string{childBinary(), "engine"}, base, engine.Options{Library: folder, Context: 4096, Sequences: slots + 1, Adapter: adapter})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var lines []rl.Replayed
	var requests []engine.SampleRequest
	for i, prompt := range keptPrompts(adapter) {
		begin, _ := p.Info().Chat.Begin("")
		ids, err := p.Tokenize(ctx, append(begin, p.Info().Chat.Ask(prompt, false, "")...)...)
		if err != nil {
			return nil, err
		}
		lines = append(lines, rl.Replayed{Prompt: ids})
		requests = append(requests, engine.SampleRequest{Prompt: ids, MaxTokens: longest, Seed: uint64(i + 1)})
	}
	for c, err := range p.Sample(ctx, requests, each, engine.SampleOptions{Slots: slots}) {
		if err != nil {
			return nil, err
		}
		zero := 0.0
		l := &lines[c.Request]
		l.Completions = append(l.Completions, rl.ReplayedCompletion{Tokens: c.Tokens, Advantage: &zero})
	}
	return lines, nil
}

// keptPrompts are some of the run's prompts, or others where they are gone.
func keptPrompts(adapter string) []string {
	const most = 8
	prompts := []string{"Write a short text about a lighthouse in winter.", "Describe a market in the morning.", "Tell a story about a lost key.", "How is bread baked?"}
	j, err := runJob(adapter)
	if err != nil {
		return prompts
	}
	all, err := rl.ReadPrompts(j.Prompts)
	if err != nil {
		return prompts
	}
	prompts = nil
	for _, p := range all[:min(most, len(all))] {
		prompts = append(prompts, p.Text)
	}
	return prompts
}

// k3 sums exp(d) - 1 - d over tokens that were drawn by to, d = from - to.
func k3(from, to []float32) (sum float64) {
	for i := range min(len(from), len(to)) {
		d := float64(from[i]) - float64(to[i])
		sum += math.Expm1(d) - d
	}
	return sum
}
