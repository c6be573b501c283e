package rewards

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Model is a language model as the judges use it; engine.Plain is one. It is
// never the policy in training: the base model without an adapter and in a
// context of its own, or another model.
type Model interface {
	// About is its name, its context in tokens and its number of parameters.
	About() (name string, context int, parameters uint64)
	// Frame is what stands before and after one user turn in its template, up to
	// where the answer begins.
	Frame() (open, closing string)
	// Tokenize turns a text into ids. The strings around it are the template's,
	// whose control tokens are recognised; those of the text never are.
	Tokenize(ctx context.Context, open, text, closing string) ([]int32, error)
	// Choose gives the probability of each answer to each question about the text
	// in prefix, which is decoded once. An answer is all its spellings.
	Choose(ctx context.Context, prefix []int32, questions [][]int32, answers [][][]int32) ([][]float64, error)
	// Complete is the greedy continuation within a GBNF grammar.
	Complete(ctx context.Context, prompt []int32, grammar string, maxTokens int) (string, error)
}

// weakParameters is the size below which a judge is called weak: see RESULTS.md.
const weakParameters = 3_000_000_000

// Weak says in a sentence that a judge's word counts for little, or "".
func Weak(m interface{ About() (string, int, uint64) }) string {
	name, _, n := m.About()
	if n == 0 || n >= weakParameters {
		return ""
	}
	return fmt.Sprintf("%s has %d million parameters: its judgement of writing is hardly better than chance", name, n/1_000_000)
}

// spellings of words as a model may begin its answer with them, each one token:
// more would cost a decode each.
func spellings(ctx context.Context, m Model, words ...string) ([][]int32, error) {
	var all [][]int32
	for _, w := range words {
		for _, form := range []string{w, strings.ToLower(w), strings.ToUpper(w)} {
			for _, blank := range []string{"", " "} {
				ids, err := m.Tokenize(ctx, "", blank+form, "")
				if err != nil {
					return nil, err
				}
				if len(ids) == 1 && !slices.ContainsFunc(all, func(x []int32) bool { return x[0] == ids[0] }) {
					all = append(all, ids)
				}
			}
		}
	}
	if len(all) == 0 {
		ids, err := m.Tokenize(ctx, "", words[0], "")
		if err != nil || len(ids) == 0 {
			return nil, fmt.Errorf("the judge cannot say %q: %w", words[0], err)
		}
		all = [][]int32{ids}
	}
	return all, nil
}

// A ballot is the two answers that questions are put to the vote with.
type ballot struct{ answers [][][]int32 }

func newBallot(ctx context.Context, m Model, yes, no string) (*ballot, error) {
	b := &ballot{}
	for _, w := range []string{yes, no} {
		s, err := spellings(ctx, m, w)
		if err != nil {
			return nil, err
		}
		b.answers = append(b.answers, s)
	}
	return b, nil
}

// poll asks questions about a text, each in a turn of its own, and returns for
// each P(yes) / (P(yes) + P(no)), NaN where the model says neither.
func (b *ballot) poll(ctx context.Context, m Model, prefix []int32, questions []string) ([]float64, error) {
	_, closing := m.Frame()
	asked := make([][]int32, len(questions))
	for i, q := range questions {
		var err error
		if asked[i], err = m.Tokenize(ctx, "", q, closing); err != nil {
			return nil, err
		}
	}
	chances, err := m.Choose(ctx, prefix, asked, b.answers)
	if err != nil {
		return nil, err
	}
	values := make([]float64, len(questions))
	for i := range values {
		yes, no := chances[i][0], chances[i][1]
		if values[i] = yes / (yes + no); !(yes+no > 1e-9) {
			values[i] = math.NaN()
		}
	}
	return values, nil
}
