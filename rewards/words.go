package rewards

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
)

// CountWords counts the words of text: Unicode word segments (UAX #29) that
// hold a letter or a digit. Each Han, Hiragana or Katakana character is a word.
func CountWords(text string) int {
	n := 0
	for i := 0; i < len(text); {
		// No word reaches across white space, so pieces between it can be counted
		// alone: those of ASCII by hand, since most are.
		if isSpace(text[i]) {
			i++
			continue
		}
		from, ascii := i, true
		for ; i < len(text) && !isSpace(text[i]); i++ {
			ascii = ascii && text[i] < utf8.RuneSelf
		}
		if ascii {
			n += countASCII(text[from:i])
		} else {
			n += countSegments(text[from:i])
		}
	}
	return n
}

func isSpace(c byte) bool { return c == ' ' || c-'\t' < 5 }

func countSegments(text string) int {
	n := 0
	text = strings.ToValidUTF8(text, "\uFFFD") // a broken character would swallow what follows
	for seg := words.FromString(text); seg.Next(); {
		n += weight(seg.Value())
	}
	return n
}

// weight is the number of words in one segment.
func weight(segment string) int {
	n, other := 0, 0
	for _, r := range segment {
		switch {
		case ideographic(r):
			n++
		case unicode.IsLetter(r), unicode.IsDigit(r):
			other = 1
		}
	}
	return n + other
}

func ideographic(r rune) bool {
	return r >= 0x2E80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// Classes of ASCII characters in the rules of UAX #29.
const (
	other   = iota
	letter  // ALetter
	digit   // Numeric
	joint   // ExtendNumLet
	between // MidLetter: between letters
	comma   // MidNum: between digits
	either  // MidNumLet and Single_Quote: between letters or digits
)

var classes = func() (c [128]uint8) {
	for b := range c {
		switch {
		case 'a' <= b|0x20 && b|0x20 <= 'z':
			c[b] = letter
		case '0' <= b && b <= '9':
			c[b] = digit
		}
	}
	c['_'], c[':'], c[','], c[';'], c['.'], c['\''] = joint, between, comma, comma, either, either
	return c
}()

// countASCII counts the words of a piece of ASCII without white space.
func countASCII(s string) int {
	n := 0
	last, counts := uint8(other), false // of the segment in hand
	for i := 0; i < len(s); i++ {
		c := classes[s[i]]
		switch c {
		case letter, digit, joint:
			if last == other {
				counts = false
			}
			if c != joint && !counts {
				counts = true
				n++
			}
			last = c
		default:
			next := uint8(other)
			if i+1 < len(s) {
				next = classes[s[i+1]]
			}
			if !(last == letter && next == letter && (c == between || c == either) || last == digit && next == digit && (c == comma || c == either)) {
				last = other
			}
		}
	}
	return n
}
