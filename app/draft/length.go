package draft

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
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

var asked = []struct {
	form  *regexp.Regexp
	words int // of one
}{
	{regexp.MustCompile(`(?i)(\d[\d,.']*)\s*(k)?[\s-]*(words?|mots|palabras|parole|palavras|worte|wörter|woorden)\b`), 1},
	{regexp.MustCompile(`(\d[\d,.]*)\s*(千|万)?\s*(?:个)?(字|词)`), 1},
	{regexp.MustCompile(`(?i)(\d[\d,.']*)\s*()[\s-]*(pages?|seiten|páginas|pagine)\b`), 400},
}

// WordsAsked reads the number of words a prompt asks for, or 0.
func WordsAsked(prompt string) int {
	for _, a := range asked {
		m := a.form.FindStringSubmatch(prompt)
		if m == nil {
			continue
		}
		digits := strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return r
			}
			return -1
		}, m[1])
		n, err := strconv.Atoi(digits)
		part := 1 // "2.5k": the digits count tenths
		if m[2] != "" {
			if i := strings.LastIndexAny(m[1], ".,"); i >= 0 && len(m[1])-i <= 3 {
				for range len(m[1]) - i - 1 {
					part *= 10
				}
			}
		}
		if err != nil || n == 0 || n > 1_000_000 {
			continue
		}
		switch strings.ToLower(m[2]) {
		case "k", "千":
			n *= 1000
		case "万":
			n *= 10000
		}
		if n = n * a.words / part; n >= 20 && n <= 1_000_000 {
			return n
		}
	}
	return 0
}
