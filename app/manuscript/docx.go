package manuscript

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// docx reads a Word document: a zip file of XML parts that refer to each other
// by relations.
func docx(content []byte) (string, []block, error) {
	blocks, err := openBook(content)
	if err != nil {
		return "", nil, fmt.Errorf("is not a Word document: %w", err)
	}
	return "", blocks, nil
}

// openBook reads the parts of a document, the text last.
func openBook(content []byte) ([]block, error) {
	a, err := openArchive(content)
	if err != nil {
		return nil, err
	}
	main := "word/document.xml"
	of, err := a.relations("_rels/.rels", "")
	if err != nil {
		return nil, err
	}
	if target := of.parts["officeDocument"]; target != "" {
		main = target
	}
	if of, err = a.relations(relationsOf(main)); err != nil {
		return nil, err
	}
	b := book{archive: a, numbers: map[string]int{}, linkRoom: mostLinks}
	if b.styles, err = a.styles(of.part("styles", main)); err != nil {
		return nil, err
	}
	if b.lists, err = a.lists(of.part("numbering", main)); err != nil {
		return nil, err
	}
	notes := map[string]string{} // not yet the book's: notes have no notes
	for _, kind := range []string{"footnote", "endnote"} {
		if err := b.readNotes(kind, of.part(kind+"s", main), notes); err != nil {
			return nil, err
		}
	}
	b.notes = notes
	return b.text(main, of.links)
}

// text reads the main part.
func (b *book) text(part string, links map[string]string) ([]block, error) {
	var blocks []block
	found, err := b.archive.scan(part, func(x *elements, e xml.StartElement) error {
		if name(e) != "document" {
			return fmt.Errorf("it holds no text but <%s>", clip(e.Name.Local))
		}
		w := walker{book: b, x: x, links: links}
		err := x.children(func(e xml.StartElement) error {
			if name(e) != "body" {
				return x.skip()
			}
			return w.body()
		})
		blocks = w.blocks
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("it has no %s", clip(part))
	}
	return blocks, err
}

// clip keeps a name that a stranger chose fit for one line.
func clip(s string) string {
	if s = clean(s); len(s) > 60 {
		s = clean(s[:60]) + "…"
	}
	return strings.ReplaceAll(s, "\n", " ")
}

// archive is the parts of a document by their names in small letters.
type archive map[string]*zip.File

const mostParts = 10000

func openArchive(content []byte) (archive, error) {
	r, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	if len(r.File) > mostParts {
		return nil, fmt.Errorf("it has more than %d parts", mostParts)
	}
	a := archive{}
	for _, f := range r.File {
		if key := strings.ToLower(f.Name); a[key] == nil {
			a[key] = f
		}
	}
	return a, nil
}

// scan reads a part, which may be missing: root gets its outermost element.
func (a archive) scan(part string, root func(*elements, xml.StartElement) error) (found bool, err error) {
	f := a[strings.ToLower(part)]
	if f == nil {
		return false, nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", clip(part), err)
		}
	}()
	if f.UncompressedSize64 > largest {
		return true, errLarge
	}
	r, err := f.Open()
	if err != nil {
		return true, err
	}
	defer r.Close()
	x := &elements{d: xml.NewDecoder(&bounded{r, largest})}
	for {
		// To the end, where the sum of the part is compared.
		t, err := x.d.Token()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		if e, ok := t.(xml.StartElement); ok {
			if err := root(x, e); err != nil {
				return true, err
			}
		}
	}
}

var errLarge = fmt.Errorf("it is larger than %d MiB when unpacked", largest>>20)

// bounded reads up to so many bytes and then fails: a part may hold more than it
// says.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errLarge
	}
	return n, err
}
