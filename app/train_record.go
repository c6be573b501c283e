package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"longhand/app/store"
	"longhand/rl"
)

// recorded passes a training run on and keeps in the store that it is under way,
// and how it ended. A store that cannot be written does not stop a training.
func (e *env) recorded(ctx context.Context, j rl.Job, events iter.Seq2[rl.Event, error]) iter.Seq2[rl.Event, error] {
	return func(yield func(rl.Event, error) bool) {
		job, err := json.Marshal(j)
		if err != nil {
			yield(nil, fmt.Errorf("keep the run: %w", err))
			return
		}
		r := store.Run{ID: filepath.Base(j.Out) + "-" + newID(), Folder: j.Out, Job: job, Status: store.Running, PID: os.Getpid(), Started: time.Now().UTC()}
		for _, old := range e.runs() {
			if old.Folder == j.Out && j.Resume { // the newest
				r.ID, r.Started = old.ID, old.Started
				break
			}
		}
		e.keepRun(r)
		r.Status = store.Stopped
		for ev, err := range events {
			if err != nil && !errors.Is(err, context.Canceled) {
				r.Status, r.Message = store.Failed, plain(err)
			}
			if f, ok := ev.(rl.Finished); ok && !f.Stopped {
				r.Status = store.Finished
			}
			if !yield(ev, err) || err != nil {
				break
			}
		}
		e.keepRun(r)
	}
}

// runs are the training runs that the store knows.
func (e *env) runs() []store.Run {
	s, err := e.books()
	if err != nil {
		return nil
	}
	return s.Runs()
}

// keepRun writes a run into the store. On the command line the store is closed
// again, since a training takes hours and others want to write.
func (e *env) keepRun(r store.Run) {
	r.Updated = time.Now().UTC()
	s, err := e.books()
	if err == nil && s.Whole() {
		err = s.PutRun(r)
	}
	if err != nil {
		fmt.Fprintln(e.stderr, "longhand: the run was not entered into the library:", plain(err))
	}
	if !e.window {
		if err := e.closeBooks(false); err != nil {
			fmt.Fprintln(e.stderr, "longhand:", plain(err))
		}
	}
}
