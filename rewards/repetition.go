package rewards

import (
	"strings"
	"unicode"
)

// The repetition penalty is POLARIS's (arXiv 2606.04095), in windows of 2,000
// words, since the share of repeated 4-grams grows with the length of any text:
//
//	g  share of 4-grams that stood earlier in the window
//	l  share of 4-grams that stood among the 64 before them
//	d  share of lines that stood earlier in the window, blank ones aside
//	penalty = 0.8 (0.7 max(0, g - 0.08) + 0.3 l) + 0.4 d
//
// A gram is four words or signs; a character of Chinese or Japanese counts as
// half a word. What a window says again of the windows before it is counted
// apart, in grams of twelve, which no honest text repeats.
const (
	windowWords = 2000
	gramSize    = 8  // half words
	farSize     = 24 // half words
	near64      = 64
	freeGrams   = 0.08
	freeFar     = 0.02
	fullPenalty = 0.75 // is worth 1
)

// A repetition is what a text says again, each a mean over its windows.
type repetition struct {
	grams, local, lines float64 // g, l, d
	far                 float64 // share of 12-grams that stood in an earlier window
	penalty             float64 // of the formula, before it is divided
	value               float64 // in [0, 1]
	places              []passage
}

// repeats measures a text whose lines and marks are given.
func repeats(text string, lines []line, marks []mark) repetition {
	var r repetition
	m := &meter{text: text, lines: lines, marks: marks}
	total := 0
	for from := 0; from < len(marks); {
		to, words := from, 0
		for to < len(marks) && words < windowWords {
			if marks[to].word {
				words++
			}
			to++
		}
		for to < len(marks) && !marks[to].word {
			to++ // the signs behind the last word are its own
		}
		w := m.window(from, to)
		n := to - from
		total += n
		share := float64(n)
		r.grams += share * w.grams
		r.local += share * w.local
		r.lines += share * w.lines
		r.far += share * w.far
		r.penalty += share * w.penalty
		r.value += share * w.value
		from = to
	}
	if total == 0 {
		return r
	}
	for _, x := range []*float64{&r.grams, &r.local, &r.lines, &r.far, &r.penalty, &r.value} {
		*x /= float64(total)
	}
	r.value, r.places = clamp(r.value), m.places
	return r
}

// A meter walks over the windows of one text.
type meter struct {
	text   string
	lines  []line
	marks  []mark
	next   int    // line
	before *table // 12-grams of the text so far, with the window's number
	number int32
	places []passage
}

func (m *meter) window(from, to int) repetition {
	var w repetition
	var again []bool
	w.grams, w.local, again = m.repeatedGrams(from, to)
	w.lines = m.repeatedLines(from, to)
	w.far = m.farGrams(from, to)
	w.penalty = 0.8*(0.7*max(0, w.grams-freeGrams)+0.3*w.local) + 0.4*w.lines
	w.value = clamp(w.penalty/fullPenalty + max(0, w.far-freeFar))
	if w.grams > freeGrams {
		m.mark(from, again, "says again what stands shortly before")
	}
	return w
}

func (m *meter) repeatedGrams(from, to int) (all, local float64, again []bool) {
	seen := newTable(to - from)
	again = make([]bool, to-from)
	n, repeated, close := 0, 0, 0
	for i := from; i < to; i++ {
		hash, next, ok := gram(m.marks, i, to, gramSize)
		if !ok {
			break
		}
		n++
		last := seen.put(hash, int32(i))
		if last < 0 {
			continue
		}
		repeated++
		if i-int(last) <= near64 {
			close++
		}
		for k := i; k < next; k++ {
			again[k-from] = true
		}
	}
	if n == 0 {
		return 0, 0, again
	}
	return float64(repeated) / float64(n), float64(close) / float64(n), again
}

// mark notes runs of words that are said again, if they are long enough to be
// more than a name.
func (m *meter) mark(from int, again []bool, why string) {
	for i := 0; i < len(again); i++ {
		if !again[i] {
			continue
		}
		k := i
		for k < len(again) && again[k] {
			k++
		}
		if k-i >= 6 && len(m.places) < 4*mostSpans {
			m.places = append(m.places, passage{int(m.marks[from+i].start), int(m.marks[from+k-1].end), why})
		}
		i = k
	}
}

// repeatedLines is the share of the window's lines that stood in it before. A
// line belongs to the window in which it begins; lines of signs alone are none.
func (m *meter) repeatedLines(from, to int) float64 {
	end := len(m.text)
	if to < len(m.marks) {
		end = int(m.marks[to].start)
	}
	seen := map[string]bool{}
	n, repeated := 0, 0
	for ; m.next < len(m.lines) && (m.lines[m.next].start < end || to == len(m.marks)); m.next++ {
		l := m.lines[m.next]
		s := strings.TrimSpace(m.text[l.start:l.end])
		if l.kind == blankLine || l.kind == ruleLine || l.kind == fenceLine || strings.IndexFunc(s, wordRune) < 0 {
			continue
		}
		n++
		if seen[s] {
			repeated++
			if len(m.places) < 4*mostSpans {
				m.places = append(m.places, passage{l.start, l.start + len(strings.TrimRightFunc(m.text[l.start:l.end], unicode.IsSpace)), "a line that stands already"})
			}
		}
		seen[s] = true
	}
	if n == 0 {
		return 0
	}
	return float64(repeated) / float64(n)
}

// farGrams is the share of the window's 12-grams that stood in an earlier one.
func (m *meter) farGrams(from, to int) float64 {
	m.number++
	if m.before == nil {
		if to == len(m.marks) {
			return 0 // one window is all
		}
		m.before = newTable(4 * windowWords)
	}
	again := make([]bool, to-from)
	n, repeated := 0, 0
	for i := from; i < to; i++ {
		if m.marks[i].hash&3 != 0 {
			continue // the grams that begin with a quarter of the words tell enough
		}
		hash, next, ok := gram(m.marks, i, to, farSize)
		if !ok {
			break
		}
		n++
		first, fresh := m.before.at(hash)
		if fresh {
			*first = m.number
		}
		if *first == m.number {
			continue
		}
		repeated++
		for k := i; k < next; k++ {
			again[k-from] = true
		}
	}
	if n == 0 {
		return 0
	}
	share := float64(repeated) / float64(n)
	if share > freeFar {
		m.mark(from, again, "stands already, much earlier")
	}
	return share
}
