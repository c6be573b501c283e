package manuscript

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// lists are a document's kinds of lists, and where their counting stands.
type lists struct {
	shapes map[string]*shape // by abstract number
	used   map[string]*list  // by number, as paragraphs name them
	styled map[string]string // abstract numbers by the list style that they describe
}

// shape is how a list is numbered.
type shape struct {
	levels [listLevels]levelShape
	style  string // described there
	counts [listLevels]int
}

type levelShape struct {
	format string // "bullet", "decimal", "none" …
	bare   bool   // the mark is white space: paragraphs that go on in an item
	start  int
}

// list is a list that counts as its shape does, with its own beginnings.
type list struct {
	shape   string
	restart map[int]int // by level, at the list's first item
	begun   bool
}

func (a archive) lists(part string) (lists, error) {
	all := lists{map[string]*shape{}, map[string]*list{}, map[string]string{}}
	_, err := a.scan(part, func(x *elements, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			switch name(e) {
			case "abstractNum":
				return all.readShape(x, attribute(e, "abstractNumId"))
			case "num":
				return all.readList(x, attribute(e, "numId"))
			}
			return x.skip()
		})
	})
	return all, err
}

func (all lists) readShape(x *elements, id string) error {
	s := &shape{}
	for i := range s.levels {
		s.levels[i] = levelShape{format: "bullet", start: 1}
	}
	all.shapes[id] = s
	return x.children(func(e xml.StartElement) error {
		switch name(e) {
		case "lvl":
			level, _ := number(attribute(e, "ilvl"), listLevels-1)
			return s.levels[level].read(x)
		case "styleLink":
			all.styled[attribute(e, "val")] = id
		case "numStyleLink":
			s.style = attribute(e, "val")
		}
		return x.skip()
	})
}

func (l *levelShape) read(x *elements) error {
	return x.children(func(e xml.StartElement) error {
		switch name(e) {
		case "start":
			l.start, _ = number(attribute(e, "val"), 1e6)
		case "numFmt":
			l.format = attribute(e, "val")
		case "lvlText":
			l.bare = strings.TrimSpace(attribute(e, "val")) == ""
		}
		return x.skip()
	})
}

func (all lists) readList(x *elements, id string) error {
	l := &list{restart: map[int]int{}}
	all.used[id] = l
	return x.children(func(e xml.StartElement) error {
		switch name(e) {
		case "abstractNumId":
			l.shape = attribute(e, "val")
		case "lvlOverride":
			level, _ := number(attribute(e, "ilvl"), listLevels-1)
			return x.children(func(e xml.StartElement) error {
				if n, ok := number(attribute(e, "val"), 1e6); ok && name(e) == "startOverride" {
					l.restart[level] = n
				}
				return x.skip()
			})
		}
		return x.skip()
	})
}

// item counts one and returns what it is marked with: "" if it stands in a list
// without a mark. Listed says whether it stands in one.
func (all lists) item(n numbering) (mark string, listed bool) {
	l := all.used[n.id]
	if l == nil {
		return "", false
	}
	s := all.shapes[l.shape]
	if s != nil && s.style != "" {
		s = all.shapes[all.styled[s.style]]
	}
	if s == nil {
		return "", false
	}
	level := s.levels[n.level]
	if level.bare || level.format == "none" {
		return "", true
	}
	if !l.begun {
		l.begun = true
		for level, n := range l.restart {
			s.levels[level].start, s.counts[level] = n, 0
		}
		level = s.levels[n.level]
	}
	s.counts[n.level]++
	clear(s.counts[n.level+1:])
	if level.format == "bullet" {
		return "- ", true
	}
	return strconv.Itoa(level.start+s.counts[n.level]-1) + ". ", true
}
