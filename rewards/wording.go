package rewards

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The checks of the words that a text is made of. They need a language whose
// small words are known.

// small is the bit of the text's language, or where that is not to be told of
// the one expected, in the roles of words; 0: none.
func (g *page) small(expected bool) uint32 {
	code := g.language
	if code == "" && expected {
		code = g.expected
	}
	l, bit := languageOf(code)
	if l == nil || l.small == nil {
		return 0
	}
	return bit
}

// content says whether a mark is a word of some length that is none of the
// small ones.
func (g *page) content(m mark, bit uint32) bool {
	if !m.word || m.role.small&bit != 0 {
		return false
	}
	n := int(m.end - m.start)
	return n >= 4 && (n >= 8 || utf8.RuneCountInString(g.text[m.start:m.end]) >= 4)
}

// stuffed costs a word that comes again and again, or all those of the prompt.
func (g *page) stuffed() (float64, []passage) {
	bit := g.small(false)
	if bit == 0 {
		return 1, nil
	}
	counts := newTable(1000)
	n, most, top := 0, int32(0), mark{}
	asked := map[uint64]int{}
	for _, m := range scan(g.prompt.Text) {
		asked[m.hash] = 0
	}
	theirs := 0
	for _, p := range g.paragraphs {
		if !p.sentences() {
			continue
		}
		for _, m := range p.marks {
			if m.word {
				n++
			}
			if !g.content(m, bit) {
				continue
			}
			if c := counts.add(m.hash); c > most {
				most, top = c, m
			}
			if _, ok := asked[m.hash]; ok {
				theirs++
			}
		}
	}
	if n == 0 {
		return 1, nil
	}
	// In a short text a name may well stand in every sentence.
	one := clamp((float64(most)/float64(n) - mostStuffed - 4/float64(n)) / 0.06)
	all := clamp((float64(theirs)/float64(n) - mostAsked) / 0.12)
	cost := max(one, all)
	if cost == 0 {
		return 1, nil
	}
	why := fmt.Sprintf("“%s” is one word in %.0f", g.text[top.start:top.end], float64(n)/float64(most))
	if all > one {
		why = fmt.Sprintf("one word in %.0f is one of the prompt's", float64(n)/float64(theirs))
	}
	return 1 - 0.7*cost, []passage{{0, 0, why}}
}

// salad costs words that are no sentences: too few of the small words of the
// language, or articles before words that cannot follow one.
func (g *page) salad() (float64, []passage) {
	bit := g.small(true)
	if bit == 0 {
		return 1, nil
	}
	small, n, articles, clashes := 0, 0, 0, 0
	var places []passage
	for _, p := range g.paragraphs {
		if !p.sentences() {
			continue
		}
		last := role{}
		for i, m := range p.marks {
			r := m.role
			if !m.word {
				last = role{} // a sign may part what does not fit
				continue
			}
			n++
			if r.small&bit != 0 {
				small++
			}
			if last.det&bit != 0 {
				articles++
				if r.not&bit != 0 {
					clashes++
					from := p.marks[i-1].start
					places = append(places, passage{int(from), int(m.end), "“" + g.text[from:m.end] + "” is no phrase"})
				}
			}
			last = r
		}
	}
	glue := clamp((leastGlue - float64(small)/float64(max(n, 1))) / 0.08)
	clash := 0.0
	if articles >= 10 {
		clash = clamp((float64(clashes)/float64(articles) - mostClashes) / 0.12)
	}
	switch {
	case n == 0 || glue == 0 && clash == 0:
		return 1, nil
	case glue > clash:
		return 1 - 0.7*glue, []passage{{0, len(g.text), "hardly any of the words that hold sentences together"}}
	}
	return 1 - 0.7*clash, places
}

// novelty costs sentences that bring no word which was not there before: the
// same said again and again in a slightly other way.
func (g *page) novelty() (float64, []passage) {
	bit := g.small(false)
	if bit == 0 {
		return 1, nil
	}
	w := wake{last: newTable(1000)}
	for _, p := range g.paragraphs {
		if !p.sentences() {
			continue
		}
		for i, m := range p.marks {
			switch {
			case g.content(m, bit):
				w.say(m, stem(g.text[m.start:m.end]))
			case !m.word && strings.ContainsRune(stops, firstRune(g.text[m.start:m.end])), i == len(p.marks)-1:
				w.end()
			}
		}
		w.end()
	}
	if w.sentences < leastSentences {
		return 1, nil
	}
	mean := w.sum / float64(w.sentences)
	if mean >= leastNovelty {
		return 1, nil
	}
	return 1 - 0.8*clamp((leastNovelty-mean)/0.12), w.places
}

const (
	stops   = ".!?…。！？।۔؟"
	closers = "\"'”’)]»」』*_`|"
)

// A wake is what was said lately, and how new each sentence was.
type wake struct {
	last      *table // stem: number of the word that said it last
	said      int32
	now       []uint64 // stems of the sentence in hand
	start     int32
	stop      int32
	sum       float64 // of the shares of what was new
	sentences int
	places    []passage
}

func (w *wake) say(m mark, stem uint64) {
	if len(w.now) == 0 {
		w.start = m.start
	}
	w.now, w.stop = append(w.now, stem), m.end
}

// end closes a sentence; a short one is not judged.
func (w *wake) end() {
	if len(w.now) >= 4 {
		fresh := 0
		for _, s := range w.now {
			if at := w.last.get(s); at < 0 || w.said-at > noveltyMemory {
				fresh++
			}
		}
		share := float64(fresh) / float64(len(w.now))
		w.sum += share
		w.sentences++
		if share <= 0.2 {
			w.places = append(w.places, passage{int(w.start), int(w.stop), "says nothing that was not said"})
		}
	}
	for _, s := range w.now {
		w.last.put(s, w.said)
		w.said++
	}
	w.now = w.now[:0]
}

// stem tells the first six letters of a word: what stays the same in most of its
// forms.
func stem(w string) uint64 {
	key, n := uint64(0), 0
	for _, r := range w {
		if n == 6 {
			break
		}
		if r >= 0x80 {
			r = unicode.ToLower(r)
		} else {
			r |= 0x20
		}
		key = key*0x100000001b3 + uint64(r)
		n++
	}
	return mix(key)
}
