package manuscript

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// file is one of a testdata file: "-- name --" and the lines after it.
type file struct{ name, text string }

var fileMark = regexp.MustCompile(`(?m)^-- (\S.*) --\n`)

// files are those in a testdata file. What stands before the first is said of
// them all.
func files(text string) (head string, all []file) {
	at := fileMark.FindAllStringSubmatchIndex(text, -1)
	if len(at) == 0 {
		return text, nil
	}
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		all = append(all, file{text[m[2]:m[3]], text[m[1]:end]})
	}
	return text[:at[0][0]], all
}

// shown is a manuscript for people to read.
func shown(m Manuscript, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "title: %s\n", m.Title)
	for _, s := range m.Sections {
		b.WriteString("\n")
		if s.Part != "" {
			fmt.Fprintf(&b, "part: %s\n", s.Part)
		}
		fmt.Fprintf(&b, "section: %s\n", s.Title)
		if s.Text != "" {
			for l := range strings.SplitSeq(s.Text, "\n") {
				b.WriteString(strings.TrimRight("| "+l, " ") + strings.Repeat("·", len(l)-len(strings.TrimRight(l, " "))) + "\n")
			}
		}
	}
	return strings.ReplaceAll(b.String(), ": \n", ":\n")
}

// golden compares what read makes of the files in testdata with what stands
// after them as "-- want --"; with UPDATE=1 it writes that.
func golden(t *testing.T, pattern string, read func(t *testing.T, fs []file) (Manuscript, error)) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		head, all := files(string(b))
		var out strings.Builder
		out.WriteString(head)
		var given []file
		for _, f := range all {
			if f.name != "want" {
				given = append(given, f)
				fmt.Fprintf(&out, "-- %s --\n%s", f.name, f.text)
				continue
			}
			got := shown(read(t, given)) + "\n"
			if got != f.text && os.Getenv("UPDATE") == "" {
				t.Errorf("%s, %s:\n%s\nwant:\n%s", name, given[0].name, got, f.text)
			}
			out.WriteString("-- want --\n" + got)
			given = nil
		}
		if os.Getenv("UPDATE") != "" && out.String() != string(b) {
			if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestMarkdown(t *testing.T) { golden(t, "markdown*.txt", readOne) }

func TestPlain(t *testing.T) { golden(t, "plain*.txt", readOne) }

func readOne(_ *testing.T, fs []file) (Manuscript, error) {
	return Read(fs[0].name, []byte(fs[0].text))
}

// TestDocx reads documents whose parts are written by hand: "book.docx" holds
// what stands in the body, other files what stands in other parts.
func TestDocx(t *testing.T) {
	golden(t, "docx*.txt", func(t *testing.T, fs []file) (Manuscript, error) {
		return Read(fs[0].name, packed(fs[0].text, fs[1:]...))
	})
}

const (
	namespaces = `xmlns:w="` + nsText + `" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:mc="` + nsChoice + `" xmlns:m="` + nsMath + `" xmlns:a="urn:a" xmlns:wps="urn:wps" xmlns:v="urn:v"`
	xmlHead    = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	mainPart   = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`
)

// packed is a document with a body and other parts: styles, numbering, footnotes
// or endnotes, with their outermost element left out, or "rels" of the text.
func packed(body string, parts ...file) []byte {
	all := []file{
		{"_rels/.rels", mainPart},
		{"word/document.xml", "<w:document " + namespaces + "><w:body>" + body + "</w:body></w:document>"},
	}
	for _, p := range parts {
		switch p.name {
		case "rels":
			all = append(all, file{"word/_rels/document.xml.rels", "<Relationships>" + p.text + "</Relationships>"})
		default:
			all = append(all, file{"word/" + p.name + ".xml", "<w:" + p.name + " " + namespaces + ">" + p.text + "</w:" + p.name + ">"})
		}
	}
	return zipped(all...)
}

func zipped(fs ...file) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range fs {
		part, err := w.Create(f.name)
		if err != nil {
			panic(err)
		}
		if strings.HasSuffix(f.name, ".xml") {
			part.Write([]byte(xmlHead))
		}
		part.Write([]byte(f.text))
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
