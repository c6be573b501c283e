package manuscript

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// unit is a paragraph or a heading of a plain text.
type unit struct {
	text string
	kind kind // of a heading
	bare bool // a heading that is only a number, "Chapter 1": its title may follow
}

// unitsOf makes paragraphs of stanzas and finds what may be a heading.
func unitsOf(stanzas []stanza, lay layout) []unit {
	headings := headingFinder(stanzas)
	marked := indentsMark(stanzas)
	var units []unit
	for _, s := range stanzas {
		found := headings.stanza(s, units)
		switch {
		case len(found) > 0:
			units = append(units, found...)
		case lay == linewise:
			for _, l := range s {
				units = append(units, headings.line(l))
			}
		case listed.MatchString(s[0].text):
			units = append(units, unit{text: joinItems(s, lay)})
		case lay == wrapped:
			for _, p := range s.paragraphs(marked) {
				units = append(units, unit{text: p.join()})
			}
		default:
			units = append(units, unit{text: s.lines("\n")})
		}
	}
	return units
}

// indentsMark says whether the text begins paragraphs with an indent: most
// stanzas of several lines hold both kinds of lines.
func indentsMark(stanzas []stanza) bool {
	several, mixed := 0, 0
	for _, s := range stanzas {
		if len(s) < 2 || listed.MatchString(s[0].text) {
			continue
		}
		several++
		mixed += count(s.mixed())
	}
	return mixed > 0 && 2*mixed >= several
}

func (s stanza) mixed() bool {
	n := 0
	for _, l := range s {
		n += count(l.indent)
	}
	return n > 0 && n < len(s)
}

// A stanza of more lines than this is no paragraph: it is divided where a line
// is short and ends a sentence.
const tallest = 20

// paragraphs divides a stanza of broken lines at its indents.
func (s stanza) paragraphs(marked bool) []stanza {
	var all []stanza
	marked = marked || s.mixed()
	from := 0
	for i := 1; i < len(s); i++ {
		if marked && s[i].indent || len(s) > tallest && s[i-1].chars < narrowest && endsSentence(s[i-1].text) {
			all = append(all, s[from:i])
			from = i
		}
	}
	return append(all, s[from:])
}

// join makes one line of broken ones. Verses and addresses stay lines: none of
// theirs is long enough to have been broken.
func (s stanza) join() string {
	verse := len(s) > 1
	for _, l := range s {
		verse = verse && l.chars < narrowest
	}
	if verse {
		return s.lines("\\\n")
	}
	var b strings.Builder
	for i, l := range s {
		if i > 0 && spaced(s[i-1].text, l.text) {
			b.WriteByte(' ')
		}
		b.WriteString(l.text)
	}
	return harmless(b.String())
}

// spaced says whether two lines are joined with a space: not behind a hyphen or
// a dash at a word, and not in Chinese or Japanese.
func spaced(a, b string) bool {
	last, n := utf8.DecodeLastRuneInString(a)
	if last == '-' || last == '—' || last == '–' {
		before, _ := utf8.DecodeLastRuneInString(a[:len(a)-n])
		return before == ' ' || before == utf8.RuneError
	}
	first, _ := utf8.DecodeRuneInString(b)
	return last < 0x2e80 || first < 0x2e80 || last >= 0xac00 && last < 0xd7b0
}

var listed = regexp.MustCompile(`^(?:[-*+•]|\d{1,3}[.)])[ \t]`)

// joinItems keeps a list's items on lines of their own.
func joinItems(s stanza, lay layout) string {
	var b strings.Builder
	for i, l := range s {
		switch {
		case i > 0 && lay == wrapped && !listed.MatchString(l.text):
			b.WriteString(" " + l.text)
			continue
		case i > 0:
			b.WriteByte('\n')
		}
		b.WriteString(harmless(l.text))
	}
	return b.String()
}

func (s stanza) lines(end string) string {
	lines := make([]string, len(s))
	for i, l := range s {
		lines[i] = harmless(l.text)
	}
	return strings.Join(lines, end)
}

// accident is a line that is no heading, fence or underline but looks so in
// Markdown.
var accident = regexp.MustCompile("^(?:#{1,6}(?:[ \t]|$)|```|~~~|-+$|=+$)")

func harmless(l string) string {
	if accident.MatchString(l) {
		return `\` + l
	}
	return l
}
