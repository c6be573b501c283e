package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"longhand/rl"
	"longhand/rl/checkpoint"
)

// benchTrainCmd measures the trainer's forward, backward and update on random tokens.
type benchTrainCmd struct {
	Model     string `help:"A model's name or a GGUF file." placeholder:"M"`
	Shape     string `help:"In place of a model: random weights in the shape of qwen2.5-0.5b or qwen2.5-1.5b." placeholder:"S"`
	Prompts   int    `help:"Prompts, all different." default:"8"`
	Group     int    `help:"Completions of each prompt, which they share." default:"1"`
	Prompt    int    `help:"Tokens of a prompt." default:"1"`
	Tokens    int    `help:"Tokens of a completion; all are trained." default:"256"`
	Repeat    int    `help:"Steps that count; the median of them counts. Two before them do not." default:"5"`
	Recompute string `enum:"auto,never,always" default:"auto" help:"Layers computed again in the backward: auto, never or always."`
	Threads   int    `help:"Threads; 0 is all cores."`
	JSON      bool   `help:"Results as JSON lines on standard output."`
}

// unmeasured steps come first: memory is touched, caches and clocks are cold.
const unmeasured = 2

func (c *benchTrainCmd) Run(e *env) error {
	if c.Prompts < 1 || c.Group < 1 || c.Prompt < 1 || c.Tokens < 1 || c.Repeat < 1 {
		return usage("--prompts, --group, --prompt, --tokens and --repeat must be at least 1")
	}
	path, remove, err := benchModel(e, c.Model, c.Shape)
	defer remove()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "longhand-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	j := rl.NewJob()
	j.Base, j.Replay, j.Dump = path, filepath.Join(dir, "tokens.jsonl"), filepath.Join(dir, "dump.safetensors")
	j.Steps, j.Seed, j.Threads, j.Recompute = unmeasured+c.Repeat, 1, c.Threads, c.Recompute
	if err := c.tokens(path, j.Replay); err != nil {
		return err
	}
	var rates []float64
	for ev, err := range e.train(e.ctx, j) {
		if err != nil {
			return err
		}
		switch ev := ev.(type) {
		case rl.Started:
			fmt.Fprintln(e.stderr, ev.Device)
		case rl.Step:
			if ev.Step >= unmeasured {
				rates = append(rates, float64(c.sequenceTokens())/float64(ev.Seconds))
			}
		case rl.Finished:
			if ev.PeakBytes > 0 {
				fmt.Fprintf(e.stderr, "peak memory of the training process: %d MiB\n", ev.PeakBytes>>20)
			}
		}
	}
	if len(rates) == 0 {
		return fmt.Errorf("no step was measured")
	}
	m := measured{Name: "train", Unit: "tokens/s", Tokens: c.sequenceTokens(), Depth: c.Prompt, Slots: c.Group, Threads: c.Threads, Model: base(path)}
	return showMeasured(e, m, rates, c.JSON)
}

// sequenceTokens is what a trainer without shared prompts would take through the model.
func (c *benchTrainCmd) sequenceTokens() int { return c.Prompts * c.Group * (c.Prompt + c.Tokens) }

// tokens writes a replay file of random token ids.
func (c *benchTrainCmd) tokens(model, path string) error {
	f, err := checkpoint.Open(model)
	if err != nil {
		return err
	}
	defer f.Close()
	embedding := f.Tensor("token_embd.weight")
	if embedding == nil {
		return fmt.Errorf("%s has no token embedding", model)
	}
	draw := rand.New(rand.NewPCG(1, 1))
	ids := func(n int) []int32 {
		out := make([]int32, n)
		for i := range out {
			out[i] = draw.Int32N(int32(embedding.Rows))
		}
		return out
	}
	lines := make([]rl.Replayed, c.Prompts)
	for i := range lines {
		lines[i].Prompt = ids(c.Prompt)
		for range c.Group {
			advantage := draw.NormFloat64()
			lines[i].Completions = append(lines[i].Completions, rl.ReplayedCompletion{Tokens: ids(c.Tokens), Advantage: &advantage})
		}
	}
	return writeLines(path, lines)
}
