package rewards

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Checklist is a judge that answers yes or no to short questions about a text:
// what the prompt requires, and a fixed list of what makes any text good. The
// text is decoded once; a question costs its own few tokens. What it says is
// read from the model's probabilities, not from words it writes:
//
//	value = mean over the questions of P(yes) / (P(yes) + P(no))
//
// A text beyond the judge's context is read in parts that end with paragraphs.
// A requirement counts as met where it is met best, quality as the mean.
type Checklist struct {
	Model Model
	Lists *Checklists // what prompts require; nil: only Quality is asked
	// Quality replaces the fixed list.
	Quality []string
}

const instruction = "Here are a request and a text that was written for it. Read both, then answer a question about the text.\n\n"

// Score implements Reward.
func (j Checklist) Score(ctx context.Context, p Prompt, c Completion) (Score, error) {
	b := bodyOf(p, c.Text)
	if strings.TrimSpace(b.text) == "" {
		return Score{Value: 0, Spans: spansOf(c.Text, b.start, []passage{{0, 0, "there is nothing to judge"}})}, nil
	}
	required, err := j.required(ctx, p)
	if err != nil {
		return Score{}, err
	}
	fixed := j.Quality
	if fixed == nil {
		fixed = quality
	}
	r := reading{model: j.Model, questions: append(append([]string(nil), required...), fixed...)}
	if err := r.read(ctx, p.Text, b.text); err != nil {
		return Score{}, err
	}
	if len(r.parts) == 0 {
		return unknown("the judge has no room for the request"), nil
	}
	s := r.score(len(required))
	s.Spans = spansOf(c.Text, b.start, r.places)
	s.Note = j.warning()
	return s, nil
}

func (j Checklist) warning() string { return Weak(j.Model) }

func (j Checklist) required(ctx context.Context, p Prompt) ([]string, error) {
	if j.Lists == nil {
		return nil, nil
	}
	return j.Lists.Of(ctx, j.Model, p.Text)
}

// A reading is a judge's way through a text, part by part.
type reading struct {
	model     Model
	questions []string
	parts     []answered
	places    []passage
}

// answered is a part of the text and the answers it got.
type answered struct {
	stretch
	words  float64
	values []float64 // one a question, NaN: neither yes nor no
}

// A stretch is a part of a text, in bytes.
type stretch struct{ start, end int }

const questionForm = "\n\n%s Answer yes or no."

// read asks all questions about all parts of a text.
func (r *reading) read(ctx context.Context, prompt, text string) error {
	b, err := newBallot(ctx, r.model, "Yes", "No")
	if err != nil {
		return err
	}
	asked := make([]string, len(r.questions))
	for i, q := range r.questions {
		asked[i] = fmt.Sprintf(questionForm, q)
	}
	open, _ := r.model.Frame()
	_, room, _ := r.model.About()
	// The request takes at most a quarter: its first part says what is wanted.
	lead := instruction + "Request:\n" + head(strings.TrimSpace(prompt), room/2) + "\n\nText:\n"
	used, err := r.model.Tokenize(ctx, open, lead, "")
	if err != nil {
		return err
	}
	stretches, err := fit(ctx, r.model, text, room-len(used)-questionRoom)
	if err != nil {
		return err
	}
	for _, s := range stretches {
		prefix, err := r.model.Tokenize(ctx, open, lead+strings.TrimSpace(text[s.start:s.end]), "")
		if err != nil {
			return err
		}
		values, err := b.poll(ctx, r.model, prefix, asked)
		if err != nil {
			return err
		}
		r.parts = append(r.parts, answered{s, float64(max(1, CountWords(text[s.start:s.end]))), values})
	}
	return nil
}

// questionRoom is kept for a question, the template around it and its answer.
const questionRoom = 96

// score puts the answers together. The first required of them are requirements.
func (r *reading) score(required int) Score {
	s := Score{}
	sum, n := 0.0, 0
	for i, q := range r.questions {
		value := r.mean(i)
		if i < required {
			value = r.best(i)
		}
		s.Parts = append(s.Parts, Part{"writing: " + q, value})
		if !math.IsNaN(value) {
			sum += value
			n++
		}
	}
	if n == 0 {
		s.Value = math.NaN()
		return s
	}
	s.Value = sum / float64(n)
	r.blame(required)
	return s
}

func (r *reading) mean(i int) float64 {
	sum, words := 0.0, 0.0
	for _, p := range r.parts {
		if !math.IsNaN(p.values[i]) {
			sum += p.words * p.values[i]
			words += p.words
		}
	}
	return sum / words // NaN where nobody knows
}

func (r *reading) best(i int) float64 {
	best := math.NaN()
	for _, p := range r.parts {
		if x := p.values[i]; !math.IsNaN(x) && !(best >= x) {
			best = x
		}
	}
	return best
}

// blame names the parts of a long text that a quality question finds far below
// the others.
func (r *reading) blame(required int) {
	if len(r.parts) < 3 {
		return
	}
	for i := required; i < len(r.questions); i++ {
		mean := r.mean(i)
		for _, p := range r.parts {
			if p.values[i] < mean-0.15 {
				r.places = append(r.places, passage{p.start, p.end, "the judge says no: " + r.questions[i]})
			}
		}
	}
}

// errNoRoom says that a judge's context is too small for anything.
var errNoRoom = errors.New("the judge's context is too small")

// fit cuts a text into stretches of at most room tokens, at paragraphs where
// there are some, else between words.
func fit(ctx context.Context, m Model, text string, room int) ([]stretch, error) {
	if room < 64 {
		return nil, nil
	}
	ids, err := m.Tokenize(ctx, "", text, "")
	if err != nil {
		return nil, err
	}
	if len(ids) <= room {
		return []stretch{{0, len(text)}}, nil
	}
	// Of n parts none may be too long, so aim below the room.
	n := (len(ids)*10/9 + room - 1) / room
	goal := (len(text) + n - 1) / n
	var all []stretch
	for from := 0; from < len(text); {
		to := cutNear(text, from, goal)
		ids, err := m.Tokenize(ctx, "", text[from:to], "")
		if err != nil {
			return nil, err
		}
		for len(ids) > room && to-from > 8 {
			to = cutNear(text, from, (to-from)*room*9/10/len(ids))
			if ids, err = m.Tokenize(ctx, "", text[from:to], ""); err != nil {
				return nil, err
			}
		}
		all = append(all, stretch{from, to})
		from = to
	}
	return all, nil
}

// cutNear is a place to cut at most size bytes behind from, and behind from.
func cutNear(text string, from, size int) int {
	if from+size >= len(text) {
		return len(text)
	}
	to := from + max(size, 4)
	for _, gap := range []string{"\n\n", "\n", "。", " "} {
		if i := strings.LastIndex(text[from:to], gap); i > size/2 {
			return from + i + len(gap)
		}
	}
	if cut := whole(text, to); cut > from {
		return cut
	}
	return min(to, len(text))
}
