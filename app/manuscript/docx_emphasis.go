package manuscript

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// wordsOf are a paragraph's words in one line, without its marks.
func wordsOf(line []span) string {
	var b strings.Builder
	for _, s := range line {
		if !s.raw {
			b.WriteString(s.text)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// longestBreak is how many bytes of signs make a line across the page.
const longestBreak = 80

// sceneBreak is a paragraph that is a line across the page in Markdown, too.
var sceneBreak = regexp.MustCompile(`^(?:\*[ \t]*){3,}$|^(?:-[ \t]*){3,}$|^(?:_[ \t]*){3,}$`)

// paragraphsOf writes a paragraph in Markdown. Two line ends in a row make two
// of it.
func paragraphsOf(line []span) []string {
	if all := wordsOf(line); len(all) <= longestBreak && sceneBreak.MatchString(all) {
		return []string{all}
	}
	var out []string
	for _, part := range divide(line) {
		text := strings.Trim(emphasise(pieces(part)), " \t\n")
		if text != "" {
			out = append(out, atLineStarts(text))
		}
	}
	return out
}

// divide divides a paragraph where lines are empty, and takes the white space
// off the lines' ends.
func divide(line []span) [][]span {
	var d divider
	for _, s := range line {
		for i, text := range strings.Split(s.text, "\n") {
			d.ends += count(i > 0)
			s.text = text
			d.add(s)
		}
	}
	if len(d.open) > 0 {
		d.all = append(d.all, d.open)
	}
	return d.all
}

type divider struct {
	all  [][]span
	open []span
	ends int // of lines, since the last words
}

func (d *divider) add(s span) {
	last := len(d.open) - 1
	if last < 0 || d.ends > 0 {
		if strings.TrimSpace(s.text) == "" {
			return
		}
		s.text = strings.TrimLeft(s.text, " \t")
	}
	if last >= 0 && d.ends > 0 {
		end := &d.open[last]
		if end.text = strings.TrimRight(end.text, " \t"); d.ends == 1 {
			end.text += "\n"
		} else {
			d.all, d.open = append(d.all, d.open), nil
		}
	}
	d.open, d.ends = append(d.open, s), 0
}

// pieces moves white space out of the marks, and punctuation where Markdown
// would not know a mark beside it, and joins what looks alike.
func pieces(line []span) []span {
	var out []span
	for _, s := range line {
		core := strings.TrimSpace(s.text)
		if s.raw || core == "" || s.marks == noMarks && s.link == "" {
			out = append(out, s)
			continue
		}
		at := strings.Index(s.text, core)
		out = append(out, span{text: s.text[:at]}, span{core, s.marks, s.link, false}, span{text: s.text[at+len(core):]})
	}
	bridge(out)
	return merged(unpunctuated(merged(out)))
}

// bridge gives what has no words, such as white space, the marks that the words
// on both sides of it share.
func bridge(line []span) {
	var last span
	from := 0 // where the wordless pieces behind last begin
	for i, s := range append(line, span{raw: true}) {
		if !s.raw && strings.ContainsFunc(s.text, inWord) || s.raw && i < len(line) {
			spread(line[from:i], last, s)
			last, from = s, i+1
		} else if i == len(line) {
			spread(line[from:], last, span{})
		}
	}
}

// spread gives wordless pieces what their neighbours share. White space between
// two pieces of a link is in it, too; at its ends all marks are closed.
func spread(wordless []span, a, b span) {
	for i := range wordless {
		s := &wordless[i]
		if s.link == "" && a.link == b.link {
			s.link = a.link
		}
		if s.marks = noMarks; s.link == a.link && s.link == b.link {
			s.marks = a.marks & b.marks
		}
	}
}

// merged joins neighbours that look alike.
func merged(line []span) []span {
	var out []span
	for from := 0; from < len(line); {
		s, to := line[from], from+1
		for !s.raw && to < len(line) && !line[to].raw && line[to].marks == s.marks && line[to].link == s.link {
			to++
		}
		if to > from+1 {
			s.text = textOf(line[from:to])
		}
		if from = to; s.text != "" {
			out = append(out, s)
		}
	}
	return out
}

func textOf(line []span) string {
	var b strings.Builder
	for _, s := range line {
		b.WriteString(s.text)
	}
	return b.String()
}

// unpunctuated moves punctuation out of marks that would stand between it and a
// letter: "**So:**he" shows asterisks, "**So**:he" does not.
func unpunctuated(line []span) []span {
	var out []span
	for i, s := range line {
		lead, tail := "", ""
		if i > 0 && s.link == line[i-1].link && s.marks&^line[i-1].marks != 0 && inWord(lastRune(line[i-1].text)) {
			core := strings.TrimLeftFunc(s.text, punctuation)
			lead, s.text = s.text[:len(s.text)-len(core)], core
		}
		if i+1 < len(line) && s.link == line[i+1].link && s.marks&^line[i+1].marks != 0 && inWord(firstRune(line[i+1].text)) {
			core := strings.TrimRightFunc(s.text, punctuation)
			s.text, tail = core, s.text[len(core):]
		}
		if lead != "" {
			out = append(out, span{lead, s.marks & line[i-1].marks, s.link, s.raw})
		}
		out = append(out, s)
		if tail != "" {
			out = append(out, span{tail, s.marks & line[i+1].marks, s.link, s.raw})
		}
	}
	return out
}

func punctuation(r rune) bool { return unicode.In(r, unicode.P, unicode.S) }

func inWord(r rune) bool { return r != utf8.RuneError && !unicode.IsSpace(r) && !punctuation(r) }

func firstRune(s string) rune { r, _ := utf8.DecodeRuneInString(s); return r }

func lastRune(s string) rune { r, _ := utf8.DecodeLastRuneInString(s); return r }
