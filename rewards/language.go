package rewards

import (
	_ "embed"
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

// languageOf is the entry of a code, or nil.
func languageOf(code string) *language {
	for _, l := range languages {
		if l.code == code {
			return l
		}
	}
	return nil
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

// enoughWords to tell a language by its small words.
const enoughWords = 8

// detect names the language of a text: by its script, and one in Latin letters
// by its small words. "" is unknown: too short, mixed, or none of ours.
func detect(text string) string {
	counts, latin, all := map[string]int{}, 0, 0
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		if all++; r < 0x250 {
			latin++
			continue
		}
		for _, s := range scripts {
			if unicode.Is(s.table, r) {
				counts[s.code]++
				break
			}
		}
	}
	counts["ja"] *= 3 // kana are a third of Japanese, and nobody else's
	if counts["ja"] > 0 && counts["ja"] >= counts["zh"]/2 {
		counts["ja"] += counts["zh"]
		counts["zh"] = 0
	}
	counts["zh"] *= 3 // a character of Chinese stands for several letters
	for code, n := range counts {
		if n > all/2 && n > latin {
			return code
		}
	}
	if latin < all*2/3 {
		return ""
	}
	return detectLatin(text)
}

func detectLatin(text string) string {
	hits, n := make([]int, len(languages)), 0
	for _, w := range lowerWords(text) {
		n++
		for i, l := range languages {
			if l.small[w] {
				hits[i]++
			}
		}
	}
	best, second := -1, 0
	for i := range hits {
		switch {
		case best < 0 || hits[i] > hits[best]:
			if best >= 0 {
				second = max(second, hits[best])
			}
			best = i
		default:
			second = max(second, hits[i])
		}
	}
	if n < enoughWords || 6*hits[best] < n || hits[best] < second+1+second/8 {
		return ""
	}
	return languages[best].code
}

// lowerWords are the words of a text in lower case: runs of letters.
func lowerWords(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
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
	case demands(lower, languageOf(named)):
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

// demands says whether a prompt asks for an answer in l rather than about it.
func demands(lower string, l *language) bool {
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
