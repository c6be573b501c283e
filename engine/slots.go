package engine

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// A drawing is one Sample. Sequence 0, the transcript's, holds the prompt of the
// group that was begun last; each slot has a sequence of its own that begins
// with the prompt's cells.
type drawing struct {
	m        *Model
	requests []SampleRequest
	o        SampleOptions
	waiting  []member // not begun, in order
	slots    []*slot
	root     int       // the request whose prompt is decoded; -1: none
	row      []float32 // the logits after it
}

// A member is one completion of a request's group.
type member struct{ request, index int }

// A slot draws one completion after the other.
type slot struct {
	seq      llama.SeqId
	busy     bool
	member   member
	r        *SampleRequest
	s        sampler
	ids      []int32 // prompt and completion
	logProbs []float32
	row      []float32 // logits of the token to draw; nil once it is drawn
	first    []float32 // row of the first token, which belongs to the whole group
	text     []byte    // of the completion
	over     bool
	finished bool
	err      error
}

func (d *drawing) run(ctx context.Context, yield func(Completion, error) bool) error {
	for {
		if err := d.fill(ctx); err != nil {
			return err
		}
		if err := d.draw(); err != nil {
			return err
		}
		freed, busy := 0, 0
		for _, s := range d.slots {
			if s.busy && s.over {
				freed++
				d.free(s)
				if !yield(d.completion(s), nil) {
					return errBroken
				}
			} else if s.busy {
				busy++
			}
		}
		switch {
		case freed > 0 && len(d.waiting) > 0: // they draw their first token before the others go on
		case busy == 0:
			return nil
		default:
			if err := d.decode(ctx); err != nil {
				return err
			}
		}
	}
}

// fill begins completions in the free slots, as many as there is room for.
func (d *drawing) fill(ctx context.Context) error {
	for _, s := range d.slots {
		if s.busy || len(d.waiting) == 0 {
			continue
		}
		next := d.waiting[0]
		if !d.m.split && d.cells(next) > d.m.info.Context {
			return nil
		}
		if err := d.open(ctx, next.request); err != nil {
			return err
		}
		if err := d.begin(s, next); err != nil {
			return err
		}
		d.waiting = d.waiting[1:]
	}
	return nil
}

// cells is how many there have to be once next has begun, for all to reach their
// greatest length: the prompts in use once each, and every completion's own but
// for its last token, which is not decoded.
func (d *drawing) cells(next member) int {
	prompts := map[int]int{next.request: len(d.requests[next.request].Prompt)}
	n := d.requests[next.request].MaxTokens - 1
	for _, s := range d.slots {
		if s.busy {
			prompts[s.member.request] = len(s.r.Prompt)
			n += s.r.MaxTokens - 1
		}
	}
	for _, p := range prompts {
		n += p
	}
	return n
}

// open decodes the prompt of a request in place of the one before. What the two
// begin with stays.
func (d *drawing) open(ctx context.Context, request int) error {
	if d.root == request {
		return nil
	}
	d.root = -1
	l, err := d.m.enter(Request{Prompt: d.requests[request].Prompt})
	if err != nil {
		return err
	}
	if err := d.m.decode(ctx, l); err != nil {
		return err
	}
	row, err := d.m.logits()
	if err != nil {
		return err
	}
	d.row, d.root = append(d.row[:0], row...), request
	return nil
}

// begin lets a slot begin a completion with the cells of its prompt.
func (d *drawing) begin(s *slot, next member) error {
	r := &d.requests[next.request]
	sampling := Sampling{Temperature: 1}
	if r.Sampling != nil {
		sampling = *r.Sampling
	}
	sampling.Seed = memberSeed(r.Seed, next.index)
	if err := s.s.prepare(d.m, Request{Sampling: sampling, LogProbs: d.o.LogProbs}); err != nil {
		return err
	}
	if r.MaxTokens > 1 { // else nothing is decoded
		if err := d.m.lend(transcript, s.seq, len(r.Prompt)); err != nil {
			return err
		}
	}
	s.busy, s.member, s.r = true, next, r
	s.ids = append(s.ids[:0], r.Prompt...)
	s.logProbs, s.text = nil, s.text[:0]
	s.over, s.finished = false, false
	s.first = append(s.first[:0], d.row...)
	s.row = s.first
	return nil
}

