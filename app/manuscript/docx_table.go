package manuscript

import (
	"encoding/xml"
	"slices"
	"strings"
)

const (
	mostColumns    = 63 // Word's own limit
	cellParagraphs = 3  // with more in a cell a table only arranges a page
)

// row is a table's; each of its cells is what stands in it.
type row [][]block

// table makes a Markdown table. One of a single column, or with headings or long
// texts in it, only arranges a page: what stands in it is text like any other.
// So is what stands in a table within a table.
func (w *walker) table() error {
	if w.cell {
		return w.x.children(w.flat)
	}
	var rows []row
	if err := w.rows(&rows); err != nil {
		return err
	}
	w.list = nil
	columns, arranges := 0, false
	for _, r := range rows {
		columns = max(columns, len(r))
		for _, c := range r {
			arranges = arranges || len(c) > cellParagraphs || slices.ContainsFunc(c, func(b block) bool { return b.heading })
		}
	}
	if !arranges && columns > 1 && columns <= mostColumns {
		if b := tableOf(rows, columns); b.text != "" {
			w.blocks = append(w.blocks, b)
		}
		return nil
	}
	for _, r := range rows {
		for _, c := range r {
			w.blocks = append(w.blocks, c...)
		}
	}
	return nil
}

// flat reads a table as the text in it.
func (w *walker) flat(e xml.StartElement) error {
	switch name(e) {
	case "tr", "tc", "sdt", "sdtContent", "customXml":
		return w.x.children(w.flat)
	}
	return w.block(e)
}

func (w *walker) rows(rows *[]row) error {
	return w.x.children(func(e xml.StartElement) error {
		switch name(e) {
		case "tr":
			var r row
			left := false
			err := w.cells(&r, &left)
			if !left && len(r) > 0 {
				*rows = append(*rows, r)
			}
			return err
		case "sdt", "sdtContent", "customXml", "ins", "moveTo":
			return w.rows(rows)
		}
		return w.x.skip()
	})
}

// cells reads a row; left says that it was deleted.
func (w *walker) cells(r *row, left *bool) error {
	return w.x.children(func(e xml.StartElement) error {
		switch name(e) {
		case "tc":
			c, span, err := w.oneCell()
			*r = append(*r, c)
			for range span - 1 {
				*r = append(*r, nil)
			}
			return err
		case "trPr":
			return w.x.children(func(e xml.StartElement) error {
				*left = *left || name(e) == "del"
				return w.x.skip()
			})
		case "sdt", "sdtContent", "customXml":
			return w.cells(r, left)
		}
		return w.x.skip()
	})
}

func (w *walker) oneCell() (blocks []block, span int, err error) {
	inner := walker{book: w.book, x: w.x, links: w.links, cell: true, boxed: w.boxed}
	err = w.x.children(func(e xml.StartElement) error {
		if name(e) != "tcPr" {
			return inner.block(e)
		}
		return w.x.children(func(e xml.StartElement) error {
			if name(e) == "gridSpan" {
				span, _ = number(attribute(e, "val"), mostColumns)
			}
			return w.x.skip()
		})
	})
	if len(inner.line) > 0 {
		inner.finish(format{})
	}
	return inner.blocks, span, err
}

// tableOf writes a table; its first row is the head.
func tableOf(rows []row, columns int) block {
	var b strings.Builder
	var notes []string
	for _, r := range rows {
		texts, empty := make([]string, len(r)), true
		for i, c := range r {
			texts[i] = cellText(c)
			empty = empty && texts[i] == ""
			for _, block := range c {
				notes = append(notes, block.notes...)
			}
		}
		if empty {
			continue
		}
		line := "| " + strings.Join(texts, " | ") + " |"
		if b.Len() > 0 {
			b.WriteString("\n" + line)
			continue
		}
		b.WriteString(line + strings.Repeat("  |", columns-len(r)))
		b.WriteString("\n|" + strings.Repeat("---|", columns))
	}
	return block{text: b.String(), notes: notes}
}

// cellText is a cell's blocks in one line.
func cellText(blocks []block) string {
	var parts []string
	for _, b := range blocks {
		if b.text != "" {
			parts = append(parts, b.text)
		}
	}
	text := strings.Join(parts, " ")
	return strings.NewReplacer("\\\n", " ", "\n", " ", "|", `\|`).Replace(text)
}
