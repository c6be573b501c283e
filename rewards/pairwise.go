package rewards

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// Pairwise is a judge that compares the completions of a group with a member of
// it that is drawn at random (BRPO, arXiv 2506.00103): 1 for a text that is
// better, 0 for one that is worse, 0.5 for a tie and for the member itself. Each
// pair is shown in both orders, since judges favour a place; where the two
// disagree it is a tie.
type Pairwise struct{ Model Model }

func (j Pairwise) warning() string { return Weak(j.Model) }

// Score implements Reward: one text alone has nothing to be compared with.
func (j Pairwise) Score(context.Context, Prompt, Completion) (Score, error) {
	return unknown("a single text cannot be compared"), nil
}

// ScoreGroup implements GroupReward.
func (j Pairwise) ScoreGroup(ctx context.Context, p Prompt, group []Completion) ([]Score, error) {
	bodies := make([]string, len(group))
	for i, c := range group {
		bodies[i] = strings.TrimSpace(bodyOf(p, c.Text).text)
	}
	rival := rand.New(rand.NewPCG(p.Seed, 0x70616972)).IntN(len(group))
	scores := make([]Score, len(group))
	for i := range group {
		if i == rival {
			scores[i] = Score{Value: 0.5, Parts: []Part{{"writing.first", math.NaN()}, {"writing.second", math.NaN()}}, Note: "the others are compared with this one"}
			continue
		}
		v, err := j.Compare(ctx, p.Text, bodies[i], bodies[rival])
		if err != nil {
			return nil, err
		}
		scores[i] = v.score()
		if scores[i].Note == "" {
			scores[i].Note = j.warning()
		}
	}
	return scores, nil
}

// A Verdict is what a judge says of two texts.
type Verdict struct {
	First  float64 // probability that the first is the better one when it is shown first
	Second float64 // and when it is shown second
	Cut    bool    // the texts were too long and were shown in part
}

// Value is 1 if the first is better in both orders, 0 if in none, else 0.5; NaN
// where the judge did not say.
func (v Verdict) Value() float64 {
	switch {
	case math.IsNaN(v.First) || math.IsNaN(v.Second):
		return math.NaN()
	case v.First > 0.5 && v.Second > 0.5:
		return 1
	case v.First < 0.5 && v.Second < 0.5:
		return 0
	}
	return 0.5
}

func (v Verdict) score() Score {
	s := Score{Value: v.Value(), Parts: []Part{{"writing.first", v.First}, {"writing.second", v.Second}}}
	switch {
	case !s.Known():
		s.Note = "the judge did not choose"
	case v.Cut:
		s.Note = "the judge saw the texts in part"
	}
	return s
}

const compareQuestion = "\n\nQuestion: which of the two texts is the better answer to the request? Answer with A or B."

// Compare shows two texts in both orders. The same text twice is a tie.
func (j Pairwise) Compare(ctx context.Context, prompt, one, other string) (Verdict, error) {
	switch empty := [2]bool{strings.TrimSpace(one) == "", strings.TrimSpace(other) == ""}; {
	case one == other, empty[0] && empty[1]:
		return Verdict{First: 0.5, Second: 0.5}, nil
	case empty[0]:
		return Verdict{}, nil
	case empty[1]:
		return Verdict{First: 1, Second: 1}, nil
	}
	b, err := newBallot(ctx, j.Model, "A", "B")
	if err != nil {
		return Verdict{}, err
	}
	first, cut, err := j.ask(ctx, b, prompt, one, other)
	if err != nil {
		return Verdict{}, err
	}
	second, _, err := j.ask(ctx, b, prompt, other, one)
	if err != nil {
		return Verdict{}, err
	}
	return Verdict{First: first, Second: 1 - second, Cut: cut}, nil
}

// ask is the probability of A.
func (j Pairwise) ask(ctx context.Context, b *ballot, prompt, one, other string) (value float64, cut bool, err error) {
	open, _ := j.Model.Frame()
	_, room, _ := j.Model.About()
	lead := "Here are a request and two texts that were written for it. Read them, then say which is better.\n\nRequest:\n" + head(strings.TrimSpace(prompt), room/4) + "\n\n"
	used, err := j.Model.Tokenize(ctx, open, lead, "")
	if err != nil {
		return 0, false, err
	}
	share := (room - len(used) - questionRoom) / 2
	if share < 64 {
		return 0, false, fmt.Errorf("compare two texts: %w", errNoRoom)
	}
	one, cutOne, err := shorten(ctx, j.Model, one, share)
	if err != nil {
		return 0, false, err
	}
	other, cutOther, err := shorten(ctx, j.Model, other, share)
	if err != nil {
		return 0, false, err
	}
	prefix, err := j.Model.Tokenize(ctx, open, lead+"Text A:\n"+one+"\n\nText B:\n"+other, "")
	if err != nil {
		return 0, false, err
	}
	values, err := b.poll(ctx, j.Model, prefix, []string{compareQuestion})
	if err != nil {
		return 0, false, err
	}
	return values[0], cutOne || cutOther, nil
}

// shorten keeps the beginning and the end of a text that has more than room tokens.
func shorten(ctx context.Context, m Model, text string, room int) (string, bool, error) {
	ids, err := m.Tokenize(ctx, "", text, "")
	if err != nil || len(ids) <= room {
		return text, false, err
	}
	size := len(text)
	for len(ids) > room {
		size = min(size-1, size*(room-8)/len(ids)*95/100)
		if size < 2 {
			return "", true, nil
		}
		from := whole(text, len(text)-size/2)
		short := text[:whole(text, size/2)] + "\n[…]\n" + text[from:]
		if ids, err = m.Tokenize(ctx, "", short, ""); err != nil {
			return "", true, err
		}
		if len(ids) <= room {
			return short, true, nil
		}
	}
	return text, true, nil
}