// draw draws a token in every slot that has logits for one. Their softmaxes are
// shared among the processor's cores.
func (d *drawing) draw() error {
	work := make([]*slot, 0, len(d.slots))
	for _, s := range d.slots {
		if s.busy && s.row != nil {
			work = append(work, s)
		}
	}
	var at atomic.Int64
	next := func() {
		for {
			i := int(at.Add(1)) - 1
			if i >= len(work) {
				return
			}
			work[i].next()
		}
	}
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(work)) - 1 {
		group.Go(next)
	}
	next()
	group.Wait()
	for _, s := range work {
		if errors.Is(s.err, errNaN) {
			d.m.forget() // the cache may hold what made them
		}
		if s.err != nil {
			return s.err
		}
		d.settle(s)
	}
	return nil
}

// next draws a slot's token.
func (s *slot) next() {
	id, logProb, err := s.s.next(s.ids, s.row, s.drawn())
	s.row, s.err = nil, err
	s.ids = append(s.ids, id)
	if s.s.logProbs {
		s.logProbs = append(s.logProbs, logProb)
	}
}

// drawn is how many tokens of the completion there are.
func (s *slot) drawn() int { return len(s.ids) - len(s.r.Prompt) }

// settle finds out whether the token just drawn is the last.
func (d *drawing) settle(s *slot) {
	id := s.ids[len(s.ids)-1]
	s.finished = d.m.eog[id]
	s.over = d.m.control[id] || s.drawn() == s.r.MaxTokens
	if d.m.control[id] {
		return
	}
	piece := d.m.piece(id)
	s.text = append(s.text, piece...)
	for _, stop := range s.r.Stop {
		if bytes.Contains(s.text[max(0, len(s.text)-len(piece)-len(stop)+1):], []byte(stop)) {
			s.over, s.finished = true, true
		}
	}
}

// free gives back the cells of a slot; what it has drawn stays until the next.
func (d *drawing) free(s *slot) {
	s.busy = false
	llama.MemorySeqRm(d.m.memory, s.seq, -1, -1)
}

func (d *drawing) completion(s *slot) Completion {
	return Completion{
		Request:  s.member.request,
		Index:    s.member.index,
		Tokens:   append([]int32(nil), s.ids[len(s.r.Prompt):]...),
		LogProbs: s.logProbs,
		Text:     strings.ToValidUTF8(string(s.text), "\uFFFD"),
		Finished: s.finished,
	}
}

// decode decodes the last token of every slot in one batch.
func (d *drawing) decode(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m := d.m
	if m.split {
		if err := d.closeRanks(); err != nil {
			return err
		}
	}
	m.batch.Clear()
	work := make([]*slot, 0, len(d.slots))
	for _, s := range d.slots {
		if !s.busy {
			continue
		}
		at := len(s.ids) - 1
		if err := m.batch.Add(llama.Token(s.ids[at]), llama.Pos(at), []llama.SeqId{s.seq}, true); err != nil {
			return err
		}
		work = append(work, s)
	}
	if err := m.decodeBatch(); err != nil {
		return err
	}
	for i, s := range work {
		row, err := llama.GetLogitsIth(m.ctx, int32(i), len(m.control))
		if err != nil || row == nil {
			return errors.Join(errors.New("the model gave no logits"), err)
		}
		s.row = row
	}
	return nil
}

// closeRanks moves the last busy slots into the places of free ones. llama.cpp decodes
// sequences of a split cache together only where their numbers follow each other, so
// that towards the end, with a gap at every completion that is over, a batch would
// fall into many.
func (d *drawing) closeRanks() error {
	free, last := 0, len(d.slots)-1
	for {
		for free < last && d.slots[free].busy {
			free++
		}
		for free < last && !d.slots[last].busy {
			last--
		}
		if free >= last {
			return nil
		}
		from, to := d.slots[last], d.slots[free]
		if err := d.m.lend(from.seq, to.seq, len(from.ids)); err != nil {
			return err
		}
		llama.MemorySeqRm(d.m.memory, from.seq, -1, -1)
		from.seq, to.seq = to.seq, from.seq
		d.slots[free], d.slots[last] = from, to
	}
}

// drop gives back all cells but those of the last prompt.
func (d *drawing) drop() {
	for _, s := range d.slots {
		d.free(s)
	}
}
