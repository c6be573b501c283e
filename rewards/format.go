package rewards

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// Format scores how a text is made:
//
//	structure x (1 - repetition)
//	structure  = form x markdown x prose
//	repetition = min(1, what is said again in the same words (repeats)
//	                    + the share of paragraphs that say an earlier one again)
//
// Form is 1 for one <think> part and then one <answer> part where that was
// asked, the share of the outline's sections that are there, in order, for a
// planned draft, and 1 for a plain text. What was cut off, and an empty answer,
// has no structure.
type Format struct {
	// Overlap, where set, finds paragraphs that say the same in other words.
	Overlap *Overlap
}

// Score implements Reward.
func (f Format) Score(ctx context.Context, p Prompt, c Completion) (Score, error) {
	b := bodyOf(p, c.Text)
	lines, open := linesOf(b.text)
	marks := scan(b.text)
	again := repeats(b.text, lines, marks)
	form := formOf(p, c, b, lines)
	markdown := markdownOf(p, b.text, lines, open)
	prose := proseOf(p, b.text, lines, marks)
	overlap, err := f.overlap(ctx, b.text, paragraphsOf(lines, marks))
	if err != nil {
		return Score{}, err
	}
	structure := form.value * markdown.value * prose.value
	repetition := again.value
	if !math.IsNaN(overlap.value) {
		repetition = clamp(repetition + overlap.value)
	}
	s := Score{
		Value: clamp(structure * (1 - repetition)),
		Parts: []Part{
			{"format.structure", structure},
			{"format.repetition", repetition},
			{"format.form", form.value},
			{"format.markdown", markdown.value},
			{"format.prose", prose.value},
			{"format.grams", again.grams},
			{"format.local", again.local},
			{"format.lines", again.lines},
			{"format.far", again.far},
			{"format.polaris", again.penalty},
			{"format.overlap", overlap.value},
		},
	}
	s.Parts = append(s.Parts, prose.parts...)
	places := append(append(append(form.places, markdown.places...), prose.places...), again.places...)
	s.Spans = spansOf(c.Text, b.start, append(places, overlap.places...))
	return s, nil
}

// A finding is one side of a text: 1 where nothing is wrong with it.
type finding struct {
	value  float64
	parts  []Part
	places []passage // bytes of the answer
}

// costs lowers the value by a factor for a reason.
func (f *finding) costs(factor float64, places ...passage) {
	f.value *= clamp(factor)
	f.places = append(f.places, places...)
}

// formOf says whether the text has the form that was asked for.
func formOf(p Prompt, c Completion, b body, lines []line) finding {
	f := finding{value: 1}
	switch {
	case !c.Finished:
		f.costs(0, passage{len(b.text), len(b.text), "cut off before its end"})
	case strings.TrimSpace(b.text) == "":
		f.costs(0)
	case p.Form == OnePass && !b.tagged:
		f.costs(0)
	case p.Form == Planned && len(p.Outline) > 0:
		share, places := sectionsOf(p.Outline, b.text, lines)
		f.costs(share, places...)
	}
	for _, m := range b.marred {
		f.places = append(f.places, passage{m.start - b.start, m.end - b.start, m.why})
	}
	return f
}

// sectionsOf is the share of the outline's sections that stand in the text, in
// order: the longest run of headings that follows the outline. A heading with
// no text under it, or with less than a tenth of what was planned, is none.
func sectionsOf(outline []Heading, text string, lines []line) (share float64, places []passage) {
	where := map[string][]int{} // a title's places in the outline
	for i, h := range outline {
		where[titleKey(h.Title)] = append(where[titleKey(h.Title)], i)
	}
	var found []int // places in the outline, as the text has them
	seen := map[int]bool{}
	for k, l := range lines {
		if l.kind != headingLine && !boldLine(text[l.start:l.end]) {
			continue
		}
		for _, i := range where[titleKey(text[l.start:l.end])] {
			if seen[i] {
				continue
			}
			if n := wordsBelow(text, lines, k, outline[i].Title); n == 0 || 10*n < outline[i].Words {
				places = append(places, passage{l.start, l.end, "a heading with hardly any text under it"})
				break
			}
			seen[i] = true
			found = append(found, i)
			break
		}
	}
	kept := rising(found)
	missing := map[int]bool{}
	for i := range outline {
		missing[i] = true
	}
	for _, i := range kept {
		delete(missing, i)
	}
	for i := range outline {
		if missing[i] {
			why := "missing: section “" + head(outline[i].Title, 80) + "”"
			if seen[i] {
				why = "out of order: section “" + head(outline[i].Title, 80) + "”"
			}
			places = append(places, passage{len(text), len(text), why})
		}
	}
	return float64(len(kept)) / float64(len(outline)), places
}

