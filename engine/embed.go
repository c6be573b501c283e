package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// embedTokens is how many tokens of a text are seen at once.
const embedTokens = microBatchTokens

// Embed is, for each text, the mean of the model's last hidden states (after the
// final norm) over the text's tokens: Info.Width numbers, of whatever length.
// A BOS token, where the model's tokenizer adds one, does not count. A text of
// more than 512 tokens is seen in equal parts, each alone. An empty text is all
// zeros. The adapter that is set is on.
//
// A text's embedding depends on nothing but the text: not on the others, nor on
// the cache. The transcript stays in the cache if there is room beside it. The
// head is computed, too, since llama.cpp cannot leave it out: its output takes
// at most 64 MiB, which the context keeps.
func (m *Model) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("engine: embed: %w", err)
	}
	defer end()
	llama.SetEmbeddings(m.ctx, true)
	defer llama.SetEmbeddings(m.ctx, false)
	found := make([][]float32, len(texts))
	for i, text := range texts {
		if found[i], err = m.embed(ctx, text); err != nil {
			return nil, fmt.Errorf("engine: embed: %w", err)
		}
	}
	return found, nil
}

func (m *Model) embed(ctx context.Context, text string) ([]float32, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, errors.New("the text holds a zero byte")
	}
	ids := m.tokens(text, false)
	var head []int32
	if bos := llama.VocabBOS(m.vocab); llama.VocabGetAddBOS(m.vocab) && bos >= 0 {
		head = []int32{int32(bos)}
	}
	most := min(embedTokens, m.info.Context) - len(head)
	parts := (len(ids) + most - 1) / most
	sum := make([]float64, m.info.Width)
	for i := range parts {
		part := ids[i*len(ids)/parts : (i+1)*len(ids)/parts]
		if err := m.addStates(ctx, sum, append(head[:len(head):len(head)], part...), len(head)); err != nil {
			return nil, err
		}
	}
	mean := make([]float32, len(sum))
	for i, x := range sum {
		mean[i] = float32(x / float64(max(1, len(ids))))
		if math.IsNaN(x) || math.IsInf(x, 0) {
			m.forget()
			return nil, errors.New("the model's states are not numbers")
		}
	}
	return mean, nil
}

// addStates adds the last hidden states of ids from position first on.
func (m *Model) addStates(ctx context.Context, sum []float64, ids []int32, first int) error {
	l, err := m.aside(ids, 0)
	if err != nil {
		return err
	}
	defer m.leave(l)
	for l.n < len(ids) {
		from := l.n
		if err := m.decodeSome(ctx, l, 0); err != nil {
			return err
		}
		for i := max(from, first); i < l.n; i++ {
			state, err := llama.GetEmbeddingsIth(m.ctx, int32(i-from), int32(len(sum)))
			if err != nil || state == nil {
				return errors.Join(errors.New("the model gave no states"), err)
			}
			for j, x := range state {
				sum[j] += float64(x)
			}
		}
	}
	return nil
}
