package child

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// A call waits for its replies. The channel has room for every reply that the
// child may send, so the goroutine that reads never waits for a caller.
type call struct {
	process *Process
	id      uint64
	replies chan reply // closed after the last reply, or when the child is gone
	taken   int        // results since the child was last allowed more
}

// begin sends the request.
func (q *Process) begin(method string, params any) (*call, error) {
	var buf bytes.Buffer
	if err := encode(&buf, params); err != nil {
		return nil, fmt.Errorf("child: %s: %w", method, err)
	}
	q.mu.Lock()
	if q.calls == nil {
		defer q.mu.Unlock()
		return nil, q.err
	}
	q.last++
	c := &call{process: q, id: q.last, replies: make(chan reply, window+1)}
	q.calls[c.id] = c
	q.mu.Unlock()
	q.send(request{ID: c.id, Call: method, Params: buf.Bytes()})
	return c, nil
}

// send does not say whether the child is gone: that shows when replies end.
func (q *Process) send(m request) {
	var line bytes.Buffer
	encode(&line, m) // JSON, strings and numbers: cannot fail
	q.out.add(line.Bytes())
}

// next returns the next result; ok is false after the last.
func (c *call) next(ctx context.Context) (result json.RawMessage, ok bool, err error) {
	select {
	case m, open := <-c.replies:
		switch {
		case !open:
			return nil, false, c.process.gone()
		case m.Error != nil:
			return nil, false, c.process.protocol.error(m.Error)
		case m.End:
			return nil, false, nil
		}
		if c.taken++; c.taken == window/2 {
			c.taken = 0
			c.process.send(request{ID: c.id, More: window / 2})
		}
		return m.Result, true, nil
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}

// gone waits for the reason why the replies ended without a last one.
func (q *Process) gone() error {
	<-q.done
	return q.err
}

// end tells the child that the rest is not wanted, unless there is none.
func (c *call) end() {
	q := c.process
	q.mu.Lock()
	_, open := q.calls[c.id]
	delete(q.calls, c.id)
	q.mu.Unlock()
	if open {
		q.send(request{ID: c.id, Cancel: true})
	}
}

// Stream calls a method of the child and yields its results as they come.
// Breaking off or cancelling the context cancels the call. The last thing
// yielded is an error if there is one: the handler's as an *Error, *Died,
// os.ErrClosed after Close, or the context's.
func Stream[T any](ctx context.Context, q *Process, method string, params any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		c, err := q.begin(method, params)
		if err != nil {
			yield(none, err)
			return
		}
		defer c.end()
		for {
			result, ok, err := c.next(ctx)
			if err != nil {
				yield(none, err)
				return
			}
			if !ok {
				return
			}
			var v T
			if err := json.Unmarshal(result, &v); err != nil {
				yield(none, fmt.Errorf("child: %s: %w", method, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// One calls a method that has one result.
func One[T any](ctx context.Context, q *Process, method string, params any) (v T, err error) {
	n := 0
	for r, err := range Stream[T](ctx, q, method, params) {
		if err != nil {
			return v, err
		}
		v, n = r, n+1
	}
	if n != 1 {
		return v, fmt.Errorf("child: %s: %d results where one was expected", method, n)
	}
	return v, nil
}
