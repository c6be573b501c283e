package rewards

import (
	"fmt"
	"regexp"
	"strings"
)

// The prose of a text is looked at from the sides from which a score is cheated.
// Every limit lies far from what people write, so that an honest text pays
// nothing: see RESULTS.md for how far. A text that is short is not judged.
const (
	proseWords     = 80   // shorter texts are not looked at
	longParagraph  = 450  // words without a break
	mostListed     = 0.6  // share of words in lists
	mostCopied     = 0.1  // share of 6-grams that stand in the prompt
	mostStuffed    = 0.07 // share of one word that is none of the small ones
	mostAsked      = 0.16 // share of the prompt's words that are none of the small ones
	leastGlue      = 0.14 // share of small words in a language that we know
	mostClashes    = 0.06 // share of articles before a word that cannot follow
	leastNovelty   = 0.30 // mean share of a sentence's words that are new
	noveltyMemory  = 250  // words that they are compared with, small ones aside
	leastSentences = 12
)

// A page is what the prose checks look at.
type page struct {
	prompt     Prompt
	text       string
	lines      []line
	marks      []mark
	paragraphs []paragraph
	words      int
	language   string // of the text, "" unknown
	expected   string // by the prompt
}

// A paragraph is a block of lines of one kind: prose, list, table or code.
type paragraph struct {
	start, end int // bytes
	words      int // as scan tells them apart, which is faster than CountWords
	kind       lineKind
	marks      []mark
}

// proseOf runs the checks. Each is a factor with a part of its own name.
func proseOf(p Prompt, text string, lines []line, marks []mark) finding {
	f := finding{value: 1}
	g := &page{prompt: p, text: text, lines: lines, marks: marks, paragraphs: paragraphsOf(lines, marks)}
	for _, q := range g.paragraphs {
		g.words += q.words
	}
	if g.words >= proseWords {
		takeRoles(marks)
		g.language, g.expected = detectMarks(text, marks[:min(len(marks), 5000)]), expectedLanguage(p.Text)
	}
	for _, check := range []struct {
		name string
		run  func(*page) (float64, []passage)
	}{
		{"format.paragraphs", (*page).longParagraphs},
		{"format.lists", (*page).lists},
		{"format.copied", (*page).copied},
		{"format.language", (*page).wrongLanguage},
		{"format.stuffed", (*page).stuffed},
		{"format.salad", (*page).salad},
		{"format.novelty", (*page).novelty},
		{"format.ending", (*page).ending},
	} {
		factor, places := 1.0, []passage(nil)
		if g.words >= proseWords {
			factor, places = check.run(g)
		}
		f.costs(factor, places...)
		f.parts = append(f.parts, Part{check.name, factor})
	}
	return f
}

// paragraphsOf are the blocks between blank lines, headings and changes of kind.
func paragraphsOf(lines []line, marks []mark) []paragraph {
	var all []paragraph
	open, at := false, 0
	for i, l := range lines {
		if !l.kind.inParagraph() {
			open = false
			continue
		}
		for at < len(marks) && int(marks[at].start) < l.start {
			at++
		}
		from, n := at, 0
		for at < len(marks) && int(marks[at].end) <= l.end {
			if marks[at].word {
				n++
			}
			at++
		}
		// Where lines are long, each is a paragraph, as plain text often has it.
		long := i > 0 && lines[i-1].end-lines[i-1].start > 250 && l.end-l.start > 250
		if k := len(all) - 1; open && all[k].kind == l.kind && !long {
			p := &all[k]
			p.end, p.words, p.marks = l.end, p.words+n, marks[from-len(p.marks):at]
			continue
		}
		all = append(all, paragraph{l.start, l.end, n, l.kind, marks[from:at]})
		open = true
	}
	return all
}

// inParagraph says whether lines of a kind make paragraphs.
func (k lineKind) inParagraph() bool {
	return k == proseLine || k == itemLine || k == codeLine || k == tableLine
}

// sentences says whether the paragraph is made of them.
func (p paragraph) sentences() bool { return p.kind == proseLine || p.kind == itemLine }

