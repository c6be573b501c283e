package rl

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// A run's folder:
//
//	job.json              the job as it runs, every default filled in
//	metrics.jsonl         a line for each step, warm-up step and evaluation
//	checkpoint-000010/    after 10 steps; checkpoint-000000 is what a warm-up made
//	warmup-000010/        within the warm-up
//	eval-PHASE-000010.jsonl
//	adapter.gguf, adapter_model.safetensors, adapter_config.json: of the last checkpoint
//	rollout.gguf          the adapter as the sampler has it

// State is trainer_state.json: where a run stands, beside its adapter and moments.
// Random streams need no state: they are keyed by seed and step.
type State struct {
	Version   int    `json:"version"`
	Phase     string `json:"phase"`
	Step      int    `json:"step"` // steps of the phase that are done; a step's prompts follow from it
	NumTokens int    `json:"num_tokens"`
	Mismatch  Number `json:"mismatch_start"` // mean |lp - ls| of the first step
	Slope     Slope  `json:"slope"`          // of all steps
	Base      string `json:"base_sha256"`
	Prompts   string `json:"prompts_sha256"`
	Examples  string `json:"examples_sha256"`
	Plan      string `json:"plan"` // micro-batches and device, as they decide about bits
}

const stateVersion = 1

const (
	phaseWarmup = "warmup"
	phaseTrain  = "train"
)

const (
	stateFile   = "trainer_state.json"
	metricsFile = "metrics.jsonl"
	jobFile     = "job.json"
)

// folder is a checkpoint's name.
func (s State) folder() string {
	kind := "checkpoint"
	if s.Phase == phaseWarmup {
		kind = "warmup"
	}
	return fmt.Sprintf("%s-%06d", kind, s.Step)
}

// same says whether two states are of the same moment.
func (s State) same(o State) bool { return s.Phase == o.Phase && s.Step == o.Step }

var folderName = regexp.MustCompile(`^(checkpoint|warmup)-(\d{6,})$`)

// Checkpoints are the folders of a run's checkpoints, the newest last.
func Checkpoints(out string) ([]string, error) {
	entries, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rl: %w", err)
	}
	type found struct {
		name string
		kind string
		step int
	}
	var all []found
	for _, e := range entries {
		if m := folderName.FindStringSubmatch(e.Name()); m != nil && e.IsDir() {
			step, _ := strconv.Atoi(m[2])
			all = append(all, found{e.Name(), m[1], step})
		}
	}
	slices.SortFunc(all, func(a, b found) int { // a warm-up comes first
		return cmp.Or(-cmp.Compare(a.kind, b.kind), cmp.Compare(a.step, b.step))
	})
	dirs := make([]string, len(all))
	for i, f := range all {
		dirs[i] = filepath.Join(out, f.name)
	}
	return dirs, nil
}

// LastState is the newest checkpoint of a run; dir is "" where there is none.
func LastState(out string) (s State, dir string, err error) {
	dirs, err := Checkpoints(out)
	if err != nil || len(dirs) == 0 {
		return State{}, "", err
	}
	dir = dirs[len(dirs)-1]
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return State{}, "", fmt.Errorf("rl: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return State{}, "", fmt.Errorf("rl: %s is damaged: %w", filepath.Join(dir, stateFile), err)
	}
	if s.Version != stateVersion || s.Phase != phaseWarmup && s.Phase != phaseTrain || s.Step < 0 {
		return State{}, "", fmt.Errorf("rl: %s is of version %d, not %d, or damaged", filepath.Join(dir, stateFile), s.Version, stateVersion)
	}
	return s, dir, nil
}

// Resumed is the job that a run in j.Out goes on with: the one it began with. Of j
// count the folder, more steps, and where the base, the files, the judge and the libraries lie
// now, where it says so.
func Resumed(j Job) (Job, error) {
	b, err := os.ReadFile(filepath.Join(j.Out, jobFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Job{}, fmt.Errorf("rl: there is no run in %s to go on with", j.Out)
	}
	if err != nil {
		return Job{}, fmt.Errorf("rl: %w", err)
	}
	old, err := ReadJob(b)
	if err != nil {
		return Job{}, fmt.Errorf("rl: %s: %w", filepath.Join(j.Out, jobFile), err)
	}
	old.Out, old.Resume = j.Out, true
	for _, p := range []struct{ to, from *string }{
		{&old.Base, &j.Base}, {&old.Prompts, &j.Prompts}, {&old.Warmup, &j.Warmup}, {&old.Eval, &j.Eval}, {&old.Judge, &j.Judge}, {&old.Library, &j.Library},
	} {
		*p.to = cmp.Or(*p.from, *p.to)
	}
	old.Steps = cmp.Or(j.Steps, old.Steps)
	return old, nil
}

// enter opens the run's folder: a new one, or one to go on with.
func (t *training) enter() error {
	last, dir, err := LastState(t.job.Out)
	if err != nil {
		return err
	}
	metrics := filepath.Join(t.job.Out, metricsFile)
	if !t.job.Resume {
		_, err := os.Stat(metrics)
		if dir != "" || err == nil {
			return fmt.Errorf("rl: %s holds a run already; go on with it, or name another folder", t.job.Out)
		}
	}
	if dir != "" {
		for _, c := range []struct{ what, now, then string }{
			{"base model", t.state.Base, last.Base}, {"file of prompts", t.state.Prompts, last.Prompts}, {"file of examples", t.state.Examples, last.Examples},
		} {
			if c.now != c.then {
				return fmt.Errorf("rl: the %s is not the one that the run in %s began with", c.what, t.job.Out)
			}
		}
		plan := t.state.Plan
		t.state, t.saved = last, dir
		t.state.Plan = plan
		t.savedAt = t.state
		t.planned = last.Plan
	}
	if err := cutMetrics(metrics, t.state); err != nil {
		return err
	}
	job := t.job
	job.Resume = false
	b, err := json.MarshalIndent(job, "", "  ")
	if err != nil {
		return fmt.Errorf("rl: %w", err)
	}
	if err := replaceFile(filepath.Join(t.job.Out, jobFile), append(b, '\n')); err != nil {
		return err
	}
	t.log, err = openMetrics(metrics)
	return err
}

// fileHash is the SHA-256 of a file, "" of none.
func fileHash(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("rl: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, bufio.NewReader(f)); err != nil {
		return "", fmt.Errorf("rl: %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// replaceFile writes a file beside its name, and renames it when it is whole.
func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("rl: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644)); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("rl: write %s: %w", path, err)
	}
	return nil
}
