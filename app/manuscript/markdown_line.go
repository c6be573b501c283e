package manuscript

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// fence is the one that an open block of code began with.
type fence struct {
	mark byte // '`' or '~', 0 for none
	size int
	list int // the column of the list item that it stands in, or 0
}

// fenceOf reads a line that may open a block of code.
func fenceOf(bare string, list int) fence {
	if bare == "" || bare[0] != '`' && bare[0] != '~' {
		return fence{}
	}
	rest := strings.TrimLeft(bare, bare[:1])
	size := len(bare) - len(rest)
	if size < 3 || bare[0] == '`' && strings.Contains(rest, "`") {
		return fence{}
	}
	return fence{bare[0], size, list}
}

// closes says whether a line closes the block: as long a fence, or longer, and
// nothing else.
func (f fence) closes(l string) bool {
	bare := strings.TrimLeft(l, " \t")
	column := width(l[:len(l)-len(bare)])
	bare = strings.TrimRight(bare, " \t")
	return column-f.list <= 3 && len(bare) >= f.size && strings.Trim(bare, string(f.mark)) == ""
}

// leaves says whether a line stands left of the list item that the block is in:
// the item ends and the block with it.
func (f fence) leaves(l string) bool {
	bare := strings.TrimLeft(l, " \t")
	return bare != "" && width(l[:len(l)-len(bare)]) < f.list
}

// atx reads "## Heading ##".
func atx(bare string) (level int, text string, ok bool) {
	rest := strings.TrimLeft(bare, "#")
	level = len(bare) - len(rest)
	if level < 1 || level > 6 || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return 0, "", false
	}
	text = strings.TrimSpace(rest)
	if open := strings.TrimRight(text, "#"); open == "" || strings.HasSuffix(open, " ") || strings.HasSuffix(open, "\t") {
		text = strings.TrimSpace(open)
	}
	return level, text, true
}

// longestHeading is up to where a heading's marks are looked at, in bytes.
const longestHeading = 2000

// words are a heading's words without the marks of emphasis and code in pairs
// and without the backslashes of escapes.
func words(text string) string {
	text = strings.ReplaceAll(text, "\t", " ")
	if len(text) > longestHeading || !strings.ContainsAny(text, "*_`\\") {
		return strings.TrimSpace(text)
	}
	marks := marksOf(text)
	var b strings.Builder
	for i := range len(text) {
		if !marks[i] {
			b.WriteByte(text[i])
		}
	}
	return strings.TrimSpace(b.String())
}

// marksOf says of each byte whether it is a mark.
func marksOf(text string) []bool {
	marks := make([]bool, len(text))
	var open ['_' + 1][]run
	for i := 0; i < len(text); {
		c, n := text[i], 1
		for i+n < len(text) && text[i+n] == c {
			n++
		}
		switch c {
		case '\\':
			if n = 1; i+1 < len(text) && text[i+1] < 0x80 && punctuation(rune(text[i+1])) {
				marks[i], n = true, 2
			}
		case '`':
			if end := codeEnd(text, i+n, n); end > 0 {
				mark(marks, i, n)
				mark(marks, end, n)
				i = end
			}
		case '*', '_':
			open[c] = pair(marks, open[c], text, run{i, n})
		}
		i += n
	}
	return marks
}

// run is a row of the same marks; n of them have no partner yet.
type run struct{ at, n int }

// pair closes the open runs that r can close, and opens what is left of r.
func pair(marks []bool, open []run, text string, r run) []run {
	before, _ := utf8.DecodeLastRuneInString(text[:r.at])
	after, _ := utf8.DecodeRuneInString(text[r.at+r.n:])
	first, last := r.at == 0 || unicode.IsSpace(before), r.at+r.n == len(text) || unicode.IsSpace(after)
	inWord := text[r.at] == '_' && alphanumeric(before) && alphanumeric(after)
	for !first && !inWord && r.n > 0 && len(open) > 0 {
		o := &open[len(open)-1]
		n := min(o.n, r.n)
		mark(marks, o.at+o.n-n, n)
		mark(marks, r.at, n)
		if o.n -= n; o.n == 0 {
			open = open[:len(open)-1]
		}
		r = run{r.at + n, r.n - n}
	}
	if !last && !inWord && r.n > 0 {
		open = append(open, r)
	}
	return open
}

func mark(marks []bool, at, n int) {
	for i := range n {
		marks[at+i] = true
	}
}

// codeEnd finds the next row of exactly n backticks, or -1.
func codeEnd(text string, from, n int) int {
	for i := from; i < len(text); i++ {
		if text[i] != '`' {
			continue
		}
		k := len(text[i:]) - len(strings.TrimLeft(text[i:], "`"))
		if k == n {
			return i
		}
		i += k
	}
	return -1
}

func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
