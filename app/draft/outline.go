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

// beatCount is how many beats a section of so many words is told in.
func beatCount(words int) int {
	if words <= beatsOver {
		return 0
	}
	return min(4, max(2, (words+60)/120))
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

// planLine is one section as the model wrote it.
type planLine struct {
	title, point string
	weight       int
	beats        []string
}

// planGrammar lets the model write exactly the sections first to last, each with
// so many beats, and, with title, the title of the whole before them.
func planGrammar(first, last, beats int, title bool) string {
	var b strings.Builder
	b.WriteString("root ::= ")
	if title {
		b.WriteString(`title "\n\n1. " `)
	}
	for k := first; k <= last; k++ {
		if k > first {
			fmt.Fprintf(&b, `"\n%d. " `, k)
		}
		b.WriteString("section ")
	}
	b.WriteString("\nsection ::= title \"\\nPoint: \" point \"\\nWeight: \" [123] \"\\n\"")
	for range beats {
		b.WriteString(` "- " beat "\n"`)
	}
	b.WriteString(lineRules)
	return b.String()
}

// titlesGrammar lets the model write n titles with their points.
func titlesGrammar(n int, title bool) string {
	var b strings.Builder
	b.WriteString("root ::= ")
	if title {
		b.WriteString(`title "\n\n1. " `)
	}
	for k := 1; k <= n; k++ {
		if k > 1 {
			fmt.Fprintf(&b, `"%d. " `, k)
		}
		b.WriteString(`title "\nPoint: " point "\n" `)
	}
	b.WriteString(lineRules)
	return b.String()
}

const lineRules = `
title ::= [^\x00-\x20!-/:-@[-` + "`" + `{-~] [^\x00-\x1f#*|:<>_\[\]` + "`" + `"]{3,55}
point ::= [^\x00-\x20!-/:-@[-` + "`" + `{-~] [^\x00-\x1f#*|<>_` + "`" + `]{20,150}
beat ::= [^\x00-\x20!-/:-@[-` + "`" + `{-~] [^\x00-\x1f#*|<>_` + "`" + `]{15,110}
`

var (
	numbered = regexp.MustCompile(`^\d+\. `)
	leading  = regexp.MustCompile(`(?i)^(part|section|chapter)?\s*\d*\s*[.:)\-]+\s*`)
)

// parsePlan reads what planGrammar or titlesGrammar let through. It also takes
// text that is cut or was written without them, and never fails: what is not
// there is empty.
func parsePlan(text string, title bool) (whole string, lines []planLine) {
	rows := strings.Split(text, "\n")
	if title && len(rows) > 0 {
		whole, rows = tidy(rows[0], 55), rows[1:]
	}
	for _, row := range rows {
		row = strings.TrimSpace(row)
		switch {
		case numbered.MatchString(row), len(lines) == 0 && row != "" && !title:
			t := tidy(leading.ReplaceAllString(numbered.ReplaceAllString(row, ""), ""), 55)
			lines = append(lines, planLine{title: t, weight: 2})
		case len(lines) == 0:
		case strings.HasPrefix(row, "Point:"):
			lines[len(lines)-1].point = tidy(strings.TrimPrefix(row, "Point:"), 150)
		case strings.HasPrefix(row, "Weight:"):
			if w := strings.TrimSpace(strings.TrimPrefix(row, "Weight:")); len(w) == 1 && w[0] >= '1' && w[0] <= '3' {
				lines[len(lines)-1].weight = int(w[0] - '0')
			}
		case strings.HasPrefix(row, "- "):
			if beat := tidy(row[2:], 110); beat != "" {
				lines[len(lines)-1].beats = append(lines[len(lines)-1].beats, beat)
			}
		}
	}
	return whole, lines
}

// tidy trims a line and, where the grammar's limit cut it, its last half word.
func tidy(s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	if chars(s) >= limit {
		if i := strings.LastIndexByte(s, ' '); i > len(s)/2 {
			s = s[:i]
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
