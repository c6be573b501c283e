package manuscript

import (
	"slices"
	"strings"
	"unicode"
)

// block is a piece of a manuscript in reading order: a heading or text.
type block struct {
	heading bool
	level   int      // of a heading: 1 to 9, and 0 for a document's title
	title   string   // a heading's words
	text    string   // Markdown; of a heading what stands behind its marks
	source  string   // a heading as its file writes it, "" where that is no Markdown
	tight   bool     // no blank line before it
	notes   []string // definitions of the footnotes in it
}

// arrange makes sections of blocks. Title is what the file states, or "";
// fallback is the title if there is none.
func arrange(title, fallback string, blocks []block) Manuscript {
	title, blocks = takeTitle(title, blocks)
	if title == "" {
		title = fallback
	}
	return Manuscript{title, levelsOf(blocks).sections(blocks)}
}

// takeTitle finds the title and takes the heading that says it out of the
// blocks.
func takeTitle(title string, blocks []block) (string, []block) {
	at := titleAt(title, blocks)
	if at < 0 {
		return title, blocks
	}
	if title == "" {
		title = blocks[at].title
	}
	blocks = slices.Clone(blocks)
	blocks[at] = block{notes: blocks[at].notes}
	if at+1 < len(blocks) {
		blocks[at+1].tight = false // it does not go on in what stood before
	}
	return title, blocks
}

// titleAt is where the title's heading stands, or -1. If a title is known
// already, it is a heading that says the same.
func titleAt(title string, blocks []block) int {
	first := slices.IndexFunc(blocks, func(b block) bool { return b.heading })
	if first < 0 {
		return -1
	}
	if title != "" {
		if blocks[first].level <= 1 && strings.EqualFold(blocks[first].title, title) {
			return first
		}
		return -1
	}
	var at [2][]int // of the levels 0 and 1
	for i, b := range blocks {
		if b.heading && b.level <= 1 {
			at[b.level] = append(at[b.level], i)
		}
	}
	switch {
	case len(at[0]) == 1:
		return at[0][0]
	case len(at[0]) == 0 && len(at[1]) == 1 && at[1][0] == first && size(blocks[:first]) <= size(blocks[first:]):
		return first // and not "References" at the end of a text without headings
	}
	return -1
}

func size(blocks []block) int {
	n := 0
	for _, b := range blocks {
		n += len(b.text)
	}
	return n
}

// levels says which headings divide a manuscript.
type levels struct {
	part    int // this level and higher ones are parts; none where there are none
	section int // this level and higher ones are sections
}

const none = -1

// levelsOf finds the dividing levels among the headings' levels. Parts are
// known by having the next heading right under them; how deep that is may
// differ, and the median of it counts.
func levelsOf(blocks []block) levels {
	top := 10
	for _, b := range blocks {
		if b.heading {
			top = min(top, b.level)
		}
	}
	n, under, last := 0, []int(nil), ""
	for i, b := range blocks {
		if !b.heading || b.level != top || b.title == last {
			continue // one that is said again goes on
		}
		n++
		last = b.title
		if i+1 < len(blocks) && blocks[i+1].heading && blocks[i+1].level > top {
			under = append(under, blocks[i+1].level)
		}
	}
	if 2*len(under) <= n {
		return levels{none, top}
	}
	slices.Sort(under)
	return levels{top, under[(len(under)-1)/2]}
}

// shift is by how much the headings in the texts move down, to be deeper than
// those that a draft's sections are written under.
func (l levels) shift() int {
	if l.part == none {
		return max(0, 2-l.section)
	}
	return max(0, 3-l.section)
}

func (l levels) sections(blocks []block) []Section {
	var b binder
	for _, next := range blocks {
		switch {
		case next.heading && next.level <= l.part:
			b.close(false)
			b.open = Section{Part: next.title}
		case next.heading && next.level <= l.section:
			b.close(true)
			b.open = Section{Part: b.open.Part, Title: next.title}
		default:
			b.add(next, l.shift())
		}
		b.notes = append(b.notes, next.notes...)
	}
	b.close(false)
	return b.out
}

// binder collects sections.
type binder struct {
	out   []Section
	open  Section
	body  strings.Builder
	notes []string
}

// close ends the open section. A part's heading without text is one only if no
// section of that part follows.
func (b *binder) close(follows bool) {
	for _, n := range b.notes {
		b.add(block{text: n}, 0)
	}
	b.open.Text = strings.TrimRightFunc(b.body.String(), unicode.IsSpace)
	if b.open.Text != "" || b.open.Title != "" || b.open.Part != "" && !follows {
		b.out = append(b.out, b.open)
	}
	b.body, b.notes = strings.Builder{}, nil
}

// add appends to the open section.
func (b *binder) add(next block, shift int) {
	text := next.text
	if next.heading {
		text = strings.Repeat("#", min(next.level+shift, 6)) + " " + text
		if shift == 0 && next.source != "" {
			text = next.source
		}
	}
	if text == "" {
		return
	}
	if b.body.Len() > 0 {
		b.body.WriteString("\n")
		if !next.tight {
			b.body.WriteString("\n")
		}
	}
	b.body.WriteString(text)
}
