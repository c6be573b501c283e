package rl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// trainingJob is a job that Check lets pass.
func trainingJob() Job {
	j := NewJob()
	j.Base, j.Out, j.Prompts = "m.gguf", "out", "p.jsonl"
	return j
}

func TestJobDefaults(t *testing.T) {
	j := trainingJob()
	if err := j.Check(); err != nil {
		t.Fatal(err)
	}
	if o := j.loss(); o != (LossOptions{DAPO, 0.2, 0.28, 0, 2, 512}) {
		t.Errorf("%+v", o)
	}
	for kind, want := range map[string][2]float64{GSPO: {3e-4, 4e-4}, CISPO: {0.2, 5}, GRPO: {0.2, 0.28}} {
		j.Loss = kind
		if o := j.loss(); o.Epsilon != want[0] || o.EpsilonHigh != want[1] {
			t.Errorf("%+v", o)
		}
	}
	for parameters, want := range map[uint64]float64{135e6: 5e-5, 494e6: 5e-5, 1_240e6: 2e-5, 3_090e6: 2e-5, 6_740e6: 1e-5, 8_030e6: 1e-5} {
		if rate := DefaultRate(parameters); rate != want {
			t.Errorf("%d parameters: %g", parameters, rate)
		}
	}
}

func TestJobSettings(t *testing.T) {
	j := trainingJob()
	for _, set := range []string{
		"loss_type=gspo", "epsilon=0.1", "epsilon_high=0.3", "beta=0.04", "importance_sampling_cap=3", "weight_decay=0.1", "max_grad_norm=0.5",
		"num_iterations=2", "scale_rewards=batch", "mask_truncated_completions=true",
	} {
		name, value, _ := strings.Cut(set, "=")
		if err := j.Set(name, value); err != nil {
			t.Error(err)
		}
	}
	if err := j.Check(); err != nil {
		t.Fatal(err)
	}
	if o := j.loss(); o != (LossOptions{GSPO, 0.1, 0.3, 0.04, 3, 512}) {
		t.Errorf("%+v", o)
	}
	if j.Decay != 0.1 || j.MaxNorm != 0.5 || j.Iterations != 2 || j.Scale != ScaleBatch || j.MaskTruncated == nil || !*j.MaskTruncated {
		t.Errorf("%+v", j)
	}
	if err := j.Set("scale_rewards", "False"); err != nil || j.Scale != ScaleNone {
		t.Error(err, j.Scale)
	}
	for set, want := range map[string]string{
		"epsilno=1":                      `there is no option "epsilno"; there are adam_beta1, `,
		"epsilon=high":                   `the option epsilon=high: "high" is not a number`,
		"num_iterations=1.5":             "is not a whole number",
		"mask_truncated_completions=yes": "is neither true nor false",
		"beta=":                          "is not a number",
	} {
		name, value, _ := strings.Cut(set, "=")
		if err := j.Set(name, value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// Each wrong value is refused in one sentence.
func TestJobCheck(t *testing.T) {
	set := func(name, value string) func(*Job) {
		return func(j *Job) {
			if err := j.Set(name, value); err != nil {
				t.Error(err)
			}
		}
	}
	for want, spoil := range map[string]func(*Job){
		"no base model is named":          func(j *Job) { j.Base = "" },
		"no folder is named":              func(j *Job) { j.Out = "" },
		"no file with prompts":            func(j *Job) { j.Prompts = "" },
		"no file with examples":           func(j *Job) { j.WarmupSteps = 5 },
		"no warm-up steps":                func(j *Job) { j.Warmup = "w.jsonl" },
		"no file with held-out":           func(j *Job) { j.EvalEvery = 5 },
		"are the training prompts":        func(j *Job) { j.Eval = "./p.jsonl" },
		"1 completions a prompt":          set("num_generations", "1"),
		"at most 0 tokens":                set("max_completion_length", "0"),
		`the loss "ppo"`:                  set("loss_type", "ppo"),
		"the loss sft is the warm-up's":   set("loss_type", "sft"),
		"epsilon 1.5":                     set("epsilon", "1.5"),
		"epsilon_high NaN":                set("epsilon_high", "NaN"),
		"beta -1":                         set("beta", "-1"),
		"importance_sampling_cap 0":       set("importance_sampling_cap", "0"),
		`scale_rewards "some"`:            set("scale_rewards", "some"),
		`multi_objective_aggregation "x"`: set("multi_objective_aggregation", "x"),
		"the learning rate -1":            set("learning_rate", "-1"),
		"the learning rate +Inf":          set("learning_rate", "Inf"),
		"adam_beta1 1;":                   set("adam_beta1", "1"),
		"num_iterations 0":                set("num_iterations", "0"),
		"the rank 0":                      func(j *Job) { j.Rank = 0 },
		`the device "gpu"`:                func(j *Job) { j.Device = "gpu" },
		`the form "free"`:                 set("form", "free"),
		"no rewards":                      func(j *Job) { j.Rewards = "" },
		`rollout weights "q2"`:            set("rollout_weights", "q2"),
		"a replay needs a file":           func(j *Job) { j.Replay = "r.jsonl" },
		"rl: a number of examples, samples, or checkpoints": set("save_steps", "0"),
	} {
		j := trainingJob()
		spoil(&j)
		err := j.Check()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", want, err)
		}
	}
	replay := NewJob()
	replay.Base, replay.Replay, replay.Dump = "m.gguf", "r.jsonl", "d.safetensors"
	if err := replay.Check(); err != nil {
		t.Error(err)
	}
}

func TestReadJob(t *testing.T) {
	j, err := ReadJob([]byte(`{"base":"b","learning_rate":0,"epsilon":0}`))
	if err != nil || j.Rate == nil || *j.Rate != 0 || *j.Epsilon != 0 || j.EpsilonHigh != nil || j.Group != 8 {
		t.Errorf("%+v, %v", j, err)
	}
	b, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ReadJob(b); err != nil || !reflect.DeepEqual(back, j) {
		t.Errorf("%+v, %v", back, err)
	}
	if _, err := ReadJob([]byte(`{"bass":1}`)); err == nil || !strings.Contains(err.Error(), "bass") {
		t.Error(err)
	}
}

func TestReadPrompts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.jsonl")
	write := func(text string) string {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	got, err := ReadPrompts(write("\uFEFF{\"prompt\":\"a\",\"min_words\":30,\"max_words\":50}\r\n\n{\"prompt\":\"漢\",\"from\":\"x\"}"))
	if err != nil || !slices.Equal(got, []Prompt{{"a", 30, 50}, {Text: "漢"}}) {
		t.Errorf("%+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                                      "the file is empty",
		"\n\n":                                  "the file is empty",
		"{\"prompt\":\"a\"}\n{\"prompt\":\"\"}": `line 2: the "prompt" is missing or empty`,
		"{\"prompt\":\"a\"":                     "line 1 is not what it should be",
		"[1]":                                   "a JSON array where an object is wanted",
		"{\"prompt\":5}":                        `"prompt" is a number, which does not fit`,
		"{\"prompt\":\"a\",\"min_words\":9,\"max_words\":3}": "line 1: min_words 9 is above max_words 3",
		"{\"prompt\":\"a\",\"min_words\":-1}":                "line 1: min_words -1",
		"{\"prompt\":\"a\xff\"}":                             "line 1 is not UTF-8",
		"{\"prompt\":\"a\\u0000\"}":                          "holds a zero byte",
	} {
		_, err := ReadPrompts(write(text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "p.jsonl") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadPrompts(path + "x"); err == nil {
		t.Error("a file that is not there")
	}
	if _, err := ReadExamples(write(`{"prompt":"a","completion":" "}`)); err == nil || !strings.Contains(err.Error(), `the "completion" is missing or empty`) {
		t.Error(err)
	}
	for text, want := range map[string]string{
		`{"prompt":[],"completions":[{"tokens":[1],"advantage":1}]}`:                    `the "prompt" has no tokens`,
		`{"prompt":[1],"completions":[]}`:                                               "there are no completions",
		`{"prompt":[1],"completions":[{"tokens":[],"advantage":1}]}`:                    "completion 0 has no tokens",
		`{"prompt":[1],"completions":[{"tokens":[1]}]}`:                                 "completion 0 has no advantage",
		`{"prompt":[1],"completions":[{"tokens":[1,2],"advantage":1,"logprobs":[-1]}]}`: "2 tokens and 1 logprobs",
		`{"prompt":[1],"completions":[{"tokens":[1],"advantage":1,"old_logprobs":[]}]}`: "1 tokens and 0 old_logprobs",
		`{"prompt":[1.5],"completions":[{"tokens":[1],"advantage":1}]}`:                 "does not fit",
		`{"prompt":[99999999999],"completions":[{"tokens":[1],"advantage":1}]}`:         "does not fit",
	} {
		if _, err := ReadReplay(write(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if r, err := ReadReplay(write(`{"prompt":[1],"completions":[{"tokens":[1],"advantage":0,"logprobs":[-0.5]}]}`)); err != nil || *r[0].Completions[0].Advantage != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
