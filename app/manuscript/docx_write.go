package manuscript

import (
	"regexp"
	"strings"
	"unicode"
)

// signs are what Markdown writes for marks, by their bits.
var signs = []struct {
	mark marks
	sign string
}{{strike, "~~"}, {bold, "**"}, {italic, "*"}}

// emphasise writes pieces with their marks and links.
func emphasise(line []span) string {
	w := writer{line: line, reach: reachOf(line)}
	for i, s := range line {
		if i > 0 && s.link != line[i-1].link {
			w.endLink(line[i-1].link)
		}
		if s.link != "" && (i == 0 || s.link != line[i-1].link) {
			w.close(noMarks)
			w.b.WriteByte('[')
		}
		w.close(s.marks)
		w.open(i)
		if s.raw {
			w.b.WriteString(s.text)
		} else {
			w.words(i)
		}
	}
	if len(line) > 0 {
		w.endLink(line[len(line)-1].link)
	}
	return w.b.String()
}

// reachOf says for every piece and sign up to where it stays open.
func reachOf(line []span) [][3]int {
	reach := make([][3]int, len(line))
	for i := len(line) - 1; i >= 0; i-- {
		for k, s := range signs {
			if line[i].marks&s.mark == 0 {
				continue
			}
			reach[i][k] = i
			if i+1 < len(line) && line[i+1].link == line[i].link {
				reach[i][k] = max(i, reach[i+1][k])
			}
		}
	}
	return reach
}

// writer writes a paragraph.
type writer struct {
	b     strings.Builder
	line  []span
	reach [][3]int
	stack []int // the open signs, the outermost first
}

// close closes the signs that are not wanted, and those within them.
func (w *writer) close(wanted marks) {
	from := 0
	for from < len(w.stack) && wanted&signs[w.stack[from]].mark != 0 {
		from++
	}
	for len(w.stack) > from {
		last := len(w.stack) - 1
		w.b.WriteString(signs[w.stack[last]].sign)
		w.stack = w.stack[:last]
	}
}

// open opens the signs that piece i wants, the one that stays longest first, and
// behind white space: before it they would be none.
func (w *writer) open(i int) {
	var is marks
	for _, k := range w.stack {
		is |= signs[k].mark
	}
	for {
		best := -1
		for k, s := range signs {
			if w.line[i].marks&^is&s.mark != 0 && (best < 0 || w.reach[i][k] > w.reach[i][best]) {
				best = k
			}
		}
		if best < 0 {
			return
		}
		if text := w.line[i].text; !w.line[i].raw {
			w.line[i].text = strings.TrimLeftFunc(text, unicode.IsSpace)
			escapeTo(&w.b, '*', text[:len(text)-len(w.line[i].text)], '*', false)
		}
		is |= signs[best].mark
		w.b.WriteString(signs[best].sign)
		w.stack = append(w.stack, best)
	}
}

func (w *writer) endLink(link string) {
	w.close(noMarks)
	if link != "" {
		w.b.WriteString("](" + link + ")")
	}
}

// words writes piece i. Where marks stand beside it, they are its neighbours.
func (w *writer) words(i int) {
	s := w.line[i]
	before, after := '\n', '\n'
	if i > 0 {
		if before = lastRune(w.line[i-1].text); w.line[i-1].marks != s.marks || w.line[i-1].link != s.link {
			before = '*'
		}
	}
	if i+1 < len(w.line) {
		if after = firstRune(w.line[i+1].text); w.line[i+1].marks != s.marks || w.line[i+1].link != s.link {
			after = '*'
		}
	}
	escapeTo(&w.b, before, s.text, after, s.link != "")
}

// escape writes words so that Markdown shows them as they are.
func escape(s string) string {
	var b strings.Builder
	escapeTo(&b, '\n', s, '\n', false)
	return b.String()
}

func escapeTo(b *strings.Builder, before rune, s string, after rune, link bool) {
	if !strings.ContainsAny(s, "\n`*_~[]\\<&") {
		b.WriteString(s)
		return
	}
	for i, r := range s {
		next := after
		if rest := s[i+len(string(r)):]; rest != "" {
			next = firstRune(rest)
		}
		if r == '\n' || special(before, r, next, link) || r == '&' && entity.MatchString(s[i:min(len(s), i+40)]) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		before = r
	}
}

var entity = regexp.MustCompile(`^&(?:#[xX]?)?[0-9A-Za-z]+;`)

// special says whether Markdown would read a character between two others as a
// mark.
func special(before, r, next rune, link bool) bool {
	switch r {
	case '`':
		return true
	case '*', '_', '~':
		return emphatic(before, r, next)
	case '[':
		return link || next == '^'
	case ']':
		return link || strings.ContainsRune("([:", next)
	case '\\':
		return next == '\n' || next < 0x80 && punctuation(next)
	case '<':
		return unicode.IsLetter(next) || strings.ContainsRune("/!?", next)
	}
	return false
}

// emphatic says so of a mark of emphasis: an asterisk between spaces is none, nor
// is a line within a word.
func emphatic(before, r, next rune) bool {
	loose := before != '\n' && unicode.IsSpace(before) && unicode.IsSpace(next)
	switch r {
	case '*':
		return !loose
	case '_':
		return !loose && !(alphanumeric(before) && alphanumeric(next))
	}
	return strings.ContainsRune("~*\n", before) || strings.ContainsRune("~*", next)
}

var (
	lineStart = regexp.MustCompile(`^(?:#{1,6}(?:[ \t]|$)|[-+](?:[ \t]|$)|>|-+[ \t]*$|=+[ \t]*$)`)
	noteStart = regexp.MustCompile(`^\[\^\d+\]:`)
)

// atLineStarts escapes what is special only there.
func atLineStarts(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		switch {
		case l == "" || !strings.Contains("#-+>=[", l[:1]):
		case lineStart.MatchString(l):
			lines[i] = `\` + l
		case noteStart.MatchString(l):
			lines[i] = strings.Replace(l, "]:", `]\:`, 1)
		}
	}
	return strings.Join(lines, "\n")
}
