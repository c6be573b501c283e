package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"longhand/rl"
	"longhand/rl/checkpoint"
)

// withTrainer builds the training program beside this test binary, where the program looks for it.
func (p *program) withTrainer() *program {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	trainer := filepath.Join(filepath.Dir(self), "longhand-trainer")
	if out, err := exec.Command("go", "build", "-o", trainer, "../rl/trainer").CombinedOutput(); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	return p
}

// says runs the program and returns what it printed and told.
func (p *program) says(status int, args ...string) (out, told string) {
	p.t.Helper()
	cmd := p.command(args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		p.t.Fatalf("%v: %v\n%s%s", args, err, o.String(), e.String())
	}
	return o.String(), e.String()
}

func (p *program) file(name string, lines ...string) string {
	p.t.Helper()
	path := filepath.Join(p.home, name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// The whole way of a training run: preflight, warm-up, steps, evaluations; what it changed; the checkpoint in all
// three forms, of which the merged one says what it has kept.
func TestTrainAndExport(t *testing.T) {
	p := newProgram(t).withTrainer()
	prompts := p.file("prompts.jsonl", `{"prompt":"Is the sky blue? Answer yes or no.","min_words":1,"max_words":8}`, `{"prompt":"What is 2 + 2?","min_words":1,"max_words":8}`)
	held := p.file("held-out.jsonl", `{"prompt":"What is 3 + 3?","min_words":1,"max_words":8}`, `{"prompt":"Is snow white?","min_words":1,"max_words":8}`)
	warmup := p.file("warmup.jsonl", `{"prompt":"What is 2 + 2?","completion":"It is four, of course, and nothing else."}`)
	run := filepath.Join(p.home, "run")
	out, _ := p.says(0, "train", "--json", "--base", p.model, "--prompts", prompts, "--eval", held, "--warmup", warmup, "--warmup-steps", "2", "--out", run, "--rewards", "length=1",
		"--steps", "2", "--group", "4", "--prompts-per-step", "2", "--max-tokens", "12", "--rank", "4", "--lr", "1e-3", "--seed", "1",
		"--set", "warmup_learning_rate=4e-3", "--set", "warmup_batch_size=1", "--set", "eval_samples=2", "--set", "max_rows=512")
	var kinds []string
	for line := range strings.Lines(out) {
		ev, err := rl.Unmarshal([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		switch ev := ev.(type) {
		case rl.Preflight:
			if !ev.OK || ev.MemoryBytes == 0 {
				t.Errorf("%+v", ev)
			}
			kinds = append(kinds, "preflight")
		case rl.Step:
			kinds = append(kinds, "step")
		case rl.Warmup:
			kinds = append(kinds, "warmup")
		case rl.Eval:
			kinds = append(kinds, "eval "+ev.Phase)
		case rl.Finished:
			kinds = append(kinds, "finished")
		}
	}
	if want := []string{"preflight", "eval base", "warmup", "warmup", "eval warmup", "step", "step", "eval train", "finished"}; !slices.Equal(kinds, want) {
		t.Errorf("the events were %v, not %v", kinds, want)
	}
	if _, told := p.says(1, "train", "--base", p.model, "--prompts", prompts, "--out", run, "--rewards", "length=1"); !strings.Contains(told, "holds a run already") {
		t.Errorf("a run in the folder of another: %q", told)
	}
	learnt(t, p, run)
	exported(t, p, run)
}

func learnt(t *testing.T, p *program, run string) {
	picture := filepath.Join(p.home, "run.png")
	table, _ := p.says(0, "bench", "learn", "--run", run, "--plot", picture)
	if !strings.Contains(table, "reward length") || !strings.Contains(table, "2 x 2") || !strings.Contains(table, " to ") {
		t.Errorf("%s", table)
	}
	if b, err := os.ReadFile(picture); err != nil || !bytes.HasPrefix(b, []byte("\x89PNG")) {
		t.Errorf("the plot: %v", err)
	}
	lines, _ := p.says(0, "bench", "learn", "--run", run, "--since", "warmup", "--json")
	var c rl.Change
	if first, _, _ := strings.Cut(lines, "\n"); json.Unmarshal([]byte(first), &c) != nil || c.Name != "reward length" || c.Samples != 4 {
		t.Errorf("%s", lines)
	}
}

func exported(t *testing.T, p *program, run string) {
	at := func(name string) string { return filepath.Join(p.home, name) }
	p.says(0, "export", "checkpoint", run, "--format", "gguf", "--out", at("a.gguf"))
	p.says(0, "export", "checkpoint", run, "--format", "peft", "--out", at("peft"))
	_, told := p.says(0, "export", "checkpoint", run, "--format", "merged", "--type", "f16", "--out", at("merged.gguf"))
	share := regexp.MustCompile(`(?m)^(\d+) % of the training is in the merged model`).FindStringSubmatch(told)
	if share == nil {
		t.Fatalf("merged into F16: %s", told)
	}
	if n, _ := strconv.Atoi(share[1]); n < 80 || n > 100 {
		t.Errorf("merged into F16: %s", told)
	}
	a, err := checkpoint.ReadAdapter(at("a.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := checkpoint.ReadAdapter(run)
	if err != nil {
		t.Fatal(err)
	}
	if a.Rank != 4 || len(a.Pairs) != len(b.Pairs) || !slices.Equal(a.Pairs[0].B, b.Pairs[0].B) {
		t.Error("the exported adapter is another one")
	}
	for _, name := range []string{"peft/adapter_config.json", "peft/adapter_model.safetensors"} {
		if _, err := os.Stat(at(name)); err != nil {
			t.Error(err)
		}
	}
	f, err := checkpoint.Open(at("merged.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// The trainer's speed is measured without llama.cpp.
func TestBenchTrain(t *testing.T) {
	p := newProgram(t).withTrainer()
	out, told := p.says(0, "bench", "train", "--model", "../rl/model/testdata/llama.gguf", "--prompts", "2", "--group", "2", "--prompt", "3", "--tokens", "8", "--repeat", "2", "--recompute", "always")
	if !strings.Contains(out, "tokens/s") || !strings.Contains(out, "44 tokens") || !strings.Contains(told, "MiB") {
		t.Errorf("%s%s", out, told)
	}
}
