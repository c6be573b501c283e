package rl

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"longhand/rewards"
	"longhand/rl/model"
)

// tinyJob is a small job over tiny prompts, and its parts.
func tinyJob(t testing.TB, path string) (Job, Parts) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, lines ...string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	j := NewJob()
	j.Base, j.Out, j.Seed = path, filepath.Join(dir, "out"), 11
	j.Prompts = write("prompts.jsonl", `{"prompt":"one"}`, `{"prompt":"two words"}`, `{"prompt":"three"}`)
	j.Eval = write("eval.jsonl", `{"prompt":"held out"}`, `{"prompt":"apart"}`)
	j.Warmup = write("warmup.jsonl", `{"prompt":"one","completion":"abc abd"}`, `{"prompt":"two","completion":"aabb"}`)
	j.Steps, j.WarmupSteps, j.EvalEvery, j.EvalSamples = 4, 3, 2, 2
	j.Group, j.PromptsPerStep, j.MaxTokens, j.SaveEvery, j.Keep = 3, 2, 6, 2, 10
	j.Rate, j.RateWarmup, j.WarmupRate, j.WarmupBatch, j.Rank, j.Alpha = number(2e-2), 2, 1e-2, 2, 2, 5
	j.Beta = 0.01
	return j, Parts{Policy: openTiny(t, path, model.Options{Seed: j.Seed}), Sampler: openTinySampler(t, path), Rewards: tinyRewards(), SHA256: "base"}
}

// follow runs a job until stop says so, and gives what it yielded.
func follow(ctx context.Context, j Job, p Parts, stop func(Event) bool) (all []Event, err error) {
	for ev, err := range Train(ctx, j, p) {
		if err != nil {
			return all, err
		}
		all = append(all, ev)
		if stop != nil && stop(ev) {
			return all, nil
		}
	}
	return all, nil
}

func kinds(all []Event) (names []string) {
	for _, ev := range all {
		names = append(names, ev.event())
	}
	return names
}

