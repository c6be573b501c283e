package child

import (
	"io"
	"sync"
)

// lines writes lines in the order they come. One goroutine writes; what is
// ready by then goes out in one write, and nobody who adds a line waits.
type lines struct {
	w      io.Writer
	wake   chan struct{} // holds one token while there is something to do
	ended  chan struct{} // closed when the goroutine is gone
	mu     sync.Mutex
	buf    []byte
	err    error // the first of w, or io.ErrClosedPipe after close
	broken func(error)
}

// writeLines starts the goroutine. broken, if any, hears of a failed write.
func writeLines(w io.Writer, broken func(error)) *lines {
	l := &lines{w: w, wake: make(chan struct{}, 1), ended: make(chan struct{}), broken: broken}
	go l.run()
	return l
}

func (l *lines) add(line []byte) error {
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	l.buf = append(append(l.buf, line...), '\n')
	l.mu.Unlock()
	l.signal()
	return nil
}

func (l *lines) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// close lets no line in any more; what was added is still written.
func (l *lines) close() {
	l.mu.Lock()
	if l.err == nil {
		l.err = io.ErrClosedPipe
	}
	l.mu.Unlock()
	l.signal()
}

func (l *lines) run() {
	defer close(l.ended)
	var out []byte
	for {
		l.mu.Lock()
		out, l.buf = l.buf, out[:0]
		err := l.err
		l.mu.Unlock()
		if len(out) == 0 {
			if err != nil {
				return
			}
			<-l.wake
			continue
		}
		if _, err := l.w.Write(out); err != nil {
			l.mu.Lock()
			l.err = err
			l.mu.Unlock()
			if l.broken != nil {
				l.broken(err)
			}
			return
		}
		if cap(out) > 1<<20 { // one long prompt should not be kept twice for ever
			out = nil
		}
	}
}
