package manuscript

import (
	"encoding/xml"
	"strings"
)

// book is what a document's parts have in common.
type book struct {
	archive  archive
	styles   styles
	lists    lists
	notes    map[string]string // by kind and id
	numbers  map[string]int    // the notes' that were met
	linkRoom int               // bytes that links may still take
}

// mostLinks is how many bytes all links may take: a long one that is used often
// would let a small file grow without end.
const mostLinks = 4 << 20

// walker goes through paragraphs and tables and makes blocks of them.
type walker struct {
	book   *book
	x      *elements
	links  map[string]string
	cell   bool // in a table's cell
	boxed  bool // in a text box
	blocks []block
	list   []int // the levels of the open list items

	// Of the paragraph that is being read:
	line   []span
	notes  []string
	boxes  []block // texts beside it, which come after it
	fields []bool  // open fields: whether their instruction is being read
}

// body reads all that stands in the element that has just begun.
func (w *walker) body() error {
	if err := w.x.children(w.block); err != nil {
		return err
	}
	if len(w.line) > 0 {
		w.finish(format{})
	}
	return nil
}

func (w *walker) block(e xml.StartElement) error {
	switch name(e) {
	case "p":
		return w.paragraph()
	case "tbl":
		return w.table()
	case "sdt":
		return w.control(w.block)
	case "ins", "moveTo", "customXml", "smartTag":
		return w.x.children(w.block)
	case "AlternateContent":
		return w.alternate(w.block)
	}
	return w.x.skip()
}

// control reads a content control, unless it holds the table of contents or
// only says what should be written in it.
func (w *walker) control(each func(xml.StartElement) error) error {
	left := false
	return w.x.children(func(e xml.StartElement) error {
		switch {
		case name(e) == "sdtPr":
			return w.x.children(func(e xml.StartElement) error {
				left = left || name(e) == "showingPlcHdr" && on(e)
				return w.x.children(func(e xml.StartElement) error {
					left = left || name(e) == "docPartGallery" && strings.EqualFold(attribute(e, "val"), "Table of Contents")
					return w.x.skip()
				})
			})
		case name(e) == "sdtContent" && !left:
			return w.x.children(each)
		}
		return w.x.skip()
	})
}

// alternate reads the first of several forms of the same.
func (w *walker) alternate(each func(xml.StartElement) error) error {
	done := false
	return w.x.children(func(e xml.StartElement) error {
		if n := name(e); done || n != "Choice" && n != "Fallback" {
			return w.x.skip()
		}
		done = true
		return w.x.children(each)
	})
}

func (w *walker) paragraph() error {
	var f format
	w.fields = w.fields[:0]
	err := w.x.children(func(e xml.StartElement) error {
		if name(e) == "pPr" {
			return f.read(w.x)
		}
		return w.inline(e, "")
	})
	if err == nil && !f.merged {
		w.finish(f)
	}
	return err
}

// finish makes blocks of the paragraph.
func (w *walker) finish(f format) {
	line, notes, boxes := w.line, w.notes, w.boxes
	w.line, w.notes, w.boxes = nil, nil, nil
	if w.book.styles.contents(f.style) {
		return
	}
	title := wordsOf(line)
	level, heading := w.book.styles.level(f.style)
	if f.outline != nil {
		level, heading = *f.outline+1, *f.outline != noHeading
	}
	switch {
	case heading && title != "":
		w.list = nil
		w.blocks = append(w.blocks, block{heading: true, level: level, title: title, text: escape(title), notes: notes})
	default:
		w.text(line, notes, f)
	}
	w.blocks = append(w.blocks, boxes...)
}

// text adds a paragraph or a list's item.
func (w *walker) text(line []span, notes []string, f format) {
	place := f.list
	if place.id == "" {
		place = w.book.styles.list(f.style)
		place.level = max(place.level, f.list.level)
	}
	paragraphs := paragraphsOf(line)
	mark, listed := w.book.lists.item(place)
	switch {
	case len(paragraphs) == 0:
		if len(notes) > 0 {
			w.blocks = append(w.blocks, block{notes: notes})
		}
	case listed:
		w.item(mark, place.level, paragraphs, notes)
	default:
		w.list = nil
		for _, p := range paragraphs {
			w.blocks = append(w.blocks, block{text: p})
		}
		w.blocks[len(w.blocks)-1].notes = notes
	}
}

// item adds an item under those of lower levels. Without a mark it goes on with
// the one above.
func (w *walker) item(mark string, level int, paragraphs, notes []string) {
	tight := mark != "" && len(w.list) > 0
	for len(w.list) > 0 && (w.list[len(w.list)-1] > level || mark != "" && w.list[len(w.list)-1] == level) {
		w.list = w.list[:len(w.list)-1]
	}
	indent := strings.Repeat("    ", len(w.list))
	if mark != "" {
		w.list = append(w.list, level)
	}
	text := strings.Join(paragraphs, "\\\n")
	text = strings.ReplaceAll(text, "\n", "\n"+indent+strings.Repeat(" ", len(mark)))
	w.blocks = append(w.blocks, block{text: indent + mark + text, tight: tight, notes: notes})
}
