package rl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// Job is what `longhand train` does, and what the training process is sent. NewJob
// has the defaults; a nil or 0 that stands for one is noted. Paths are absolute, or
// relative to the folder of the process that trains.
type Job struct {
	Base    string `json:"base"`    // GGUF
	Adapter string `json:"adapter"` // to go on from: a GGUF, or a checkpoint folder; "": a new one
	Out     string `json:"out"`     // folder of the run
	Resume  bool   `json:"resume"`  // go on from Out's last checkpoint; see Resumed
	Seed    uint64 `json:"seed"`
	Steps   int    `json:"steps"` // 0: 100; in a replay 1

	Prompts        string `json:"prompts"` // JSON lines
	Form           string `json:"form"`    // "plain", or "one_pass": think, then answer
	Group          int    `json:"num_generations"`
	PromptsPerStep int    `json:"prompts_per_step"`
	MaxTokens      int    `json:"max_completion_length"`
	Rewards        string `json:"rewards"` // "length=1,format=1"
	Judge          string `json:"judge"`   // GGUF of the judge; "": the base
	Head           string `json:"head"`    // the writer's preferences, a rewards.Head in JSON; "": none

	Loss          string   `json:"loss_type"`
	Epsilon       *float64 `json:"epsilon,omitempty"`      // nil: the loss's
	EpsilonHigh   *float64 `json:"epsilon_high,omitempty"` // nil: the loss's
	Beta          float64  `json:"beta"`
	Cap           float64  `json:"importance_sampling_cap"`
	Iterations    int      `json:"num_iterations"` // updates per batch of rollouts
	Aggregation   string   `json:"multi_objective_aggregation"`
	Scale         string   `json:"scale_rewards"`
	MaskTruncated *bool    `json:"mask_truncated_completions,omitempty"` // nil: where no reward is for the length

	Rank       int      `json:"rank"`
	Alpha      float64  `json:"alpha"`                   // 0: twice the rank
	Rate       *float64 `json:"learning_rate,omitempty"` // nil: by the model's size
	RateWarmup int      `json:"lr_warmup_steps"`         // steps until the rate is reached
	Beta1      float64  `json:"adam_beta1"`
	Beta2      float64  `json:"adam_beta2"`
	AdamEps    float64  `json:"adam_epsilon"`
	Decay      float64  `json:"weight_decay"`
	MaxNorm    float64  `json:"max_grad_norm"` // 0: not clipped

	Warmup      string  `json:"warmup"` // JSON lines of prompts and completions
	WarmupSteps int     `json:"warmup_steps"`
	WarmupBatch int     `json:"warmup_batch_size"`
	WarmupRate  float64 `json:"warmup_learning_rate"`

	Eval        string `json:"eval"`       // held-out prompts
	EvalEvery   int    `json:"eval_steps"` // 0: before the first and after the last step
	EvalSamples int    `json:"eval_samples"`

	SaveEvery int `json:"save_steps"`
	Keep      int `json:"save_total_limit"` // checkpoints kept
	Samples   int `json:"log_completions"`  // sample events a step; -1: all

	Device    string `json:"device"`  // "auto", "cpu", "cuda"
	Library   string `json:"library"` // folder of llama.cpp's libraries
	Threads   int    `json:"threads"` // 0: all
	Slots     int    `json:"slots"`   // completions drawn at once; 0: what the memory holds, at most 32
	Rollout   string `json:"rollout_weights"`
	MaxRows   int    `json:"max_rows"`  // tokens in a micro-batch; 0: by the memory plan
	Memory    int64  `json:"memory"`    // bytes for the trainer; 0: 80 % of what is free
	Recompute string `json:"recompute"` // "auto", "never", "always"
	BLAS      string `json:"blas"`      // library file; "": found; "go": none

	Replay string `json:"replay"` // gradient on given tokens instead of a run
	Dump   string `json:"dump"`   // its safetensors file
}

// The forms of a completion.
const (
	FormPlain   = "plain"
	FormOnePass = "one_pass"
)

