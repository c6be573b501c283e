package rewards

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// The rules by which a model guesses the length that a prompt wants are those of
// LongWriter-Zero: bounds are multiples of 100, at most 12,000 and at most 3,000
// apart; [0, 0] is "not to be said".
const (
	mostPredicted  = 12_000
	widestGuess    = 3_000
	predictGrammar = `root ::= "{\"range\": [" number ", " number "]}"
number ::= "0" | [1-9] [0-9]? [0-9]? "00"`
)

// Predict returns what Length asks for prompts that name no length: a judge's
// guess, made once for each prompt and kept in lists.
func Predict(m Model, lists *Checklists) func(ctx context.Context, prompt string) (Range, error) {
	return func(ctx context.Context, prompt string) (Range, error) {
		if r, ok := lists.guessed(prompt); ok {
			return r, nil
		}
		open, closing := m.Frame()
		_, room, _ := m.About()
		ids, err := m.Tokenize(ctx, open, "A reader asks for this text:\n"+head(strings.TrimSpace(prompt), 2*room)+
			"\n\nHow many words should it have? Judge what is really asked for: help to begin a thesis is 400 to 800 words, not a thesis; a school essay 800 to 1000. "+
			"Leave the rarest cases aside. Both bounds are multiples of 100, at most 12000, and at most 3000 apart. If the request cannot be answered, both are 0. "+
			"Answer as {\"range\": [lower, upper]}.", closing)
		if err != nil || len(ids)+32 > room {
			return Range{}, err
		}
		answer, err := m.Complete(ctx, ids, predictGrammar, 24)
		if err != nil {
			return Range{}, fmt.Errorf("guess a length: %w", err)
		}
		r := readGuess(answer)
		lists.guess(prompt, r)
		return r, nil
	}
}

// readGuess reads "[lower, upper]" and keeps it to the rules.
func readGuess(answer string) Range {
	f := strings.FieldsFunc(answer, func(r rune) bool { return !unicode.IsDigit(r) })
	if len(f) < 2 {
		return Range{}
	}
	low, err1 := strconv.Atoi(f[0])
	high, err2 := strconv.Atoi(f[1])
	if err1 != nil || err2 != nil || high <= 0 {
		return Range{}
	}
	low, high = min(low, high), min(max(low, high), mostPredicted)
	return Range{Min: max(min(low, high), high-widestGuess), Max: high, Unit: "guess"}
}

func (l *Checklists) guessed(prompt string) (Range, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.guesses[prompt]
	return r, ok
}

func (l *Checklists) guess(prompt string, r Range) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.guesses == nil {
		l.guesses = map[string]Range{}
	}
	l.guesses[prompt] = r
}
