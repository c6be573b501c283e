package main

import (
	"context"
	"fmt"
	"time"

	"fyne.io/fyne/v2"

	"longhand/app/store"
	"longhand/assets"
)

// windowCmd opens the window. It is what Longhand does when it is asked
// nothing else.
type windowCmd struct{}

// Run implements the command.
func (windowCmd) Run(e *env) error {
	if e.raise() {
		fmt.Fprintln(e.stderr, "Longhand is open already; its window was shown.")
		return nil
	}
	a, err := openApp()
	if err != nil {
		return err
	}
	e.window = true
	var early []store.Damage
	e.tell = func(all []store.Damage) { early = append(early, all...) }
	hurt := e.wound()
	a.SetIcon(fyne.NewStaticResource("icon.png", assets.Icon))
	gone := make(chan struct{})
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	screen := onScreen(gone)
	w := newWindow(ctx, a, screen, e.ports())
	e.tell = func(all []store.Damage) { screen.show(func() { w.mended(all) }) }
	if hurt.err != nil {
		w.hurt(hurt)
	}
	if len(early) > 0 {
		w.mended(early)
	}
	defer e.listen(func() { screen.show(w.win.RequestFocus) })()
	backedUp := make(chan struct{})
	go func() { defer close(backedUp); e.backUpDaily(ctx) }()
	err = runApp(a, w.win)
	close(gone)
	cancel()
	w.wait(5 * time.Second)
	<-backedUp
	e.tell = nil // nobody sees the window any more
	if e := e.closeBooks(true); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return e.ctx.Err() // an interrupt closes the window too
}

// backUpDaily makes the day's backup in a window that stays open for days.
func (e *env) backUpDaily(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
		}
		if s, err := e.books(); err == nil {
			if err := s.BackupDue(false); err != nil {
				fmt.Fprintln(e.stderr, "longhand: no backup was made:", plain(err))
			}
		}
	}
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
		cure:   e.cure,
	}
}

// unfinished yields the draft that was written to last, if it is not finished.
// What cannot be read is not offered; asking for it by name says why.
func (e *env) unfinished(yield func(unfinished, error) bool) {
	all, err := e.cards()
	if err != nil || len(all) == 0 || all[0].State == store.Done {
		return
	}
	u := unfinished{id: all[0].ID, title: all[0].Title, words: all[0].Words, target: all[0].Target}
	yield(u, nil)
}
