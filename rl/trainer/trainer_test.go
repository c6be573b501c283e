package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"longhand/engine/child"
	"longhand/engine/enginetest"
	"longhand/rl"
	"longhand/rl/checkpoint"
)

// The tests run this test binary again as the trainer.
const role = "LONGHAND_TRAINER_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "" {
		os.Exit(m.Run())
	}
	os.Args = os.Args[:1]
	main()
}

func self(t *testing.T) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(role, "1")
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	return []string{exe}
}

// run does a job in a process; stop, unless nil, ends it by force.
func run(t *testing.T, j rl.Job, stop func(rl.Event) bool) (all []rl.Event, err error) {
	t.Helper()
	for ev, err := range rl.Start(context.Background(), self(t), j) {
		if err != nil {
			return all, err
		}
		all = append(all, ev)
		if stop != nil && stop(ev) {
			break
		}
	}
	return all, nil
}

func textFile(t *testing.T, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// tiny is a model of random weights, made for the tests of rl/model.
const tiny = "../model/testdata/llama.gguf"

func replayJob(t *testing.T) rl.Job {
	j := rl.NewJob()
	j.Base, j.Dump = tiny, filepath.Join(t.TempDir(), "dump.safetensors")
	j.Replay = textFile(t, "replay.jsonl",
		`{"prompt":[1,2,3],"completions":[{"tokens":[4,5,6],"advantage":1,"logprobs":[-4,-4,-4]},{"tokens":[7],"advantage":-1}]}`,
		`{"prompt":[8],"completions":[{"tokens":[9,10],"advantage":0.5,"old_logprobs":[-4.6,-4.6]}]}`)
	j.Steps, j.Seed, j.Rank, j.Alpha, j.Beta, j.BLAS, j.Threads = 2, 3, 4, 10, 0.1, "own", 1
	rate := 1e-3
	j.Rate = &rate
	return j
}

// A replay through the process: its events, and a dump that says what it says it does. The
// next one, from the adapter that came out, goes on where it was.
func TestReplay(t *testing.T) {
	j := replayJob(t)
	all, err := run(t, j, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 {
		t.Fatalf("%v", all)
	}
	if s := all[0].(rl.Started); s.Dir != j.Dump || len(s.ModelSHA256) != 64 || !strings.HasPrefix(s.Device, "cpu: ") {
		t.Errorf("%+v", s)
	}
	if f := all[3].(rl.Finished); f.Dir != j.Dump || f.Step != 2 {
		t.Errorf("%+v", f)
	}
	d, meta, err := checkpoint.ReadSafetensors(j.Dump)
	if err != nil {
		t.Fatal(err)
	}
	if meta["rank"] != "4" || meta["alpha"] != "10" || len(meta["base_sha256"]) != 64 || meta["device"] == "" || !strings.Contains(meta["options"], `"loss_type":"dapo"`) {
		t.Errorf("%v", meta)
	}
	// B is 0, so the adapter changes nothing yet: the reference's log-probs are the same.
	for _, at := range []string{"0.0", "0.1", "1.0"} {
		lp, lr := d["logps."+at].F32, d["ref_logps."+at].F32
		if len(lp) == 0 || !slices.Equal(lp, lr) {
			t.Errorf("%s: %v, %v", at, lp, lr)
		}
	}
	if w := d["weight.0.0"].F32[0]; math.Abs(float64(w)-min(2, math.Exp(float64(d["logps.0.0"].F32[0])+4))) > 1e-5 {
		t.Error("w is", w)
	}
	a, b := d["param.blk.1.ffn_down.weight.lora_a"], d["param.blk.1.ffn_down.weight.lora_b"]
	if !slices.Equal(a.Shape, []int{4, 96}) || !slices.Equal(b.Shape, []int{64, 4}) || slices.Max(b.F32) != 0 || slices.Max(a.F32) > float32(1/math.Sqrt(96)) {
		t.Error(a.Shape, b.Shape)
	}
	if n := len(d["loss"].F32); n != 2 || len(d["grad_norm"].F32) != 2 {
		t.Error("losses:", n)
	}
	// With B = 0 the gradient of A is 0, and that of B is not.
	if g := d["grad.blk.0.attn_q.weight.lora_a"].F32; slices.Max(g) != 0 || slices.Min(g) != 0 {
		t.Error("the gradient of A at B = 0:", g[:4])
	}
	if g := d["grad.blk.0.attn_q.weight.lora_b"].F32; slices.Max(g) == 0 {
		t.Error("the gradient of B is 0")
	}
	again := replayJob(t)
	if _, err := run(t, again, nil); err != nil {
		t.Fatal(err)
	}
	same(t, j.Dump, again.Dump)
	testReplayGoesOn(t, d)
}

// testReplayGoesOn writes what came out as an adapter, which a replay begins with.
func testReplayGoesOn(t *testing.T, d map[string]checkpoint.Array) {
	out := &checkpoint.Adapter{Architecture: "llama", Rank: 4, Alpha: 10}
	for name, a := range d {
		if base, ok := strings.CutSuffix(strings.TrimPrefix(name, "after."), ".lora_a"); ok && strings.HasPrefix(name, "after.") {
			b := d["after."+base+".lora_b"]
			out.Pairs = append(out.Pairs, checkpoint.Pair{Name: base, In: a.Shape[1], Out: b.Shape[0], A: a.F32, B: b.F32})
		}
	}
	path := filepath.Join(t.TempDir(), "adapter.gguf")
	if err := out.WriteGGUF(path, checkpoint.F32); err != nil {
		t.Fatal(err)
	}
	zero := 0.0
	j := replayJob(t)
	j.Adapter, j.Rank, j.Rate, j.Steps = path, 16, &zero, 1
	if _, err := run(t, j, nil); err != nil {
		t.Fatal(err)
	}
	next, _, err := checkpoint.ReadSafetensors(j.Dump)
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range d {
		if rest, ok := strings.CutPrefix(name, "after."); ok && (!slices.Equal(next["param."+rest].F32, a.F32) || !slices.Equal(next["after."+rest].F32, a.F32)) {
			t.Errorf("%s is not what the adapter holds", rest)
		}
	}
	if slices.Equal(next["logps.0.0"].F32, next["ref_logps.0.0"].F32) {
		t.Error("the adapter changes nothing")
	}
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

// What cannot be done is said in one sentence.
func TestRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*rl.Job){
		"no such file":                        func(j *rl.Job) { j.Base = "none.gguf" },
		"it is not a GGUF file":               func(j *rl.Job) { j.Base = textFile(t, "x.gguf", "not a model at all, and long enough") },
		"this trainer was built without CUDA": func(j *rl.Job) { j.Device = "cuda" },
		"line 1 is not what it should be":     func(j *rl.Job) { j.Replay = textFile(t, "x.jsonl", "x") },
		"token 5000 is not in the": func(j *rl.Job) {
			j.Replay = textFile(t, "x.jsonl", `{"prompt":[5000],"completions":[{"tokens":[1],"advantage":1}]}`)
		},
		"open the BLAS":          func(j *rl.Job) { j.BLAS = textFile(t, "lib.so", "none") },
		"rl: there is no run in": func(j *rl.Job) { j.Replay, j.Resume, j.Out = "", true, t.TempDir() },
	} {
		j := replayJob(t)
		spoil(&j)
		_, err := run(t, j, nil)
		var died *child.Died
		if err == nil || errors.As(err, &died) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// sampleJob is a run on the sample model that takes seconds.
func sampleJob(t *testing.T) rl.Job {
	t.Helper()
	j := rl.NewJob()
	j.Library, j.Base = enginetest.Native(t)
	j.Out = filepath.Join(t.TempDir(), "out")
	j.Prompts = textFile(t, "prompts.jsonl", `{"prompt":"Is the sky blue? Answer yes or no.","min_words":1,"max_words":8}`, `{"prompt":"What is 2 + 2?","min_words":1,"max_words":8}`)
	j.Warmup = textFile(t, "warmup.jsonl", `{"prompt":"What is 2 + 2?","completion":"It is four."}`)
	j.Rewards, j.Group, j.PromptsPerStep, j.MaxTokens, j.Steps, j.SaveEvery = "length=1", 4, 2, 12, 2, 1
	j.Rank, j.Seed, j.Threads, j.Slots, j.MaxRows, j.RateWarmup = 4, 1, 1, 8, 512, 1
	j.WarmupSteps, j.WarmupBatch, j.WarmupRate, j.Beta = 2, 1, 4e-3, 0.01 // so large that the adapter shows at once
	rate := 1e-3
	j.Rate = &rate
	return j
}

// A run of everything that is real: the sample model in llama.cpp and on the processor's device. Killed
// in its second step and gone on with, it has the bits of the run that was not; the sampler follows the
// adapter; the checkpoint is one for llama.cpp and for PEFT.
func TestTrainSample(t *testing.T) {
	whole := sampleJob(t)
	all, err := run(t, whole, nil)
	if err != nil {
		t.Fatal(err)
	}
	var steps []rl.Step
	for _, ev := range all {
		switch e := ev.(type) {
		case rl.Preflight:
			if !e.OK || e.Mismatch > 0.3 || e.Architecture != "llama" || e.MemoryBytes < 500e6 || !(e.Rollout > 0) || !(e.Train > 0) {
				t.Errorf("%+v", e)
			}
		case rl.Step:
			steps = append(steps, e)
		}
	}
	last, ok := all[len(all)-1].(rl.Finished)
	if !ok || len(steps) != 2 {
		t.Fatal(fmt.Sprint(all))
	}
	for _, s := range steps { // the warm-up has moved the log-probs by more than llama.cpp's rounding of activations does
		if !(math.Abs(float64(s.Slope)-1) <= 4*float64(s.SlopeError)+0.2) || !(s.SlopeError < 0.3) || !(s.KL > 0) || !(s.Difference < 0.3) {
			t.Errorf("step %d: the slope is %g +- %g, kl %g, the mismatch %g", s.Step, s.Slope, s.SlopeError, s.KL, s.Difference)
		}
	}
	for _, name := range []string{"adapter.gguf", "adapter_model.safetensors", "adapter_config.json", "optimizer.safetensors", "trainer_state.json", "metrics.jsonl"} {
		if _, err := os.Stat(filepath.Join(last.Dir, name)); err != nil {
			t.Error(err)
		}
	}
	j := sampleJob(t)
	if _, err := run(t, j, func(ev rl.Event) bool { _, ok := ev.(rl.Step); return ok }); err != nil {
		t.Fatal(err)
	}
	j.Resume = true
	if _, err := run(t, j, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"adapter.gguf", "optimizer.safetensors", "adapter_model.safetensors"} {
		same(t, filepath.Join(last.Dir, name), filepath.Join(j.Out, filepath.Base(last.Dir), name))
	}
}

// A run that cannot fit says so before it starts.
func TestPreflightRefuses(t *testing.T) {
	j := sampleJob(t)
	j.Memory = 100 << 20
	all, err := run(t, j, nil)
	if err == nil || !strings.Contains(err.Error(), "may be used") || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	if p, ok := all[0].(rl.Preflight); !ok || p.OK || p.Message != err.Error() || p.MemoryFree == 0 {
		t.Errorf("%+v", all[0])
	}
}

// Rollouts on weights in F16 differ less from the trainer than those on the base's own. The head stays
// quantised, so they still differ.
func TestRolloutWeights(t *testing.T) {
	if os.Getenv("LONGHAND_LONG") != "1" {
		t.Skip("skipped: writes a copy of the sample model; LONGHAND_LONG=1 runs it")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("LONGHAND_HOME", "")
	mismatch := map[string]float64{}
	for _, weights := range []string{"", "f16"} {
		j := sampleJob(t)
		j.Rollout, j.Steps = weights, 1
		all, err := run(t, j, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range all {
			if s, ok := ev.(rl.Step); ok {
				mismatch[weights] = float64(s.Difference)
			}
		}
	}
	t.Log(mismatch)
	if !(mismatch["f16"] < 0.7*mismatch[""]) {
		t.Error("the rollouts in F16 are no nearer")
	}
}
