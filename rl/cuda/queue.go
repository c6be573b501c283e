//go:build cuda

package cuda

import "runtime"

// queue makes calls on one thread, in order. The first error sticks: what comes behind it is left out,
// but for calls that must happen.
type queue struct {
	calls chan call
	ended chan struct{}
	err   error // of the thread alone
}

type call struct {
	do     func() error
	always bool       // also after an error
	done   chan error // gets the first error so far; nil: nobody waits
}

func newQueue() *queue {
	q := &queue{calls: make(chan call, 1024), ended: make(chan struct{})}
	go func() {
		defer close(q.ended)
		runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine, its context with it
		for c := range q.calls {
			if q.err == nil || c.always {
				if err := c.do(); q.err == nil && !c.always {
					q.err = err
				}
			}
			if c.done != nil {
				c.done <- q.err
			}
		}
	}()
	return q
}

// add makes a call later.
func (q *queue) add(do func() error) { q.calls <- call{do: do} }

// must makes a call later, whatever happens before.
func (q *queue) must(do func()) {
	q.calls <- call{do: func() error { do(); return nil }, always: true}
}

// ask makes a call after all that were added, whatever happened before, and waits for it.
func (q *queue) ask(do func() error) {
	done := make(chan error, 1)
	q.calls <- call{do: do, always: true, done: done}
	<-done
}

// wait makes a call after all that were added, and returns the first error of them all.
func (q *queue) wait(do func() error) error {
	done := make(chan error, 1)
	q.calls <- call{do: do, done: done}
	return <-done
}

// close makes the calls that are left, and ends the thread.
func (q *queue) close() {
	close(q.calls)
	<-q.ended
}
