package draft

import (
	"hash/maphash"
	"regexp"
	"strings"
)

// guard knows what the book says already and refuses a sentence that says it
// again, or that is not text for a reader: a heading, an echo of the task, a
// preamble, a template token.
type guard struct {
	seed   maphash.Seed
	book   lexicon         // of the sections that are finished
	here   lexicon         // of the one being written
	last   []string        // the last words; grams reach across sentences
	echoes map[string]bool // normal form of titles, points and beats
	prose  bool            // lists are refused: a small model falls into them and does not get out
}

// lexicon is what a text says.
type lexicon struct {
	sentences map[string]bool // normal form, of sentences of six words and more
	grams     map[uint64]bool // hashes of four words in a row
}

func newLexicon() lexicon { return lexicon{map[string]bool{}, map[uint64]bool{}} }

const (
	sameWords   = 6    // shorter sentences may stand twice
	loopWords   = 50   // of so many last words
	loopTypes   = 0.52 // fewer than this share are different: the text goes round in a circle
	sameGrams   = 0.5  // share of a sentence's four-grams that stand in the book already
	longestLine = 110  // words without the end of a sentence
)

var (
	preamble = regexp.MustCompile(`(?i)^[\s"'*]*(sure|certainly|of course|okay|absolutely|here (is|are)|here's|here’s|below is|as an ai|i'm sorry|i can't|i cannot|i hope|let me know|in this section|this section|section \d|next,? (we|i) will|the next section|the request|the document)\b`)
	leak     = regexp.MustCompile(`</?(think|answer)>|<\|[^|>]{0,40}\|?>?|\[/?INST\]|</?s>`)
	heading  = regexp.MustCompile(`^\s*(#|\*\*[^*]+\*\*:?\s*$|__[^_]+__\s*$|---+\s*$|===+\s*$)`)
	listItem = regexp.MustCompile(`^\s*([-*•]|\d+[.)])\s`)
)

func newGuard(p *Project) *guard {
	g := &guard{seed: maphash.MakeSeed(), book: newLexicon(), here: newLexicon(), echoes: map[string]bool{}}
	for _, s := range p.Outline.Sections {
		for _, t := range append([]string{s.Title, s.Point, s.Part}, s.Beats...) {
			if n := normal(t); n != "" {
				g.echoes[n] = true
			}
		}
	}
	for _, s := range p.Sections {
		if s.Done {
			g.finish(s.Text)
		}
	}
	return g
}

// finish takes the text of a finished section into the book.
func (g *guard) finish(text string) {
	g.here, g.last = g.book, nil
	g.read(text)
	g.here = newLexicon()
}

// begin forgets what was read of the section at hand and reads text instead.
func (g *guard) begin(text string) {
	g.here, g.last = newLexicon(), nil
	g.read(text)
}

func (g *guard) read(text string) {
	for line := range strings.Lines(text) {
		at := 0
		for _, e := range append(sentenceEnds(line), len(line)) {
			g.add(line[at:e])
			at = e
		}
	}
}

func (g *guard) add(sentence string) {
	ws := wordsOf(sentence)
	if len(ws) >= sameWords {
		g.here.sentences[strings.Join(ws, " ")] = true
	}
	for _, h := range g.hashes(ws) {
		g.here.grams[h] = true
	}
	run := append(g.last, ws...)
	g.last = append([]string(nil), run[max(0, len(run)-loopWords):]...)
}

// circles says whether the last words, with ws, hold too few different ones.
func (g *guard) circles(ws []string) bool {
	run := append(append([]string(nil), g.last...), ws...)
	run = run[max(0, len(run)-max(loopWords, len(ws))):]
	types := map[string]bool{}
	for _, w := range run {
		types[w] = true
	}
	return len(run) >= loopWords && float64(len(types)) < loopTypes*float64(len(run))
}

// hashes of the four-grams that end in ws.
func (g *guard) hashes(ws []string) []uint64 {
	run := append(append([]string(nil), g.last[max(0, len(g.last)-3):]...), ws...)
	var out []uint64
	for i := 0; i+4 <= len(run); i++ {
		var h maphash.Hash
		h.SetSeed(g.seed)
		for _, w := range run[i : i+4] {
			h.WriteString(w)
			h.WriteByte(0)
		}
		out = append(out, h.Sum64())
	}
	return out
}

// offence says why a sentence (or a line without a stop) may not stand, or "".
// first is set for the first of a turn, line when it ends with a line break.
func (g *guard) offence(sentence string, first, line bool) string {
	ws := wordsOf(sentence)
	n := strings.Join(ws, " ")
	switch {
	case leak.MatchString(sentence):
		return "leak"
	case heading.MatchString(sentence):
		return "heading"
	case first && preamble.MatchString(sentence):
		return "preamble"
	case g.prose && listItem.MatchString(sentence):
		return "list"
	case g.echoes[n]:
		return "echo"
	case first && line && !endsSentence(sentence) && len(ws) <= 12:
		return "heading"
	case len(ws) >= sameWords && (g.here.sentences[n] || g.book.sentences[n]):
		return "again"
	case len(ws) > 1 && len(ws) < sameWords && strings.Contains(" "+strings.Join(g.last, " ")+" ", " "+n+" "):
		return "again"
	case g.circles(ws):
		return "loop"
	}
	if len(ws) >= sameWords+2 {
		seen, all := 0, g.hashes(ws)
		for _, h := range all {
			if g.here.grams[h] || g.book.grams[h] {
				seen++
			}
		}
		if float64(seen) > sameGrams*float64(len(all)) {
			return "again"
		}
	}
	return ""
}
