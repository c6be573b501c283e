package child

import (
	"io"
	"sync"
)

// lines writes lines in the order they come. One goroutine writes at a time;
// what the others add meanwhile goes out with its next write.
type lines struct {
	w       io.Writer
	nowait  bool        // add leaves the writing to a goroutine of its own
	broken  func(error) // hears of a failed write, if there is one
	writing sync.WaitGroup

	mu     sync.Mutex
	active bool // somebody writes
	buf    []byte
	spare  []byte
	err    error // the first of w, or io.ErrClosedPipe after close
}

func (l *lines) add(line []byte) error {
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	l.buf = append(append(l.buf, line...), '\n')
	active := l.active
	if !active {
		l.active = true
		l.writing.Add(1)
	}
	l.mu.Unlock()
	switch {
	case active:
	case l.nowait:
		go l.write()
	default:
		l.write()
	}
	return nil
}

// write writes until there is nothing left.
func (l *lines) write() {
	defer l.writing.Done()
	var out []byte
	var err error
	for {
		l.mu.Lock()
		if l.err == nil {
			l.err = err
		}
		if cap(out) <= 1<<20 { // one long prompt should not be kept for ever
			l.spare = out[:0]
		}
		if len(l.buf) == 0 || err != nil {
			l.active = false
			l.mu.Unlock()
			if err != nil && l.broken != nil {
				l.broken(err)
			}
			return
		}
		out, l.buf, l.spare = l.buf, l.spare, nil
		l.mu.Unlock()
		_, err = l.w.Write(out)
	}
}

// close lets no line in any more.
func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = io.ErrClosedPipe
	}
}

// wait waits until what was added before close is written.
func (l *lines) wait() { l.writing.Wait() }