// NewJob is a job with the design's defaults.
func NewJob() Job {
	return Job{
		Form: FormPlain, Group: 8, PromptsPerStep: 4, MaxTokens: 512, Rewards: "length=1,format=1,writing=1",
		Loss: DAPO, Cap: 2, Iterations: 1, Aggregation: Average, Scale: ScaleGroup,
		Rank: 16, RateWarmup: 10, Beta1: 0.9, Beta2: 0.999, AdamEps: 1e-8, MaxNorm: 1,
		WarmupBatch: 8, WarmupRate: 1e-4, EvalSamples: 4, SaveEvery: 10, Keep: 3, Samples: 2,
		Device: "auto", Recompute: "auto",
	}
}

// ReadJob reads a job from JSON; keys that are missing have their defaults, one that is
// not known is an error.
func ReadJob(b []byte) (Job, error) {
	j := NewJob()
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return Job{}, fmt.Errorf("rl: read the job: %w", err)
	}
	return j, nil
}

// DefaultRate is the learning rate for a base of so many parameters.
func DefaultRate(parameters uint64) float64 {
	switch {
	case parameters >= 6_500_000_000: // what is sold as 7B
		return 1e-5
	case parameters >= 950_000_000:
		return 2e-5
	}
	return 5e-5
}

// loss is the job's loss.
func (j Job) loss() LossOptions {
	o := NewLoss(j.Loss)
	o.Beta, o.Cap, o.MaxTokens = j.Beta, j.Cap, j.MaxTokens
	if j.Epsilon != nil {
		o.Epsilon = *j.Epsilon
	}
	if j.EpsilonHigh != nil {
		o.EpsilonHigh = *j.EpsilonHigh
	}
	return o
}

// Check says in one sentence what cannot be done about the job, before anything
// is opened.
func (j Job) Check() error {
	checks := []func(Job) error{Job.checkPaths, Job.checkRollouts, Job.checkOptimizer, Job.checkRest}
	if j.Replay != "" {
		checks = []func(Job) error{Job.checkReplay, Job.checkOptimizer, Job.checkRest}
	}
	for _, check := range checks {
		if err := check(j); err != nil {
			return fmt.Errorf("rl: %w", err)
		}
	}
	return nil
}

func (j Job) checkPaths() error {
	switch {
	case j.Base == "":
		return errors.New("no base model is named")
	case j.Out == "":
		return errors.New("no folder is named for the run")
	case j.Prompts == "":
		return errors.New("no file with prompts is named")
	case j.WarmupSteps > 0 && j.Warmup == "":
		return errors.New("warm-up steps were asked for, but no file with examples is named")
	case j.Warmup != "" && j.WarmupSteps == 0:
		return errors.New("a file of examples is named, but no warm-up steps were asked for")
	case j.EvalEvery > 0 && j.Eval == "":
		return errors.New("evaluations were asked for, but no file with held-out prompts is named")
	case j.Eval != "" && filepath.Clean(j.Eval) == filepath.Clean(j.Prompts):
		return errors.New("the held-out prompts are the training prompts")
	}
	return nil
}

func (j Job) checkReplay() error {
	switch {
	case j.Base == "":
		return errors.New("no base model is named")
	case j.Dump == "":
		return errors.New("a replay needs a file to dump to")
	case j.Resume:
		return errors.New("a replay cannot be resumed")
	case j.Loss == SFT:
		return errors.New("a replay takes one of the GRPO losses, not sft")
	}
	return nil
}

// A rule is what must not be, and the sentence that says so.
type rule struct {
	broken bool
	what   string
}

// first is the first rule that is broken.
func first(rules ...rule) error {
	for _, r := range rules {
		if r.broken {
			return errors.New(r.what)
		}
	}
	return nil
}

