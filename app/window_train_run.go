package main

import (
	"context"
	"iter"
	"sync/atomic"

	"longhand/rl"
)

// A trainRun is one training run under way.
type trainRun struct {
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing works on it any more
	gate   gate          // shut while the writer decides
	fresh  bool          // it has not been begun before
	left   atomic.Bool   // the writer thought better of it: nothing of it is kept
}

func newTrainRun(ctx context.Context, fresh bool) *trainRun {
	r := &trainRun{ended: make(chan struct{}), fresh: fresh}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

// events passes seq on. A fresh run stops behind a preflight that went well
// until the gate is opened: the trainer waits there until it is asked for the next event.
func (r *trainRun) events(seq iter.Seq2[rl.Event, error]) iter.Seq2[rl.Event, error] {
	return func(yield func(rl.Event, error) bool) {
		defer close(r.ended)
		for e, err := range seq {
			if p, ok := e.(rl.Preflight); ok && r.fresh && p.OK {
				r.gate.shut()
			}
			if !yield(e, err) {
				return
			}
			if r.gate.pass(r.ctx); r.left.Load() {
				return // which ends the trainer where it is
			}
		}
	}
}
