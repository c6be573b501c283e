package manuscript

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestDraftsComeBack writes manuscripts as drafts are written and reads them.
func TestDraftsComeBack(t *testing.T) {
	text := "The **sand** was wet.\n\n```sh\n# no heading\n\n\n```\n\n> a quote  \n> of two lines\n\n- an item\n- another"
	for _, m := range []Manuscript{
		{"A Town", []Section{{"", "", text}}},
		{"A Town", []Section{{"", "Low tide", text}, {"", "High tide: 2 * 3", text + "\n\n### Deeper\n\nText."}}},
		{"A Town", []Section{{"Water", "Low tide", text}, {"Water", "High_tide #1", text}, {"Land", "山", text + "\n\n#### Deeper\nText."}}},
		{"A Town", []Section{{"", "Before all", text}, {"Water", "", text}, {"Water", "Low tide", text}, {"Land", "Empty", ""}, {"Sky", "Last", text}}},
	} {
		got, err := Read("x.md", []byte(written(m)))
		if a, b := shown(m, nil), shown(got, err); a != b {
			t.Errorf("%s\ncomes back as\n%s", a, b)
		}
	}
}

// TestEncodings reads the same text in all of them.
func TestEncodings(t *testing.T) {
	text := "“Très” – Œuvre\n\n\tÜber 1 €"
	units := utf16.Encode([]rune("\ufeff" + strings.ReplaceAll(text, "\n", "\r\n")))
	little, big := []byte{}, []byte{}
	for _, u := range units {
		little = binary.LittleEndian.AppendUint16(little, u)
		big = binary.BigEndian.AppendUint16(big, u)
	}
	for name, content := range map[string][]byte{
		"UTF-8":              []byte(text),
		"UTF-8 with a mark":  []byte("\ufeff" + text),
		"UTF-16, little":     little,
		"UTF-16, big":        append(big, 0), // and half a unit
		"Windows-1252":       []byte("\x93Tr\xe8s\x94 \x96 \x8cuvre\r\r\t\xdcber 1 \x80\x81"),
		"control characters": []byte(strings.ReplaceAll(text, "r", "\x1b\u0085r\ufeff")),
	} {
		m, err := Read("x.MD", content)
		if err != nil || len(m.Sections) != 1 || m.Sections[0].Text != text {
			t.Errorf("%s: %q, %v", name, m, err)
		}
	}
}

// TestRefused says what is wrong with files that are not read.
func TestRefused(t *testing.T) {
	p := "<w:p><w:r><w:t>text</w:t></w:r></w:p>"
	good := packed(p)
	bomb := packed(strings.Repeat(" ", largest))
	var many []file
	for i := range mostParts + 1 {
		many = append(many, file{fmt.Sprint(i), ""})
	}
	swapped := bytes.Clone(good)
	swapped[bytes.Index(swapped, []byte("document.xml"))+40] ^= 0xff
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"x.rtf", nil, "manuscript: x.rtf is of no kind that is read: .md, .markdown, .txt, .text and .docx are"},
		{"x", nil, "manuscript: x is of no kind that is read: .md, .markdown, .txt, .text and .docx are"},
		{"x.text", []byte(" \r\n\ufeff"), "manuscript: x.text holds no text"},
		{"x.txt", []byte("\x89PNG\r\n\x1a\n\x00\x00"), "manuscript: x.txt is not text"},
		{"x.docx", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00"), "manuscript: x.docx is in the old Word format, or locked with a password: save it as .docx, without a password"},
		{"x.doc", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00"), "manuscript: x.doc is in the old Word format, or locked with a password: save it as .docx, without a password"},
		{"x.docx", []byte("text"), "manuscript: x.docx is not a Word document: zip: not a valid zip file"},
		{"x.docx", good[:len(good)/2], "manuscript: x.docx is not a Word document: zip: not a valid zip file"},
		{"x.docx", swapped, "manuscript: x.docx is not a Word document: word/document.xml: "},
		{"x.docx", nil, "manuscript: x.docx is not a Word document: zip: not a valid zip file"},
		{"x.docx", zipped(file{"a.txt", "text"}), "manuscript: x.docx is not a Word document: it has no word/document.xml"},
		{"x.docx", zipped(file{"word/document.xml", "<workbook/>"}), "manuscript: x.docx is not a Word document: word/document.xml: it holds no text but <workbook>"},
		{"x.docx", zipped(file{"word/document.xml", "<w:document " + namespaces + "><w:body>"}), "manuscript: x.docx is not a Word document: word/document.xml: XML syntax error on line 2: unexpected EOF"},
		{"x.docx", zipped(file{"word/document.xml", `<!DOCTYPE x [<!ENTITY a "aaaa">]><w:document ` + namespaces + "><w:body><w:p><w:r><w:t>&a;</w:t></w:r></w:p></w:body></w:document>"}), "manuscript: x.docx is not a Word document: word/document.xml: XML syntax error on line 2: invalid character entity &a;"},
		{"x.docx", packed(strings.Repeat("<w:ins>", 1000) + strings.Repeat("</w:ins>", 1000)), "manuscript: x.docx is not a Word document: word/document.xml: its elements are nested deeper than 1000 levels"},
		{"x.docx", packed(strings.Repeat("<w:x>", 1000) + strings.Repeat("</w:x>", 1000)), "manuscript: x.docx is not a Word document: word/document.xml: its elements are nested deeper than 1000 levels"},
		{"x.docx", bomb, "manuscript: x.docx is not a Word document: word/document.xml: it is larger than 64 MiB when unpacked"},
		{"x.docx", packed(p, file{"styles", "</w:styles><"}), "manuscript: x.docx is not a Word document: word/styles.xml: XML syntax error"},
		{"x.docx", zipped(many...), "manuscript: x.docx is not a Word document: it has more than 10000 parts"},
		{"x.md", make([]byte, largest+1), "manuscript: x.md is larger than 64 MiB"},
	} {
		_, err := Read(c.name, c.content)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || len(err.Error()) > len(c.want)+100 {
			t.Errorf("%s (%d bytes): %v\nwant %s", c.name, len(c.content), err, c.want)
		}
	}
}

