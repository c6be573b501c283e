package rl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"longhand/engine/child"
)

// Serve is the training process's side of Start: it answers over r and w until r ends, and
// train does a job. When r ends in the middle of one, the parent is gone: the step in
// hand is finished and a checkpoint written before Serve ends. Nothing else may be written to w.
func Serve(ctx context.Context, r io.Reader, w io.Writer, train func(context.Context, Job) iter.Seq2[Event, error]) error {
	s := &service{train: train, gone: make(chan struct{}), looked: make(chan struct{})}
	s.wanted, s.stop = context.WithCancel(context.Background())
	defer s.stop()
	err := protocol.Serve(ctx, &patientReader{s, r}, &patientWriter{s, w}, s.handle)
	if err != nil {
		return fmt.Errorf("rl: serve: %w", err)
	}
	return nil
}

type service struct {
	train func(context.Context, Job) iter.Seq2[Event, error]

	gone    chan struct{} // closed when the parent is gone
	leave   sync.Once
	looked  chan struct{} // closed when the preflight has been looked at
	look    sync.Once
	wanted  context.Context // ends when no further step is wanted
	stop    context.CancelFunc
	working sync.WaitGroup
	busy    sync.Mutex // held by the job in work
}

// parentGone lets the job in work come to its end.
func (s *service) parentGone() {
	s.leave.Do(func() { close(s.gone) })
	s.stop()
}

func (s *service) handle(ctx context.Context, c *child.Call) error {
	switch c.Method {
	case callGo:
		s.look.Do(func() { close(s.looked) })
		return c.Send(struct{}{})
	case callStop:
		s.stop()
		return c.Send(struct{}{})
	case callTrain:
		if !s.busy.TryLock() {
			return errors.New("rl: serve: a job is in work already")
		}
		defer s.busy.Unlock()
		s.working.Add(1)
		defer s.working.Done()
		return s.work(ctx, c)
	}
	return fmt.Errorf("rl: serve: unknown call %q", c.Method)
}

// work does a job. ctx ends when the parent has enough of it; the job's own context
// when no further step is wanted.
func (s *service) work(ctx context.Context, c *child.Call) error {
	job, err := ReadJob(c.Params)
	if err != nil {
		return err
	}
	for ev, err := range s.train(s.wanted, job) {
		if err != nil {
			return err
		}
		line, err := Marshal(ev)
		if err != nil {
			return err
		}
		if err := c.SendUnless(s.gone, json.RawMessage(line)); err != nil {
			return err
		}
		if p, ok := ev.(Preflight); ok && p.OK {
			select {
			case <-s.looked:
			case <-s.wanted.Done():
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// A patientReader ends only when the job in work has come to its end.
type patientReader struct {
	s *service
	r io.Reader
}

func (p *patientReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && n == 0 {
		p.s.parentGone()
		p.s.working.Wait()
	}
	return n, err
}

// A patientWriter takes a parent that does not read for one that is gone.
type patientWriter struct {
	s *service
	w io.Writer
}

func (p *patientWriter) Write(b []byte) (int, error) {
	select {
	case <-p.s.gone:
		return len(b), nil
	default:
	}
	if _, err := p.w.Write(b); err != nil {
		p.s.parentGone()
	}
	return len(b), nil
}
