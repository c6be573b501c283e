package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"longhand/engine/child"
)

// A Process is a model in a child process, with the methods of a *Model. When
// the child dies it is started again and the call goes on: a completion from
// its last token. A call fails with ErrDied when the child died three times in
// a row without a token or an answer for it.
//
// As with a *Model, one Generate runs at a time; Tokenize, Text and Count may
// be called meanwhile. What a Generate has not been asked for yet is made at
// most 64 tokens ahead.
type Process struct {
	command []string
	path    string
	closed  context.Context // done after Close
	close   context.CancelFunc
	turn    chan struct{} // holds one value while the child is being started

	mu       sync.Mutex
	child    *child.Process // nil before the first is started; it may be dead
	options  Options        // with the adapter that was set last
	info     Info
	starts   int // of a child, in all
	reported int // of these, the ones the caller has heard of
}

const (
	deathsInOpen = 2 // in a row, before Start gives up
	deathsInCall = 3 // in a row, before a call gives up
)

// Start starts command, whose process must call Serve, and opens the model at
// path there. The context is for the opening alone. What Open returns in the
// child comes back as it is.
func Start(ctx context.Context, command []string, path string, o Options) (*Process, error) {
	if len(command) == 0 {
		return nil, errors.New("engine: start: no command")
	}
	p := &Process{command: slices.Clone(command), path: path, options: o, turn: make(chan struct{}, 1)}
	p.closed, p.close = context.WithCancel(context.Background())
	err := p.try(ctx, "open "+path, deathsInOpen, func(*child.Process) (bool, error) { return true, nil })
	if err != nil {
		p.Close()
		return nil, err
	}
	p.mu.Lock()
	p.reported = p.starts
	p.mu.Unlock()
	return p, nil
}

// try runs use with a living child. If the child dies it does so again with the
// next one, until limit deaths have come in a row; use says whether it got
// anything before.
func (p *Process) try(ctx context.Context, verb string, limit int, use func(*child.Process) (progress bool, err error)) error {
	for deaths := 1; ; deaths++ {
		progress := false
		c, err := p.running(ctx)
		if err == nil {
			progress, err = use(c)
		}
		var died *child.Died
		if !errors.As(err, &died) {
			return err
		}
		if progress {
			deaths = 1
		}
		if deaths == limit {
			return &diedError{verb: verb, died: died}
		}
	}
}

// running returns a child that has opened the model, the one there is or a new
// one. One caller starts it; the others wait.
func (p *Process) running(ctx context.Context) (*child.Process, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.closed.Err() != nil {
		return nil, errClosed
	}
	p.mu.Lock()
	c, options := p.child, p.options
	p.mu.Unlock()
	if c != nil {
		select {
		case <-c.Done():
			c.Close()
		default:
			return c, nil
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.closed, cancel)()
	c, err := p.open(ctx, options)
	if err != nil && p.closed.Err() != nil {
		return nil, errClosed
	}
	return c, err
}

var errClosed = fmt.Errorf("engine: the process is closed: %w", os.ErrClosed)

func (p *Process) open(ctx context.Context, o Options) (*child.Process, error) {
	p.mu.Lock()
	p.starts++
	p.mu.Unlock()
	// Else an abort of llama.cpp's calls the debugger for a stack trace.
	env := []string{"GGML_NO_BACKTRACE=1"}
	c, err := protocol.Start(ctx, child.Command{Args: p.command, Env: env})
	if err != nil {
		return nil, fmt.Errorf("engine: open %s: %w", p.path, err)
	}
	info, err := child.One[Info](ctx, c, "open", openParams{Path: p.path, Options: o})
	if err != nil {
		c.Close()
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.child, p.info = c, info
	return c, nil
}

// Close ends the child. Calls in progress fail with os.ErrClosed.
func (p *Process) Close() error {
	p.close()
	p.turn <- struct{}{} // whoever is starting a child has noticed
	defer func() { <-p.turn }()
	p.mu.Lock()
	c := p.child
	p.mu.Unlock()
	if c != nil {
		c.Close()
	}
	return nil
}

// PID is the number of the child process as last started.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.child.PID()
}

// Info describes the model.
func (p *Process) Info() Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.info
}

// Generate yields the continuation of r.Prompt and r.Completion. After a death
// of the child it goes on behind the tokens already yielded; the next token
// says how often that happened and what it cost.
func (p *Process) Generate(ctx context.Context, r Request) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		g := generation{process: p, request: r, yield: yield, begin: time.Now()}
		g.request.Completion = slices.Clone(r.Completion)
		err := p.try(ctx, "generate", deathsInCall, func(c *child.Process) (bool, error) { return g.run(ctx, c) })
		if err != nil && !g.over {
			yield(Token{}, err)
		}
	}
}

// A generation is one Generate, over however many children.
type generation struct {
	process *Process
	request Request // Completion grows by what was yielded
	yield   func(Token, error) bool
	begin   time.Time // of the request, or when the child was found dead
	over    bool      // nothing more is wanted, or there is nothing more
}

