package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
)

// A span is text in one style.
type span struct {
	text  string
	style fyne.TextStyle
}

// emphasis reads **strong** and *stressed* text, and nothing else of Markdown:
// a model's text must not make the window load a picture or open a page. What
// is not closed stays as it is, so half a word does not flicker while it is
// being written.
func emphasis(s string, base fyne.TextStyle) []span {
	var out []span
	plain := 0
	for i := 0; i < len(s); {
		mark, inner := marked(s[i:])
		if mark == 0 {
			i++
			continue
		}
		if i > plain {
			out = append(out, span{s[plain:i], base})
		}
		style := base
		style.Bold = style.Bold || mark >= 2
		style.Italic = style.Italic || mark != 2
		out = append(out, span{inner, style})
		i += len(inner) + 2*mark
		plain = i
	}
	if plain < len(s) || len(out) == 0 {
		out = append(out, span{s[plain:], base})
	}
	return out
}

// marked returns the text between stars at the head of s, and their number.
func marked(s string) (int, string) {
	for _, mark := range []string{"***", "**", "*"} {
		rest, ok := strings.CutPrefix(s, mark)
		if !ok || rest == "" || rest[0] == ' ' || rest[0] == '*' {
			continue
		}
		end := strings.Index(rest, mark)
		if end > 0 && rest[end-1] != ' ' && !strings.Contains(rest[:end], "*") {
			return len(mark), rest[:end]
		}
	}
	return 0, ""
}

// A ruler measures text of one size.
type ruler func(text string, style fyne.TextStyle) float32

// A piece is a part of a set line, in one style.
type piece struct {
	span
	x float32
}

// setLines breaks spans into lines of at most width. Lines break behind blanks,
// behind dashes, and between Chinese or Japanese characters.
func setLines(spans []span, width float32, measure ruler) [][]piece {
	var lines [][]piece
	var line []piece
	x, breakable := float32(0), false
	feed := func() {
		lines, line, x, breakable = append(lines, line), nil, 0, false
	}
	for _, s := range spans {
		for rest := s.text; rest != ""; {
			n := wordEnd(rest)
			token := rest[:n]
			rest = rest[n:]
			word := strings.TrimRight(token, " ")
			w := measure(word, s.style)
			if x+w > width && (breakable || breaksBefore(word)) && x > 0 {
				feed()
			}
			for w > width && x == 0 { // longer than a line
				cut := fitting(word, width, s.style, measure)
				line = append(line, piece{span{word[:cut], s.style}, 0})
				feed()
				word, token = word[cut:], token[cut:]
				w = measure(word, s.style)
			}
			if token == "" {
				continue
			}
			if n := len(line); n > 0 && line[n-1].style == s.style {
				line[n-1].text += token
			} else {
				if n > 0 { // words one by one lose a little against what is drawn
					x = line[n-1].x + measure(line[n-1].text, line[n-1].style)
				}
				line = append(line, piece{span{token, s.style}, x})
			}
			x += w + float32(len(token)-len(word))*measure(" ", s.style)
			breakable = len(token) > len(word) || breaksBehind(word)
		}
	}
	if line != nil || lines == nil {
		lines = append(lines, line)
	}
	return lines
}

// wordEnd is the length of the first word of s with the blanks behind it.
func wordEnd(s string) int {
	var last rune
	for i, r := range s {
		switch {
		case i == 0:
		case r == ' ':
		case last == ' ', last == '—', last == '–', last == '-' && unicode.IsLetter(r):
			return i
		case wide(r) || wide(last):
			if !unicode.IsPunct(r) {
				return i
			}
		}
		last = r
	}
	return len(s)
}

// wide says whether lines may break beside r.
func wide(r rune) bool {
	return r >= 0x2E80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303F || r >= 0xFF00 && r <= 0xFFEF
}

func breaksBehind(word string) bool {
	r, _ := utf8.DecodeLastRuneInString(word)
	return wide(r) || r == '—' || r == '–' || r == '-'
}

func breaksBefore(word string) bool {
	r, _ := utf8.DecodeRuneInString(word)
	return wide(r) && !unicode.IsPunct(r)
}

// fitting is how many bytes of word fit into width, at least one character.
func fitting(word string, width float32, style fyne.TextStyle, measure ruler) int {
	cut := 0
	for i, r := range word {
		end := i + utf8.RuneLen(r)
		if r == utf8.RuneError {
			end = i + 1
		}
		if cut > 0 && measure(word[:end], style) > width {
			break
		}
		cut = end
	}
	return cut
}

// shortened cuts text so that it fits into width, and says so with an ellipsis.
func shortened(text string, width float32, style fyne.TextStyle, measure ruler) string {
	if measure(text, style) <= width {
		return text
	}
	cut := fitting(text, width-measure("…", style), style, measure)
	return strings.TrimRight(text[:cut], " ,;:.") + "…"
}

// rulers measures and remembers: words come again and again.
type rulers map[rulerKey]float32

type rulerKey struct {
	text  string
	style fyne.TextStyle
	size  float32
}

const rulerWords = 40_000 // to remember; a book has fewer different ones

func (m rulers) of(size float32) ruler {
	return func(text string, style fyne.TextStyle) float32 {
		k := rulerKey{text, style, size}
		if w, ok := m[k]; ok {
			return w
		}
		if len(m) >= rulerWords {
			clear(m)
		}
		w := fyne.MeasureText(text, size, style).Width
		m[rulerKey{strings.Clone(text), style, size}] = w
		return w
	}
}
