package main

import (
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A queue stands in for the toolkit's loop: what is given to do runs when the
// test says so, on the test's goroutine. The toolkit's own test driver runs it
// at once on the caller's, which would hide every mistake.
type queue struct {
	mu    sync.Mutex
	todo  []func()
	ready chan struct{}
	turns []time.Duration
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) do(f func()) {
	q.mu.Lock()
	q.todo = append(q.todo, f)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// drain runs what there is.
func (q *queue) drain() int {
	q.mu.Lock()
	todo := q.todo
	q.todo = nil
	q.mu.Unlock()
	for _, f := range todo {
		start := time.Now()
		f()
		q.turns = append(q.turns, time.Since(start))
	}
	return len(todo)
}

// until runs what comes until ok.
func (q *queue) until(t *testing.T, ok func() bool) {
	t.Helper()
	late := time.After(30 * time.Second)
	for q.drain(); !ok(); q.drain() {
		select {
		case <-q.ready:
		case <-late:
			t.Fatal("it never came")
		}
	}
}

func numbers(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

func TestFollowShowsTheFirstAtOnceAndTheRestInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		broken := errors.New("broken")
		seq := func(yield func(int, error) bool) {
			for i := range 100 {
				if !yield(i, nil) {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			yield(0, broken)
		}
		var all []int
		var shown []time.Duration
		var failed error
		ended := false
		began := time.Now()
		follow(screen{do: q.do}, seq, func(b []int) {
			all = append(all, b...)
			shown = append(shown, time.Since(began))
		}, func(err error) { failed, ended = err, true })
		for !ended {
			synctest.Wait()
			if q.drain() == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		if want := slices.Collect(func(y func(int) bool) {
			for i := range 100 {
				if !y(i) {
					return
				}
			}
		}); !slices.Equal(all, want) {
			t.Errorf("shown %v", all)
		}
		if failed != broken {
			t.Errorf("done got %v", failed)
		}
		if shown[0] > time.Millisecond {
			t.Errorf("the first event came after %v", shown[0])
		}
		for i := 1; i < len(shown); i++ {
			if d := shown[i] - shown[i-1]; d < turnTime-2*time.Millisecond && i < len(shown)-1 {
				t.Errorf("batch %d came after %v", i, d)
			}
		}
		if len(shown) < 18 || len(shown) > 23 {
			t.Errorf("%d batches in a second", len(shown))
		}
	})
}

func TestFollowHoldsTheWorkBackWhileTheWindowIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		pulled := 0
		seq := func(yield func(int, error) bool) {
			for i := range 1_000_000 {
				pulled++
				if !yield(i, nil) {
					return
				}
			}
		}
		gone := make(chan struct{})
		most := 0
		follow(screen{do: q.do, gone: gone}, seq, func(b []int) { most = max(most, len(b)) }, func(error) { t.Error("done, though the window is gone") })
		for range 5 { // a window that never gets to it
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if pulled > 3*turnMost {
			t.Errorf("%d events pulled by a window that shows none", pulled)
		}
		q.drain()
		time.Sleep(time.Second)
		synctest.Wait()
		q.drain()
		if most > turnMost {
			t.Errorf("a batch of %d", most)
		}
		close(gone) // all goroutines end, or synctest fails
	})
}

func TestFollowOfNothingIsDone(t *testing.T) {
	q := newQueue()
	ended := false
	follow(screen{do: q.do}, numbers(0, nil), func([]int) { t.Error("shown") }, func(err error) { ended = err == nil })
	q.until(t, func() bool { return ended })
}

func TestSentence(t *testing.T) {
	for _, c := range [][2]string{
		{"engine: open x.gguf: not a GGUF file", "Engine: open x.gguf: not a GGUF file."},
		{"no\nspace left", "No space left."},
		{"really?", "Really?"},
		{"öffnen", "Öffnen."},
	} {
		if got := sentence(errors.New(c[0])); got != c[1] {
			t.Errorf("sentence(%q) = %q", c[0], got)
		}
	}
}
