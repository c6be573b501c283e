//go:build screenshot

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"

	"longhand/app/draft"
	"longhand/app/store"
)

// With the tag screenshot, the test binary opens the real window on $DISPLAY,
// replays a draft and takes pictures of it into $SHOTS:
//
//	SHOTS=/tmp [SHOTS_DRAFT=F.jsonl] xvfb-run -s "-screen 0 1280x860x24" go test -tags screenshot,migrated_fynedo ./app
//
// SHOTS_DRAFT names what "longhand draft --json" printed: then that draft is
// shown. Pictures are for people to look at; nothing is compared. It happens in init
// because a window wants the main goroutine, and tests run on others.
func init() {
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	if err := takePictures(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func takePictures(dir string) error {
	stage := &stage{}
	return photograph(dir, ports{
		start:  stage.start,
		sample: func(string) bool { return true },
		shelf: func(yield func(shelf, error) bool) {
			yield(shelf{title: "SmolLM2 135M", sample: true, better: offer{"qwen2.5-3b", "Qwen2.5 3B Instruct", 2_100_000_000}}, nil)
		},
		last: func(func(unfinished, error) bool) {},
		now:  stage.now,
	}, func(w *window) []shot { return shots(w, stage) })
}

// photograph opens a window on these ports and takes pictures of it.
func photograph(dir string, p ports, shots func(*window) []shot) error {
	a, err := openApp()
	if err != nil {
		return err
	}
	gone := make(chan struct{})
	w := newWindow(context.Background(), a, onScreen(gone), p)
	var failed error
	go func() {
		time.Sleep(1500 * time.Millisecond)
		for _, s := range shots(w) {
			w.screen.show(s.do)
			time.Sleep(s.wait)
			name := filepath.Join(dir, s.name+".png")
			if out, err := exec.Command("import", "-window", "root", name).CombinedOutput(); err != nil && failed == nil {
				failed = fmt.Errorf("import: %w: %s", err, out)
			}
		}
		w.screen.show(w.win.Close)
	}()
	err = runApp(a, w.win)
	close(gone)
	return errors.Join(err, failed)
}

type shot struct {
	name string
	do   func()
	wait time.Duration
}

func shots(w *window, s *stage) []shot {
	dark := func(on bool) {
		w.theme.pick(on)
		w.app.Settings().SetTheme(w.theme)
	}
	upTo := func(share float64) func() { return func() { s.until <- share } }
	const short, long = 1500 * time.Millisecond, 4 * time.Second
	return []shot{
		{"01-first-run", func() { dark(false) }, short},
		{"02-prompt", func() {
			w.start.prompt.SetText(examples[0].prompt)
			w.start.words.SetText("3000")
			w.start.offer(unfinished{id: "x", title: "A handbook for a small garden", words: 1840, target: 3000})
		}, short},
		{"03-thinking", func() { s.reset(); w.start.send(); upTo(0.02)() }, long},
		{"04-plan", upTo(-1), long},
		{"05-writing-begins", upTo(0.11), long},
		{"06-writing", upTo(0.5), long},
		{"07-writing-dark", func() { dark(true) }, short},
		{"08-thinking-again-dark", func() { w.desk.pick(thinkingItem) }, short},
		{"09-scrolled-away", func() { dark(false); w.desk.pick(0) }, short},
		{"10-paused", func() { w.pause() }, short},
		{"11-narrow", func() { w.resume(); w.desk.pick(2); w.win.Resize(w.win.Content().MinSize()) }, short},
		{"11a-stopped", func() { w.win.Resize(fyne.NewSize(1180, 780)); w.stop(); s.until <- 0.5 }, short},
		{"12-finished", func() { s.reset(); w.desk.m.started.ID = "x"; w.goOn(); upTo(1)() }, 8 * time.Second},
		{"13-finished-top", func() { w.desk.pick(0) }, short},
		{"13a-saved", func() { w.write(filepath.Join(os.TempDir(), "The Letter from Tomorrow.md")) }, short},
		{"14-save", func() { w.saveAs() }, short},
		{"15-error", func() {
			w.win.Canvas().Overlays().Top().Hide()
			w.alert.show(hinted{fmt.Errorf("the model /home/marit/models/qwen2.5-3b.gguf is cut short: 412 of 1,929 MB are there"), "fetch it again with longhand models pull qwen2.5-3b, or choose another model with --model"})
		}, short},
		{"16-error-dark", func() { dark(true) }, short},
		{"17-first-run-dark", func() { w.win.Canvas().Overlays().Top().Hide(); w.start.prompt.SetText(""); w.showStart() }, short},
		{"18-damaged-dark", func() { w.hurt(injured(9, true)) }, short},
		{"19-damaged", func() { dark(false) }, short},
		{"20-mended", func() {
			w.win.Canvas().Overlays().Top().Hide()
			w.mended([]store.Damage{{Project: "20261128-101500-a1b2", Title: "Something in the kelp", File: "002-something-in-the-kelp.md", Kind: "changed outside", Mended: "the change was taken in; what was there is kept in the section's history"}})
		}, short},
	}
}

// A stage plays the replay up to marks.
type stage struct {
	until chan float64
	clock atomic.Int64
}

// now goes as fast as a model of about 350 words a minute would need.
func (s *stage) now() time.Time { return time.Unix(0, s.clock.Load()) }

func (s *stage) reset() { s.until = make(chan float64, 1) }

func (s *stage) start(ctx context.Context, j job) iter.Seq2[draft.Event, error] {
	events := draftEvents(os.Getenv("SHOTS_DRAFT"))
	if len(events) == 0 {
		events = replay(3000)
	}
	return func(yield func(draft.Event, error) bool) {
		at := 0
		for share := range s.until {
			end := int(share * float64(len(events)))
			if share < 0 { // to the plan
				for end = at; ; end++ {
					if _, ok := events[end-1].(draft.Outline); ok {
						break
					}
				}
			}
			for ; at < end; at++ {
				if !yield(events[at], nil) {
					return
				}
				if _, ok := events[at].(draft.Text); ok {
					s.clock.Add(int64(120 * time.Millisecond))
				}
				time.Sleep(500 * time.Microsecond)
			}
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			if at == len(events) {
				return
			}
		}
	}
}

// draftEvents are those of a real draft.
func draftEvents(name string) (events []draft.Event) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(b) {
		if ev := readEvent(bytes.TrimSpace(line)); ev != nil {
			events = append(events, ev)
		}
	}
	return events
}

// readEvent reads the events that the window shows; others are nil.
func readEvent(line []byte) draft.Event {
	var kind struct{ Event string }
	if json.Unmarshal(line, &kind) != nil {
		return nil
	}
	switch kind.Event {
	case "started":
		return decoded[draft.Started](line)
	case "think":
		return decoded[draft.Think](line)
	case "outline":
		return decoded[draft.Outline](line)
	case "section":
		return decoded[draft.SectionBegun](line)
	case "text":
		return decoded[draft.Text](line)
	case "rewind":
		return decoded[draft.Rewind](line)
	case "section_done":
		return decoded[draft.SectionDone](line)
	case "finished":
		return decoded[draft.Finished](line)
	}
	return nil
}

func decoded[E draft.Event](line []byte) draft.Event {
	var ev E
	if json.Unmarshal(line, &ev) != nil {
		return nil
	}
	return ev
}
