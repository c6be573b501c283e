package rl

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"longhand/engine"
	"longhand/rewards"
)

// Sampler draws completions from the policy: an *engine.Model or an *engine.Process,
// which holds the base and is handed the adapter after every update.
type Sampler interface {
	Info() engine.Info
	Tokenize(ctx context.Context, pieces ...engine.Piece) ([]int32, error)
	Sample(ctx context.Context, requests []engine.SampleRequest, n int, o engine.SampleOptions) iter.Seq2[engine.Completion, error]
	SetAdapter(ctx context.Context, path string) error
}

// A question is a prompt with its token ids.
type question struct {
	Prompt
	index int // line of the file that has a prompt, from 0
	ids   []int32
}

// A group is the completions of one prompt and what became of them.
type group struct {
	*question
	completions []engine.Completion
	scores      []rewards.Scores
	advantages  []float64
	dead        bool
}

// opened is what the template writes of a one-pass answer.
const opened = "<think>\n"

// pieces are the transcript of a prompt, as drafting has it: nothing but the template's own
// strings is special.
func pieces(info engine.Info, form, text string) []engine.Piece {
	if form == FormOnePass {
		return info.OnePass(text, opened)
	}
	head, _ := info.Chat.Begin("")
	return append(head, info.Chat.Ask(text, false, "")...)
}

// questions tokenises prompts.
func (t *training) questions(ctx context.Context, prompts []Prompt) ([]*question, error) {
	info := t.parts.Sampler.Info()
	all := make([]*question, len(prompts))
	for i, p := range prompts {
		ids, err := t.parts.Sampler.Tokenize(ctx, pieces(info, t.job.Form, p.Text)...)
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			return nil, fmt.Errorf("rl: prompt %d has no tokens", i+1)
		}
		all[i] = &question{p, i, ids}
	}
	return all, nil
}

// sample draws n completions of each question, of at most limit tokens. seed is the
// key of the random stream of the group at a place.
func (t *training) sample(ctx context.Context, asked []*question, n, limit int, seed func(place int) uint64) ([]group, error) {
	requests := make([]engine.SampleRequest, len(asked))
	groups := make([]group, len(asked))
	for i, q := range asked {
		requests[i] = engine.SampleRequest{Prompt: q.ids, MaxTokens: limit, Seed: seed(i)}
		if t.job.Form == FormOnePass {
			requests[i].Stop = []string{"</answer>"}
		}
		groups[i] = group{question: q, completions: make([]engine.Completion, n)}
	}
	drawn := 0
	for c, err := range t.parts.Sampler.Sample(ctx, requests, n, engine.SampleOptions{Slots: t.job.Slots, LogProbs: true}) {
		if err != nil {
			return nil, err
		}
		if len(c.Tokens) == 0 || len(c.LogProbs) != len(c.Tokens) {
			return nil, fmt.Errorf("rl: the sampler gave a completion of %d tokens and %d log-probabilities", len(c.Tokens), len(c.LogProbs))
		}
		groups[c.Request].completions[c.Index] = c
		drawn++
	}
	if drawn != n*len(asked) {
		return nil, fmt.Errorf("rl: the sampler gave %d completions of %d", drawn, n*len(asked))
	}
	return groups, nil
}

// score asks the rewards about a group. seed is for what they draw.
func (t *training) score(ctx context.Context, g *group, seed uint64) (err error) {
	asked := rewards.Prompt{Text: g.Text, Min: g.Min, Max: g.Max, Seed: seed}
	if t.job.Form == FormOnePass {
		asked.Form, asked.Opened = rewards.OnePass, opened
	}
	texts := make([]rewards.Completion, len(g.completions))
	for i, c := range g.completions {
		texts[i] = rewards.Completion{Text: c.Text, Finished: c.Finished}
	}
	g.scores, err = t.parts.Rewards.ScoreGroup(ctx, asked, texts)
	if err == nil && len(g.scores) != len(texts) {
		err = errors.New("rl: the rewards did not score every completion")
	}
	return err
}

// values are a completion's rewards, NaN where one is unknown.
func values(s rewards.Scores) []float64 {
	v := make([]float64, len(s.Rewards))
	for k, r := range s.Rewards {
		v[k] = r.Value
	}
	return v
}

// upper is the most words that a prompt asks for; 0: it does not say.
func (p Prompt) upper() int {
	if p.Max > 0 {
		return p.Max
	}
	if p.Min > 0 {
		return p.Min + p.Min/10
	}
	r, _ := rewards.Wanted(p.Text)
	return r.Max
}
