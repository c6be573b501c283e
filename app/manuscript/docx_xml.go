package manuscript

import (
	"encoding/xml"
	"errors"
	"fmt"
	"path"
	"strings"
)

// elements goes through a part element by element.
type elements struct {
	d     *xml.Decoder
	depth int
}

// deepest is how many elements may stand within each other.
const deepest = 1000

var errDeep = fmt.Errorf("its elements are nested deeper than %d levels", deepest)

// children gives the elements in the one that has just begun to each, which
// reads the one it gets to its end, by children, skip or text.
func (x *elements) children(each func(xml.StartElement) error) error {
	if x.depth++; x.depth > deepest {
		return errDeep
	}
	for {
		t, err := x.d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := each(t); err != nil {
				return err
			}
		case xml.EndElement:
			x.depth--
			return nil
		}
	}
}

// skip reads the element that has just begun to its end.
func (x *elements) skip() error {
	for open := 1; open > 0; {
		if x.depth+open > deepest {
			return errDeep
		}
		t, err := x.d.Token()
		if err != nil {
			return err
		}
		switch t.(type) {
		case xml.StartElement:
			open++
		case xml.EndElement:
			open--
		}
	}
	return nil
}

// text reads the element that has just begun to its end and returns its text.
func (x *elements) text() (string, error) {
	var b strings.Builder
	for {
		t, err := x.d.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.StartElement:
			if err := x.skip(); err != nil {
				return "", err
			}
		case xml.EndElement:
			return b.String(), nil
		}
	}
}

// The namespaces that are read: text, in the two forms of the standard, what
// programs may choose from, and formulas.
const (
	nsText       = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
	nsStrictText = "http://purl.oclc.org/ooxml/wordprocessingml/main"
	nsChoice     = "http://schemas.openxmlformats.org/markup-compatibility/2006"
	nsMath       = "http://schemas.openxmlformats.org/officeDocument/2006/math"
	nsStrictMath = "http://purl.oclc.org/ooxml/officeDocument/math"
)

// name is what an element is called, "formula" within formulas but for their
// text, and "" if it is foreign.
func name(e xml.StartElement) string {
	switch e.Name.Space {
	case nsText, nsStrictText, nsChoice:
		return e.Name.Local
	case nsMath, nsStrictMath:
		if e.Name.Local == "t" {
			return "t"
		}
		return "formula"
	}
	return ""
}

func attribute(e xml.StartElement, local string) string {
	for _, a := range e.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// on says whether an element switches something on.
func on(e xml.StartElement) bool {
	switch attribute(e, "val") {
	case "0", "false", "off", "none":
		return false
	}
	return true
}

// relations are what a part refers to.
type relations struct {
	parts map[string]string // by the last word of their type
	links map[string]string // addresses by their ids
}

// part is where a part of the given kind lies, by default beside the main one.
func (r relations) part(kind, main string) string {
	if p := r.parts[kind]; p != "" {
		return p
	}
	return path.Join(path.Dir(main), kind+".xml")
}

func (a archive) relations(part, folder string) (relations, error) {
	r := relations{map[string]string{}, map[string]string{}}
	_, err := a.scan(part, func(x *elements, e xml.StartElement) error {
		if e.Name.Local != "Relationships" {
			return errors.New("it holds no relations")
		}
		return x.children(func(e xml.StartElement) error {
			kind, target := path.Base(attribute(e, "Type")), attribute(e, "Target")
			switch {
			case attribute(e, "TargetMode") == "External":
				if kind == "hyperlink" {
					r.links[attribute(e, "Id")] = address(target)
				}
			case strings.HasPrefix(target, "/"):
				r.parts[kind] = path.Clean(target)[1:]
			default:
				r.parts[kind] = path.Join(folder, target)
			}
			return x.skip()
		})
	})
	return r, err
}

// longestAddress is how many bytes the target of a link may have.
const longestAddress = 2000

// address is a link's target as Markdown takes it, or "" if it is none for a
// reader.
func address(target string) string {
	target = strings.TrimSpace(clean(target))
	scheme, _, ok := strings.Cut(strings.ToLower(target), ":")
	if !ok || len(target) > longestAddress {
		return ""
	}
	switch scheme {
	case "http", "https", "mailto", "ftp":
		return strings.NewReplacer(" ", "%20", "\n", "", "\t", "", "(", "%28", ")", "%29", "<", "%3C", ">", "%3E", `\`, "%5C").Replace(target)
	}
	return ""
}

// relationsOf is where a part's relations lie, and the folder that they start
// from.
func relationsOf(part string) (relations, folder string) {
	folder, file := path.Split(part)
	return folder + "_rels/" + file + ".rels", folder
}
