package rewards

import (
	_ "embed"
	mathbits "math/bits"
	"strings"
	"unicode"
)

//go:embed languages.txt
var languagesFile string

// A language is known by the words that hold its sentences together.
type language struct {
	code  string
	small map[string]bool // function words
	det   map[string]bool // open a noun phrase
	not   map[string]bool // do not follow these at once
	named []string        // what prompts call it
}

// languages are those of languages.txt, in its order.
var languages = func() (all []*language) {
	by := map[string]*language{}
	for l := range strings.Lines(languagesFile) {
		head, list, ok := strings.Cut(strings.TrimSpace(l), ": ")
		if !ok || head[0] == '#' {
			continue
		}
		code, kind, _ := strings.Cut(head, " ")
		if by[code] == nil {
			by[code] = &language{code: code}
			all = append(all, by[code])
		}
		switch kind {
		case "":
			by[code].small = set(strings.Fields(list))
		case "det":
			by[code].det = set(strings.Fields(list))
		case "not":
			by[code].not = set(strings.Fields(list))
		case "named":
			by[code].named = strings.Split(list, "|")
		}
	}
	return all
}()

func set(words []string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

// languageOf is the entry of a code, or nil, and its bit in a role.
func languageOf(code string) (l *language, bit uint32) {
	for i, l := range languages {
		if l.code == code {
			return l, 1 << i
		}
	}
	return nil, 0
}

// scripts that stand for one language, or for a family that is not told apart.
var scripts = []struct {
	code  string
	table *unicode.RangeTable
}{
	{"ja", unicode.Hiragana},
	{"ja", unicode.Katakana},
	{"zh", unicode.Han},
	{"ko", unicode.Hangul},
	{"ru", unicode.Cyrillic},
	{"ar", unicode.Arabic},
	{"he", unicode.Hebrew},
	{"el", unicode.Greek},
	{"hi", unicode.Devanagari},
	{"th", unicode.Thai},
}

// A small word is known by its hash; its bits say in which of the languages it
// holds sentences together, opens a noun phrase, and does not follow such a one.
type role struct{ small, det, not uint32 }

var roles = func() map[uint64]role {
	m := map[uint64]role{}
	for i, l := range languages {
		bit := uint32(1) << i
		for w := range l.small {
			h := wordHash(w)
			r := m[h]
			r.small |= bit
			m[h] = r
		}
		for w := range l.det {
			h := wordHash(w)
			r := m[h]
			r.det |= bit
			m[h] = r
		}
		for w := range l.not {
			h := wordHash(w)
			r := m[h]
			r.not |= bit
			m[h] = r
		}
	}
	return m
}()

// longestRole is in bytes: a longer word has none.
var longestRole = func() int {
	n := 0
	for _, l := range languages {
		for w := range l.small {
			n = max(n, len(w))
		}
	}
	return n
}()

// takeRoles looks the marks up.
func takeRoles(marks []mark) {
	for i := range marks {
		if m := &marks[i]; m.word && int(m.end-m.start) <= longestRole {
			m.role = roles[m.hash]
		}
	}
}

// wordHash is the hash that scan gives a word.
func wordHash(w string) uint64 { return run(w, 0).hash }

// enoughWords to tell a language by its small words.
const enoughWords = 8

// Language is the two letters of a text's language, "" where it cannot be told.
func Language(text string) string { return detect(head(text, 40_000)) }

// detect names the language of a text: by its script, and one in Latin letters
// by its small words. "" is unknown: too short, mixed, or none of ours.
func detect(text string) string {
	marks := scan(text)
	takeRoles(marks)
	return detectMarks(text, marks)
}

// detectMarks is detect for marks that have their roles.
func detectMarks(text string, marks []mark) string {
	var latin, all int
	var other [16]int // by script
	for _, m := range marks {
		if !m.word {
			continue
		}
		n := int(m.end - m.start)
		r := firstRune(text[m.start:m.end])
		if unicode.IsDigit(r) {
			continue
		}
		all += n
		if r < 0x250 {
			latin += n
			continue
		}
		for i, s := range scripts {
			if unicode.Is(s.table, r) {
				other[i] += n
				break
			}
		}
	}
	// A third of Japanese is kana, and nobody else's.
	if kana := other[0] + other[1]; kana > 0 && 6*kana >= other[2] {
		other[0] += other[2]
		other[2] = 0
	}
	for i, s := range scripts {
		if n := other[i]; n > all/2 && n > latin {
			return s.code
		}
	}
	if latin < all*2/3 {
		return ""
	}
	return detectLatin(marks)
}

func detectLatin(marks []mark) string {
	var hits [32]int
	n := 0
	for _, m := range marks {
		if !m.word {
			continue
		}
		n++
		for bits := m.role.small; bits != 0; bits &= bits - 1 {
			hits[mathbits.TrailingZeros32(bits)]++
		}
	}
	best, second := 0, 0
	for i := 1; i < len(languages); i++ {
		if hits[i] > hits[best] {
			best = i
		}
	}
	for i := range languages {
		if i != best {
			second = max(second, hits[i])
		}
	}
	if n < enoughWords || 6*hits[best] < n || hits[best] < second+1+second/8 {
		return ""
	}
	return languages[best].code
}

// expectedLanguage is the language that an answer to prompt is expected in: the
// one it names, or its own; "" where it names several, or speaks of translation.
func expectedLanguage(prompt string) string {
	named, lower := "", " "+strings.Join(strings.FieldsFunc(strings.ToLower(prompt), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r)
	}), " ")+" "
	for _, word := range []string{" translat", " übersetz", " tradui", " traduc", " tradu", " vertaal", "翻译", "翻訳", "번역"} {
		if strings.Contains(lower, word) {
			return ""
		}
	}
	for _, l := range languages {
		for _, name := range l.named {
			if !mentions(lower, name) {
				continue
			}
			if named != "" && named != l.code {
				return ""
			}
			named = l.code
		}
	}
	own := detect(prompt)
	switch {
	case named == "", named == own:
		return own
	case demands(lower, named):
		return named
	}
	return "" // "the French revolution": it may be either
}

func mentions(lower, name string) bool {
	if name[0] >= utf8Self {
		return strings.Contains(lower, name)
	}
	return strings.Contains(lower, " "+name+" ")
}

const utf8Self = 0x80

// demands says whether a prompt asks for an answer in a language rather than
// about it.
func demands(lower, code string) bool {
	l, _ := languageOf(code)
	for _, name := range l.named {
		for _, before := range []string{"in", "into", "using", "auf", "in fluent", "in simple", "in plain", "en", "em", "po", "på", "in het", "in de", "in inglese", "用", "以", "in lingua"} {
			if strings.Contains(lower, " "+before+" "+name+" ") || name[0] >= utf8Self && strings.Contains(lower, before+name) {
				return true
			}
		}
		if name[0] >= utf8Self && (strings.Contains(lower, name+"で") || strings.Contains(lower, name+"写") || strings.Contains(lower, name+"로")) {
			return true
		}
	}
	return false
}
