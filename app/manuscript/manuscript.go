// Package manuscript reads manuscripts that were written elsewhere, as Markdown,
// plain text or a Word document, and divides them into sections by their
// headings.
//
// Every kind becomes the same list of blocks first, headings and texts in
// reading order; one rule, in sections.go, makes sections of it:
//
//   - A title that the file states (front matter, the style "Title") is the
//     title. Else a single heading of level 1 is that comes before all others
//     and not after most of the text, else the file's name.
//   - The highest level of the other headings divides the text into sections.
//     Where more than half of the headings of that level have the next heading
//     right under them, they are parts, and the headings under them divide.
//   - Deeper headings stay in the text as they are. Only where the file divides
//     at a higher level than a draft does ("## section", or "### section" under
//     "## part"), they move down as far, or a draft with such a text would not
//     come back the same.
//   - Text before the first section is a section without a title. A heading
//     without text is a section without text: nothing is lost.
//
// A plain text has no headings but lines that stand alone and look like one:
// "Chapter 3", "Kapitel III: Der Berg", "第三章 山", "THE HILL", "12." (not in the
// middle of a sentence). Where such a text has chapters, capitals and numbers
// are headings within them. Its lines are joined into paragraphs if they were
// broken to a width, or are paragraphs themselves if they are long.
//
// A text is Markdown whatever it was: paragraphs with one blank line between
// them. It holds neither control characters nor byte order marks.
//
// Not read are images, comments, deleted text, tables of contents and the
// numbers of numbered headings in Word documents; quotes and code in them are
// paragraphs like others. In Markdown, headings within lists and quotes are no
// sections, nor are underlined ones of more than one line.
//
// The content may come from anybody. It is read with limits (64 MiB for the
// file and for every part unpacked from it, 10,000 parts, XML 1,000 levels
// deep), and what comes out grows no faster than what went in.
package manuscript

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Manuscript is a text in sections.
type Manuscript struct {
	Title    string
	Sections []Section
}

// Section is a heading and what stands under it.
type Section struct {
	Part  string // "" where there are no parts
	Title string // "" before the first heading
	Text  string // Markdown
}

// largest is how many bytes a file may have, and each part unpacked from it.
const largest = 64 << 20

// oleHeader begins Word documents from before 2007, and today's when they are
// locked with a password.
var oleHeader = []byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1}

// Read reads a file's content. Its kind is told by the name's extension: .md,
// .markdown, .txt, .text or .docx.
func Read(name string, content []byte) (Manuscript, error) {
	extension := filepath.Ext(name)
	title, blocks, err := blocksOf(strings.ToLower(extension), content)
	if err != nil {
		return Manuscript{}, fmt.Errorf("manuscript: %s %w", name, err)
	}
	fallback := clean(strings.TrimSuffix(filepath.Base(name), extension))
	m := arrange(title, strings.Join(strings.Fields(fallback), " "), blocks)
	if len(m.Sections) == 0 {
		return Manuscript{}, fmt.Errorf("manuscript: %s holds no text", name)
	}
	return m, nil
}

// blocksOf reads the title, if the file states one, and the blocks. Its errors
// go on after the file's name.
func blocksOf(extension string, content []byte) (string, []block, error) {
	if len(content) > largest {
		return "", nil, fmt.Errorf("is larger than %d MiB", largest>>20)
	}
	if bytes.HasPrefix(content, oleHeader) {
		return "", nil, errors.New("is in the old Word format, or locked with a password: save it as .docx, without a password")
	}
	switch extension {
	case ".md", ".markdown":
		return markdown(content)
	case ".txt", ".text":
		return plain(content)
	case ".docx":
		return docx(content)
	}
	return "", nil, errors.New("is of no kind that is read: .md, .markdown, .txt, .text and .docx are")
}
