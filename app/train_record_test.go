package main

import (
	"errors"
	"io"
	"iter"
	"testing"

	"longhand/app/store"
	"longhand/rl"
)

// TestATrainingRunIsEntered passes runs on that end in each way, and reads what
// the library says of them while they are under way and afterwards.
func TestATrainingRunIsEntered(t *testing.T) {
	e := &env{ctx: t.Context(), home: t.TempDir(), stderr: io.Discard}
	t.Cleanup(func() { e.closeBooks(false) })
	broken := errors.New("out of memory")
	var folder string
	run := func(j rl.Job, last rl.Event, end error) store.Run {
		t.Helper()
		var events iter.Seq2[rl.Event, error] = func(yield func(rl.Event, error) bool) {
			if yield(rl.Started{}, nil) {
				yield(last, end)
			}
		}
		for ev, err := range e.recorded(t.Context(), j, events) {
			if _, ok := ev.(rl.Started); ok {
				if r := e.runs()[0]; r.Status != store.Running || r.Folder != j.Out {
					t.Errorf("under way it is %+v", r)
				}
				if err := e.closeBooks(false); err != nil {
					t.Fatal(err)
				}
			}
			if err != nil && !errors.Is(err, broken) {
				t.Error(err)
			}
		}
		folder = j.Out
		all := e.runs()
		if err := e.closeBooks(false); err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	first := run(rl.Job{Out: "/runs/a", Steps: 7}, rl.Finished{Step: 3, Stopped: true}, nil)
	if first.Status != store.Stopped || first.Folder != folder || len(first.Job) < 20 {
		t.Errorf("a run that was stopped is %+v", first)
	}
	again := run(rl.Job{Out: "/runs/a", Steps: 7, Resume: true}, rl.Finished{Step: 7}, nil)
	if again.Status != store.Finished || again.ID != first.ID || !again.Started.Equal(first.Started) || len(e.runs()) != 1 {
		t.Errorf("resumed it is %+v, before %+v", again, first)
	}
	if r := run(rl.Job{Out: "/runs/b"}, nil, broken); r.Status != store.Failed || r.Message != "out of memory" || len(e.runs()) != 2 {
		t.Errorf("a run that failed is %+v", r)
	}
}
