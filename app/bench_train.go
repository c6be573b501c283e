package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

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
	Torch     string `help:"PyTorch's script (rl/testdata/bench_torch.py): measured in turn with ours, and the ratio printed." placeholder:"F.py"`
	Old       bool   `help:"PyTorch takes one more forward, for the log-probs before the update, as TRL does where another engine draws. Ours come with the update's own."`
	Python    string `help:"The Python that has PyTorch." default:"python3"`
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
	m := measured{Tokens: c.sequenceTokens(), Depth: c.Prompt, Slots: c.Group, Threads: c.Threads, Model: base(path)}
	if c.Torch == "" {
		rates, _, err := c.once(e, j)
		if err != nil {
			return err
		}
		return m.show(e, c.JSON, figure{"train", "tokens/s", rates})
	}
	return c.beside(e, j, m)
}

// once runs the steps of one process, and returns the rates of those that count and the most memory it held.
func (c *benchTrainCmd) once(e *env, j rl.Job) (rates []float64, peak int64, err error) {
	for ev, err := range e.train(e.ctx, j) {
		if err != nil {
			return nil, 0, err
		}
		switch ev := ev.(type) {
		case rl.Started:
			fmt.Fprintln(e.stderr, ev.Device)
		case rl.Step:
			if ev.Step >= unmeasured {
				rates = append(rates, float64(c.sequenceTokens())/float64(ev.Seconds))
			}
		case rl.Finished:
			peak = ev.PeakBytes
			if peak > 0 {
				fmt.Fprintf(e.stderr, "peak memory of the training process: %d MiB\n", peak>>20)
			}
		}
	}
	if len(rates) == 0 {
		return nil, 0, fmt.Errorf("no step was measured")
	}
	return rates, peak, nil
}

// beside alternates our process with PyTorch's: of each the steps that do not count and one that does.
func (c *benchTrainCmd) beside(e *env, j rl.Job, m measured) error {
	j.Steps = unmeasured + 1
	var ours, theirs, ratios, memory []float64
	for range c.Repeat {
		own, held, err := c.once(e, j)
		if err != nil {
			return err
		}
		other, err := c.torch(e, j.Base)
		if err != nil {
			return err
		}
		rate := other.Rates[len(other.Rates)-1]
		ours, theirs, ratios = append(ours, own[0]), append(theirs, rate), append(ratios, own[0]/rate)
		if held > 0 && other.Peak > 0 {
			memory = append(memory, float64(held>>20)/other.Peak)
		}
	}
	return m.show(e, c.JSON, figure{"train", "tokens/s", ours}, figure{"PyTorch", "tokens/s", theirs}, figure{"ratio", "train / PyTorch", ratios}, figure{"peak memory", "train / PyTorch", memory})
}

// torched is what the script prints.
type torched struct {
	Rates []float64 `json:"tokens_per_second"`
	Peak  float64   `json:"peak_mib"`
	Sgemm float64   `json:"sgemm_gflops"`
	Torch string    `json:"torch"`
	PEFT  string    `json:"peft"`
	BLAS  string    `json:"blas"`
}

// torch runs the script on the same work.
func (c *benchTrainCmd) torch(e *env, model string) (t torched, err error) {
	number := strconv.Itoa
	args := []string{c.Torch, "--prompts", number(c.Prompts), "--group", number(c.Group), "--prompt", number(c.Prompt), "--tokens", number(c.Tokens), "--steps", number(unmeasured + 1),
		"--threads", number(cmp.Or(c.Threads, runtime.GOMAXPROCS(0)))}
	if c.Old {
		args = append(args, "--old")
	}
	if c.Recompute == "always" {
		args = append(args, "--recompute")
	}
	if c.Shape != "" {
		args = append(args, "--shape", c.Shape)
	} else {
		args = append(args, "--model", model)
	}
	out, err := exec.CommandContext(e.ctx, c.Python, args...).Output()
	if err != nil {
		return t, fmt.Errorf("%s %s: %w", c.Python, c.Torch, err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &t); err != nil || len(t.Rates) == 0 {
		return t, fmt.Errorf("%s did not print its result", c.Torch)
	}
	fmt.Fprintf(e.stderr, "torch %s, peft %s, %s: peak memory %.0f MiB, sgemm %.0f GFLOP/s at the model's shapes\n", t.Torch, t.PEFT, t.BLAS, t.Peak, t.Sgemm)
	return t, nil
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
