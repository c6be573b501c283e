package manuscript

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is of a heading in a plain text.
type kind int

const (
	prose   kind = iota
	numeral      // "IV", "12."
	capital      // "THE STORM"
	section      // "Section 3"
	chapter      // "Chapter 3", "Epilogue"
	part         // "Part 3"
)

const (
	headingChars = 80 // code points at most
	capitalChars = 60
	cjkChars     = 30
)

// counted is a numeral or a number in words, in the languages of the keywords.
const counted = `(?:\d{1,3}|[ivxlc]+` +
	`|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif)ty(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?` +
	`|eins|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf` +
	`|un|deux|trois|quatre|cinq|sept|huit|neuf|dix|premi[èe]re?` +
	`|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|primer[oa]?|segund[oa]|tercer[oa]?)`

var (
	chapterLine = keyword(`chapter|kapitel|chapitre|cap[ií]tulo|capitolo`)
	partLine    = keyword(`part|teil|partie|parte`)
	sectionLine = keyword(`section|abschnitt|secci[óo]n`)
	outerLine   = regexp.MustCompile(`(?i)^(?:prologue|epilogue|prolog|epilog|épilogue|prólogo|epílogo|prologo|epilogo)(?:\s*[.:–—-].*)?$|^(?:楔子|序章|尾声|尾聲|终章|終章)(?:[\s：:].*)?$`)
	germanLine  = regexp.MustCompile(`(?i)^(?:\d{1,3}\.|(?:erst|zweit|dritt|viert|fünft|sechst|sieb(?:en)?t|acht|neunt|zehnt|elft|zwölft)e[rs]?) (?:(kapitel)|teil)$`)
	cjkLine     = regexp.MustCompile(`^第\s*[0-9０-９零〇一二三四五六七八九十百千两兩]+\s*(?:([章回话話]).*|([部卷篇編编])(?:[\s：:].*)?|([节節])(?:[\s：:].*)?)$`)
	numeralLine = regexp.MustCompile(`^(?:\d{1,3}|C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))\b\.?$`)
	closingLine = regexp.MustCompile(`^(?:THE END|END|FIN|FINIS|ENDE)\.?$`)
)

// keyword matches "WORD NUMBER", and "WORD NUMBER: title" with the title as its
// first group, and without the colon as its second one.
func keyword(words string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(?:` + words + `)\s+` + counted + `(?:\.?|\s*[.:,–—-]\s*(\S.*)|\s+(\S.*))$`)
}

// kindOf says what heading a line may be, and whether it is only a number.
func kindOf(l textLine) (k kind, bare bool) {
	if l.chars > headingChars {
		return prose, false
	}
	if numeralLine.MatchString(l.text) {
		return numeral, true
	}
	if k, bare = numbered(l.text); k != prose {
		return k, bare
	}
	if k := otherKeyword(l); k != prose && !stops(l.text) {
		return k, false
	}
	if l.chars <= capitalChars && isCapital(l.text) {
		return capital, false
	}
	return prose, false
}

// numbered reads a keyword with a number, and maybe a title.
func numbered(s string) (k kind, bare bool) {
	for _, c := range []struct {
		line *regexp.Regexp
		kind kind
	}{{chapterLine, chapter}, {partLine, part}, {sectionLine, section}} {
		m := c.line.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		if m[1]+m[2] == "" {
			return c.kind, true
		}
		// "Part two of the plan" goes on as a sentence does; "Chapter 1. Loomings."
		// is a title for all its full stop.
		next, _ := utf8.DecodeRuneInString(m[1] + m[2])
		title := strings.TrimRight(m[1], ".")
		if !unicode.IsLower(next) && (!stops(s) || title != "" && !stops(title) && !strings.Contains(title, ". ")) {
			return c.kind, false
		}
	}
	return prose, false
}

func otherKeyword(l textLine) kind {
	if outerLine.MatchString(l.text) {
		return chapter
	}
	if m := germanLine.FindStringSubmatch(l.text); m != nil {
		if m[1] != "" {
			return chapter
		}
		return part
	}
	m := cjkLine.FindStringSubmatch(l.text)
	switch {
	case m == nil || l.chars > cjkChars:
		return prose
	case m[1] != "":
		return chapter
	case m[2] != "":
		return part
	}
	return section
}

// stops says whether a line ends as only a sentence does.
func stops(s string) bool {
	return strings.HasSuffix(s, ".") || strings.HasSuffix(s, ",") || strings.HasSuffix(s, ";") ||
		strings.HasSuffix(s, "。") || strings.HasSuffix(s, "，") || strings.HasSuffix(s, "；") || strings.HasSuffix(s, "”")
}

// isCapital says whether a line has capitals only, at least two, and is nobody's
// speech.
func isCapital(s string) bool {
	n := 0
	for i, r := range s {
		if unicode.IsLower(r) || i == 0 && strings.ContainsRune("\"'“”„‘’«»‹›-–—", r) {
			return false
		}
		n += count(unicode.IsUpper(r))
	}
	return n > 1 && !closingLine.MatchString(s)
}