func (g *generation) run(ctx context.Context, c *child.Process) (progress bool, err error) {
	for t, err := range child.Stream[Token](ctx, c, "generate", &g.request) {
		if err != nil {
			g.begin = time.Now()
			if g.over {
				return true, nil
			}
			return progress, err
		}
		if !progress {
			t.Seconds = time.Since(g.begin).Seconds()
			t.Restarts = g.process.restarts()
		}
		progress = true
		g.request.Completion = append(g.request.Completion, t.ID)
		// A child that dies after the last token has nothing left to do.
		g.over = t.End || g.request.MaxTokens > 0 && len(g.request.Completion) >= g.request.MaxTokens
		if !g.yield(t, nil) {
			g.over = true
			return true, nil
		}
	}
	return true, nil
}

// restarts counts those since it was last asked.
func (p *Process) restarts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.starts - p.reported
	p.reported = p.starts
	return n
}

// Sample draws n completions of every request and yields each as it ends. What
// was not finished when the child died is drawn again with the same seeds.
func (p *Process) Sample(ctx context.Context, requests []SampleRequest, n int, o SampleOptions) iter.Seq2[Completion, error] {
	return func(yield func(Completion, error) bool) {
		params := sampleParams{Requests: slices.Clone(requests), N: n, Options: o}
		over := false
		err := p.try(ctx, "sample", deathsInCall, func(c *child.Process) (progress bool, err error) {
			for done, err := range child.Stream[Completion](ctx, c, "sample", &params) {
				if err != nil {
					return progress, err
				}
				progress = true
				r := &params.Requests[done.Request]
				r.Done = append(slices.Clip(r.Done), done.Index)
				if over = !yield(done, nil); over {
					return true, nil
				}
			}
			return true, nil
		})
		if err != nil && !over {
			yield(Completion{}, err)
		}
	}
}

// Tokenize turns pieces into token ids.
func (p *Process) Tokenize(ctx context.Context, pieces ...Piece) ([]int32, error) {
	return remote[[]int32](ctx, p, "tokenize", pieces)
}

// Text turns token ids into text.
func (p *Process) Text(ctx context.Context, ids []int32) (string, error) {
	return remote[string](ctx, p, "text", ids)
}

// Count is the number of tokens of a person's text.
func (p *Process) Count(ctx context.Context, text string) (int, error) {
	return remote[int](ctx, p, "count", text)
}

// Logprobs are the log-probabilities of the completion's tokens.
func (p *Process) Logprobs(ctx context.Context, prompt, completion []int32) ([]float32, error) {
	return remote[[]float32](ctx, p, "logprobs", logprobsParams{prompt, completion})
}

// Embed is the mean of the last hidden states over the tokens of each text. A
// child that dies has only one text to do again.
func (p *Process) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	found := make([][]float32, 0, len(texts))
	for _, text := range texts {
		one, err := remote[[][]float32](ctx, p, "embed", []string{text})
		if err != nil {
			return nil, err
		}
		found = append(found, one...)
	}
	return found, nil
}

// Choose gives the probability of each answer to each question about a text.
func (p *Process) Choose(ctx context.Context, prefix []int32, questions [][]int32, answers [][][]int32) ([][]float64, error) {
	return remote[[][]float64](ctx, p, "choose", chooseParams{prefix, questions, answers})
}

// SetAdapter changes the adapter; "" takes it off. A child that is started
// again has it from the beginning.
func (p *Process) SetAdapter(ctx context.Context, path string) error {
	before := p.wantAdapter(path) // first, for a child that another call starts meanwhile
	info, err := remote[Info](ctx, p, "set_adapter", path)
	if err != nil {
		p.wantAdapter(before)
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info = info
	return nil
}

func (p *Process) wantAdapter(path string) (before string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, p.options.Adapter = p.options.Adapter, path
	return before
}

// SaveState writes the KV cache to a file.
func (p *Process) SaveState(ctx context.Context, path string) error {
	_, err := remote[nothing](ctx, p, "save_state", path)
	return err
}

// LoadState reads what SaveState wrote. It is lost with the child, which costs
// time and changes nothing else.
func (p *Process) LoadState(ctx context.Context, path string) error {
	_, err := remote[nothing](ctx, p, "load_state", path)
	return err
}

// remote is a call with one answer.
func remote[R any](ctx context.Context, p *Process, method string, params any) (r R, err error) {
	err = p.try(ctx, strings.ReplaceAll(method, "_", " "), deathsInCall, func(c *child.Process) (bool, error) {
		r, err = child.One[R](ctx, c, method, params)
		return err == nil, err
	})
	return r, err
}

// A diedError is ErrDied with what was being done and why it died.
type diedError struct {
	verb string
	died *child.Died
}

func (e *diedError) Unwrap() []error { return []error{ErrDied, e.died} }

func (e *diedError) Error() string {
	return "engine: " + e.verb + ": the engine " + strings.TrimPrefix(e.died.Error(), "the ")
}
