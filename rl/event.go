package rl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// Event is what a run tells: Started, Preflight, Warmup, Step, Sample,
// Checkpoint, Eval or Finished. Marshal makes it a line of `longhand train --json`.
type Event interface{ event() string }

// Number is null in JSON where it is NaN, that is unknown.
type Number float64

func (n Number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// OrNull is a string that is null in JSON where it is empty.
type OrNull string

func (s OrNull) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(s))
}

// Started comes first.
type Started struct {
	Dir         string `json:"dir"`
	Seed        uint64 `json:"seed"`
	Device      string `json:"device"`
	Model       string `json:"model"`
	ModelSHA256 OrNull `json:"model_sha256"`
	Resumed     OrNull `json:"resumed"` // the checkpoint folder that the run goes on from
	Step        int    `json:"step"`    // the first to come
	Steps       int    `json:"steps"`   // in all
}

// Preflight says before the first step whether the run can be done, and what it
// will take. Seconds are measured on a few completions.
type Preflight struct {
	OK             bool   `json:"ok"`
	Message        string `json:"message"`
	Architecture   string `json:"architecture"`
	MemoryBytes    int64  `json:"memory_bytes"` // of the process: the trainer's plan, samplers and judges
	MemoryFree     int64  `json:"memory_free_bytes"`
	SecondsPerStep Number `json:"seconds_per_step"`
	Mismatch       Number `json:"mismatch_mean"`              // mean |lp - ls| of the probe, nat
	Rollout        Number `json:"rollout_seconds_per_1000"`   // sampled tokens
	Train          Number `json:"train_seconds_per_1000"`     // tokens through forward and backward
	Score          Number `json:"score_seconds_per_1000"`     // tokens of completions through the rewards
	Parameters     uint64 `json:"parameters"`                 // of the base
	Trained        int    `json:"adapter_parameters"`         // of the adapter
	Prompts        int    `json:"prompts"`                    // in the file
	LearningRate   Number `json:"learning_rate"`              // as it will be used
	TokensPerStep  int    `json:"completion_tokens_per_step"` // expected
	ProbeTokens    int    `json:"probe_tokens"`               // the probe's completions had
}

// Warmup is one supervised step.
type Warmup struct {
	Step         int    `json:"step"`
	Loss         Number `json:"loss"` // mean -log p of the completions' tokens
	GradNorm     Number `json:"grad_norm"`
	LearningRate Number `json:"learning_rate"`
	Tokens       int    `json:"tokens"` // of this step, trained
	NumTokens    int    `json:"num_tokens"`
	TrainSpeed   Number `json:"train_tokens_per_second"`
	Seconds      Number `json:"step_time"`
}

// Step is one step of GRPO, by TRL's keys as TRL logs them and then ours.
type Step struct {
	Step         int          `json:"step"`
	Loss         Number       `json:"loss"`
	Reward       Number       `json:"reward"`     // mean over the completions of the weighted sum
	RewardStd    Number       `json:"reward_std"` // mean over the groups of its deviation
	Rewards      []RewardStat `json:"-"`          // "rewards/NAME/mean" and "rewards/NAME/std"
	ZeroStd      Number       `json:"frac_reward_zero_std"`
	Length       Number       `json:"completions/mean_length"` // tokens, the end token included
	LengthMin    Number       `json:"completions/min_length"`
	LengthMax    Number       `json:"completions/max_length"`
	Clipped      Number       `json:"completions/clipped_ratio"` // share of completions that are not finished
	Entropy      Number       `json:"entropy"`
	KL           Number       `json:"kl"` // to the base, k3; at beta 0 from the tokens of AdapterSlope
	GradNorm     Number       `json:"grad_norm"`
	LearningRate Number       `json:"learning_rate"`
	NumTokens    int          `json:"num_tokens"` // so far: prompts, once for each completion, and completions

	Difference Number `json:"sampling/sampling_logp_difference/mean"`  // |lp - ls|
	Importance Number `json:"sampling/importance_sampling_ratio/mean"` // w
	MismatchK3 Number `json:"mismatch_k3"`                             // mean of exp(d) - 1 - d, d = lp - ls
	Relative   Number `json:"mismatch_relative"`                       // the difference against step 0's
	Slope      Number `json:"adapter_slope"`                           // 1: the sampler applies the adapter
	SlopeError Number `json:"adapter_slope_se"`                        // its standard error
	Truncated  Number `json:"is_truncated_share"`                      // share of tokens whose w was cut at the cap
	ClipLow    Number `json:"clip_ratio/low_mean"`                     // share of tokens whose ratio was cut
	ClipHigh   Number `json:"clip_ratio/high_mean"`                    //
	Dead       Number `json:"dead_groups"`                             // share of groups that taught nothing
	Unknown    Number `json:"rewards_unknown"`                         // share of rewards that could not be computed
	Rollout    Number `json:"rollout_tokens_per_second"`               // sampled tokens
	Train      Number `json:"train_tokens_per_second"`                 // tokens through forward and backward
	Seconds    Number `json:"step_time"`                               // of it all
	RolloutSec Number `json:"rollout_seconds"`                         //
	RewardSec  Number `json:"reward_seconds"`                          //
	TrainSec   Number `json:"train_seconds"`                           //
	Micro      int    `json:"micro_batches"`                           //
}

// unknownStep is a step of which nothing is known yet.
func unknownStep(step int) Step {
	s := Step{Step: step}
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		if n, ok := v.Field(i).Addr().Interface().(*Number); ok {
			*n = Number(math.NaN())
		}
	}
	return s
}

