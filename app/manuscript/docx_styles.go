package manuscript

import (
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
)

// style is what a document's style says of paragraphs or of words in it.
type style struct {
	parent   string
	heading  int  // 1 to 9 by its name, 0 for the document's title, or none
	contents bool // a table of contents'
	outline  int  // 0 to 8 for headings, 9 for none, or notSaid
	list     numbering
	switches switches
}

// styles are a document's, by their ids.
type styles map[string]*style

const (
	notSaid       = -1
	noHeading     = 9
	mostAncestors = 32
)

var (
	headingName  = regexp.MustCompile(`^heading ?([1-9])$`)
	contentsName = regexp.MustCompile(`^(?:toc ?[1-9]|toc ?heading|table of figures)$`)
)

func (a archive) styles(part string) (styles, error) {
	all := styles{}
	_, err := a.scan(part, func(x *elements, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			if name(e) != "style" {
				return x.skip()
			}
			s, err := readStyle(x)
			all[attribute(e, "styleId")] = s
			return err
		})
	})
	return all, err
}

func readStyle(x *elements) (*style, error) {
	s := named("")
	err := x.children(func(e xml.StartElement) error {
		switch name(e) {
		case "name":
			n := named(attribute(e, "val"))
			s.heading, s.contents = n.heading, n.contents
		case "basedOn":
			s.parent = attribute(e, "val")
		case "pPr":
			var f format
			err := f.read(x)
			s.outline, s.list = f.outlineOf(), f.list
			return err
		case "rPr":
			return s.switches.read(x)
		}
		return x.skip()
	})
	return s, err
}

// named is a style of which the name alone is known.
func named(name string) *style {
	name = strings.ToLower(name)
	s := &style{heading: none, contents: contentsName.MatchString(name), outline: notSaid}
	if m := headingName.FindStringSubmatch(name); m != nil {
		s.heading = int(m[1][0] - '0')
	} else if name == "title" {
		s.heading = 0
	}
	return s
}

// ancestors calls visit for a style and what it is based on, as long as it
// wants more. A style that is not described is known by its id alone.
func (all styles) ancestors(id string, visit func(*style) (more bool)) {
	for range mostAncestors {
		s := all[id]
		if s == nil {
			s = named(id)
		}
		if id == "" || !visit(s) {
			return
		}
		id = s.parent
	}
}

// level is the level of headings in a style; a document's title has 0. Only the
// style "Title" itself is one, for subtitles are based on it.
func (all styles) level(id string) (level int, heading bool) {
	own := true
	all.ancestors(id, func(s *style) bool {
		switch {
		case s.outline == noHeading:
			return false
		case s.outline != notSaid:
			level, heading = s.outline+1, true
		case s.heading > 0, own && s.heading == 0:
			level, heading = s.heading, true
		}
		own = false
		return !heading
	})
	return level, heading
}

// contents says whether a style is a table of contents'.
func (all styles) contents(id string) bool {
	is := false
	all.ancestors(id, func(s *style) bool {
		is = s.contents
		return false
	})
	return is
}

// list is the list that a style's paragraphs stand in.
func (all styles) list(id string) (n numbering) {
	all.ancestors(id, func(s *style) bool {
		n = s.list
		return n.id == ""
	})
	return n
}

// marks are those of the words in a style.
func (all styles) marks(id string) marks {
	var sum switches
	all.ancestors(id, func(s *style) bool {
		sum = sum.over(s.switches)
		return true
	})
	return sum.marks()
}

// number reads a whole number between 0 and most.
func number(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	return min(n, most), err == nil && n >= 0
}
