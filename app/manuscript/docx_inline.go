package manuscript

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// span is a piece of a paragraph whose words look alike. A line end in it is one
// that the writer made.
type span struct {
	text  string
	marks marks
	link  string // an address, or ""
	raw   bool   // a footnote's mark: Markdown as it is
}

// inline reads what stands in a paragraph.
func (w *walker) inline(e xml.StartElement, link string) error {
	each := func(e xml.StartElement) error { return w.inline(e, link) }
	switch name(e) {
	case "r":
		return w.run(link)
	case "hyperlink":
		if to := w.links[attribute(e, "id")]; to != "" {
			link = to
		}
		return w.x.children(each)
	case "ins", "moveTo", "smartTag", "customXml", "fldSimple", "dir", "bdo", "formula":
		return w.x.children(each)
	case "sdt":
		return w.control(each)
	case "AlternateContent":
		return w.alternate(each)
	case "t":
		return w.words(e, span{link: link})
	}
	return w.x.skip()
}

// run reads words that look alike.
func (w *walker) run(link string) error {
	s := span{link: link}
	return w.x.children(func(e xml.StartElement) error {
		if name(e) != "rPr" {
			return w.piece(e, s)
		}
		var own switches
		var style string
		err := w.x.children(func(e xml.StartElement) error {
			if own.turn(name(e), on(e)); name(e) == "rStyle" {
				style = attribute(e, "val")
			}
			return w.x.skip()
		})
		s.marks = own.over(switches{on: w.book.styles.marks(style)}).marks()
		return err
	})
}

// piece reads one thing in a run; s is what it looks like.
func (w *walker) piece(e xml.StartElement, s span) error {
	switch n := name(e); n {
	case "t":
		return w.words(e, s)
	case "br", "cr", "tab", "ptab", "noBreakHyphen":
		s.text = sign(n, attribute(e, "type"))
		w.add(s)
	case "footnoteReference", "endnoteReference":
		w.note(strings.TrimSuffix(n, "Reference"), attribute(e, "id"))
	case "fldChar":
		w.field(attribute(e, "fldCharType"))
	case "AlternateContent":
		return w.alternate(func(e xml.StartElement) error { return w.piece(e, s) })
	case "drawing", "pict", "object":
		return w.x.children(w.beside)
	case "ruby":
		return w.x.children(func(e xml.StartElement) error {
			if name(e) != "rubyBase" {
				return w.x.skip()
			}
			return w.x.children(func(e xml.StartElement) error { return w.inline(e, s.link) })
		})
	}
	return w.x.skip()
}

// sign is the text of an element that stands for some.
func sign(name, kind string) string {
	switch {
	case name == "noBreakHyphen":
		return "\u2011"
	case name == "tab" || name == "ptab":
		return "\t"
	case kind == "page" || kind == "column":
		return " "
	}
	return "\n"
}

// words reads a w:t. Without xml:space its outer white space does not count.
func (w *walker) words(e xml.StartElement, s span) error {
	text, err := w.x.text()
	if strings.ContainsAny(text, "\n\t\r") {
		text = strings.NewReplacer("\n", " ", "\t", " ", "\r", " ").Replace(text)
	}
	if attribute(e, "space") != "preserve" {
		text = strings.TrimSpace(text)
	}
	s.text = clean(text)
	w.add(s)
	return err
}

// add appends to the paragraph, but not what is hidden or a field's instruction.
func (w *walker) add(s span) {
	if s.text == "" || s.marks&hidden != 0 {
		return
	}
	for _, instruction := range w.fields {
		if instruction {
			return
		}
	}
	if w.book.linkRoom -= len(s.link); w.book.linkRoom < 0 {
		s.link = ""
	}
	w.line = append(w.line, s)
}

// field follows the marks between which a field's instruction and then its
// result stand.
func (w *walker) field(mark string) {
	last := len(w.fields) - 1
	switch {
	case mark == "begin" && last < deepest:
		w.fields = append(w.fields, true)
	case mark == "separate" && last >= 0:
		w.fields[last] = false
	case mark == "end" && last >= 0:
		w.fields = w.fields[:last]
	}
}

// beside looks for text boxes and lines across the page in a drawing.
func (w *walker) beside(e xml.StartElement) error {
	if e.Name.Local == "rect" && attribute(e, "hr") == "t" {
		w.add(span{text: "* * *"})
		return w.x.skip()
	}
	switch name(e) {
	case "txbxContent":
		if w.boxed {
			return w.x.skip() // Word has no boxes within boxes
		}
		inner := walker{book: w.book, x: w.x, links: w.links, cell: w.cell, boxed: true}
		err := inner.body()
		w.boxes = append(w.boxes, inner.blocks...)
		return err
	case "AlternateContent":
		return w.alternate(w.beside)
	}
	return w.x.children(w.beside)
}

// note puts a footnote's mark into the paragraph and its text beside it, when it
// is met first. The notes are numbered as they come.
func (w *walker) note(kind, id string) {
	text, ok := w.book.notes[kind+id]
	if !ok {
		return
	}
	n := w.book.numbers[kind+id]
	if n == 0 {
		n = len(w.book.numbers) + 1
		w.book.numbers[kind+id] = n
		w.notes = append(w.notes, "[^"+strconv.Itoa(n)+"]: "+text)
	}
	w.add(span{text: "[^" + strconv.Itoa(n) + "]", raw: true})
}

// readNotes reads the footnotes or the endnotes, as the text behind their marks.
func (b *book) readNotes(kind, part string, notes map[string]string) error {
	links, err := b.archive.relations(relationsOf(part))
	if err != nil {
		return err
	}
	_, err = b.archive.scan(part, func(x *elements, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			if t := attribute(e, "type"); name(e) != kind || t != "" && t != "normal" {
				return x.skip()
			}
			w := walker{book: b, x: x, links: links.links, cell: true}
			if err := w.body(); err != nil {
				return err
			}
			var parts []string
			for _, block := range w.blocks {
				parts = append(parts, block.text)
			}
			text := strings.ReplaceAll(strings.Join(parts, "\n\n"), "\n", "\n    ")
			notes[kind+attribute(e, "id")] = strings.ReplaceAll(text, "\n    \n", "\n\n")
			return nil
		})
	})
	return err
}
