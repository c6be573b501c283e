package main

import (
	"context"
	"iter"
	"strings"
	"sync"

	"longhand/app/draft"
)

// A draftRun is one draft under way.
type draftRun struct {
	job    job
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing works on it any more
	gate   gate
}

func newDraftRun(ctx context.Context, j job) *draftRun {
	r := &draftRun{job: j, ended: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

// events passes seq on while the gate is open. Not asking for the next event
// is what pauses the work.
func (r *draftRun) events(seq iter.Seq2[draft.Event, error]) iter.Seq2[draft.Event, error] {
	return func(yield func(draft.Event, error) bool) {
		defer close(r.ended)
		for e, err := range seq {
			if !yield(e, err) {
				return
			}
			r.gate.pass(r.ctx)
		}
	}
}

// joined makes one of texts that follow one another in a section: a batch of a
// fast model has thousands.
func joined(events []draft.Event) []draft.Event {
	var out []draft.Event
	var text strings.Builder
	for i, e := range events {
		t, ok := e.(draft.Text)
		if !ok {
			out = append(out, e)
			continue
		}
		text.WriteString(t.Text)
		if i+1 < len(events) {
			if next, ok := events[i+1].(draft.Text); ok && next.Index == t.Index {
				continue
			}
		}
		out = append(out, draft.Text{Index: t.Index, Text: text.String()})
		text.Reset()
	}
	return out
}

// A gate lets pass while it is open.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil while it is open
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

// pass waits until the gate is open or ctx is done.
func (g *gate) pass(ctx context.Context) {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed == nil {
		return
	}
	select {
	case <-closed:
	case <-ctx.Done():
	}
}
