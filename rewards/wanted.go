package rewards

import (
	_ "embed"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed lengths.txt
var lengthsFile string

// asking holds the phrases of lengths.txt by their kind.
var asking = func() map[string][]string {
	m := map[string][]string{}
	for l := range strings.Lines(lengthsFile) {
		if kind, list, ok := strings.Cut(strings.TrimSpace(l), ": "); ok && l[0] != '#' {
			m[kind] = append(m[kind], strings.Split(list, "|")...)
		}
	}
	return m
}()

// unitOf says what a word counts: "words", "characters", "pages".
var unitOf = func() map[string]string {
	m := map[string]string{}
	for _, unit := range []string{"words", "characters", "pages"} {
		for _, w := range asking[unit] {
			m[w] = unit
		}
	}
	return m
}()

// A request is a length as a prompt states it.
type request struct {
	low, high  float64 // in the unit
	bound      string  // "", "least", "most"
	unit       string
	rank       int // the highest is the whole text's
	start, end int // bytes
}

// Wanted reads from a prompt how many words its answer should have. Of several
// lengths it takes the one that speaks of the whole. A bare number means a tenth
// more or less, "at least" up to a tenth more, "at most" down to a tenth less
// (the rules of LongWriter-Zero); a page is 300 to 500 words, or a character of
// Chinese or Japanese each one word, in other languages six.
func Wanted(prompt string) (Range, bool) {
	found := append(spacedRequests(prompt), hanRequests(prompt)...)
	best := -1
	for i, f := range found {
		if best < 0 || f.rank > found[best].rank {
			best = i
		}
	}
	if best < 0 {
		return Range{}, false
	}
	f := found[best]
	r := f.words(prompt)
	r.Unit = f.unit
	r.Start = utf8.RuneCountInString(prompt[:f.start])
	r.End = r.Start + utf8.RuneCountInString(prompt[f.start:f.end])
	return r, r.Max > 0 && r.Max <= maxWords
}

// words turns the request into a range of words.
func (f request) words(prompt string) Range {
	low, high := f.low, f.high
	switch f.unit {
	case "pages":
		low, high = 300*low, 500*high
		if f.bound == "" {
			return Range{Min: round(low), Max: round(high)}
		}
	case "characters":
		if lang := expectedLanguage(prompt); lang != "zh" && lang != "ja" {
			low, high = low/6, high/6
		}
	}
	switch {
	case f.bound == "least":
		high *= 1.1
	case f.bound == "most":
		low *= 0.9
	case f.low == f.high:
		low, high = 0.9*low, 1.1*high
	}
	return Range{Min: round(low), Max: round(high)}
}

func round(x float64) int { return int(math.Round(min(x, 1e12))) }

// A token is a word, a number or a sign of a prompt.
type token struct {
	text       string // lower case
	start, end int    // bytes
	number     float64
	isNumber   bool
	times      bool // a number word that multiplies: "thousand"
}

// spacedRequests finds lengths in languages that put blanks between words.
func spacedRequests(prompt string) []request {
	tokens := tokensOf(prompt)
	var found []request
	for i := range tokens {
		unit := unitOf[tokens[i].text]
		if unit == "" {
			continue
		}
		if f, ok := requestAt(tokens, i, unit); ok {
			found = append(found, f)
		}
	}
	return found
}

// requestAt reads the number before the unit at tokens[i] and what bounds it.
func requestAt(tokens []token, i int, unit string) (request, bool) {
	at := i
	for at > 0 && i-at < 3 && !tokens[at-1].isNumber && has(asking["filler"], tokens[at-1].text) {
		at--
	}
	high, from := numberBefore(tokens, at)
	if from == at || high <= 0 {
		return request{}, false
	}
	f := request{low: high, high: high, unit: unit, start: tokens[from].start, end: tokens[i].end}
	from = f.lower(tokens, from)
	f.bounds(tokens, from, i+1)
	f.several(tokens, from, i+1)
	small := unit == "words" && f.high < 20 || unit == "characters" && f.high < 40
	if small && f.bound == "" && f.low == f.high || unit == "pages" && f.high > 5000 {
		return request{}, false
	}
	return f, true
}

// lower reads the first number of a range, if there is one before from, and
// returns where the request begins.
func (f *request) lower(tokens []token, from int) int {
	n := phraseBefore(tokens, from, asking["range"])
	if n == 0 {
		return from
	}
	low, begin := numberBefore(tokens, from-n)
	if begin == from-n || low <= 0 || low > f.high {
		return from
	}
	if low < f.high/100 && f.high >= 1000 { // "2-3,000 words", "2 bis 3 Tausend"
		low *= 1000
	}
	f.low, f.start = low, tokens[begin].start
	return begin
}

// bounds reads what stands before the number and behind the unit.
func (f *request) bounds(tokens []token, from, behind int) {
	before := from
	for _, about := range []string{"about", "around", "approximately", "roughly", "some", "circa", "ca", "etwa", "ungefähr", "rund", "environ", "unos", "unas", "aproximadamente", "alrededor de", "circa", "cerca de", "ongeveer", "a", "an", "of", "~"} {
		if n := phraseBefore(tokens, before, []string{about}); n > 0 {
			before -= n
			break
		}
	}
	// "no more than" ends in "more than": the longest phrase counts.
	least := max(phraseBefore(tokens, from, asking["least-before"]), phraseBefore(tokens, before, asking["least-before"]))
	most := max(phraseBefore(tokens, from, asking["most-before"]), phraseBefore(tokens, before, asking["most-before"]))
	switch {
	case f.low != f.high:
		if n := phraseBefore(tokens, from, asking["between"]); n > 0 {
			before = from - n
		}
	case most > 0 && most >= least:
		f.bound = "most"
	case least > 0:
		f.bound = "least"
	case phraseAfter(tokens, behind, asking["most-after"]):
		f.bound = "most"
	case phraseAfter(tokens, behind, asking["least-after"]):
		f.bound = "least"
	}
	if most+least > 0 {
		f.rank++
	}
	if phraseBefore(tokens, before, asking["total-before"]) > 0 || phraseAfter(tokens, behind, asking["total-after"]) {
		f.rank += 2
	}
	if phraseBefore(tokens, before, asking["given-before"]) > 0 {
		f.rank -= 2
	}
}

// several reads "five chapters of 2,000 words each": the length of one is
// multiplied where the number is there, and else is not the whole's.
func (f *request) several(tokens []token, from, behind int) {
	each := phraseAfter(tokens, behind, asking["each-after"]) || phraseBefore(tokens, from, asking["each-before"]) > 0
	at := from
	for at > 0 && from-at < 3 && phraseBefore(tokens, at, asking["things"]) == 0 {
		at--
	}
	if thing := phraseBefore(tokens, at, asking["things"]); thing > 0 {
		between := at == from || at < from && phraseBefore(tokens, at+1, asking["of"]) > 0
		if n, begin := numberBefore(tokens, at-thing); begin < at-thing && n >= 1 && n <= 1000 && (between || each) {
			f.low, f.high, f.start = n*f.low, n*f.high, tokens[begin].start
			f.rank += 2
			return
		}
		each = each || phraseBefore(tokens, at-thing, asking["each-before"]) > 0
	}
	if each {
		f.rank -= 3
	}
}

// phraseBefore is the length in tokens of the longest phrase that ends before
// tokens[at], or 0.
func phraseBefore(tokens []token, at int, phrases []string) int {
	best := 0
	for _, p := range phrases {
		words := strings.Fields(p)
		n := len(words)
		if n <= best || n > at {
			continue
		}
		same := true
		for k, w := range words {
			same = same && tokens[at-n+k].text == w
		}
		if same {
			best = n
		}
	}
	return best
}

func phraseAfter(tokens []token, at int, phrases []string) bool {
	for at < len(tokens) && (tokens[at].text == "(" || tokens[at].text == "," || tokens[at].text == "lang" || tokens[at].text == "long" || tokens[at].text == "length" || tokens[at].text == "in" && at+1 < len(tokens) && tokens[at+1].text == "length") {
		at++
	}
	for _, p := range phrases {
		if words := strings.Fields(p); at+len(words) <= len(tokens) && phraseBefore(tokens, at+len(words), []string{p}) > 0 {
			return true
		}
	}
	return false
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// tokensOf splits a prompt into lower-case words, numbers and single signs.
// Only what stands near a unit is looked at, so a long prompt costs little more.
func tokensOf(prompt string) []token {
	var tokens []token
	for i := 0; i < len(prompt); {
		r, size := utf8.DecodeRuneInString(prompt[i:])
		start := i
		switch {
		case unicode.IsDigit(r):
			i = digitsEnd(prompt, i)
			n, ok := readDigits(prompt[start:i])
			tokens = append(tokens, token{text: prompt[start:i], start: start, end: i, number: n, isNumber: ok})
		case unicode.IsLetter(r) && !ideographic(r):
			i = wordEndAt(prompt, i)
			t := token{text: strings.ReplaceAll(strings.ToLower(prompt[start:i]), "’", "'"), start: start, end: i}
			t.number, t.times, t.isNumber = numberWord(t.text)
			tokens = append(tokens, t)
		default:
			i += size
			if !unicode.IsSpace(r) && r != '*' && r != '_' && r != '"' && r != '`' {
				tokens = append(tokens, token{text: prompt[start:i], start: start, end: i})
			}
		}
	}
	return tokens
}

// wordEndAt is the end of the word at i; an apostrophe between letters is part of it.
func wordEndAt(s string, i int) int {
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		letter := (unicode.IsLetter(r) || unicode.IsMark(r)) && !ideographic(r)
		joins := (r == '\'' || r == '’') && unicode.IsLetter(firstRune(s[i+size:]))
		if !letter && !joins {
			break
		}
		i += size
	}
	return i
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// digitsEnd is the end of a number that begins at i: 1,000  1.000,5  1'000.
func digitsEnd(s string, i int) int {
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.IsDigit(r) {
			i += size
			continue
		}
		if next := i + size; strings.ContainsRune(",.'’٫٬", r) && next < len(s) && unicode.IsDigit(firstRune(s[next:])) {
			i = next
			continue
		}
		// "10 000": a blank, a narrow one too, before exactly three digits
		if next := i + size; (r == ' ' || r == '\u00a0' || r == '\u202f') && next+3 <= len(s) && threeDigits(s[next:]) {
			i = next + 3
			continue
		}
		break
	}
	return i
}

func threeDigits(s string) bool {
	for k := range 3 {
		if s[k] < '0' || s[k] > '9' {
			return false
		}
	}
	return len(s) == 3 || !unicode.IsDigit(firstRune(s[3:]))
}

// readDigits reads a number whose separators are those of thousands, but for
// a last one that is not followed by three digits.
func readDigits(s string) (float64, bool) {
	var digits strings.Builder
	last, behind := false, 0
	for _, r := range s {
		if d := digitValue(r); d >= 0 {
			digits.WriteByte(byte('0' + d))
			behind++
			continue
		}
		last, behind = true, 0
	}
	n, err := strconv.ParseFloat(digits.String(), 64)
	if last && behind != 3 {
		n /= math.Pow10(behind)
	}
	return n, err == nil && n < 1e9
}

// digitValue is the value of a decimal digit of any script, or -1.
func digitValue(r rune) int {
	if !unicode.IsDigit(r) {
		return -1
	}
	zero := r
	for r-zero < 9 && unicode.IsDigit(zero-1) {
		zero--
	}
	return int(r - zero)
}
