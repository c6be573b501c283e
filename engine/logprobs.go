package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// logitBytes bounds the logits of one batch when every position is asked for.
const logitBytes = 64 << 20

// Logprobs is the log-probability of each token of completion after what stands
// before it: log softmax at temperature 1, nothing cut off. The transcript stays
// in the cache if there is room for both.
func (m *Model) Logprobs(ctx context.Context, prompt, completion []int32) ([]float32, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("engine: log-probabilities: %w", err)
	}
	defer end()
	found, err := m.logprobs(ctx, prompt, completion)
	if err != nil && !errors.Is(err, ErrContextFull) {
		err = fmt.Errorf("engine: log-probabilities: %w", err)
	}
	return found, err
}

func (m *Model) logprobs(ctx context.Context, prompt, completion []int32) ([]float32, error) {
	if len(prompt) == 0 {
		return nil, errors.New("the prompt is empty")
	}
	if err := errors.Join(m.checkIDs(prompt), m.checkIDs(completion)); err != nil {
		return nil, err
	}
	if len(completion) == 0 {
		return nil, nil
	}
	// The last token's own logits are not needed, so it is not decoded.
	l, err := m.aside(slices.Concat(prompt, completion[:len(completion)-1]), len(prompt)-1)
	if err != nil {
		return nil, err
	}
	defer m.leave(l)
	return m.follow(ctx, l, len(prompt)-1, completion)
}

// aside sets up a line beside the transcript with ids, of which at most keep are
// shared with it. The transcript gives way if there is no room for both.
func (m *Model) aside(ids []int32, keep int) (*line, error) {
	if len(ids) > m.info.Context {
		return nil, ErrContextFull
	}
	l := &line{seq: fork, ids: ids}
	keep = min(commonPrefix(m.held, ids), keep)
	if !m.split && len(ids)+len(m.held)-keep > m.info.Context {
		m.forget()
		keep = 0
	}
	return l, m.share(l, keep)
}

// follow decodes the rest of a line. From position first on, next follows it
// token by token: the result is the log-probability of each.
func (m *Model) follow(ctx context.Context, l *line, first int, next []int32) ([]float32, error) {
	logps := make([]float32, 0, len(next))
	for l.n < len(l.ids) {
		from := l.n
		if err := m.decodeSome(ctx, l, first); err != nil {
			return nil, err
		}
		some, err := m.score(max(from, first)-from, l.n-from, next[len(logps):])
		if err != nil {
			return nil, err
		}
		logps = append(logps, some...)
	}
	return logps, nil
}

// decodeSome decodes one batch of a line, with logits from position first on.
func (m *Model) decodeSome(ctx context.Context, l *line, first int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	rows := max(1, logitBytes/4/len(m.control))
	end := min(len(l.ids), max(l.n, first)+rows, l.n+microBatchTokens)
	m.batch.Clear()
	for i := l.n; i < end; i++ {
		if err := m.batch.Add(llama.Token(l.ids[i]), llama.Pos(i), []llama.SeqId{l.seq}, i >= first); err != nil {
			return err
		}
	}
	l.n = end
	return m.decodeBatch()
}

// score is the log-probability of the next tokens after the batch's positions
// from to end.
func (m *Model) score(from, end int, next []int32) ([]float32, error) {
	if from >= end {
		return nil, nil
	}
	logps := make([]float32, end-from)
	rows := make([][]float32, end-from)
	for i := range rows {
		var err error
		if rows[i], err = llama.GetLogitsIth(m.ctx, int32(from+i), len(m.control)); err != nil || rows[i] == nil {
			return nil, errors.Join(errors.New("the model gave no logits"), err)
		}
	}
	workers := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(rows); i += workers {
				logps[i] = float32(float64(rows[i][next[i]]) - logSumExp(rows[i]))
			}
		})
	}
	group.Wait()
	if slices.ContainsFunc(logps, func(x float32) bool { return math.IsNaN(float64(x)) }) {
		m.forget()
		return nil, errNaN
	}
	return logps, nil
}
