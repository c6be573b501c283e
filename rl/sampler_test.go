package rl

import (
	"context"
	"errors"
	"iter"
	"math"
	"strings"

	"longhand/engine"
	"longhand/rewards"
	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// tinySampler draws from a tiny model by scoring every token of the vocabulary as what
// comes next: slow, and right. It holds weights of its own and reads the adapter from the file it is
// handed, as an engine does.
type tinySampler struct {
	t     keeper
	path  string
	model tinyPolicy
	heat  float64 // a constant by which it finds every token less likely, as a quantised engine may
	deaf  bool    // it does not apply adapters
	drawn int
}

func openTinySampler(t keeper, path string) *tinySampler {
	return &tinySampler{t: t, path: path, model: openTiny(t, path, model.Options{})}
}

func (s *tinySampler) Info() engine.Info {
	return engine.Info{Name: "tiny", Context: 200, Vocabulary: tinyVocabulary, End: []int32{tinyEnd}}
}

func (s *tinySampler) Tokenize(_ context.Context, pieces ...engine.Piece) (ids []int32, err error) {
	for _, p := range pieces {
		for _, b := range []byte(p.Text) {
			ids = append(ids, int32(b)%(tinyVocabulary-1))
		}
	}
	return ids, nil
}

func (s *tinySampler) SetAdapter(_ context.Context, path string) error {
	if s.deaf {
		return nil
	}
	a, err := checkpoint.ReadAdapter(path)
	if err != nil {
		return err
	}
	s.model = openTiny(s.t, s.path, model.Options{Adapter: a, Rank: a.Rank})
	return nil
}

const tinyLetters = "abcdefghijklmnopqrstuvwxyz  "

func (s *tinySampler) Sample(ctx context.Context, requests []engine.SampleRequest, n int, o engine.SampleOptions) iter.Seq2[engine.Completion, error] {
	return func(yield func(engine.Completion, error) bool) {
		for r, request := range requests {
			for i := range n {
				c, err := s.draw(request, i)
				c.Request, c.Index = r, i
				if err = errors.Join(err, ctx.Err()); err != nil {
					yield(engine.Completion{}, err)
					return
				}
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

func (s *tinySampler) draw(r engine.SampleRequest, i int) (c engine.Completion, err error) {
	g := model.Group{Prompt: append([]int32{}, r.Prompt...)}
	for id := range int32(tinyVocabulary) {
		g.Completions = append(g.Completions, []int32{id})
	}
	var text strings.Builder
	for len(c.Tokens) < r.MaxTokens && !c.Finished {
		scores, err := s.model.Score([]model.Group{g}, []model.Part{{Group: 0, To: tinyVocabulary}})
		if err != nil {
			return c, err
		}
		u := float64(mix(r.Seed, uint64(i), uint64(len(c.Tokens)))>>11) / (1 << 53)
		id := 0
		for u -= math.Exp(scores.Logp[0][0]); u > 0 && id < tinyVocabulary-1; u -= math.Exp(scores.Logp[id][0]) {
			id++
		}
		c.Tokens = append(c.Tokens, int32(id))
		c.LogProbs = append(c.LogProbs, float32(scores.Logp[id][0]-s.heat))
		g.Prompt = append(g.Prompt, int32(id))
		c.Finished = id == tinyEnd
		if id < len(tinyLetters) {
			text.WriteByte(tinyLetters[id])
		}
		s.drawn++
	}
	c.Text = text.String()
	return c, nil
}

// early is a reward: the share of a text's letters that come before m.
type early struct{}

func (early) Score(_ context.Context, _ rewards.Prompt, c rewards.Completion) (rewards.Score, error) {
	n, all := 0, 0
	for _, r := range c.Text {
		if r != ' ' {
			all++
			if r < 'm' {
				n++
			}
		}
	}
	if all == 0 {
		return rewards.Score{Value: math.NaN(), Note: "no letters"}, nil
	}
	return rewards.Score{Value: float64(n) / float64(all)}, nil
}

// finished is a reward for ending.
type finished struct{}

func (finished) Score(_ context.Context, _ rewards.Prompt, c rewards.Completion) (rewards.Score, error) {
	if c.Finished {
		return rewards.Score{Value: 1}, nil
	}
	return rewards.Score{}, nil
}

func tinyRewards() rewards.Set {
	return rewards.Set{{Name: "early", Reward: early{}, Weight: 2}, {Name: "length", Reward: finished{}, Weight: 1}}
}