// TestBounded reads as much as is allowed and no byte more.
func TestBounded(t *testing.T) {
	for _, n := range []int{0, 9, 10, 11, 5000} {
		b, err := io.ReadAll(&bounded{strings.NewReader(strings.Repeat("a", n)), 10})
		if over := n > 10; over != errors.Is(err, errLarge) || !over && len(b) != n {
			t.Errorf("%d bytes: %d, %v", n, len(b), err)
		}
	}
}

// TestGrowth keeps what comes out near to what went in, where a writer could
// have it grow.
func TestGrowth(t *testing.T) {
	cell := "<w:tc><w:tcPr><w:gridSpan w:val=\"999999999\"/></w:tcPr><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc>"
	far := file{"rels", `<Relationship Id="l" Type="http://x/hyperlink" Target="http://x/` + strings.Repeat("a", longestAddress-9) + `" TargetMode="External"/>`}
	link := file{"rels", `<Relationship Id="l" Type="http://x/hyperlink" Target="http://x/` + strings.Repeat("a", 1<<20) + `" TargetMode="External"/>`}
	note := file{"footnotes", `<w:footnote w:id="1"><w:p><w:r><w:t>` + strings.Repeat("a", 1<<20) + `</w:t></w:r></w:p></w:footnote>`}
	for name, content := range map[string][]byte{
		"cells":  packed("<w:tbl>" + strings.Repeat("<w:tr>"+cell+cell+"</w:tr>", 1000) + "</w:tbl>"),
		"rows":   packed("<w:tbl><w:tr>" + strings.Repeat("<w:tc/>", 60) + "</w:tr>" + strings.Repeat("<w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc></w:tr>", 1000) + "</w:tbl>"),
		"links":  packed(strings.Repeat(`<w:p><w:hyperlink r:id="l"><w:r><w:t>a</w:t></w:r></w:hyperlink></w:p>`, 1000), link),
		"far":    packed(strings.Repeat(`<w:p><w:hyperlink r:id="l"><w:r><w:t>a</w:t></w:r></w:hyperlink></w:p>`, 10000), far),
		"breaks": packed(`<w:p><w:hyperlink r:id="l">`+strings.Repeat(`<w:r><w:t>a</w:t><w:br/><w:br/></w:r>`, 10000)+"</w:hyperlink></w:p>", far),
		"notes":  packed(strings.Repeat(`<w:p><w:r><w:footnoteReference w:id="1"/></w:r></w:p>`, 1000), note),
		"tables": packed(strings.Repeat("<w:tbl><w:tr><w:tc>", 300) + strings.Repeat("<w:p><w:r><w:t>|</w:t></w:r></w:p>", 1000) + strings.Repeat("</w:tc><w:tc/></w:tr></w:tbl>", 300)),
	} {
		m, err := Read("x.docx", content)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(written(m)); n > 5<<20 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

// novel is 100,000 words under headings, in each kind of file.
func novel() map[string][]byte {
	var md, txt, body strings.Builder
	md.WriteString("# Book\n")
	sentence := "The sand was *wet* and nobody knew whose the boat had been that lay in the reeds. "
	words := strings.Fields(sentence)
	for chapter := range 50 {
		fmt.Fprintf(&md, "\n## Chapter %d\n", chapter+1)
		fmt.Fprintf(&txt, "Chapter %d\n\n", chapter+1)
		fmt.Fprintf(&body, `<w:p w:rsidR="00A77B3E"><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Chapter %d</w:t></w:r></w:p>`, chapter+1)
		for range 24 {
			md.WriteString("\n")
			body.WriteString(`<w:p w:rsidR="00A77B3E" w:rsidRDefault="00A77B3E"><w:pPr><w:spacing w:after="120"/></w:pPr>`)
			for range 5 {
				md.WriteString(sentence)
				txt.WriteString(strings.Join(words[:9], " ") + " of the whole old town\n" + strings.Join(words[9:], " ") + " where it was\n")
				fmt.Fprintf(&body, `<w:r w:rsidR="00B1"><w:rPr><w:lang w:val="en-GB"/></w:rPr><w:t xml:space="preserve">%s </w:t></w:r><w:r><w:rPr><w:i/></w:rPr><w:t>wet</w:t></w:r><w:r><w:t xml:space="preserve"> %s </w:t></w:r>`, strings.Join(words[:3], " "), strings.Join(words[4:], " "))
			}
			md.WriteString("\n")
			txt.WriteString("\n")
			body.WriteString("</w:p>")
		}
	}
	return map[string][]byte{"book.md": []byte(md.String()), "book.txt": []byte(txt.String()), "book.docx": packed(body.String())}
}

func BenchmarkRead(b *testing.B) {
	for name, content := range novel() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m, err := Read(name, content)
				if err != nil || len(m.Sections) != 50 {
					b.Fatal(err, len(m.Sections))
				}
			}
			b.SetBytes(int64(len(content)))
		})
	}
}

// TestSeen shows any file: LONGHAND_MANUSCRIPT=PATH go test -v -run Seen.
func TestSeen(t *testing.T) {
	name := os.Getenv("LONGHAND_MANUSCRIPT")
	if name == "" {
		t.Skip("LONGHAND_MANUSCRIPT names no file to show")
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + shown(Read(name, b)))
}
