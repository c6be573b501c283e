package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Choose asks questions about one text. The prefix is decoded once and every
// question shares its cells. answers holds for each answer its spellings in
// token ids ("yes", " Yes", ...); the result is, for each question and answer,
// the probability that the model goes on with one of them:
//
//	P(answer) = sum over its spellings of the product of p(token | before)
//
// No spelling may begin another one. What is left to 1 is everything else.
// The transcript stays in the cache if there is room for both.
func (m *Model) Choose(ctx context.Context, prefix []int32, questions [][]int32, answers [][][]int32) ([][]float64, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("engine: choose: %w", err)
	}
	defer end()
	found, err := m.choose(ctx, prefix, questions, answers)
	if err != nil && !errors.Is(err, ErrContextFull) {
		err = fmt.Errorf("engine: choose: %w", err)
	}
	return found, err
}

func (m *Model) choose(ctx context.Context, prefix []int32, questions [][]int32, answers [][][]int32) ([][]float64, error) {
	if err := m.checkChoice(prefix, questions, answers); err != nil {
		return nil, err
	}
	longer := func(a, b []int32) int { return len(a) - len(b) }
	longest := len(slices.MaxFunc(questions, longer)) + len(slices.MaxFunc(slices.Concat(answers...), longer)) - 1
	if len(prefix)+longest > m.info.Context {
		return nil, ErrContextFull
	}
	if !m.split && len(m.held)-commonPrefix(m.held, prefix)+len(prefix)+longest > m.info.Context {
		m.forget()
	}
	// At least one token of the prefix is decoded, as with any line.
	l, err := m.aside(prefix, len(prefix)-1)
	if err != nil {
		return nil, err
	}
	defer m.leave(l)
	for l.n < len(l.ids) {
		if err := m.decodeSome(ctx, l, len(prefix)); err != nil {
			return nil, err
		}
	}
	chances := make([][]float64, len(questions))
	for i, question := range questions {
		if chances[i], err = m.chances(ctx, prefix, question, answers); err != nil {
			return nil, err
		}
	}
	return chances, nil
}

func (m *Model) checkChoice(prefix []int32, questions [][]int32, answers [][][]int32) error {
	if len(prefix) == 0 || len(questions) == 0 || len(answers) == 0 {
		return errors.New("prefix, questions or answers are empty")
	}
	if slices.ContainsFunc(answers, func(a [][]int32) bool { return len(a) == 0 }) {
		return errors.New("an answer has no spelling")
	}
	for _, ids := range slices.Concat([][]int32{prefix}, questions, slices.Concat(answers...)) {
		if len(ids) == 0 {
			return errors.New("a question or a spelling is empty")
		}
		if err := m.checkIDs(ids); err != nil {
			return err
		}
	}
	return nil
}

// chances are the probabilities of the answers to one question. The fork holds
// the prefix.
func (m *Model) chances(ctx context.Context, prefix, question []int32, answers [][][]int32) ([]float64, error) {
	chances := make([]float64, len(answers))
	ids := slices.Concat(prefix, question)
	// All first tokens are read off the question's end.
	if err := m.branchOff(ctx, ids, len(prefix), nil); err != nil {
		return nil, err
	}
	logits, err := m.logits()
	if err != nil {
		return nil, err
	}
	sum := logSumExp(logits)
	if math.IsNaN(sum) {
		m.forget()
		return nil, errNaN
	}
	firsts := map[int32]float64{}
	for _, spelling := range slices.Concat(answers...) {
		firsts[spelling[0]] = float64(logits[spelling[0]]) - sum
	}
	for a, spellings := range answers {
		for _, spelling := range spellings {
			logp := firsts[spelling[0]]
			if rest := spelling[1:]; len(rest) > 0 {
				err := m.branchOff(ctx, append(slices.Clip(ids), spelling[:len(spelling)-1]...), len(prefix), func(l *line) error {
					logps, err := m.follow(ctx, l, len(ids), rest)
					for _, x := range logps {
						logp += float64(x)
					}
					return err
				})
				if err != nil {
					return nil, err
				}
			}
			chances[a] += math.Exp(logp)
		}
	}
	return chances, nil
}

// branchOff decodes ids, whose first n the fork holds, in a branch that is
// dropped. Without work the logits of the last are left to be read.
func (m *Model) branchOff(ctx context.Context, ids []int32, n int, work func(*line) error) error {
	if err := m.lend(fork, branch, n); err != nil {
		return err
	}
	l := &line{seq: branch, ids: ids, n: n}
	defer m.leave(l)
	if work != nil {
		return work(l)
	}
	return m.decode(ctx, l)
}
