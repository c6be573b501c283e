package draft

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Paragraph is a block of a section, up to and with the blank lines that end
// it: a section's text is its paragraphs one after the other and nothing else.
type Paragraph struct {
	ID    int    `json:"id"` // unique in its project; stays while the paragraph is changed and moved
	Text  string `json:"text"`
	Spans []Span `json:"spans"` // who wrote it, in order; together they cover the text
}

// Span is a run of text by one origin.
type Span struct {
	Chars int    `json:"chars"` // code points
	By    Origin `json:"by"`
}

// Origin says where words come from.
type Origin string

// A person's change to the model's words is Edited, a person's own words are Human.
const (
	Human  Origin = "human"
	Model  Origin = "model"
	Edited Origin = "edited"
)

// UnmarshalJSON reads a section, whose text stands in its paragraphs alone.
func (s *Section) UnmarshalJSON(b []byte) error {
	type plain Section
	if err := json.Unmarshal(b, (*plain)(s)); err != nil {
		return err
	}
	s.Text = joinText(s.Paragraphs)
	return nil
}

func joinText(ps []Paragraph) string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.Text)
	}
	return b.String()
}

// write appends text to a section.
func (p *Project) write(s *Section, text string, by Origin) {
	if text == "" {
		return
	}
	s.Text += text
	n := len(s.Paragraphs)
	if n == 0 {
		s.Paragraphs = append(s.Paragraphs, Paragraph{ID: p.newID()})
		n = 1
	}
	last := &s.Paragraphs[n-1]
	from := len(strings.TrimRight(last.Text, blanks)) // what stands before was looked at
	whole := Paragraph{ID: last.ID, Text: last.Text + text, Spans: addSpan(last.Spans, utf8.RuneCountInString(text), by)}
	s.Paragraphs = append(s.Paragraphs[:n-1], p.split(whole, from)...)
}

const blanks = " \t\r\n"

// split cuts a paragraph where new ones begin in its text, looking from a
// byte on. The first keeps the id.
func (p *Project) split(whole Paragraph, from int) []Paragraph {
	var out []Paragraph
	begin := 0
	for _, at := range append(starts(whole.Text, from), len(whole.Text)) {
		q := whole.slice(begin, at)
		if begin > 0 {
			q.ID = p.newID()
		}
		out = append(out, q)
		begin = at
	}
	return out
}

// starts are the bytes, from one on, where a new paragraph begins: behind blank
// lines with text on both sides.
func starts(text string, from int) (out []int) {
	newlines, last, said := 0, 0, from > 0
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '\n':
			newlines++
			last = i
		case ' ', '\t', '\r':
		default:
			if newlines > 1 && said {
				out = append(out, last+1)
			}
			newlines, said = 0, true
		}
	}
	return out
}

// slice is a part of a paragraph, in bytes.
func (p Paragraph) slice(from, to int) Paragraph {
	if from == 0 && to == len(p.Text) {
		return p
	}
	_, rest := cutSpans(p.Spans, utf8.RuneCountInString(p.Text[:from]))
	spans, _ := cutSpans(rest, utf8.RuneCountInString(p.Text[from:to]))
	return Paragraph{ID: p.ID, Text: p.Text[from:to], Spans: spans}
}

// keep keeps the first n bytes of a section.
func (s *Section) keep(n int) {
	if n >= len(s.Text) {
		return
	}
	s.Text = s.Text[:n]
	for i, p := range s.Paragraphs {
		if n <= len(p.Text) {
			s.Paragraphs = s.Paragraphs[:i]
			if n > 0 {
				s.Paragraphs = append(s.Paragraphs, p.slice(0, n))
			}
			return
		}
		n -= len(p.Text)
	}
}

// keepChars keeps the first n code points of a section.
func (s *Section) keepChars(n int) { s.keep(len(firstChars(s.Text, n))) }

// splice puts paragraphs in the place of some of a section's, and blank lines
// between all. It takes over put.
func (p *Project) splice(s *Section, at, cut int, put []Paragraph, by Origin) {
	old := s.Paragraphs[at : at+cut]
	var in []Paragraph
	for _, q := range traced(old, put, by) {
		if strings.TrimSpace(q.Text) == "" {
			continue
		}
		if q.ID == 0 {
			q.ID = p.newID()
		}
		p.LastID = max(p.LastID, q.ID)
		in = append(in, p.split(q, 0)...)
	}
	s.Paragraphs = slices.Concat(s.Paragraphs[:at], in, s.Paragraphs[at+cut:])
	for i := range s.Paragraphs {
		s.Paragraphs[i] = ended2(s.Paragraphs[i], i+1 == len(s.Paragraphs))
	}
	s.Text = joinText(s.Paragraphs)
}

// ended2 gives a paragraph the blank line that ends it; the last has none.
func ended2(q Paragraph, last bool) Paragraph {
	body := strings.TrimRight(q.Text, blanks)
	end := q.Text[len(body):]
	if last && end == "" || !last && strings.Count(end, "\n") > 1 {
		return q
	}
	out := q.slice(0, len(body))
	if !last && len(out.Spans) > 0 {
		out.Text += "\n\n"
		out.Spans = addSpan(out.Spans, 2, out.Spans[len(out.Spans)-1].By)
	}
	return out
}

// addSpan appends a run to spans, which it leaves as they are.
func addSpan(spans []Span, n int, by Origin) []Span {
	if n == 0 {
		return spans
	}
	if k := len(spans); k > 0 && spans[k-1].By == by {
		out := slices.Clone(spans)
		out[k-1].Chars += n
		return out
	}
	return append(spans[:len(spans):len(spans)], Span{n, by})
}

// cutSpans divides spans after n code points.
func cutSpans(spans []Span, n int) (head, tail []Span) {
	for i, s := range spans {
		if n < s.Chars {
			head = append(slices.Clone(spans[:i]), Span{n, s.By})
			if n == 0 {
				head = head[:i]
			}
			return head, append([]Span{{s.Chars - n, s.By}}, spans[i+1:]...)
		}
		n -= s.Chars
	}
	return slices.Clone(spans), nil
}

// SectionOf is a section with a text by one origin. Its paragraphs get their
// ids where it is put into a project.
func SectionOf(id int, text string, by Origin) Section {
	p := &Project{}
	s := Section{ID: id}
	p.splice(&s, 0, 0, []Paragraph{{Text: text}}, by)
	for i := range s.Paragraphs {
		s.Paragraphs[i].ID = 0
	}
	return s
}

// FitSpans are spans for a text: as they are where they cover it, else cut or
// drawn out at the end.
func FitSpans(spans []Span, text string) []Span {
	n := utf8.RuneCountInString(text)
	for _, s := range spans {
		n -= s.Chars
	}
	switch {
	case len(spans) == 0:
		return addSpan(nil, utf8.RuneCountInString(text), Human)
	case n > 0:
		return addSpan(spans, n, spans[len(spans)-1].By)
	case n < 0:
		spans, _ = cutSpans(spans, utf8.RuneCountInString(text))
	}
	return spans
}
