package manuscript

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// seeds adds the testdata of one kind.
func seeds(f *testing.F, pattern string, add func(fs []file)) {
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		f.Fatal("no testdata", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var given []file
		for _, one := range second(files(string(b))) {
			if one.name != "want" {
				given = append(given, one)
				continue
			}
			add(given)
			given = nil
		}
	}
}

func second(_ string, fs []file) []file { return fs }

// sound fails unless a manuscript is text.
func sound(t *testing.T, m Manuscript) {
	t.Helper()
	check := func(s string, lines bool) {
		if !utf8.ValidString(s) {
			t.Fatalf("%q is not UTF-8", s)
		}
		for _, r := range s {
			if unicode.IsControl(r) && !(lines && (r == '\n' || r == '\t')) || r == '\ufeff' {
				t.Fatalf("%q holds a control character", s)
			}
		}
	}
	check(m.Title, false)
	for _, s := range m.Sections {
		check(s.Part+s.Title, false)
		check(s.Text, true)
		if s.Text != strings.TrimRightFunc(s.Text, unicode.IsSpace) || strings.HasPrefix(s.Text, "\n") {
			t.Fatalf("%q has white space around it", s.Text)
		}
	}
}

// written is a manuscript as drafts are written.
func written(m Manuscript) string {
	parts := false
	for _, s := range m.Sections {
		parts = parts || s.Part != ""
	}
	var b strings.Builder
	if m.Title != "" {
		b.WriteString("# " + m.Title + "\n")
	}
	part := ""
	for _, s := range m.Sections {
		if s.Part != part {
			part = s.Part
			b.WriteString("\n## " + part + "\n")
		}
		if s.Title != "" {
			b.WriteString("\n##" + strings.Repeat("#", count(parts)) + " " + s.Title + "\n")
		}
		if s.Text != "" {
			b.WriteString("\n" + s.Text + "\n")
		}
	}
	return b.String()
}

// writable says whether a manuscript can be told from what is written of it.
// It cannot where a title has marks in it that a heading's words lose, or where
// parts of one name follow each other.
func writable(m Manuscript) bool {
	for i, s := range m.Sections {
		for _, title := range []string{m.Title, s.Part, s.Title} {
			if _, text, _ := atx("# " + title); title != "" && (text != title || words(text) != title) {
				return false
			}
		}
		if i > 0 && s.Part == m.Sections[i-1].Part && s.Part != "" && (s.Title == "" || m.Sections[i-1].Title == "") {
			return false
		}
	}
	return true
}

// comesBack writes a manuscript, reads that and compares.
func comesBack(t *testing.T, m Manuscript) {
	t.Helper()
	if !writable(m) {
		return
	}
	text := written(m)
	again, err := Read("x.md", []byte(text))
	if a, b := shown(m, nil), shown(again, err); a != b {
		t.Fatalf("written as %q\n%s\ncomes back as\n%s", text, a, b)
	}
}

func FuzzMarkdown(f *testing.F) {
	seeds(f, "markdown*.txt", func(fs []file) { f.Add([]byte(fs[0].text)) })
	for _, found := range []string{
		"<!-- \n\n0",
		"#\xa0\na\n-\xa0",
		"e\n# L\t\to",
		"---eae-\n# Thqe-\n-",
		"1. a\n\n   ```\n   b\n\n  # #\rc\n   ```\n\n   # d\n\n  #",
		"1.  \n\n  ```\n   b\n\n  # #\rc\n  2```\n\n   # d",
		"# `\n# `#\n ## Snak\n# `#\n\n   ## S",
	} {
		f.Add([]byte(found))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := Read("x.md", content)
		if err != nil {
			return
		}
		sound(t, m)
		// A title below text is moved, and the text may end in a list that goes on
		// where the title stood.
		if title, blocks, _ := markdown(content); titleAt(title, blocks) <= 0 {
			comesBack(t, m)
		}
	})
}

func FuzzPlain(f *testing.F) {
	seeds(f, "plain*.txt", func(fs []file) { f.Add([]byte(fs[0].text)) })
	f.Add([]byte("\xff\xfeC\x00h\x00a\x00p\x00t\x00e\x00r\x00 \x001\x00\r\x00\n\x00"))
	f.Add([]byte("\x93Tr\xe8s\x94 \x85 1\r2"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if m, err := Read("x.txt", content); err == nil {
			sound(t, m)
			comesBack(t, m)
		}
	})
}

// typed is a body with a paragraph for every line of a text, whose pieces
// between bars look different.
func typed(text string) string {
	looks := []string{"", "<w:b/>", "<w:i/>", "<w:b/><w:i/>", "<w:strike/>", "<w:i/>"}
	var b strings.Builder
	for l := range strings.SplitSeq(text, "\n") {
		b.WriteString("<w:p>")
		for i, piece := range strings.Split(l, "|") {
			b.WriteString("<w:r><w:rPr>" + looks[i%len(looks)] + `</w:rPr><w:t xml:space="preserve">`)
			xml.EscapeText(&b, []byte(piece))
			b.WriteString("</w:t></w:r>" + strings.Repeat("<w:br/>", i%3/2))
		}
		b.WriteString("</w:p>")
	}
	return b.String()
}

// FuzzDocx reads the content as a file, as the XML of its parts, and as what was
// typed in it.
func FuzzDocx(f *testing.F) {
	seeds(f, "docx*.txt", func(fs []file) {
		for _, one := range fs {
			f.Add([]byte(one.text))
		}
		f.Add(packed(fs[0].text, fs[1:]...))
	})
	for _, text := range []string{"# a|---|===|-|- b|+|> c\n***|* * *\n[^1]: d|[^1]|: e", "<!-- a|--> b\n``` c|~~~ d\n    e|\tf\\|\\*|&amp;|&#35; g"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		part := string(content)
		text := `<w:p><w:pPr><w:pStyle w:val="Heading1"/><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>a</w:t><w:footnoteReference w:id="1"/></w:r></w:p>`
		for _, b := range [][]byte{
			content,
			packed(part),
			packed(typed(part)),
			packed(text, file{"styles", part}, file{"numbering", part}),
			packed(text, file{"footnotes", part}, file{"rels", part}),
			zipped(file{"_rels/.rels", mainPart}, file{"word/document.xml", part}),
		} {
			if m, err := Read("x.docx", b); err == nil {
				sound(t, m)
				comesBack(t, m)
			}
		}
	})
}