// wordsBelow counts the words from line k to the next heading of its level or
// above, headings aside.
func wordsBelow(text string, lines []line, k int, title string) int {
	end := len(text)
	for i := k + 1; i < len(lines); i++ {
		if lines[i].kind == headingLine && (lines[i].level <= lines[k].level || lines[k].kind != headingLine) {
			end = lines[i].start
			break
		}
	}
	return wordsOf(text[lines[k].end:end])
}

func boldLine(s string) bool {
	s = strings.TrimRight(strings.TrimSpace(s), ":")
	return len(s) > 4 && (strings.HasPrefix(s, "**") && strings.HasSuffix(s, "**") || strings.HasPrefix(s, "__") && strings.HasSuffix(s, "__"))
}

// titleKey is a title as it is compared: its words in lower case, without a
// number in front ("3.", "Chapter 3:", "第三章").
func titleKey(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !wordRune(r) })
	numbered := func(w string) bool {
		return strings.Trim(w, "0123456789") == "" || len(w) <= 4 && strings.Trim(w, "ivxlc") == ""
	}
	for len(words) > 1 {
		w := words[0]
		switch {
		case numbered(w) && len(w) < 4:
			words = words[1:]
		case len(words) > 2 && has(asking["things"], w) && numbered(words[1]):
			words = words[2:]
		case strings.HasPrefix(w, "第") && (strings.HasSuffix(w, "章") || strings.HasSuffix(w, "节") || strings.HasSuffix(w, "部分")):
			words = words[1:]
		default:
			return strings.Join(words, " ")
		}
	}
	return strings.Join(words, " ")
}

// rising is the longest rising run in a list of different numbers, skips allowed.
func rising(list []int) []int {
	last := make([]int, 0, len(list)) // of the best run of each length, the place of its end
	from := make([]int, len(list))
	for i, x := range list {
		k := 0
		for k < len(last) && list[last[k]] < x {
			k++
		}
		from[i] = -1
		if k > 0 {
			from[i] = last[k-1]
		}
		if k == len(last) {
			last = append(last, i)
		} else {
			last[k] = i
		}
	}
	if len(last) == 0 {
		return nil
	}
	run := make([]int, len(last))
	for k, i := len(last)-1, last[len(last)-1]; i >= 0; k, i = k-1, from[i] {
		run[k] = list[i]
	}
	return run
}

// overlap is the share of paragraphs that say an earlier one again, NaN where
// there is no embedder.
func (f Format) overlap(ctx context.Context, text string, paragraphs []paragraph) (finding, error) {
	if f.Overlap == nil {
		return finding{value: math.NaN()}, nil
	}
	again, err := f.Overlap.saidAgain(ctx, text, paragraphs)
	if err != nil {
		return finding{}, fmt.Errorf("embed the paragraphs: %w", err)
	}
	if again == nil { // a language that was not measured
		return finding{value: math.NaN()}, nil
	}
	out := finding{}
	words, repeated := 0, 0
	for i, p := range paragraphs {
		words += p.words
		if again[i] >= 0 {
			repeated += p.words
			out.places = append(out.places, passage{p.start, p.end, fmt.Sprintf("says again what paragraph %d says", again[i]+1)})
		}
	}
	if words > 0 {
		out.value = float64(repeated) / float64(words)
	}
	return out, nil
}
