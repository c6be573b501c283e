package manuscript

import "encoding/xml"

// format is what a paragraph says of itself.
type format struct {
	style   string
	outline *int // 0 to 9, nil if it does not say
	list    numbering
	merged  bool // the next one goes on in it: its end was deleted, or it is a large initial
}

// numbering is a place in a list.
type numbering struct {
	id    string // "0" for none, "" if nothing is said
	level int
}

// listLevels is how many levels lists have.
const listLevels = 9

// read reads a paragraph's or a style's w:pPr.
func (f *format) read(x *elements) error {
	return x.children(func(e xml.StartElement) error {
		switch name(e) {
		case "pStyle":
			f.style = attribute(e, "val")
		case "outlineLvl":
			if n, ok := number(attribute(e, "val"), noHeading); ok {
				f.outline = &n
			}
		case "numPr":
			return x.children(func(e xml.StartElement) error {
				switch name(e) {
				case "numId":
					f.list.id = attribute(e, "val")
				case "ilvl":
					f.list.level, _ = number(attribute(e, "val"), listLevels-1)
				}
				return x.skip()
			})
		case "rPr":
			return x.children(func(e xml.StartElement) error {
				f.merged = f.merged || name(e) == "del"
				return x.skip()
			})
		case "framePr":
			if kind := attribute(e, "dropCap"); kind == "drop" || kind == "margin" {
				f.merged = true
			}
		}
		return x.skip()
	})
}

func (f *format) outlineOf() int {
	if f.outline == nil {
		return notSaid
	}
	return *f.outline
}

// marks are the ways in which words stand out, as bits.
type marks uint8

const (
	strike marks = 1 << iota
	bold
	italic
	hidden
	noMarks marks = 0
)

// switches are the marks that are on or off; the others are as they were.
type switches struct{ set, on marks }

// read reads a run's or a style's w:rPr.
func (s *switches) read(x *elements) error {
	return x.children(func(e xml.StartElement) error {
		s.turn(name(e), on(e))
		return x.skip()
	})
}

func (s *switches) turn(property string, on bool) {
	var m marks
	switch property {
	case "b":
		m = bold
	case "i":
		m = italic
	case "strike", "dstrike":
		m = strike
	case "vanish":
		m = hidden
	}
	s.set |= m
	if on {
		s.on |= m
	} else {
		s.on &^= m
	}
}

// over is s where s says something, else below.
func (s switches) over(below switches) switches {
	return switches{s.set | below.set, s.on | below.on&^s.set}
}

func (s switches) marks() marks { return s.on }
