package main

import (
	"errors"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
)

// A screen is the way to the window's goroutine, which alone may touch what
// the window shows. Nothing else in the program crosses over.
type screen struct {
	do   func(func())    // runs a function there, soon; fyne.Do is one
	gone <-chan struct{} // closed when nobody runs them any more
}

// onScreen is the screen of a running Fyne program.
func onScreen(gone <-chan struct{}) screen { return screen{do: fyne.Do, gone: gone} }

// show runs f there and waits for it, so that a slow window holds the work
// back instead of letting it pile up. It says whether f ran.
func (s screen) show(f func()) bool {
	shown := make(chan struct{})
	s.do(func() { f(); close(shown) })
	select {
	case <-shown:
		return true
	case <-s.gone:
		return false
	}
}

const (
	turnTime = 50 * time.Millisecond // between two batches: 20 pictures a second are enough for text
	turnMost = 2000                  // events of a batch, so that a fast model cannot make a long turn
)

// follow runs seq on a goroutine of its own and shows what it yields: the
// first event at once, later ones in batches, at most one every turnTime. When
// seq has ended, done gets its error, last of all. Both run on the window's
// goroutine. A show that does not return holds seq back.
func follow[E any](s screen, seq iter.Seq2[E, error], show func([]E), done func(error)) {
	events := make(chan E, turnMost)
	var failed error // written before events is closed
	go func() {
		defer close(events)
		for e, err := range seq {
			if err != nil {
				failed = err
				return
			}
			select {
			case events <- e:
			case <-s.gone:
				return
			}
		}
	}()
	go func() {
		var last time.Time
		for e := range events {
			batch := gather(e, events, last.Add(turnTime))
			last = time.Now()
			if !s.show(func() { show(batch) }) {
				return
			}
		}
		s.do(func() { done(failed) })
	}()
}

// gather collects events until the time has come, and what is there by then.
func gather[E any](first E, events <-chan E, until time.Time) []E {
	batch := []E{first}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for len(batch) < turnMost {
		select {
		case e, ok := <-events:
			if !ok {
				return batch
			}
			batch = append(batch, e)
		case <-timer.C:
			return batch
		}
	}
	<-timer.C
	return batch
}

// An alert shows errors to the person at the window, each once, one at a time.
type alert struct {
	over fyne.Window
	open map[string]bool
}

func newAlert(over fyne.Window) *alert { return &alert{over: over, open: map[string]bool{}} }

// show says what went wrong in one sentence, and what can be done about it.
func (a *alert) show(err error) {
	text := sentence(err)
	if a.open[text] {
		return
	}
	hint := ""
	var h hinted
	if errors.As(err, &h) {
		hint = capital(h.hint)
	}
	a.tell("That did not work", text, hint)
}

// say tells the person something that is no error.
func (a *alert) say(title, text string) {
	first, rest, _ := strings.Cut(text, "\n")
	if !a.open[first] {
		a.tell(title, first, rest)
	}
}

func (a *alert) tell(title, text, hint string) {
	a.open[text] = true
	const width = 440
	box := container.NewVBox(paragraph(rowSay, text, width))
	for line := range strings.Lines(hint) {
		box.Add(paragraph(rowHint, strings.TrimSpace(line), width))
	}
	box.Add(spacer(width, 4))
	d := dialog.NewCustom(title, "Close", box, a.over)
	d.SetOnClosed(func() { delete(a.open, text) })
	d.Show()
}

// sentence is an error as a sentence.
func sentence(err error) string {
	text := capital(strings.TrimSpace(strings.ReplaceAll(plain(err), "\n", " ")))
	if text != "" && !strings.ContainsRune(".!?", rune(text[len(text)-1])) {
		text += "."
	}
	return text
}

func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