// RewardStat is one reward over all completions of a step.
type RewardStat struct {
	Name      string
	Mean, Std Number
}

// Sample is a completion with what it earned.
type Sample struct {
	Step       int               `json:"step"`
	Prompt     string            `json:"prompt"`
	Completion string            `json:"completion"`
	Rewards    map[string]Number `json:"rewards"`
	Advantage  Number            `json:"advantage"`
	Group      int               `json:"group"` // place of the prompt in the step
	Index      int               `json:"index"` // in the group
	Finished   bool              `json:"finished"`
	Tokens     int               `json:"tokens"`
}

// Checkpoint says that a checkpoint folder is whole. Step is the number of steps done.
type Checkpoint struct {
	Step int    `json:"step"`
	Dir  string `json:"dir"`
}

// Eval is what raw samples on held-out prompts earned. Samples names the file with
// each of them.
type Eval struct {
	Step       int               `json:"step"`
	Phase      string            `json:"phase"` // "base", "warmup" or "train": what was done before it
	Rewards    map[string]Number `json:"rewards"`
	LengthMean Number            `json:"length_mean"` // words
	TokensMean Number            `json:"tokens_mean"`
	Finished   Number            `json:"finished"`   // share
	Distinct2  Number            `json:"distinct_2"` // different word pairs of a text against all, mean
	Repetition Number            `json:"repetition"` // share of a text's word quadruples that stand in it before, mean
	Count      int               `json:"count"`
	Samples    string            `json:"samples"`
	Seconds    Number            `json:"seconds"`
}

// Finished comes last. Dir is the last checkpoint's folder, or the dump's file.
type Finished struct {
	Step    int    `json:"step"`
	Dir     string `json:"dir"`
	Seconds Number `json:"seconds"`
	Stopped bool   `json:"stopped"` // before all steps were done

	PeakBytes int64 `json:"memory_peak_bytes"` // the most that the process held; 0: not known
}

func (Started) event() string    { return "started" }
func (Preflight) event() string  { return "preflight" }
func (Warmup) event() string     { return "warmup" }
func (Step) event() string       { return "step" }
func (Sample) event() string     { return "sample" }
func (Checkpoint) event() string { return "checkpoint" }
func (Eval) event() string       { return "eval" }
func (Finished) event() string   { return "finished" }

// MarshalJSON puts the rewards where TRL has them.
func (s Step) MarshalJSON() ([]byte, error) {
	type plain Step
	body, err := encode(plain(s))
	if err != nil {
		return nil, err
	}
	var rewards bytes.Buffer
	for _, r := range s.Rewards {
		mean, _ := r.Mean.MarshalJSON()
		std, _ := r.Std.MarshalJSON()
		fmt.Fprintf(&rewards, `,%s:%s,%s:%s`, quote("rewards/"+r.Name+"/mean"), mean, quote("rewards/"+r.Name+"/std"), std)
	}
	at := bytes.Index(body, []byte(`,"frac_reward_zero_std"`))
	return bytes.Join([][]byte{body[:at], rewards.Bytes(), body[at:]}, nil), nil
}

// UnmarshalJSON reads the rewards in their order.
func (s *Step) UnmarshalJSON(b []byte) error {
	type plain Step
	if err := json.Unmarshal(b, (*plain)(s)); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	s.Rewards = nil
	dec := json.NewDecoder(bytes.NewReader(b))
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		name, ok := strings.CutSuffix(strings.TrimPrefix(key, "rewards/"), "/mean")
		if !ok || !strings.HasPrefix(key, "rewards/") {
			continue
		}
		r := RewardStat{Name: name}
		if err := json.Unmarshal(all[key], &r.Mean); err != nil {
			return err
		}
		if std := all["rewards/"+name+"/std"]; std != nil {
			if err := json.Unmarshal(std, &r.Std); err != nil {
				return err
			}
		}
		s.Rewards = append(s.Rewards, r)
	}
	return nil
}

// Marshal writes an event as one JSON object whose first key is "event".
func Marshal(ev Event) ([]byte, error) {
	body, err := encode(ev)
	if err != nil {
		return nil, fmt.Errorf("rl: write %s: %w", ev.event(), err)
	}
	return append([]byte(`{"event":"`+ev.event()+`",`), body[1:]...), nil
}

// Unmarshal reads what Marshal wrote. Keys it does not know are passed over; an
// unknown event is nil and no error.
func Unmarshal(line []byte) (Event, error) {
	var kind struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return nil, fmt.Errorf("rl: read an event: %w", err)
	}
	read, ok := readers[kind.Event]
	if !ok {
		return nil, nil
	}
	ev, err := read(line)
	if err != nil {
		return nil, fmt.Errorf("rl: read the event %s: %w", kind.Event, err)
	}
	return ev, nil
}

var readers = map[string]func([]byte) (Event, error){
	"started": as[Started], "preflight": as[Preflight], "warmup": as[Warmup], "step": as[Step], "sample": as[Sample],
	"checkpoint": as[Checkpoint], "eval": as[Eval], "finished": as[Finished],
}

func as[E Event](line []byte) (Event, error) {
	var ev E
	err := json.Unmarshal(line, &ev)
	return ev, err
}

// encode is json.Marshal with <, > and & as they are.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(buf.Bytes()), nil
}

func quote(s string) []byte {
	b, _ := encode(s) // a string: cannot fail
	return b
}
