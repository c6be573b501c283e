package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// A Command says what to start.
type Command struct {
	Args []string // the program and its arguments
	Env  []string // NAME=VALUE, on top of this process's environment
}

const (
	startLimit = 30 * time.Second // for the version line
	closeLimit = 3 * time.Second  // from the end of the child's input to its being killed
	drainLimit = 5 * time.Second  // for what still lies in the pipes of a child that is gone
)

// A Process is a running child. Its methods may be called from any goroutine.
type Process struct {
	protocol Protocol
	cmd      *exec.Cmd
	stdin    io.Closer
	out      *lines   // to the child
	stdout   *os.File // from the child
	stderr   tail
	version  chan string   // the first line; closed when there is none
	exited   chan struct{} // the process is gone
	done     chan struct{} // so are the goroutines; err holds the reason

	mu      sync.Mutex
	calls   map[uint64]*call
	last    uint64
	closing bool
	wrong   string // what the child did to be killed
	err     error
}

// Start starts a child and reads its version line. The context ends the
// waiting, not the child: that is Close's.
func (p Protocol) Start(ctx context.Context, c Command) (*Process, error) {
	fail := func(err error) error { return fmt.Errorf("child: start %s: %w", c.Args[0], err) }
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = drainLimit
	q := &Process{protocol: p, cmd: cmd, version: make(chan string, 1), exited: make(chan struct{}), done: make(chan struct{}), calls: map[uint64]*call{}}
	cmd.Stderr = &q.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fail(err)
	}
	r, w, err := os.Pipe() // not StdoutPipe: Wait would close it before it is read out
	if err != nil {
		stdin.Close()
		return nil, fail(err)
	}
	cmd.Stdout, q.stdout, q.stdin = w, r, stdin
	started := make(chan error)
	go q.wait(started)
	err = <-started
	w.Close()
	if err != nil {
		r.Close()
		return nil, fail(err)
	}
	q.out = &lines{w: stdin, nowait: true}
	go q.read()
	if err := q.agree(ctx); err != nil {
		q.cmd.Process.Kill()
		q.Close()
		return nil, fail(err)
	}
	return q, nil
}

// agree waits for the version line.
func (q *Process) agree(ctx context.Context) error {
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	select {
	case v, ok := <-q.version:
		if !ok {
			return q.gone()
		}
		if v != q.protocol.Version {
			return fmt.Errorf("it speaks %.80q where this program speaks %q; install both from the same release", v, q.protocol.Version)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return fmt.Errorf("it said nothing for %v", startLimit)
	}
}

// wait starts the process and waits for its end, on one thread that lives as
// long: Linux ends the child when the thread that started it ends.
func (q *Process) wait(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := q.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	q.cmd.Wait()
	q.stdout.SetReadDeadline(time.Now().Add(drainLimit)) // a grandchild may hold the other end
	close(q.exited)
}

// read hands the child's lines to the calls they belong to, until the child is
// gone and every line that it wrote is delivered.
func (q *Process) read() {
	if err := q.replies(); err != nil {
		q.mu.Lock()
		q.wrong = err.Error()
		q.mu.Unlock()
		q.cmd.Process.Kill()
	}
	// A child that closes its output and goes on is of no use.
	kill := time.AfterFunc(closeLimit, func() { q.cmd.Process.Kill() })
	<-q.exited
	kill.Stop()
	q.out.close()
	q.stdin.Close()
	q.out.wait()
	q.stdout.Close()

	q.mu.Lock()
	q.err = q.why()
	calls := q.calls
	q.calls = nil
	q.mu.Unlock()
	for _, c := range calls {
		close(c.replies)
	}
	close(q.done)
}

// replies returns nil at the end of the child's output.
func (q *Process) replies() error {
	r := newReader(q.stdout)
	defer close(q.version)
	line, err := readLine(r)
	if err != nil {
		return ended(err)
	}
	q.version <- string(line)
	if string(line) != q.protocol.Version {
		return nil
	}
	return ended(q.dispatch(r))
}

func (q *Process) dispatch(r *bufio.Reader) error {
	for {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		m, err := parseReply(line)
		if err != nil {
			return err
		}
		q.mu.Lock()
		c := q.calls[m.ID]
		if m.End {
			delete(q.calls, m.ID)
		}
		q.mu.Unlock()
		if c == nil {
			continue // cancelled
		}
		select {
		case c.replies <- m:
		default:
			return errors.New("it sent more than it was allowed to")
		}
		if m.End {
			close(c.replies)
		}
	}
}

// ended tells the end of the output from what is wrong with it.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// why is what calls that are still open return. The process is gone.
func (q *Process) why() error {
	if q.closing {
		return fmt.Errorf("child: %w", os.ErrClosed)
	}
	state := q.cmd.ProcessState.String()
	if q.wrong != "" {
		state = q.wrong
	}
	stderr := q.stderr.String()
	return &Died{State: state, Reason: reason(stderr), Stderr: stderr}
}

// PID is the process's number.
func (q *Process) PID() int { return q.cmd.Process.Pid }

// Done is closed when the child is gone. Calls then fail with a *Died, or with
// os.ErrClosed after Close.
func (q *Process) Done() <-chan struct{} { return q.done }

// Close ends the child's input, waits for its end, and kills it when it takes
// too long. Calls in progress fail with os.ErrClosed. How the child ended does
// not matter any more.
func (q *Process) Close() error {
	q.mu.Lock()
	q.closing = true
	q.mu.Unlock()
	q.out.close()
	q.stdin.Close()
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-q.exited:
	case <-limit.C:
		q.cmd.Process.Kill()
	}
	<-q.done
	return nil
}
