package rl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"longhand/engine"
	"longhand/rl/model"
)

// The warm-up is supervised: -log p of the tokens of given completions, through the same
// batches, gradients and optimizer. A small model needs to have seen the form that is
// wanted before it can be rewarded for it.

// An example is a prompt with the completion that is wanted, in token ids.
type example struct{ prompt, completion []int32 }

// readExamples tokenises the warm-up file: the prompt as in a rollout, then the completion and
// the token that ends the model's turn.
func (t *training) readExamples(ctx context.Context) error {
	all, err := ReadExamples(t.job.Warmup)
	if err != nil {
		return err
	}
	s := t.parts.Sampler
	info := s.Info()
	end, err := endOfTurn(ctx, s)
	if err != nil {
		return err
	}
	for i, e := range all {
		prompt, err := s.Tokenize(ctx, pieces(info, t.job.Form, e.Prompt)...)
		if err != nil {
			return err
		}
		text := e.Completion
		if t.job.Form == FormOnePass { // the prompt has the first tag already
			text = afterOpening(text)
		}
		completion, err := s.Tokenize(ctx, engine.Piece{Text: text})
		if err != nil {
			return err
		}
		completion = append(completion, end)
		if err := t.fits(len(prompt), len(completion)); err != nil {
			return fmt.Errorf("rl: %s, example %d: %w", t.job.Warmup, i+1, err)
		}
		t.examples = append(t.examples, example{prompt, completion})
	}
	return nil
}

// endOfTurn is the token that a model ends its turn with: the first end token of what
// the template puts behind it, else the vocabulary's own.
func endOfTurn(ctx context.Context, s Sampler) (int32, error) {
	info := s.Info()
	ends := map[int32]bool{}
	for _, id := range info.End {
		ends[id] = true
	}
	if after := info.Chat.End(); after.Text != "" {
		ids, err := s.Tokenize(ctx, after)
		if err != nil {
			return 0, err
		}
		for _, id := range ids {
			if ends[id] {
				return id, nil
			}
		}
	}
	if len(info.End) == 0 {
		return 0, errors.New("rl: the model has no token that ends a text")
	}
	return info.End[0], nil
}

// fits says whether a prompt and a completion of so many tokens fit the memory plan.
func (t *training) fits(prompt, completion int) error {
	if most := t.parts.Policy.Plan().MaxRows; prompt+completion > most {
		return fmt.Errorf("its prompt of %d tokens and completion of up to %d do not fit into the %d rows of the memory plan", prompt, completion, most)
	}
	return nil
}

// warmup is one supervised step.
func (t *training) warmup() error {
	begin, n, j := time.Now(), t.state.Step, t.job
	o := NewLoss(SFT)
	var b batch
	for _, i := range pick(j.Seed, streamWarmup, len(t.examples), n, j.WarmupBatch) {
		e := t.examples[i]
		b.add(o, model.Group{Prompt: e.prompt, Completions: [][]int32{e.completion}}, make([]Item, 1))
		t.state.NumTokens += len(e.prompt) + len(e.completion)
	}
	s, err := pass(t.parts.Policy, o, &b, true, nil)
	if err != nil {
		return fmt.Errorf("%w, in step %d of the warm-up", err, n)
	}
	rate := ramp(j.WarmupRate, n, min(j.RateWarmup, (j.WarmupSteps+1)/2))
	norm, err := t.parts.Policy.Update(j.optimizer(rate))
	if err != nil {
		return fmt.Errorf("%w, in step %d of the warm-up", err, n)
	}
	t.state.Step++
	seconds := since(begin)
	return t.note(Warmup{
		Step: n, Loss: Number(s.loss), GradNorm: Number(norm), LearningRate: Number(rate), Tokens: b.size.Tokens,
		NumTokens: t.state.NumTokens, TrainSpeed: Number(float64(s.rows) / float64(seconds)), Seconds: seconds,
	})
}

// endWarmup begins GRPO with what the warm-up made and moments of 0; checkpoint-000000
// holds it.
func (t *training) endWarmup(ctx context.Context) error {
	t.parts.Policy.ResetMoments()
	t.state.Phase, t.state.Step = phaseTrain, 0
	if err := t.save(); err != nil {
		return err
	}
	return t.handOver(ctx)
}

// afterOpening is a completion without the tag that its prompt ends with.
func afterOpening(text string) string {
	if rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \n"), strings.TrimSpace(opened)); ok {
		return strings.TrimPrefix(rest, "\n")
	}
	return text
}
