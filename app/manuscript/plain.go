package manuscript

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain reads a text without marks.
func plain(content []byte) (string, []block, error) {
	s, err := decode(content)
	if err != nil {
		return "", nil, err
	}
	stanzas := stanzasOf(s)
	units := unitsOf(stanzas, layoutOf(stanzas))
	title, units := leadingTitle(withoutContents(joinSubtitles(units)))
	return title, plainBlocks(units), nil
}

// textLine is a line of a text without the white space around it.
type textLine struct {
	text   string
	indent bool // it stood to the right
	chars  int  // code points
	wide   int  // the same with Chinese, Japanese and Korean ones counted twice, as they are printed
}

// stanza is what stands between blank lines.
type stanza []textLine

func stanzasOf(s string) []stanza {
	var all []stanza
	var open stanza
	for l := range strings.SplitSeq(s, "\n") {
		bare := strings.TrimLeftFunc(l, unicode.IsSpace)
		if bare == "" {
			if len(open) > 0 {
				all, open = append(all, open), nil
			}
			continue
		}
		space := l[:len(l)-len(bare)]
		t := textLine{text: strings.TrimRightFunc(bare, unicode.IsSpace)}
		t.indent = len(space) > 1 || space == "\t" // an ideographic space is three bytes
		for _, r := range t.text {
			t.chars++
			if t.wide++; r >= 0x1100 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
				t.wide++
			}
		}
		open = append(open, t)
	}
	if len(open) > 0 {
		all = append(all, open)
	}
	return all
}

// layout is how a text's lines make paragraphs.
type layout int

const (
	asItIs   layout = iota // lines stay lines: nothing says what they are
	wrapped                // lines were broken to a width
	linewise               // a line is a paragraph
)

const (
	narrowest = 50  // code points in a line that was broken to a width, and
	widest    = 90  // at most
	long      = 100 // columns that nobody breaks lines at
)

// layoutOf tells a text's layout by the lengths of its lines.
func layoutOf(stanzas []stanza) layout {
	var lines, indented, ended, overlong, inner, broken int
	for _, s := range stanzas {
		for i, l := range s {
			lines++
			indented += count(l.indent)
			ended += count(endsSentence(l.text))
			overlong += count(l.wide > long)
			if i+1 < len(s) && !s[i+1].indent {
				inner++
				broken += count(l.chars >= narrowest && l.chars <= widest)
			}
		}
	}
	switch {
	case inner > 0 && 10*broken >= 6*inner && 10*overlong < lines:
		return wrapped
	case 10*overlong >= lines, 2*indented >= lines, 10*len(stanzas) <= lines && 2*ended >= lines:
		return linewise
	}
	return asItIs
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// endsSentence says whether a text ends as sentences do.
func endsSentence(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(".!?…:;\"'”’»«)]*~—。！？」』）：；", r)
}
