package main

import (
	"strings"
	"unicode/utf8"

	"longhand/app/draft"
)

// A passage is text that grows at its end and is sometimes cut back: a
// section, or the model's thinking. It is kept in blocks, so that a token
// costs the window one block and never the whole.
type passage struct {
	blocks []block
	words  int // of all blocks but the last
	tail   int // words of the last, plus 1; 0: not counted since it changed
}

// A block is a line with its newline, or a piece of a line too long to be laid
// out again with every token. Where blocks end depends on the text alone, not
// on how it came in.
type block struct {
	text  string
	words int
}

const (
	blockSoft = 1500 // bytes after which a block ends at the next blank
	blockHard = 3000 // bytes after which it ends anywhere
)

// append adds text at the end.
func (p *passage) append(s string) {
	p.tail = 0
	for s != "" {
		n := len(p.blocks)
		if n == 0 || p.blocks[n-1].complete() {
			if n > 0 {
				p.blocks[n-1].words = draft.CountWords(p.blocks[n-1].text)
				p.words += p.blocks[n-1].words
			}
			p.blocks = append(p.blocks, block{})
			n++
		}
		b := &p.blocks[n-1]
		take := room(len(b.text), s)
		b.text += s[:take]
		s = s[take:]
	}
}

// room is how much of s still belongs to a block of the given length.
func room(length int, s string) int {
	for i := range len(s) {
		switch at := length + i; {
		case at >= blockHard && utf8.RuneStart(s[i]):
			return i
		case s[i] == '\n', s[i] == ' ' && at >= blockSoft:
			return i + 1
		}
	}
	return len(s)
}

// complete says whether the next byte begins a block of its own.
func (b *block) complete() bool {
	n := len(b.text)
	return n >= blockHard || n > 0 && (b.text[n-1] == '\n' || b.text[n-1] == ' ' && n > blockSoft)
}

// line is the block as it is shown.
func (b *block) line() string { return strings.TrimRight(b.text, "\n ") }

// keep cuts the passage back to its first n code points.
func (p *passage) keep(n int) {
	for i := range p.blocks {
		text := p.blocks[i].text
		if c := utf8.RuneCountInString(text); n >= c {
			n -= c
			continue
		}
		for at := range text {
			if n == 0 {
				text = text[:at]
				break
			}
			n--
		}
		p.blocks[i].text = text
		p.blocks = p.blocks[:i+1]
		if text == "" {
			p.blocks = p.blocks[:i]
		}
		break
	}
	p.words, p.tail = 0, 0
	for i := range max(0, len(p.blocks)-1) {
		p.words += p.blocks[i].words
	}
}

// forget drops what lies before the last n blocks.
func (p *passage) forget(n int) {
	if drop := len(p.blocks) - n; drop > 0 {
		p.blocks = append([]block(nil), p.blocks[drop:]...)
	}
}

// count counts the words.
func (p *passage) count() int {
	if len(p.blocks) == 0 {
		return 0
	}
	if p.tail == 0 {
		p.tail = 1 + draft.CountWords(p.blocks[len(p.blocks)-1].text)
	}
	return p.words + p.tail - 1
}

func (p *passage) String() string {
	var b strings.Builder
	for i := range p.blocks {
		b.WriteString(p.blocks[i].text)
	}
	return b.String()
}
