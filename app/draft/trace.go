package draft

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// traced gives paragraphs that come in the place of others their spans, where
// they bring none: words that stay keep their origin; a person's words in the
// place of the model's are Edited.
func traced(old, put []Paragraph, by Origin) []Paragraph {
	put = slices.Clone(put)
	if by == "" {
		by = Human
	}
	var from, to []bit
	for _, p := range old {
		from = append(from, bits(p.Text, p.Spans)...)
	}
	for i, p := range put {
		if covers(p.Spans, p.Text) {
			continue
		}
		put[i].Spans = nil
		for _, word := range bitsOf(p.Text) {
			to = append(to, bit{text: word, at: i})
		}
	}
	for _, b := range compared(from, to, by) {
		put[b.at].Spans = addSpan(put[b.at].Spans, utf8.RuneCountInString(b.text), b.by)
	}
	return put
}

// bit is a word, or what stands between words.
type bit struct {
	text string
	by   Origin
	at   int // paragraph
}

// bits cuts a text into words with their origins. A word of two origins has the
// first one's, or Edited where a person had a hand in it.
func bits(text string, spans []Span) []bit {
	var out []bit
	for _, w := range bitsOf(text) {
		n := utf8.RuneCountInString(w)
		var head []Span
		head, spans = cutSpans(spans, n)
		b := bit{text: w, by: Human}
		if len(head) > 0 {
			b.by = head[0].By
		}
		if len(head) > 1 {
			b.by = Edited
		}
		out = append(out, b)
	}
	return out
}

// bitsOf cuts a text into runs of letters and digits, runs of blanks, and single
// signs and Han characters.
func bitsOf(text string) []string {
	var out []string
	begin, last := 0, 0
	for i, r := range text {
		kind := 3
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
		case unicode.IsSpace(r):
			kind = 2
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			kind = 1
		}
		if i > begin && (kind != last || kind == 3) {
			out = append(out, text[begin:i])
			begin = i
		}
		last = kind
	}
	if begin < len(text) {
		out = append(out, text[begin:])
	}
	return out
}

// compared gives new words the origin of the old words that they are.
func compared(from, to []bit, by Origin) []bit {
	to = slices.Clone(to)
	head := 0
	for head < min(len(from), len(to)) && from[head].text == to[head].text {
		to[head].by = from[head].by
		head++
	}
	tail := 0
	for tail < min(len(from), len(to))-head && from[len(from)-1-tail].text == to[len(to)-1-tail].text {
		to[len(to)-1-tail].by = from[len(from)-1-tail].by
		tail++
	}
	a, b := from[head:len(from)-tail], to[head:len(to)-tail]
	i, j := 0, 0
	for _, m := range append(common(a, b), [2]int{len(a), len(b)}) {
		origin := by
		if by == Human && slices.ContainsFunc(a[i:m[0]], func(x bit) bool { return x.by != Human && strings.TrimSpace(x.text) != "" }) {
			origin = Edited
		}
		for ; j < m[1]; j++ {
			b[j].by = origin
		}
		if m[0] < len(a) {
			b[j].by = a[m[0]].by
			i, j = m[0]+1, j+1
		}
	}
	return to
}

// mostCompared bounds the table of common; longer changes count as new text.
const mostCompared = 4_000_000

// common are the places of a longest common subsequence of words in a and b.
func common(a, b []bit) [][2]int {
	if len(a) == 0 || len(b) == 0 || len(a)*len(b) > mostCompared {
		return nil
	}
	width := len(b) + 1
	length := make([]uint16, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i].text == b[j].text {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	var out [][2]int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i].text == b[j].text:
			out = append(out, [2]int{i, j})
			i, j = i+1, j+1
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return out
}

func covers(spans []Span, text string) bool {
	n := 0
	for _, s := range spans {
		if s.Chars < 1 {
			return false
		}
		n += s.Chars
	}
	return len(spans) > 0 && n == utf8.RuneCountInString(text)
}
