package rewards

import "strings"

// Kinds of lines of Markdown, as far as the rewards tell them apart.
type lineKind uint8

const (
	blankLine lineKind = iota
	proseLine
	headingLine
	itemLine  // of a list
	tableLine //
	fenceLine // opens or closes code
	codeLine  //
	ruleLine  // signs alone: a scene break, the underline of a heading
)

// A line is one line of a text, without its line break.
type line struct {
	start, end int // bytes
	kind       lineKind
	level      int // of a heading
}

// linesOf splits a text into its lines. A fence that is never closed is told
// by open, the byte where it begins, or -1.
func linesOf(text string) (lines []line, open int) {
	fence, at := "", 0
	open = -1
	for at < len(text) {
		end := strings.IndexByte(text[at:], '\n')
		next := at + end + 1
		if end < 0 {
			end, next = len(text)-at, len(text)
		}
		l := line{start: at, end: at + end}
		s := strings.TrimSpace(text[l.start:l.end])
		mark := fenceOf(s)
		switch {
		case fence != "" && mark != "" && mark[0] == fence[0] && len(mark) >= len(fence) && mark == s:
			l.kind, fence, open = fenceLine, "", -1
		case fence != "":
			l.kind = codeLine
		case mark != "":
			l.kind, fence, open = fenceLine, mark, l.start
		default:
			l.kind, l.level = kindOf(s)
			if level := underline(s); level > 0 && len(lines) > 0 && lines[len(lines)-1].kind == proseLine && l.start-lines[len(lines)-1].start < 120 && single(lines) {
				lines[len(lines)-1].kind, lines[len(lines)-1].level = headingLine, level
				l.kind = ruleLine
			}
		}
		lines = append(lines, l)
		at = next
	}
	return lines, open
}

// single says whether the last line stands alone as a paragraph.
func single(lines []line) bool {
	n := len(lines)
	return n < 2 || lines[n-2].kind != proseLine
}

// fenceOf is the run of three or more back ticks or tildes that s begins with.
func fenceOf(s string) string {
	if s == "" || s[0] != '`' && s[0] != '~' {
		return ""
	}
	n := len(s) - len(strings.TrimLeft(s, s[:1]))
	if n < 3 || s[0] == '`' && strings.Contains(s[n:], "`") {
		return ""
	}
	return s[:n]
}

// underline is the level of the heading above a line of = or -, or 0.
func underline(s string) int {
	switch {
	case len(s) >= 2 && strings.Trim(s, "=") == "":
		return 1
	case len(s) >= 2 && strings.Trim(s, "-") == "":
		return 2
	}
	return 0
}

func kindOf(s string) (kind lineKind, level int) {
	if s == "" {
		return blankLine, 0
	}
	if n := len(s) - len(strings.TrimLeft(s, "#")); n > 0 && n <= 6 && (n == len(s) || s[n] == ' ' || s[n] == '\t') {
		return headingLine, n
	}
	switch {
	case isItem(s):
		return itemLine, 0
	case s[0] == '|':
		return tableLine, 0
	case strings.Trim(s, "-=*_~ .·•⁂#") == "":
		return ruleLine, 0
	}
	return proseLine, 0
}

// isItem says whether a line is an item of a list: "- x", "* x", "3. x", "a) x".
func isItem(s string) bool {
	for _, mark := range []string{"- ", "* ", "+ ", "• ", "· "} {
		if strings.HasPrefix(s, mark) && len(s) > len(mark) {
			return strings.Trim(s, "-*_+ ") != ""
		}
	}
	rest := strings.TrimLeft(s, "0123456789")
	if n := len(s) - len(rest); n == 0 && len(s) > 1 && classes[s[0]&0x7f] == letter && s[0] < 0x80 && s[1] == ')' {
		rest = s[1:]
	} else if n == 0 || n > 4 {
		return false
	}
	for _, mark := range []string{". ", ") ", "、", "．"} {
		if strings.HasPrefix(rest, mark) {
			return true
		}
	}
	return false
}

// Words counts the words of a completion's answer: what stands in <think>,
// tags and headings are not counted.
func Words(text string, form Form) int {
	return wordsOf(bodyOf(Prompt{Form: form}, text).text)
}

// wordsOf counts the words of a text without its headings.
func wordsOf(text string) int {
	if !strings.Contains(text, "#") && !strings.Contains(text, "--") && !strings.Contains(text, "==") {
		return CountWords(text) // no headings
	}
	lines, _ := linesOf(text)
	return wordsOfLines(text, lines)
}

func wordsOfLines(text string, lines []line) int {
	n, from := 0, 0
	for _, l := range lines {
		if l.kind == headingLine {
			n += CountWords(text[from:l.start])
			from = l.end
		}
	}
	return n + CountWords(text[from:])
}
