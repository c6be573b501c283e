//go:build screenshot

package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"time"

	"fyne.io/fyne/v2"

	"longhand/rl"
)

// With the tag screenshot and TRAIN_SHOTS set, the test binary takes pictures
// of the training page, like those of window_shot_test.go:
//
//	TRAIN_SHOTS=/tmp xvfb-run -s "-screen 0 1400x920x24" go test -tags screenshot,migrated_fynedo ./app
func init() {
	dir := os.Getenv("TRAIN_SHOTS")
	if dir == "" {
		return
	}
	s := &rehearsal{}
	if err := photograph(dir, ports{
		sample: func(string) bool { return true },
		shelf: func(yield func(shelf, error) bool) {
			yield(shelf{title: "SmolLM2 135M", sample: true, better: offer{"qwen2.5-3b", "Qwen2.5 3B Instruct", 2_100_000_000}}, nil)
		},
		last:   func(func(unfinished, error) bool) {},
		now:    time.Now,
		ground: s.ground,
		train:  s.train,
	}, s.shots); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A rehearsal plays made runs up to marks.
type rehearsal struct {
	events []rl.Event
	until  chan int // steps to have done
	few    bool     // there is hardly anything to train with
}

func (s *rehearsal) ground(yield func(ground, error) bool) {
	g := ground{folder: "/home/marit/.local/share/longhand/training"}
	if !s.few {
		g.bases = []trainBase{
			{"SmolLM2 135M Instruct", "/m/smol.gguf", 98_000_000, true},
			{"A-Model-With-A-Very-Long-Name-Indeed-As-They-Come-From-Hubs-7B-Instruct-v0.3-Q4_K_M-imatrix", "/m/long.gguf", 4_370_000_000, false},
		}
		for i := range 23 {
			p := madePrompts[i%len(madePrompts)]
			if i >= len(madePrompts) {
				p = fmt.Sprintf("%s (%d)", p, i)
			}
			g.requests = append(g.requests, request{p, 300 * (1 + i*3%10), time.Date(2026, 11, 22-i%21, 10, 0, 0, 0, time.UTC)})
		}
	}
	yield(g, nil)
}

func (s *rehearsal) train(ctx context.Context, j rl.Job) iter.Seq2[rl.Event, error] {
	return func(yield func(rl.Event, error) bool) {
		at, done := 0, 0
		for n := range s.until {
			for at < len(s.events) {
				if _, ok := s.events[at].(rl.Step); ok {
					if done == n {
						break
					}
					done++
				}
				if !yield(s.events[at], nil) {
					return
				}
				at++
			}
			if ctx.Err() != nil || at == len(s.events) {
				return
			}
		}
	}
}

func (s *rehearsal) load(events []rl.Event) { s.events, s.until = events, make(chan int, 1) }

func (s *rehearsal) shots(w *window) []shot {
	dark := func(on bool) {
		w.theme.pick(on)
		w.app.Settings().SetTheme(w.theme)
	}
	size := func(width, height float32) { w.win.Resize(fyne.NewSize(width, height)) }
	d := w.training.desk
	const short, long = 1500 * time.Millisecond, 4 * time.Second
	upTo := func(n int) func() { return func() { s.until <- n } }
	return []shot{
		{"t01-empty", func() { s.few = true; dark(false); w.use(skill{}); w.showTraining() }, short},
		{"t02-form", func() { s.few = false; w.showTraining() }, short},
		{"t03-form-bottom", func() {
			p := w.training.form.prompts
			p.left[p.requests[1].prompt] = true
			p.update()
			w.training.form.base.SetSelectedIndex(1)
			w.training.form.scroll.ScrollToBottom()
		}, short},
		{"t04-form-file-dark", func() {
			dark(true)
			w.training.form.scroll.ScrollToTop()
			w.training.form.prompts.take("/home/marit/prompts/a-rather-long-file-name-for-prompts.jsonl", make([]rl.Prompt, 3))
		}, short},
		{"t05-form-small-window", func() { dark(false); size(900, 600); w.training.form.prompts.turn(false) }, short},
		{"t06-checking", func() {
			size(1180, 780)
			s.load(madeRun(500))
			j := rl.NewJob()
			j.Base, j.Steps, j.Out = "/m/smol.gguf", 500, "/home/marit/.local/share/longhand/training/20261122-101500-a1b2"
			d.open(j)
			w.train(j)
		}, short},
		{"t07-estimate", upTo(0), short},
		{"t08-first-step", func() { w.startTraining(); upTo(1)() }, short},
		{"t09-running", upTo(60), long},
		{"t10-running-dark", func() { dark(true) }, short},
		{"t11-drafting-meanwhile", func() { dark(false); w.showDrafting() }, short},
		{"t12-500", func() { w.showTraining(); upTo(499)() }, long},
		{"t13-small-window", func() { size(900, 600) }, short},
		{"t14-pointed", func() { size(1180, 780); d.charts[0].point(250) }, short},
		{"t15-small-window-dark", func() { dark(true); size(900, 600); d.charts[0].point(-1) }, short},
		{"t16-finished", func() { dark(false); size(1180, 780); upTo(500)() }, short},
		{"t17-in-use", func() { w.useTraining() }, short},
		{"t18-estimate-small-dark", func() {
			dark(true)
			size(900, 600)
			w.showTraining()
			w.newTraining()
			s.load(madeRun(40))
			j := rl.NewJob()
			j.Base, j.Steps, j.Out, j.Rewards = "/m/smol.gguf", 40, "/home/marit/.local/share/longhand/training/20261122-101500-a1b2", "length=1"
			d.open(j)
			w.train(j)
			upTo(0)()
		}, short},
		{"t19-wide", func() { dark(false); size(1280, 860); w.startTraining(); upTo(35)() }, long},
		{"t20-error", func() {
			w.alert.show(spoken(fmt.Errorf("rl: the training needs 11.2 GB of memory and 9.1 GB are free")))
		}, short},
		{"t21-stopping", func() { w.win.Canvas().Overlays().Top().Hide(); size(900, 600); w.stopTraining() }, short},
		{"t22-stopped", upTo(36), short},
		{"t23-going-on", func() { s.load(madeRun(40)[2+3*36:]); w.goOnTraining() }, short},
	}
}
