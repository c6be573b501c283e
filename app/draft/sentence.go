package draft

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// abbreviations whose full stop does not end a sentence.
var abbreviations = map[string]bool{
	"mr": true, "mrs": true, "ms": true, "dr": true, "st": true, "prof": true, "sr": true, "jr": true,
	"e.g": true, "i.e": true, "vs": true, "no": true, "fig": true, "cf": true, "approx": true, "ca": true,
}

const (
	stops   = ".!?…。！？।॥۔؟။։።"
	wide    = "。！？"
	closers = "\"'”’)]»」』*_`"
)

// endsSentence says whether text, up to its end, is a whole sentence: a stop,
// closing marks perhaps, and not an abbreviation, an initial or a list number.
func endsSentence(text string) bool {
	t := strings.TrimRight(text, " \t\r\n")
	t = strings.TrimRight(t, closers)
	r, size := utf8.DecodeLastRuneInString(t)
	if size == 0 || !strings.ContainsRune(stops, r) {
		return false
	}
	if r != '.' {
		return true
	}
	before := t[:len(t)-size]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	word := line[strings.LastIndexAny(line, " \t(\"“‘")+1:]
	if word == "" {
		return false
	}
	if strings.TrimFunc(line, func(r rune) bool { return unicode.IsDigit(r) || unicode.IsSpace(r) || r == '*' || r == '-' || r == '(' }) == "" {
		return false // "3." opens a list item
	}
	if len(word) == 1 && unicode.IsUpper(rune(word[0])) && word != "I" {
		return false // an initial
	}
	return !abbreviations[strings.ToLower(word)]
}

// sentenceEnds returns the byte offsets behind each whole sentence of text.
func sentenceEnds(text string) []int {
	var ends []int
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		if !strings.ContainsRune(stops, r) {
			continue
		}
		end := i
		for end < len(text) {
			c, n := utf8.DecodeRuneInString(text[end:])
			if !strings.ContainsRune(closers, c) {
				break
			}
			end += n
		}
		open := end == len(text) || strings.ContainsRune(wide, r)
		if !open {
			c, _ := utf8.DecodeRuneInString(text[end:])
			open = unicode.IsSpace(c)
		}
		if open && endsSentence(text[:end]) {
			ends = append(ends, end)
		}
		i = end
	}
	return ends
}

// lastEnd is the offset behind the last whole sentence, or 0.
func lastEnd(text string) int {
	if e := sentenceEnds(text); len(e) > 0 {
		return e[len(e)-1]
	}
	return 0
}

// ended says whether text is a whole sentence, seen from what follows it.
func ended(text, next string) bool {
	return (startsBreak(next) || endsWide(text) && !strings.ContainsAny(next, closers)) && endsSentence(text)
}

func startsBreak(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size > 0 && unicode.IsSpace(r)
}

// endsWide says whether text ends in a script that is written without blanks.
func endsWide(text string) bool {
	r, _ := utf8.DecodeLastRuneInString(strings.TrimRight(text, closers))
	return ideographic(r) || strings.ContainsRune(wide, r)
}