// timeless is what the run decided, without what the clock said.
func timeless(t *testing.T, path string) string {
	t.Helper()
	all, err := ReadMetrics(path)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, ev := range all {
		switch e := ev.(type) {
		case Step:
			e.Rollout, e.Train, e.Seconds, e.RolloutSec, e.RewardSec, e.TrainSec = 0, 0, 0, 0, 0, 0
			ev = e
		case Warmup:
			e.TrainSpeed, e.Seconds = 0, 0
			ev = e
		case Eval:
			e.Seconds, e.Samples = 0, filepath.Base(e.Samples)
			ev = e
		}
		line, err := Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

func TestTrainTells(t *testing.T) {
	j, p := tinyJob(t, writeTiny(t))
	all, err := follow(context.Background(), j, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"started", "preflight", "eval", "warmup", "warmup", "checkpoint", "warmup", "checkpoint", "eval",
		"step", "sample", "sample", "step", "sample", "sample", "checkpoint", "eval", "step", "sample", "sample", "step", "sample", "sample", "checkpoint", "eval", "finished",
	}
	if got := kinds(all); !slices.Equal(got, want) {
		t.Fatalf("%v\nnot %v", got, want)
	}
	pre := all[1].(Preflight)
	if !pre.OK || pre.Architecture != "llama" || pre.Mismatch > 1e-6 || !(pre.SecondsPerStep > 0) || pre.MemoryBytes == 0 || !strings.Contains(pre.Message, "a step") {
		t.Errorf("%+v", pre)
	}
	for i, ev := range all {
		switch e := ev.(type) {
		case Step:
			if !(e.Reward >= 0 && e.Reward <= 3) || e.Rewards[0].Name != "early" || e.Difference > 1e-6 || e.NumTokens == 0 || !(e.GradNorm > 0) || !(e.KL >= 0) || e.Entropy < 1 {
				t.Errorf("event %d: %+v", i, e)
			}
			// The sampler has the adapter of the update before: the trainer's log-probs are its own.
			if math.Abs(float64(e.Slope)-1) > 1e-3 {
				t.Errorf("step %d: the slope is %g", e.Step, e.Slope)
			}
			if want := []float64{1e-2, 2e-2, 2e-2, 2e-2}[e.Step]; float64(e.LearningRate) != want {
				t.Errorf("step %d: the rate is %g", e.Step, e.LearningRate)
			}
		case Eval:
			b, err := os.ReadFile(e.Samples)
			if err != nil {
				t.Fatal(err)
			}
			if e.Count != 4 || bytes.Count(b, []byte("\n")) != 4 {
				t.Errorf("%+v", e)
			}
			var s EvalSample
			if err := json.Unmarshal(b[:bytes.IndexByte(b, '\n')], &s); err != nil || s.Prompt != "held out" || len(s.Rewards) != 2 {
				t.Errorf("%+v, %v", s, err)
			}
		}
	}
	last := all[len(all)-1].(Finished)
	if last.Step != 4 || last.Stopped || filepath.Base(last.Dir) != "checkpoint-000004" {
		t.Errorf("%+v", last)
	}
	for _, name := range []string{"adapter.gguf", "optimizer.safetensors", "trainer_state.json", "metrics.jsonl"} {
		if _, err := os.Stat(filepath.Join(last.Dir, name)); err != nil {
			t.Error(err)
		}
	}
	same(t, filepath.Join(j.Out, "adapter.gguf"), filepath.Join(last.Dir, "adapter.gguf"))
}

func same(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Errorf("%s and %s differ", a, b)
	}
}

// However often a run is broken off, and wherever: going on gives the bits that it would
// have had. The job twice gives the same, too.
func TestTrainResumes(t *testing.T) {
	path := writeTiny(t)
	whole, parts := tinyJob(t, path)
	all, err := follow(context.Background(), whole, parts, nil)
	if err != nil {
		t.Fatal(err)
	}
	events := len(all)
	for _, every := range []int{events + 1, 3, 10} { // broken off after so many events, again and again
		j, parts := tinyJob(t, path)
		for run := 0; ; run++ {
			if run > events {
				t.Fatalf("every %d: it never ends", every)
			}
			n, done := 0, false
			limit := every + run // else a run that is broken off before its first checkpoint never gets on
			all, err := follow(context.Background(), j, parts, func(ev Event) bool {
				_, done = ev.(Finished)
				n++
				return n == limit
			})
			if err != nil {
				t.Fatalf("every %d: %v, after %v", every, err, kinds(all))
			}
			if done {
				break
			}
			spoil(t, j.Out)
			j.Resume = true
			parts = Parts{Policy: openTiny(t, path, model.Options{Seed: j.Seed}), Sampler: openTinySampler(t, path), Rewards: tinyRewards(), SHA256: "base"}
		}
		for _, name := range []string{"checkpoint-000004/adapter.gguf", "checkpoint-000004/optimizer.safetensors", "checkpoint-000000/adapter.gguf", "eval-train-000004.jsonl"} {
			same(t, filepath.Join(whole.Out, name), filepath.Join(j.Out, name))
		}
		if a, b := timeless(t, filepath.Join(whole.Out, metricsFile)), timeless(t, filepath.Join(j.Out, metricsFile)); a != b {
			t.Errorf("every %d: the metrics differ: %s", every, firstDifference(a, b))
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + "\n" + y[i]
		}
	}
	return "one is longer"
}

// spoil leaves what a kill in the middle of writing leaves.
func spoil(t *testing.T, out string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(out, metricsFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"event":"step","step":9,"lo`); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(out, ".checkpoint"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, ".checkpoint", stateFile), []byte(`{"ver`), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Cancelling finishes the step in hand and keeps it.
func TestTrainStops(t *testing.T) {
	path := writeTiny(t)
	j, parts := tinyJob(t, path)
	ctx, cancel := context.WithCancel(context.Background())
	all, err := follow(ctx, j, parts, func(ev Event) bool {
		if s, ok := ev.(Step); ok && s.Step == 0 {
			cancel()
		}
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	last, ok := all[len(all)-1].(Finished)
	if !ok || !last.Stopped || last.Step != 1 || filepath.Base(last.Dir) != "checkpoint-000001" {
		t.Errorf("%+v", all[len(all)-1])
	}
	j.Resume, j.Steps = true, 2
	resumed, err := Resumed(Job{Out: j.Out, Steps: 2})
	if err != nil || !reflect.DeepEqual(resumed, j) {
		t.Fatalf("%+v, %v", resumed, err)
	}
	parts.Policy, parts.Sampler = openTiny(t, path, model.Options{Seed: j.Seed}), openTinySampler(t, path)
	all, err = follow(context.Background(), resumed, parts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := all[0].(Started); s.Step != 1 || s.Steps != 2 || s.Resumed == "" {
		t.Errorf("%+v", s)
	}
}

// Cancelled before the first step, or within an evaluation, it stops at once.
func TestTrainStopsBetweenSteps(t *testing.T) {
	path := writeTiny(t)
	for after, want := range map[string]int{"started": 0, "checkpoint": 2} { // behind the first is the preflight, behind that of a step its evaluation
		j, parts := tinyJob(t, path)
		j.Warmup, j.WarmupSteps = "", 0
		ctx, cancel := context.WithCancel(context.Background())
		all, err := follow(ctx, j, parts, func(ev Event) bool {
			if ev.event() == after {
				cancel()
			}
			return false
		})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		last, ok := all[len(all)-1].(Finished)
		if !ok || !last.Stopped || last.Step != want || all[len(all)-2].event() != after {
			t.Errorf("%v, %+v", kinds(all), last)
		}
	}
}

// What is not a number ends the run, and the last checkpoint is kept.
func TestTrainNotANumber(t *testing.T) {
	j, parts := tinyJob(t, writeTiny(t))
	all, err := follow(context.Background(), j, parts, func(ev Event) bool {
		if s, ok := ev.(Step); ok && s.Step == 2 {
			*parts.Policy.(tinyPolicy).sick = true
		}
		return false
	})
	kept := filepath.Join(j.Out, "checkpoint-000002")
	if err == nil || !strings.Contains(err.Error(), "NaN, in step 3; the checkpoint "+kept+" is kept") {
		t.Fatalf("%v, after %v", err, kinds(all))
	}
	if s, dir, err := LastState(j.Out); err != nil || dir != kept || s.Step != 2 {
		t.Errorf("%+v, %s, %v", s, dir, err)
	}
}

// Going on with other micro-batches is possible, and said.
func TestTrainResumesElsewhere(t *testing.T) {
	path := writeTiny(t)
	j, parts := tinyJob(t, path)
	if _, err := follow(context.Background(), j, parts, func(ev Event) bool {
		c, ok := ev.(Checkpoint)
		return ok && c.Step == 2 && filepath.Base(c.Dir) != "warmup-000002"
	}); err != nil {
		t.Fatal(err)
	}
	j.Resume = true
	parts.Policy, parts.Sampler = openTiny(t, path, model.Options{Seed: j.Seed, MaxRows: 230}), openTinySampler(t, path)
	all, err := follow(context.Background(), j, parts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := all[1].(Preflight); !p.OK || !strings.Contains(p.Message, "not with the bits it would have had") {
		t.Errorf("%+v", p)
	}
}

// The method learns: the letters that are rewarded become more.
func TestTrainLearns(t *testing.T) {
	path := writeTiny(t)
	for _, set := range []string{"loss_type=dapo", "loss_type=gspo num_iterations=2"} {
		j, parts := tinyJob(t, path)
		j.Warmup, j.WarmupSteps, j.Eval, j.EvalEvery, j.Beta = "", 0, "", 0, 0
		j.Steps, j.Group, j.PromptsPerStep, j.MaxTokens, j.RateWarmup = 12, 6, 2, 5, 1
		j.Rate = number(5e-2)
		parts.Rewards = rewards.Set{{Name: "early", Reward: early{}, Weight: 1}}
		for _, one := range strings.Fields(set) {
			name, value, _ := strings.Cut(one, "=")
			if err := j.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		all, err := follow(context.Background(), j, parts, nil)
		if err != nil {
			t.Fatalf("%s: %v", set, err)
		}
		var r []float64
		for _, ev := range all {
			if s, ok := ev.(Step); ok {
				r = append(r, float64(s.Reward))
			}
		}
		first, last := (r[0]+r[1])/2, (r[len(r)-1]+r[len(r)-2])/2
		t.Logf("%s: %.2f", set, r)
		if last < first+0.2 {
			t.Errorf("%s: the reward went from %.2f to %.2f", set, first, last)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	path := writeTiny(t)
	for want, spoil := range map[string]func(*Job, *Parts){
		"line 1":                   func(j *Job, p *Parts) { os.WriteFile(j.Prompts, []byte("x"), 0o644) },
		"do not fit into the":      func(j *Job, p *Parts) { j.MaxTokens = 5000 },
		"the sampler's context of": func(j *Job, p *Parts) { j.MaxTokens = 198 },
		"asks for up to 40 words, which needs completions of at least 60 tokens and not 6": func(j *Job, p *Parts) {
			os.WriteFile(j.Prompts, []byte(`{"prompt":"a","max_words":40}`), 0o644)
		},
		"holds a run already": func(j *Job, p *Parts) {
			os.MkdirAll(filepath.Join(j.Out, "checkpoint-000001"), 0o755)
			os.WriteFile(filepath.Join(j.Out, "checkpoint-000001", stateFile), []byte(`{"version":1,"phase":"train","step":1}`), 0o644)
		},
		"is damaged": func(j *Job, p *Parts) {
			os.MkdirAll(filepath.Join(j.Out, "checkpoint-000001"), 0o755)
			os.WriteFile(filepath.Join(j.Out, "checkpoint-000001", stateFile), []byte(`{`), 0o644)
		},
		"the base model is not the one": func(j *Job, p *Parts) {
			j.Resume = true
			os.MkdirAll(filepath.Join(j.Out, "checkpoint-000001"), 0o755)
			os.WriteFile(filepath.Join(j.Out, "checkpoint-000001", stateFile), []byte(`{"version":1,"phase":"train","step":1,"base_sha256":"other"}`), 0o644)
		},
		"do not compute the same":                func(j *Job, p *Parts) { p.Sampler.(*tinySampler).heat = 0.8 },
		"the sampler does not apply the adapter": func(j *Job, p *Parts) { p.Sampler.(*tinySampler).deaf = true },
	} {
		j, parts := tinyJob(t, path)
		spoil(&j, &parts)
		all, err := follow(context.Background(), j, parts, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, after %v", want, err, kinds(all))
		}
	}
}
