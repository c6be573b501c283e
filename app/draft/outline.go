package draft

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// Sizes of the plan. Small models lose the thread of a long section.
const (
	sectionWords      = 600
	smallSectionWords = 300
	smallModel        = 2_500_000_000 // parameters; below it sections are small
	mostWithoutParts  = 40            // sections
	partSections      = 8
	mostChars         = 600 // of a line of an outline
	beatsOver         = 150 // words: shorter sections are one turn
)

// sectionCount is how many sections a text of so many words has.
func sectionCount(words, size int) int { return max(1, (words+size/2)/size) }

// partSizes spreads n sections over parts as evenly as they go.
func partSizes(n int) []int {
	parts := (n + partSections - 1) / partSections
	sizes := make([]int, parts)
	for i := range sizes {
		sizes[i] = n*(i+1)/parts - n*i/parts
	}
	return sizes
}

// beatCount is how many beats a section of so many words is told in: one more
// for a small model, whose turns are short.
func beatCount(words int, small bool) int {
	if words <= beatsOver {
		return 0
	}
	n := (words + 100) / 120
	if small {
		n++
	}
	return min(4, max(2, n))
}

// shareWords gives each section its words: in proportion to weight + 2, so that
// the heaviest (3) has five words for the lightest's (1) three, rounded so that
// they sum to the whole.
func shareWords(total int, weights []int) []int {
	sum := 0
	for _, w := range weights {
		sum += w + 2
	}
	words, rest := make([]int, len(weights)), make([]int, len(weights))
	left := total
	for i, w := range weights {
		words[i], rest[i] = total*(w+2)/sum, total*(w+2)%sum
		left -= words[i]
	}
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return rest[order[a]] > rest[order[b]] })
	for _, i := range order[:left] {
		words[i]++
	}
	return words
}

// titlesGrammar lets the model write n titles, numbered from 1, and, with whole,
// the title of the whole before them.
func titlesGrammar(n int, whole, latin bool) string {
	var b strings.Builder
	b.WriteString("root ::= ")
	if whole {
		b.WriteString(`" " title "\n\n1. " title`)
	} else {
		b.WriteString(`" " title`)
	}
	for k := 2; k <= n; k++ {
		fmt.Fprintf(&b, ` "\n%d. " title`, k)
	}
	return b.String() + lineRules(latin)
}

// sectionGrammar lets the model write so many beats, and then a point and a
// weight, which a small model does not give.
func sectionGrammar(beats int, small, latin bool) string {
	rule := `root ::= " " `
	for k := 1; k <= beats; k++ {
		if k > 1 {
			rule += fmt.Sprintf(`"\n%d. " `, k)
		}
		rule += `beat `
	}
	if !small {
		if beats > 0 {
			rule += `"\n\nIn one sentence: " `
		}
		rule += `point "\nWeight: " [123]`
	}
	return rule + lineRules(latin)
}

// lineRules say what a line of the plan is made of: no markup, and, with latin,
// Latin letters alone: kept from its asterisks and numbers ("1.2.1"), a small
// model escapes into other scripts.
func lineRules(latin bool) string {
	first := `[^\x00-@\[-` + "`" + `{-\u00bf\u2000-\u2bff]`
	rest := `[^\x00-\x1f.#*|:;<>_\[\]()"` + "`" + `]`
	if latin {
		first, rest = `[A-Z\u00c0-\u00de]`, `[a-zA-Z ,'’\u00c0-\u024f-]`
	}
	return fmt.Sprintf("\ntitle ::= %s %s{3,58}\npoint ::= %s %s{20,150} \".\"\nbeat ::= %s %s{6,70}\n", first, rest, first, rest, first, rest)
}

var (
	numbered = regexp.MustCompile(`^\s*\d+\.\s*`)
	noTitle  = regexp.MustCompile(`(?i)^(table of contents|contents|chapters?|titles?|sections?|parts?|headings?|chapter [ivxlc0-9]+|(i|you|we|here|sure) .*|(the )?(first|second|third|next|last) (chapter|section|part)|chapter titles?|title of the (text|whole|chapter).*)$`)
	hanging  = regexp.MustCompile(`(?i)[ ,;:-]+(a|an|the|of|in|on|to|for|and|or|by|with|at|as|from|your|its|is|are|that|who|which|be|it's|will|can)$`)
	leading  = regexp.MustCompile(`(?i)^(part|section|chapter)\s+([0-9]+|[ivxlc]+|one|two|three|four|five|six|seven|eight|nine|ten)\s*[.:)–-]*\s*`)
)