func (j Job) checkRollouts() error {
	err := first(
		rule{!between(j.Group, 2, 256), fmt.Sprintf("%d completions a prompt; 2 to 256 are possible", j.Group)},
		rule{!between(j.PromptsPerStep, 1, 1024), fmt.Sprintf("%d prompts a step; 1 to 1024 are possible", j.PromptsPerStep)},
		rule{!between(j.MaxTokens, 1, 1<<20), fmt.Sprintf("completions of at most %d tokens", j.MaxTokens)},
		rule{!slices.Contains([]string{FormPlain, FormOnePass}, j.Form), fmt.Sprintf("the form %q; %s and %s are possible", j.Form, FormPlain, FormOnePass)},
		rule{j.Loss == SFT, "the loss sft is the warm-up's; name one of the others"},
		rule{j.Rewards == "", "no rewards are named"},
		rule{!between(j.Slots, 0, 255), fmt.Sprintf("%d slots; 0 to 255 are possible", j.Slots)},
		rule{!slices.Contains([]string{"", "f16"}, j.Rollout), fmt.Sprintf("rollout weights %q; only f16 is possible, or none for the base's own", j.Rollout)},
		rule{min(j.WarmupSteps, j.EvalEvery) < 0, "a number of warm-up steps, or of steps between evaluations, is negative"},
		rule{min(j.WarmupBatch, j.EvalSamples, j.SaveEvery, j.Keep) < 1, "a number of examples, samples, or checkpoints, or of steps between them, is below 1"},
		rule{!within(j.WarmupRate, 0, 1), fmt.Sprintf("the warm-up's learning rate %g", j.WarmupRate)},
	)
	if err != nil {
		return err
	}
	return AdvantageOptions{Aggregation: j.Aggregation, Scale: j.Scale}.check()
}

func (j Job) checkOptimizer() error {
	rate := 0.0
	if j.Rate != nil {
		rate = *j.Rate
	}
	err := first(
		rule{!between(j.Steps, 0, 10_000_000), fmt.Sprintf("%d steps", j.Steps)},
		rule{!between(j.Rank, 1, 1024), fmt.Sprintf("the rank %d; 1 to 1024 are possible", j.Rank)},
		rule{!within(j.Alpha, 0, 1e6), fmt.Sprintf("alpha %g; above 0 is possible", j.Alpha)},
		rule{!within(rate, 0, 1), fmt.Sprintf("the learning rate %g; 0 to 1 are possible", rate)},
		rule{j.RateWarmup < 0, fmt.Sprintf("%d steps until the learning rate is reached", j.RateWarmup)},
		rule{!within(j.Beta1, 0, almostOne), fmt.Sprintf("adam_beta1 %g; 0 up to 1 are possible", j.Beta1)},
		rule{!within(j.Beta2, 0, almostOne), fmt.Sprintf("adam_beta2 %g; 0 up to 1 are possible", j.Beta2)},
		rule{!within(j.AdamEps, 0, 1), fmt.Sprintf("adam_epsilon %g", j.AdamEps)},
		rule{!within(j.Decay, 0, 10), fmt.Sprintf("weight_decay %g", j.Decay)},
		rule{!within(j.MaxNorm, 0, 1e12), fmt.Sprintf("max_grad_norm %g", j.MaxNorm)},
		rule{!between(j.Iterations, 1, 64), fmt.Sprintf("num_iterations %d; 1 to 64 are possible", j.Iterations)},
	)
	if err != nil {
		return err
	}
	return j.loss().check()
}

// almostOne is the largest beta of AdamW: at 1 its moments never move.
const almostOne = 0.99999999

func (j Job) checkRest() error {
	return first(
		rule{!slices.Contains([]string{"auto", "cpu", "cuda"}, j.Device), fmt.Sprintf("the device %q; auto, cpu and cuda are possible", j.Device)},
		rule{!slices.Contains([]string{"auto", "never", "always"}, j.Recompute), fmt.Sprintf("recompute %q; auto, never and always are possible", j.Recompute)},
		rule{min(int64(j.Threads), int64(j.MaxRows), j.Memory) < 0, "threads, rows of a micro-batch or memory are negative"},
	)
}

func between(n, low, high int) bool { return n >= low && n <= high }

func within(x, low, high float64) bool { return x >= low && x <= high }
