package draft

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"

	"longhand/rewards"
)

// CountWords counts the words of text: Unicode word segments (UAX #29) that
// hold a letter or a digit. Each Han, Hiragana or Katakana character is a word.
func CountWords(text string) int { return rewards.CountWords(text) }

// wordsOf returns the words of text in lower case, as CountWords counts them,
// but for runs of Katakana, which stay one.
func wordsOf(text string) []string {
	var out []string
	seg := words.FromString(text)
	for seg.Next() {
		if v := seg.Value(); weight(v) > 0 {
			out = append(out, strings.ToLower(v))
		}
	}
	return out
}

// normal is text as it is compared: its words in lower case.
func normal(text string) string { return strings.Join(wordsOf(text), " ") }

func weight(segment string) int {
	if r, size := utf8.DecodeRuneInString(segment); size == len(segment) && !ideographic(r) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return 1
		}
		return 0
	}
	n, other := 0, false
	for _, r := range segment {
		switch {
		case ideographic(r):
			n++
		case unicode.IsLetter(r), unicode.IsDigit(r):
			other = true
		}
	}
	if other {
		n++
	}
	return n
}

func ideographic(r rune) bool {
	return r >= 0x2E80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// firstWords cuts text after its n-th word, and before that where it is not made
// of words: signs and unbroken runs of letters are many tokens.
func firstWords(text string, n int) string {
	if most := 8*n + 16; len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	count, at := 0, 0
	seg := words.FromString(text)
	for seg.Next() {
		v := seg.Value()
		if count += weight(v); count > n {
			return strings.TrimSpace(text[:at])
		}
		at += len(v)
	}
	return strings.TrimSpace(text)
}

// lastWords keeps the last n words of text, from the head of a sentence where
// there is one in the first third of them.
func lastWords(text string, n int) string {
	total := CountWords(text)
	if total <= n {
		return strings.TrimSpace(text)
	}
	count, at := 0, 0
	seg := words.FromString(text)
	for seg.Next() {
		v := seg.Value()
		count += weight(v)
		at += len(v)
		if count >= total-n {
			break
		}
	}
	tail := text[at:]
	ends := sentenceEnds(tail)
	for _, e := range ends {
		if rest := strings.TrimSpace(tail[e:]); rest != "" && CountWords(tail[:e]) <= n/3 {
			return rest
		}
	}
	return strings.TrimSpace(tail)
}
