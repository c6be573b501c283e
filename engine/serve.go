package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"sync"

	"longhand/engine/child"
)

// protocol is what Serve and Process agree on. A change of Options, Request,
// Token or Info that an older side would misread raises the number.
var protocol = child.Protocol{
	Version: "longhand engine 1",
	Errors:  map[string]error{"context_full": ErrContextFull},
}

// opened is a model as Serve needs it: one request at a time is worked on, the
// others wait in Generate and its like. *Model is one.
type opened interface {
	Info() Info
	Tokenize(ctx context.Context, pieces ...Piece) ([]int32, error)
	Text(ctx context.Context, ids []int32) (string, error)
	Count(ctx context.Context, text string) (int, error)
	Generate(ctx context.Context, r Request) iter.Seq2[Token, error]
	Sample(ctx context.Context, requests []SampleRequest, n int, o SampleOptions) iter.Seq2[Completion, error]
	Logprobs(ctx context.Context, prompt, completion []int32) ([]float32, error)
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	Choose(ctx context.Context, prefix []int32, questions [][]int32, answers [][][]int32) ([][]float64, error)
	SetAdapter(ctx context.Context, path string) error
	SaveState(ctx context.Context, path string) error
	LoadState(ctx context.Context, path string) error
	Close() error
}

// Serve answers a parent's Process over r and w until r ends: the first call
// opens a model, the others use it. If r ends in the middle of a call, Serve
// ends the process. Nothing else may be written to w.
func Serve(ctx context.Context, r io.Reader, w io.Writer) error {
	return serve(ctx, r, w, func(path string, o Options) (opened, error) { return Open(path, o) })
}

func serve(ctx context.Context, r io.Reader, w io.Writer, open func(string, Options) (opened, error)) error {
	s := &service{open: open}
	err := protocol.Serve(ctx, r, w, s.handle)
	if m, _ := s.get(); m != nil {
		err = errors.Join(err, m.Close())
	}
	if err != nil {
		return fmt.Errorf("engine: serve: %w", err)
	}
	return nil
}

type service struct {
	open func(path string, o Options) (opened, error)

	mu    sync.Mutex
	model opened
}

// What the calls carry where it is not a type of the package's own.
type (
	openParams struct {
		Path    string  `json:"path"`
		Options Options `json:"options"`
	}
	logprobsParams struct {
		Prompt     []int32 `json:"prompt"`
		Completion []int32 `json:"completion"`
	}
	sampleParams struct {
		Requests []SampleRequest `json:"requests"`
		N        int             `json:"n"`
		Options  SampleOptions   `json:"options"`
	}
	chooseParams struct {
		Prefix    []int32     `json:"prefix"`
		Questions [][]int32   `json:"questions"`
		Answers   [][][]int32 `json:"answers"`
	}
	nothing struct{}
)

func (s *service) handle(ctx context.Context, c *child.Call) error {
	if c.Method == "open" {
		return answer(c, s.openOnce)
	}
	m, err := s.get()
	if err != nil {
		return err
	}
	switch c.Method {
	case "tokenize":
		return answer(c, func(p []Piece) ([]int32, error) { return m.Tokenize(ctx, p...) })
	case "text":
		return answer(c, func(ids []int32) (string, error) { return m.Text(ctx, ids) })
	case "count":
		return answer(c, func(text string) (int, error) { return m.Count(ctx, text) })
	case "generate":
		return generate(ctx, c, m)
	case "sample":
		return sample(ctx, c, m)
	case "embed":
		return answer(c, func(texts []string) ([][]float32, error) { return m.Embed(ctx, texts) })
	case "choose":
		return answer(c, func(p chooseParams) ([][]float64, error) {
			return m.Choose(ctx, p.Prefix, p.Questions, p.Answers)
		})
	case "logprobs":
		return answer(c, func(p logprobsParams) ([]float32, error) {
			logps, err := m.Logprobs(ctx, p.Prompt, p.Completion)
			return finiteAll(logps), err
		})
	case "set_adapter":
		return answer(c, func(path string) (Info, error) {
			err := m.SetAdapter(ctx, path)
			return m.Info(), err
		})
	case "save_state":
		return answer(c, func(path string) (nothing, error) { return nothing{}, m.SaveState(ctx, path) })
	case "load_state":
		return answer(c, func(path string) (nothing, error) { return nothing{}, m.LoadState(ctx, path) })
	}
	return fmt.Errorf("engine: serve: unknown call %q", c.Method)
}

// answer is a call with one result.
func answer[P, R any](c *child.Call, f func(P) (R, error)) error {
	var p P
	if err := c.Decode(&p); err != nil {
		return err
	}
	r, err := f(p)
	if err != nil {
		return err
	}
	return c.Send(r)
}

func generate(ctx context.Context, c *child.Call, m opened) error {
	var r Request
	if err := c.Decode(&r); err != nil {
		return err
	}
	for t, err := range m.Generate(ctx, r) {
		if err != nil {
			return err
		}
		t.LogProb = finite(t.LogProb)
		if err := c.Send(&t); err != nil {
			return err
		}
	}
	return nil
}

func sample(ctx context.Context, c *child.Call, m opened) error {
	var p sampleParams
	if err := c.Decode(&p); err != nil {
		return err
	}
	for done, err := range m.Sample(ctx, p.Requests, p.N, p.Options) {
		if err != nil {
			return err
		}
		finiteAll(done.LogProbs)
		if err := c.Send(&done); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) openOnce(p openParams) (Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model != nil {
		return Info{}, errors.New("engine: serve: a model is open already")
	}
	m, err := s.open(p.Path, p.Options)
	if err != nil {
		return Info{}, err
	}
	s.model = m
	return m.Info(), nil
}

func (s *service) get() (opened, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model == nil {
		return nil, errors.New("engine: serve: no model is open")
	}
	return s.model, nil
}

// finite makes the log-probability of the impossible a number, since JSON has
// no infinity.
func finite(x float32) float32 {
	if math.IsInf(float64(x), -1) {
		return -math.MaxFloat32
	}
	return x
}

func finiteAll(list []float32) []float32 {
	for i := range list {
		list[i] = finite(list[i])
	}
	return list
}
