package manuscript

import "strings"

// finder finds the lines of a text that may be headings.
type finder struct {
	capitals bool // capitals say something: not every line is in them
}

func headingFinder(stanzas []stanza) finder {
	lines, capitals := 0, 0
	for _, s := range stanzas {
		for _, l := range s {
			lines++
			capitals += count(isCapital(l.text))
		}
	}
	return finder{2*capitals < lines}
}

// stanza finds headings that stand alone. Before are the units so far.
func (f finder) stanza(s stanza, before []unit) []unit {
	if len(s) == 2 {
		return twoLines(s[0], s[1])
	}
	if len(s) > 2 {
		return nil
	}
	k, bare := kindOf(s[0])
	switch {
	case k == prose, k == capital && !f.capitals:
		return nil
	case k == numeral && len(before) > 0:
		// A page's number stands in the middle of a sentence.
		if last := before[len(before)-1]; last.kind == prose && !endsSentence(last.text) {
			return nil
		}
	}
	return []unit{{s[0].text, k, bare}}
}

// twoLines finds "CHAPTER I." over its title, or "PART I" over "CHAPTER I".
func twoLines(first, second textLine) []unit {
	k, bare := kindOf(first)
	if k <= capital || !bare || second.chars > headingChars {
		return nil
	}
	if under, bare := kindOf(second); under > capital {
		return []unit{{first.text, k, false}, {second.text, under, bare}}
	}
	if stops(second.text) && !isCapital(second.text) {
		return nil
	}
	return []unit{{text: first.text + colon(first.text) + second.text, kind: k}}
}

// line makes a unit of a line that is a paragraph: where no blank lines tell,
// only what counts chapters is a heading.
func (f finder) line(l textLine) unit {
	if k, bare := kindOf(l); k > capital {
		return unit{l.text, k, bare}
	}
	return unit{text: harmless(l.text)}
}

func colon(number string) string {
	if strings.HasSuffix(number, ".") {
		return " "
	}
	return ": "
}

// joinSubtitles makes one heading of "Chapter 1" and the capitals right under
// it.
func joinSubtitles(units []unit) []unit {
	var out []unit
	for _, u := range units {
		if n := len(out); n > 0 && u.kind == capital && out[n-1].bare {
			out[n-1].text += colon(out[n-1].text) + u.text
			out[n-1].bare = false
			continue
		}
		out = append(out, u)
	}
	return out
}

// leadingTitle takes a first line in capitals for the title, if the first part
// or chapter is right under it.
func leadingTitle(units []unit) (string, []unit) {
	if len(units) > 1 && units[0].kind == capital && units[1].kind >= chapter {
		return strings.Join(strings.Fields(units[0].text), " "), units[1:]
	}
	return "", units
}

// leastContents is how many chapters without text in a row make a table of
// contents, if all of them come again.
const leastContents = 3

// withoutContents makes paragraphs of the headings in a table of contents.
func withoutContents(units []unit) []unit {
	last := map[string]int{} // where a heading comes last
	for i, u := range units {
		if u.kind != prose {
			last[u.text] = i
		}
	}
	for from := 0; from < len(units); {
		to, chapters := from, 0
		for to < len(units) && units[to].kind != prose && last[units[to].text] > to {
			chapters += count(units[to].kind >= chapter)
			to++
		}
		for i := from; chapters >= leastContents && i < to; i++ {
			units[i].kind = prose
		}
		from = max(to, from+1)
	}
	return units
}

// plainBlocks gives the headings their levels. A part that stands right above
// a heading is above all; what is in capitals or only a number is under the
// chapters, if the text has any.
func plainBlocks(units []unit) []block {
	chapters := false
	for _, u := range units {
		chapters = chapters || u.kind >= chapter
	}
	blocks := make([]block, len(units))
	for i, u := range units {
		b := block{text: u.text}
		if u.kind != prose {
			b.heading, b.title, b.level = true, strings.Join(strings.Fields(u.text), " "), 3
		}
		switch {
		case u.kind == part && i+1 < len(units) && units[i+1].kind != prose && units[i+1].kind != part:
			b.level = 2
		case u.kind != prose && u.kind < chapter && chapters:
			b.level = 4
		}
		blocks[i] = b
	}
	return blocks
}