// longParagraphs costs up to half for words that stand in paragraphs which
// nobody can read.
func (g *page) longParagraphs() (float64, []passage) {
	long := 0
	var places []passage
	for _, p := range g.paragraphs {
		limit := longParagraph
		if ideographic(firstRune(strings.TrimSpace(g.text[p.start:p.end]))) {
			limit *= 2
		}
		if p.words > limit && p.kind == proseLine {
			long += p.words
			places = append(places, passage{p.start, p.end, fmt.Sprintf("a paragraph of %d words", p.words)})
		}
	}
	return 1 - 0.5*float64(long)/float64(g.words), places
}

// ending costs a little where the last paragraph breaks off: a line of some
// length without a stop. Verses and signatures are shorter.
func (g *page) ending() (float64, []passage) {
	last := g.paragraphs[len(g.paragraphs)-1]
	line := g.text[last.start:last.end]
	if i := strings.LastIndexByte(line, '\n'); i >= 0 {
		line = line[i+1:]
	}
	line = strings.TrimRight(line, " \t\r")
	if last.kind != proseLine || CountWords(line) < 9 || strings.Contains(line, "](") || strings.Contains(line, "://") {
		return 1, nil // short, or a link
	}
	end := strings.TrimRight(line, closers)
	if r := firstRune(lastCharacter(end)); end != "" && !strings.ContainsRune(stops+":：।", r) {
		return 0.85, []passage{{last.end - min(len(line), 30), last.end, "breaks off in the middle of a sentence"}}
	}
	return 1, nil
}

var asksForList = regexp.MustCompile(`(?i)\b(lists?|bullet\w*|checklists?|glossary|faq|recipes?|ingredients|table|timeline|itinerary|steps|liste\w*|aufzählung|tabelle|rezept|lista\w*|tabla|receta|elenco|tabella|ricetta|recette|tableau|lijst|tabel)\b|列表|清单|步骤|要点|表格|一覧|箇条書き|목록`)

// lists costs up to 0.6 where a text is nothing but lists and none was asked for.
func (g *page) lists() (float64, []passage) {
	listed, items := 0, 0
	var places []passage
	for _, p := range g.paragraphs {
		if p.kind == itemLine || p.kind == tableLine {
			listed += p.words
			places = append(places, passage{p.start, p.end, "one list after the other"})
		}
	}
	for _, l := range g.lines {
		if l.kind == itemLine {
			items++
		}
	}
	share := float64(listed) / float64(g.words)
	if share <= mostListed || items < 8 || asksForList.MatchString(g.prompt.Text) {
		return 1, nil
	}
	return 1 - 0.6*clamp((share-mostListed)/0.25), places
}

// copied costs what the text takes over from the prompt in its words.
func (g *page) copied() (float64, []passage) {
	const size = 12 // half words: six
	asked := scan(g.prompt.Text)
	if len(asked) < 8 {
		return 1, nil
	}
	theirs := newTable(len(asked))
	for i := range asked {
		if hash, _, ok := gram(asked, i, len(asked), size); ok {
			theirs.put(hash, 1)
		}
	}
	n, same := 0, 0
	again := make([]bool, len(g.marks))
	for i := range g.marks {
		hash, next, ok := gram(g.marks, i, len(g.marks), size)
		if !ok {
			break
		}
		n++
		if theirs.has(hash) {
			same++
			for k := i; k < next; k++ {
				again[k] = true
			}
		}
	}
	share := float64(same) / float64(max(n, 1))
	if share <= mostCopied {
		return 1, nil
	}
	m := &meter{text: g.text, marks: g.marks}
	m.mark(0, again, "copied from the prompt")
	return 1 - 0.8*clamp((share-mostCopied)/0.3), m.places
}

// wrongLanguage costs up to 0.8 for paragraphs in another language than the one
// that the prompt is written in, or asks for.
func (g *page) wrongLanguage() (float64, []passage) {
	if g.expected == "" {
		return 1, nil
	}
	wrong, known := 0, 0
	var places []passage
	for _, p := range g.paragraphs {
		if p.words < 20 || p.kind == codeLine {
			continue
		}
		lang := detectMarks(g.text, p.marks)
		if lang == "" {
			continue
		}
		known += p.words
		if lang != g.expected {
			wrong += p.words
			places = append(places, passage{p.start, p.end, "not in the language that was asked for"})
		}
	}
	if known == 0 || 10*wrong < known {
		return 1, nil
	}
	return 1 - 0.8*float64(wrong)/float64(known), places
}
