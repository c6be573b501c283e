package child

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

// A Handler answers one call: results through c.Send, then nil or an error. It
// runs in a goroutine of its own; its context ends when the caller has enough.
type Handler func(ctx context.Context, c *Call) error

// A Call is one call on the child's side.
type Call struct {
	Method string
	Params json.RawMessage

	ctx     context.Context
	cancel  context.CancelFunc
	id      uint64
	out     *lines
	credits chan struct{} // one for each result that may be sent
	buf     bytes.Buffer
}

// Decode reads the parameters into v.
func (c *Call) Decode(v any) error {
	if err := json.Unmarshal(c.Params, v); err != nil {
		return fmt.Errorf("child: %s: %w", c.Method, err)
	}
	return nil
}

// Send sends one result. It waits while the caller is not reading, and fails
// when the call is cancelled. It must not be called from two goroutines at once.
func (c *Call) Send(v any) error { return c.SendUnless(nil, v) }

// SendUnless is Send, but sends nothing, which is no error, when gone is closed while it
// waits.
func (c *Call) SendUnless(gone <-chan struct{}, v any) error {
	select {
	case <-c.credits:
	case <-gone:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	c.buf.Reset()
	if err := appendResult(&c.buf, c.id, v); err != nil {
		return fmt.Errorf("child: %s: %w", c.Method, err)
	}
	return c.out.add(c.buf.Bytes())
}

func (c *Call) more(n int) {
	for range min(n, window) {
		select {
		case c.credits <- struct{}{}:
		default:
			return
		}
	}
}

// Serve is the child's side: it writes the version line, then answers calls
// until its input ends. If a call is running then, it ends the process at once
// and does not return: native code cannot be asked to stop. A cancelled context
// ends it too, once the calls have returned; to the parent the child has died.
func (p Protocol) Serve(ctx context.Context, r io.Reader, w io.Writer, handle Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{protocol: p, handle: handle, calls: map[uint64]*Call{}, input: make(chan error, 1)}
	s.out = &lines{w: w, broken: s.end}
	s.out.add([]byte(p.Version))
	go func() { s.end(s.read(ctx, newReader(r))) }()
	var err error
	select {
	case err = <-s.input:
	case <-ctx.Done():
		err = ctx.Err()
	}
	cancel()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.running.Wait()
	s.out.close()
	s.out.wait()
	return err
}

type server struct {
	protocol Protocol
	handle   Handler
	out      *lines
	input    chan error // why there is no more of it
	running  sync.WaitGroup

	mu    sync.Mutex
	calls map[uint64]*Call
	ended bool // no call begins any more
}

func (s *server) read(ctx context.Context, r *bufio.Reader) error {
	for {
		line, err := readLine(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("child: read: %w", err)
		}
		m, err := parseRequest(line)
		if err != nil {
			return fmt.Errorf("child: read: %w", err)
		}
		s.mu.Lock()
		c := s.calls[m.ID]
		s.mu.Unlock()
		switch {
		case m.Call != "":
			s.begin(ctx, m)
		case c == nil: // it has ended meanwhile
		case m.Cancel:
			c.cancel()
		default:
			c.more(m.More)
		}
	}
}

// end is called by the goroutine that sees the parent gone. It does not wait
// for any other.
func (s *server) end(err error) {
	s.mu.Lock()
	busy := len(s.calls) > 0
	s.mu.Unlock()
	if busy {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	select {
	case s.input <- err:
	default:
	}
}

func (s *server) begin(ctx context.Context, m request) {
	c := &Call{Method: m.Call, Params: m.Params, id: m.ID, out: s.out, credits: make(chan struct{}, window)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.more(window)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.calls[c.id] = c
	s.running.Go(func() {
		err := s.handle(c.ctx, c)
		c.cancel()
		if ctx.Err() != nil {
			return // the process is ending, which the parent shall see and not this call's error
		}
		m := reply{ID: c.id, End: true}
		if err != nil {
			m.Error = s.protocol.failure(err)
		}
		c.buf.Reset()
		encode(&c.buf, m) // strings and numbers: cannot fail
		s.mu.Lock()
		delete(s.calls, c.id)
		s.mu.Unlock()
		c.out.add(c.buf.Bytes())
	})
}