// parseTitles reads what titlesGrammar let through after "Title:" or "1.". It
// also takes text that was cut or written without it; what is not there is
// missing.
func parseTitles(text string, whole bool) (title string, titles []string) {
	rows := strings.Split(text, "\n")
	if whole {
		title, rows = tidy(rows[0], 58), rows[1:]
	}
	for _, row := range rows {
		if strings.TrimSpace(row) == "" {
			continue
		}
		row = tidy(numbered.ReplaceAllString(row, ""), 58)
		if head, _, cut := strings.Cut(row, " - "); cut && CountWords(head) > 1 {
			row = head // "Title - and a whole sentence"
		}
		if short := leading.ReplaceAllString(row, ""); CountWords(short) > 0 {
			row = short
		}
		titles = append(titles, row)
	}
	return title, titles
}

// parseSection reads what sectionGrammar let through after "1." or "In one
// sentence:".
func parseSection(text string, beats int) (point string, weight int, list []string) {
	weight, list = 2, []string{}
	for _, row := range strings.Split(text, "\n") {
		row = strings.TrimSpace(row)
		w, heavy := strings.CutPrefix(row, "Weight: ")
		switch {
		case row == "":
		case heavy && len(w) == 1 && w[0] >= '1' && w[0] <= '3':
			weight = int(w[0] - '0')
		case len(list) < beats:
			list = append(list, tidy(numbered.ReplaceAllString(row, ""), 70))
		case point == "":
			point = tidy(strings.TrimPrefix(row, "In one sentence:"), 150)
		}
	}
	return point, weight, list
}

// distinct leaves out beats that say again what was said, and fills up with
// sides that any matter has.
func distinct(said map[string]bool, beats []string, n int) []string {
	out := []string{}
	for _, b := range append(append([]string(nil), beats...), sides...) {
		if k := normal(b); k != "" && !said[k] && !noTitle.MatchString(k) && len(out) < n {
			said[k] = true
			out = append(out, b)
		}
	}
	return out
}

var sides = []string{"How it begins", "What changes", "An example", "What comes of it"}

// tidy trims a line and, where the grammar's limit cut it, its last half word
// and the small words that hang before it.
func tidy(s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	if chars(s) >= limit {
		if i := strings.LastIndexByte(s, ' '); i > len(s)/2 {
			s = s[:i]
		}
		for hanging.MatchString(s) {
			s = hanging.ReplaceAllString(s, "")
		}
	}
	return strings.TrimRight(s, " ,;:-–(")
}

// Check says what is wrong with an outline that a person edited, and numbers
// its sections anew.
func (o *Outline) Check() error {
	if len(o.Sections) == 0 {
		return fmt.Errorf("draft: the outline holds no section")
	}
	for i := range o.Sections {
		s := &o.Sections[i]
		s.Index = i
		s.Title, s.Part = strings.TrimSpace(s.Title), strings.TrimSpace(s.Part)
		if s.Title == "" {
			return fmt.Errorf("draft: section %d of the outline has no title", i+1)
		}
		if strings.ContainsAny(s.Title+s.Part, "\n\r") {
			return fmt.Errorf("draft: the title of section %d of the outline has more than one line", i+1)
		}
		if s.Words < 10 || s.Words > 1_000_000 {
			return fmt.Errorf("draft: section %d of the outline wants %d words; it must be at least 10", i+1, s.Words)
		}
		for _, text := range append([]string{s.Title, s.Part, s.Point}, s.Beats...) {
			if chars(text) > mostChars {
				return fmt.Errorf("draft: a line of section %d of the outline is longer than %d characters", i+1, mostChars)
			}
		}
		if s.Beats == nil {
			s.Beats = []string{}
		}
		if s.Flags == nil {
			s.Flags = []string{}
		}
	}
	return nil
}

// Words is what the outline's sections sum to.
func (o Outline) Words() int {
	n := 0
	for _, s := range o.Sections {
		n += s.Words
	}
	return n
}

// Scale changes every section's words so that they sum to total.
func (o *Outline) Scale(total int) {
	have, given := o.Words(), 0
	for i := range o.Sections {
		s := &o.Sections[i]
		have -= s.Words
		rest := total - given
		if have > 0 {
			rest = rest * s.Words / (have + s.Words)
		}
		s.Words = rest
		given += rest
	}
}
