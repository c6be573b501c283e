package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// Generate continues r.Prompt + r.Completion. It yields one token at a time; an
// error is the last thing yielded. Breaking off or cancelling ctx stops it.
//
// What agrees from the start with what was decoded before stays in the cache
// and is not decoded again. One request at a time is worked on: another one
// waits, so a loop over Generate must not start one itself.
//
// ErrContextFull comes when prompt and completion fill the context; for a fork,
// when they do so beside the rest of the transcript, which is kept.
func (m *Model) Generate(ctx context.Context, r Request) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		end, err := m.begin(ctx)
		if err != nil {
			yield(Token{}, fmt.Errorf("engine: generate: %w", err))
			return
		}
		defer end()
		if err := m.generate(ctx, r, yield); err != nil && !errors.Is(err, errBroken) {
			if !errors.Is(err, ErrContextFull) {
				err = fmt.Errorf("engine: generate: %w", err)
			}
			yield(Token{}, err)
		}
	}
}

// errBroken says that the caller broke off the loop.
var errBroken = errors.New("broken off")

func (m *Model) generate(ctx context.Context, r Request, yield func(Token, error) bool) error {
	start := time.Now()
	if err := m.checkRequest(r); err != nil {
		return err
	}
	if r.MaxTokens > 0 && len(r.Completion) >= r.MaxTokens {
		return nil
	}
	s := &m.sample
	if err := s.prepare(m, r); err != nil {
		return err
	}
	defer s.release()

	line, err := m.enter(r)
	if err != nil {
		return err
	}
	defer m.leave(line)
	first := Token{Reused: line.n, Decoded: len(line.ids) - line.n}
	if err := m.decode(ctx, line); err != nil {
		return err
	}
	var text assembler
	for _, id := range r.Completion {
		text.add(m.piece(id))
	}
	for i := len(r.Completion); r.MaxTokens == 0 || i < r.MaxTokens; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		logits, err := m.logits()
		if err != nil {
			return err
		}
		t := Token{}
		if i == len(r.Completion) {
			t = first
		}
		if t.ID, t.LogProb, err = s.next(line.ids, logits, i); err != nil {
			if errors.Is(err, errNaN) {
				m.forget() // the cache may hold what made them
			}
			return err
		}
		if t.End = m.control[t.ID]; !t.End {
			t.Text = text.add(m.piece(t.ID))
		}
		if i == len(r.Completion) {
			t.Seconds = time.Since(start).Seconds()
		}
		if !yield(t, nil) {
			return errBroken
		}
		if t.End || i+1 == r.MaxTokens {
			return nil
		}
		line.ids = append(line.ids, t.ID)
		if line.full(m) {
			return ErrContextFull
		}
		if err := m.decode(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

func (m *Model) checkRequest(r Request) error {
	if len(r.Prompt)+len(r.Completion) == 0 {
		return errors.New("the prompt is empty")
	}
	if err := errors.Join(m.checkIDs(r.Prompt), m.checkIDs(r.Completion), m.checkIDs(r.Sampling.Ban)); err != nil {
		return err
	}
	return r.Sampling.check()
}

// logits are the scores of the next token, as the last decode left them.
func (m *Model) logits() ([]float32, error) {
	logits, err := llama.GetLogitsIth(m.ctx, -1, len(m.control))
	if err != nil {
		return nil, err
	}
	if logits == nil {
		return nil, errors.New("the model gave no logits")
	}
	return logits, nil
}

// A line is one sequence of the KV cache that a request works on.
type line struct {
	seq    llama.SeqId
	ids    []int32 // what it shall hold
	n      int     // how many of ids the cache holds
	beside int     // cells of the transcript that a fork does not share
}

func (l *line) full(m *Model) bool { return len(l.ids)+l.beside >= m.info.Context }

// enter sets up the sequence of a request: what it shares with the transcript
// is kept, the rest removed. At least the last token is left to be decoded,
// since the logits come from there.
func (m *Model) enter(r Request) (*line, error) {
	l := &line{ids: slices.Concat(r.Prompt, r.Completion)}
	same := commonPrefix(m.held, l.ids)
	if r.Fork {
		l.seq = fork
		if !m.split {
			l.beside = len(m.held) - same
		}
	}
	if l.full(m) {
		return nil, ErrContextFull
	}
	keep := min(same, len(l.ids)-1)
	if r.Fork {
		return l, m.share(l, keep)
	}
	l.n = m.cut(keep)
	return l, nil
}

// cut keeps the first n tokens of the transcript, or none if the model's cache
// cannot be cut there, and says how many it kept.
func (m *Model) cut(n int) int {
	if n == len(m.held) {
		return n
	}
	if n > 0 && m.partial && m.reaches(transcript, n) {
		if ok, err := llama.MemorySeqRm(m.memory, transcript, llama.Pos(n), -1); ok && err == nil {
			m.held = m.held[:n]
			return n
		}
	}
	llama.MemorySeqRm(m.memory, transcript, -1, -1)
	m.held = m.held[:0]
	return 0
}

// reaches says whether the cache still holds what a token at position n looks
// at; a sliding window may have dropped it.
func (m *Model) reaches(seq llama.SeqId, n int) bool {
	low, err := llama.MemorySeqPosMin(m.memory, seq)
	return err == nil && low <= 0 && n > 0
}

// share lets a fork begin with the first n cells of the transcript. A cache that
// cannot be cut can only be shared whole.
func (m *Model) share(l *line, n int) error {
	llama.MemorySeqRm(m.memory, fork, -1, -1)
	if n == 0 || !m.partial && n != len(m.held) {
		return nil
	}
	if err := m.lend(transcript, fork, n); err != nil {
		return err
	}
	l.n = n
	return nil
}

// lend lets an empty sequence begin with the first n cells of another. Of a
// split cache only whole sequences can be copied.
func (m *Model) lend(from, to llama.SeqId, n int) error {
	if !m.split {
		return llama.MemorySeqCp(m.memory, from, to, 0, llama.Pos(n))
	}
	if err := llama.MemorySeqCp(m.memory, from, to, -1, -1); err != nil {
		return err
	}
	last, err := llama.MemorySeqPosMax(m.memory, to)
	if err == nil && int(last) >= n {
		_, err = llama.MemorySeqRm(m.memory, to, llama.Pos(n), -1)
	}
	return err
}

// leave drops a fork or a branch.
func (m *Model) leave(l *line) {
	if l.seq != transcript {
		llama.MemorySeqRm(m.memory, l.seq, -1, -1)
	}
}

// decode decodes what the cache does not hold yet of a line, a micro-batch at a
// time: as llama.cpp would cut a larger batch, but between two the context is
// looked at. What was decoded stays, also after a
// cancellation; after a failure the cache is empty.
func (m *Model) decode(ctx context.Context, l *line) error {
	for l.n < len(l.ids) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(microBatchTokens, len(l.ids)-l.n)
		m.batch.Clear()
		for i, id := range l.ids[l.n : l.n+n] {
			if err := m.batch.Add(llama.Token(id), llama.Pos(l.n+i), []llama.SeqId{l.seq}, l.n+i == len(l.ids)-1); err != nil {
				return err
			}
		}
		if err := m.decodeBatch(); err != nil {
			return err
		}
		if l.seq == transcript {
			m.held = append(m.held, l.ids[l.n:l.n+n]...)
		}
		l.n += n
	}
	return nil
}

// decodeBatch decodes what stands in the batch.
func (m *Model) decodeBatch() error {
	mark := nativeLog.mark()
	status, err := llama.Decode(m.ctx, m.batch)
	if err == nil && status == 0 {
		return nil
	}
	m.forget()
	if err != nil {
		return err
	}
	return fmt.Errorf("decoding failed with status %d: %s", status, nativeLog.since(mark))
}

// forget empties the KV cache.
func (m *Model) forget() {
	llama.MemoryClear(m.memory, true)
	m.held = m.held[:0]
}

func commonPrefix(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
