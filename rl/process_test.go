package rl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"longhand/engine/child"
	"longhand/rl/model"
)

// The tests run this test binary again as the training process; the variable says after how
// many events it kills itself, 0: never.
const role = "LONGHAND_RL_TEST"

func TestMain(m *testing.M) {
	limit, err := strconv.Atoi(os.Getenv(role))
	if os.Getenv(role) == "" {
		os.Exit(m.Run())
	}
	if err == nil {
		err = Serve(context.Background(), os.Stdin, os.Stdout, func(ctx context.Context, j Job) iter.Seq2[Event, error] { return trainTiny(ctx, j, limit) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A process is a keeper whose work ends with it.
type process struct{}

func (process) Helper()        {}
func (process) Cleanup(func()) {}
func (process) Fatal(v ...any) {
	fmt.Fprintln(os.Stderr, v...)
	os.Exit(1)
}

// trainTiny does a job on the tiny model named as its base.
func trainTiny(ctx context.Context, j Job, limit int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if j.Base == "abort" {
			fmt.Fprintln(os.Stderr, "noise\nthe card is on fire")
			os.Exit(3)
		}
		parts := Parts{Policy: openTiny(process{}, j.Base, model.Options{Seed: j.Seed}), Sampler: openTinySampler(process{}, j.Base), Rewards: tinyRewards(), SHA256: "base"}
		n := 0
		for ev, err := range Train(ctx, j, parts) {
			if n++; n == limit {
				self, _ := os.FindProcess(os.Getpid())
				self.Kill()
				select {}
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// self is the command that trains tiny models.
func self(t *testing.T, limit int) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(role, strconv.Itoa(limit))
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	return []string{exe}
}

func collect(ctx context.Context, command []string, j Job, seen func(Event) bool) (all []Event, err error) {
	for ev, err := range Start(ctx, command, j) {
		if err != nil {
			return all, err
		}
		all = append(all, ev)
		if seen != nil && !seen(ev) {
			break
		}
	}
	return all, nil
}

// A training process that is killed, again and again, ends with the bits of one that was not.
func TestProcessSurvivesKills(t *testing.T) {
	path := writeTiny(t)
	whole, parts := tinyJob(t, path)
	if _, err := follow(context.Background(), whole, parts, nil); err != nil {
		t.Fatal(err)
	}
	j, _ := tinyJob(t, path)
	kills := 0
	for limit := 4; ; limit += 5 {
		all, err := collect(context.Background(), self(t, limit), j, nil)
		var died *child.Died
		if err == nil {
			if _, ok := all[len(all)-1].(Finished); !ok {
				t.Fatal("it ended with", kinds(all))
			}
			break
		}
		if !errors.As(err, &died) || !strings.HasPrefix(err.Error(), "rl: the trainer: the process died: ") {
			t.Fatal(err)
		}
		kills++
		j.Resume = true
	}
	if kills < 2 {
		t.Error("it was killed", kills, "times")
	}
	same(t, filepath.Join(whole.Out, "checkpoint-000004", "adapter.gguf"), filepath.Join(j.Out, "checkpoint-000004", "adapter.gguf"))
	same(t, filepath.Join(whole.Out, "checkpoint-000004", "optimizer.safetensors"), filepath.Join(j.Out, "checkpoint-000004", "optimizer.safetensors"))
	if a, b := timeless(t, filepath.Join(whole.Out, metricsFile)), timeless(t, filepath.Join(j.Out, metricsFile)); a != b {
		t.Error("the metrics differ:", firstDifference(a, b))
	}
}

// Cancelling stops after the step in hand; the events of that still come.
func TestProcessStops(t *testing.T) {
	j, _ := tinyJob(t, writeTiny(t))
	j.Steps = 1000
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	all, err := collect(ctx, self(t, 0), j, func(ev Event) bool {
		if _, ok := ev.(Step); ok {
			cancel()
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	last, ok := all[len(all)-1].(Finished)
	if !ok || !last.Stopped || last.Step < 1 || last.Step > 990 {
		t.Fatalf("it ended with %+v", all[len(all)-1])
	}
	if s, dir, err := LastState(j.Out); err != nil || dir != last.Dir || s.Step != last.Step {
		t.Errorf("%+v, %s, %v", s, dir, err)
	}
}

// Until the preflight has been looked at nothing is trained: no evaluation, no step.
func TestProcessWaitsForALook(t *testing.T) {
	j, _ := tinyJob(t, writeTiny(t))
	seen := false
	all, err := collect(context.Background(), self(t, 0), j, func(ev Event) bool {
		if _, ok := ev.(Preflight); ok {
			seen = true
			time.Sleep(300 * time.Millisecond) // four steps take a tenth of it
			if m, err := ReadMetrics(filepath.Join(j.Out, metricsFile)); err != nil || len(m) > 0 {
				t.Errorf("%d events were before the look (%v)", len(m), err)
			}
		}
		return true
	})
	if err != nil || !seen {
		t.Fatal(err, seen)
	}
	if _, ok := all[len(all)-1].(Finished); !ok {
		t.Error("it ended with", kinds(all))
	}
	j, _ = tinyJob(t, writeTiny(t))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	all, err = collect(ctx, self(t, 0), j, func(ev Event) bool {
		if _, ok := ev.(Preflight); ok {
			cancel()
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if last, ok := all[len(all)-1].(Finished); !ok || !last.Stopped || last.Step != 0 {
		t.Error("stopped at the look it ended with", kinds(all))
	}
}

// Breaking off the loop ends the process.
func TestProcessIsLeft(t *testing.T) {
	j, _ := tinyJob(t, writeTiny(t))
	j.Steps = 100000
	if _, err := collect(context.Background(), self(t, 0), j, func(ev Event) bool { _, step := ev.(Step); return !step }); err != nil {
		t.Fatal(err)
	}
}

// A parent that is gone ends the work after the step in hand.
func TestProcessWithoutParent(t *testing.T) {
	j, _ := tinyJob(t, writeTiny(t))
	j.Steps, j.SaveEvery = 100000, 100000
	cmd := exec.Command(self(t, 0)[0])
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	job, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(in, `{"id":1,"call":"train","params":%s}`+"\n", job)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, `"event":"preflight"`) {
			fmt.Fprintln(in, `{"id":2,"call":"go"}`)
		}
		if strings.Contains(line, `"event":"step"`) {
			break
		}
	}
	in.Close()
	go io.Copy(io.Discard, lines) // a parent that is gone closes this end, too; here the test would be ended by it
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	s, dir, err := LastState(j.Out)
	if err != nil || dir == "" || s.Phase != phaseTrain || s.Step < 1 {
		t.Errorf("%+v, %s, %v", s, dir, err)
	}
}

// What goes wrong in the process is said here.
func TestProcessErrors(t *testing.T) {
	path := writeTiny(t)
	j, _ := tinyJob(t, path)
	bad := j
	bad.Loss = "ppo"
	if _, err := collect(context.Background(), self(t, 0), bad, nil); err == nil || !strings.Contains(err.Error(), `rl: the loss "ppo"`) {
		t.Error(err)
	}
	bad = j
	bad.Base = "abort"
	if _, err := collect(context.Background(), self(t, 0), bad, nil); err == nil || !strings.Contains(err.Error(), "the card is on fire") {
		t.Error(err)
	}
	if _, err := collect(context.Background(), []string{filepath.Join(t.TempDir(), "none")}, j, nil); err == nil || !strings.Contains(err.Error(), "rl: start the trainer none") {
		t.Error(err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := collect(done, self(t, 0), j, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
