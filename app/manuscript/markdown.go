package manuscript

import (
	"regexp"
	"strings"
	"unicode"
)

// markdown reads a Markdown file. Its texts stay as they are, but for blank
// lines: one divides as well as three.
func markdown(content []byte) (string, []block, error) {
	s, err := decode(content)
	if err != nil {
		return "", nil, err
	}
	title, lines := frontMatter(strings.Split(s, "\n"))
	p := parser{gap: true, lastComment: none}
	for i, l := range lines {
		if strings.Contains(l, "-->") {
			p.lastComment = i
		}
	}
	for i, l := range lines {
		// Markdown knows two kinds of white space; the others end no line.
		if end := strings.TrimRightFunc(l, unicode.IsSpace); strings.Trim(l[len(end):], " \t") != "" {
			l = end
		}
		p.line(i, l)
	}
	p.flush()
	return title, p.blocks, nil
}

// parser reads Markdown line by line, as much of it as tells headings from what
// only looks like one.
type parser struct {
	blocks []block
	text   []string // the lines since the last heading
	tight  bool     // of that text
	gap    bool     // a blank line came last

	fence       fence
	comment     bool
	lastComment int // the line where the file's last comment ends
	list        int // the column of the open list item's text, or 0
	paragraph   int // lines of the open paragraph, or one of the below
}

const (
	noParagraph = 0
	nested      = -1 // in a list, a quote or the like: no underline makes a heading of it
)

var (
	listMark  = regexp.MustCompile(`^ {0,3}(?:[-+*]|\d{1,9}[.)])(?:[ \t]+|$)`)
	breakMark = regexp.MustCompile(`^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$`)
	underline = regexp.MustCompile(`^ {0,3}(?:=+|-+)[ \t]*$`)
	noProse   = regexp.MustCompile(`^ {0,3}(?:>|\||<[A-Za-z/!?]|\[[^\]]+\]:)`)
)

func (p *parser) line(i int, l string) {
	if p.inside(l) {
		return
	}
	bare := strings.TrimLeft(l, " \t")
	if bare == "" {
		p.blank()
		return
	}
	column := width(l[:len(l)-len(bare)])
	if column < p.list && (p.gap || p.paragraph == noParagraph) {
		p.list = 0
	}
	listed := p.list > 0 && column >= p.list
	switch {
	case listed:
		if !p.opens(bare, p.list) {
			p.paragraph = nested
		}
		p.keep(l)
	case column > 3: // goes on in a paragraph, or is code
		if p.paragraph++; p.paragraph <= 1 {
			p.paragraph = nested
		}
		p.keep(l)
	case p.opens(bare, 0):
		p.keep(l)
	case strings.HasPrefix(bare, "<!--") && p.lastComment >= i:
		p.comment, p.paragraph = !strings.Contains(l, "-->"), noParagraph
		p.keep(l)
	default:
		p.prose(l, bare)
	}
}

// inside takes a line of the open fence or comment.
func (p *parser) inside(l string) bool {
	switch {
	case p.comment:
		p.comment = !strings.Contains(l, "-->")
	case p.fence.mark == 0:
		return false
	case p.fence.leaves(l):
		p.fence = fence{}
		return false
	case p.fence.closes(l):
		p.fence = fence{}
	}
	p.keep(l)
	return true
}

// opens says whether a line opens a fence; list is the column of the list item
// that it stands in.
func (p *parser) opens(bare string, list int) bool {
	p.fence = fenceOf(bare, list)
	if p.fence.mark == 0 {
		return false
	}
	p.paragraph = noParagraph
	return true
}

// prose takes a line that nothing holds: a heading or text.
func (p *parser) prose(l, bare string) {
	if level, text, ok := atx(bare); ok {
		p.heading(level, text, l)
		return
	}
	if p.paragraph == 1 && underline.MatchString(l) {
		p.setext(l, bare)
		return
	}
	switch m := listMark.FindString(l); {
	case breakMark.MatchString(l):
		p.paragraph = noParagraph
	case m != "":
		if p.list, p.paragraph = width(m), nested; len(m) == len(l) {
			p.list = width(strings.TrimRight(m, " \t")) + 1 // the text is yet to come
		}
		if fence := fenceOf(l[len(m):], p.list); fence.mark != 0 {
			p.fence = fence
		}
	case p.paragraph == nested || noProse.MatchString(l):
		p.paragraph = nested
	default:
		p.paragraph++
	}
	p.keep(l)
}

// setext makes a heading of the line before.
func (p *parser) setext(l, bare string) {
	level := 1
	if bare[0] == '-' {
		level = 2
	}
	last := len(p.text) - 1
	above := p.text[last]
	p.text = p.text[:last]
	if p.gap = !p.tight; last > 0 {
		p.gap = p.text[last-1] == ""
	}
	p.heading(level, strings.TrimSpace(above), above+"\n"+l)
}

// heading adds one. Without words it divides nothing and stays in the text.
func (p *parser) heading(level int, text, source string) {
	p.paragraph, p.list = noParagraph, 0
	source = strings.TrimRight(source, " \t")
	title := words(text)
	if title == "" {
		p.keep(source)
		return
	}
	p.flush()
	p.blocks = append(p.blocks, block{heading: true, level: level, title: title, text: text, source: source, tight: !p.gap})
	p.gap = false
}

func (p *parser) keep(l string) {
	if len(p.text) == 0 {
		p.tight = !p.gap
	}
	p.text = append(p.text, l)
	p.gap = false
}

func (p *parser) blank() {
	p.paragraph = noParagraph
	p.gap = true
	if last := len(p.text) - 1; last >= 0 && p.text[last] != "" {
		p.text[last] = strings.TrimRight(p.text[last], " \t")
		p.text = append(p.text, "")
	}
}

// flush ends the text before a heading.
func (p *parser) flush() {
	lines := p.text
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) > 0 {
		lines[len(lines)-1] = strings.TrimRight(lines[len(lines)-1], " \t")
		p.blocks = append(p.blocks, block{text: strings.Join(lines, "\n"), tight: p.tight})
	}
	p.text = nil
}

// width is the column after white space and marks, with tabs at every fourth.
func width(s string) int {
	n := 0
	for _, r := range s {
		if n++; r == '\t' {
			n += 3 - (n-1)%4
		}
	}
	return n
}
