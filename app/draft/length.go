package draft

import (
	"strconv"
	"strings"
	"unicode"

	"longhand/rewards"
)

// length is the wanted number of words: stated, read from the prompt, or
// predicted by the model.
func (r *run) length() (int, error) {
	if n := r.p.Request.Words; n > 0 {
		return n, nil
	}
	if n := WordsAsked(r.p.Request.Prompt); n > 0 {
		return n, nil
	}
	if r.p.Target > 0 {
		return r.p.Target, nil
	}
	text, err := r.aside(nil, "Answer as {\"range\": [lower, upper]}. "+rangePrompt(firstWords(r.p.Request.Prompt, r.share(planShare))), `root ::= "{\"range\": [" number ", " number "]}"`+"\n"+`number ::= [1-9] [0-9]? "00"`, 24, 2)
	if err != nil {
		return 0, err
	}
	return midRange(text), nil
}

// midRange reads "low, high]}" and returns the middle, between 300 and 12,000.
func midRange(text string) int {
	f := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsDigit(r) })
	if len(f) < 2 {
		return 1000
	}
	low, _ := strconv.Atoi(f[0])
	high, _ := strconv.Atoi(f[1])
	return min(max((low+high)/2, 300), 12000)
}

// WordsAsked is the number of words a prompt asks for: the middle of the range that
// rewards.Wanted reads from it; 0 where it names none.
func WordsAsked(prompt string) int {
	r, ok := rewards.Wanted(prompt)
	if n := (r.Min + r.Max) / 2; ok && n >= 20 {
		return n
	}
	return 0
}
