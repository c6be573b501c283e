package main

import (
	"context"
	"time"

	"fyne.io/fyne/v2"

	"longhand/app/draft"
	"longhand/app/store"
	"longhand/assets"
)

// windowCmd opens the window. It is what Longhand does when it is asked
// nothing else.
type windowCmd struct{}

// Run implements the command.
func (windowCmd) Run(e *env) error {
	a, err := openApp()
	if err != nil {
		return err
	}
	a.SetIcon(fyne.NewStaticResource("icon.png", assets.Icon))
	gone := make(chan struct{})
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	w := newWindow(ctx, a, onScreen(gone), e.ports())
	err = runApp(a, w.win)
	close(gone)
	cancel()
	w.wait(5 * time.Second)
	if err != nil {
		return err
	}
	return e.ctx.Err() // an interrupt closes the window too
}

// wait gives what was under way time to stop. A step of training may take
// longer: then the last checkpoint is what is kept.
func (w *window) wait(most time.Duration) {
	var ended <-chan struct{}
	switch {
	case w.run != nil:
		ended = w.run.ended
	case w.training.run != nil:
		ended = w.training.run.ended
	default:
		return
	}
	select {
	case <-ended:
	case <-time.After(most):
	}
}

func (e *env) ports() ports {
	return ports{
		start: e.start,
		sample: func(name string) bool {
			_, m, err := e.model(name)
			return err == nil && m.Sample
		},
		shelf:  e.shelf,
		fetch:  e.fetch,
		last:   e.unfinished,
		now:    time.Now,
		ground: e.ground,
		train:  e.train,
	}
}

// unfinished yields the draft that was written to last, if it is not finished.
// What cannot be read is not offered; asking for it by name says why.
func (e *env) unfinished(yield func(unfinished, error) bool) {
	id, err := e.lastProject()
	if err != nil {
		return
	}
	records, err := store.Read(e.projectFolder(id))
	if err != nil {
		return
	}
	p, err := draft.Replay(records)
	if err != nil || p.Done {
		return
	}
	u := unfinished{id: id, title: p.Outline.Title, words: p.Words(), target: p.Target}
	if u.title == "" {
		u.title = p.Request.Prompt
	}
	yield(u, nil)
}
