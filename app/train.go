package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"longhand/rl"
)

// trainCmd is "longhand train".
type trainCmd struct {
	Prompts        string   `help:"Prompts to train on: JSON lines {\"prompt\", \"min_words\", \"max_words\"}." placeholder:"F.jsonl"`
	Base           string   `help:"The model to train: its name or a GGUF file." placeholder:"M"`
	Out            string   `help:"Folder of the run: checkpoints and metrics." placeholder:"DIR"`
	Steps          int      `help:"Steps. Without it: 100; in a replay 1." placeholder:"N"`
	Group          int      `help:"Completions for each prompt." default:"${group}"`
	PromptsPerStep int      `help:"Prompts in each step." default:"${promptsPerStep}"`
	MaxTokens      int      `help:"Longest completion, in tokens." default:"${maxTokens}"`
	Rank           int      `help:"Rank of the adapter." default:"${rank}"`
	Alpha          float64  `help:"Alpha of the adapter. Without it: twice the rank." placeholder:"A"`
	LR             *float64 `name:"lr" help:"Learning rate. Without it: by the model's size." placeholder:"X"`
	Beta           float64  `help:"Weight of the KL term that holds the model near the base." placeholder:"X"`
	Loss           string   `enum:"dapo,grpo,dr_grpo,gspo,cispo" default:"dapo" help:"dapo, grpo, dr_grpo, gspo or cispo."`
	Set            []string `help:"Any other option by its TRL name, NAME=VALUE; repeatable." placeholder:"NAME=VALUE" sep:"none"`
	Warmup         string   `help:"Supervised examples to begin with: JSON lines {\"prompt\", \"completion\"}." placeholder:"F.jsonl"`
	WarmupSteps    int      `help:"Supervised steps before the first of GRPO." placeholder:"N"`
	Eval           string   `help:"Held-out prompts, sampled before, during and after." placeholder:"F.jsonl"`
	EvalEvery      int      `help:"Steps between evaluations." placeholder:"K"`
	Rewards        string   `help:"Rewards and their weights." default:"${rewards}"`
	Judge          string   `help:"Model that judges the writing. Without it: the base." placeholder:"M"`
	Seed           uint64   `help:"Seed of the random numbers. Without it: one is drawn." placeholder:"S"`
	Device         string   `enum:"auto,cpu,cuda" default:"auto" help:"auto, cpu or cuda."`
	Resume         bool     `help:"Go on with the run in --out, with its own options."`
	Adapter        string   `help:"Go on from this adapter: a GGUF file or a checkpoint folder." placeholder:"DIR"`
	Replay         string   `help:"Take the gradient on given tokens instead of training." placeholder:"F.jsonl"`
	Dump           string   `help:"Where a replay writes what it computed." placeholder:"F.safetensors"`
	JSON           bool     `help:"Events as JSON lines on standard output."`
}

// trainVars are the defaults that the help shows: the job's own.
func trainVars() kong.Vars {
	j := rl.NewJob()
	return kong.Vars{
		"group": fmt.Sprint(j.Group), "promptsPerStep": fmt.Sprint(j.PromptsPerStep), "maxTokens": fmt.Sprint(j.MaxTokens),
		"rank": fmt.Sprint(j.Rank), "rewards": j.Rewards,
	}
}

func (c *trainCmd) Run(e *env) error {
	return e.told(c.JSON, c.run(e))
}

func (c *trainCmd) run(e *env) error {
	j, err := c.job(e)
	if err != nil {
		return err
	}
	show := newTrainProgress(e.stderr, c.JSON, j.Steps)
	defer show.close()
	for ev, err := range e.train(e.ctx, j) {
		if err != nil {
			return err
		}
		if c.JSON {
			b, err := rl.Marshal(ev)
			if err != nil {
				return err
			}
			if _, err := e.stdout.Write(append(b, '\n')); err != nil {
				return err
			}
		}
		show.event(ev)
	}
	if e.ctx.Err() != nil { // the step in hand was ended and the checkpoint written
		return context.Cause(e.ctx)
	}
	return nil
}

// job turns the flags into a job.
func (c *trainCmd) job(e *env) (rl.Job, error) {
	j := rl.NewJob()
	j.Steps, j.Group, j.PromptsPerStep, j.MaxTokens = c.Steps, c.Group, c.PromptsPerStep, c.MaxTokens
	j.Rank, j.Alpha, j.Rate, j.Beta, j.Loss = c.Rank, c.Alpha, c.LR, c.Beta, c.Loss
	j.WarmupSteps, j.EvalEvery, j.Rewards = c.WarmupSteps, c.EvalEvery, c.Rewards
	j.Seed, j.Device, j.Resume = c.Seed, c.Device, c.Resume
	if j.Seed == 0 {
		j.Seed = uint64(time.Now().UnixNano())%1_000_000 + 1
	}
	for _, s := range c.Set {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return j, usage("--set wants NAME=VALUE, not " + s)
		}
		if err := j.Set(name, value); err != nil {
			return j, usage(err.Error())
		}
	}
	var err error
	if c.Base != "" {
		if j.Base, _, err = e.model(c.Base); err != nil {
			return j, err
		}
	}
	if c.Judge != "" {
		if j.Judge, _, err = e.model(c.Judge); err != nil {
			return j, err
		}
	}
	files := []struct {
		to   *string
		from string
	}{{&j.Prompts, c.Prompts}, {&j.Out, c.Out}, {&j.Warmup, c.Warmup}, {&j.Eval, c.Eval}, {&j.Adapter, c.Adapter}, {&j.Replay, c.Replay}, {&j.Dump, c.Dump}, {&j.Base, j.Base}}
	for _, f := range files {
		if f.from == "" {
			continue
		}
		if *f.to, err = filepath.Abs(f.from); err != nil {
			return j, err
		}
	}
	if j.Resume {
		if j, err = rl.Resumed(j); err != nil {
			return j, err
		}
	}
	if err := j.Check(); err != nil {
		return j, usage(err.Error())
	}
	return j, nil
}

// train runs a job in the training process. Cancelling the context ends it after the
// step in hand.
func (e *env) train(ctx context.Context, j rl.Job) iter.Seq2[rl.Event, error] {
	return func(yield func(rl.Event, error) bool) {
		trainer, err := trainerBinary()
		if err == nil && j.Replay == "" {
			j.Library, _, _, err = e.library()
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if j.Replay != "" {
			rl.Start(ctx, []string{trainer}, j)(yield)
			return
		}
		e.recorded(ctx, j, rl.Start(ctx, []string{trainer}, j))(yield)
	}
}

// trainerBinary is the training process's program, beside this one.
func trainerBinary() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	name := "longhand-trainer"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	path := filepath.Join(filepath.Dir(self), name)
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return "", hinted{fmt.Errorf("the training program %s is not there", path), "build it with: make build"}
	}
	return path, nil
}
