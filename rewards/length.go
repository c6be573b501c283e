package rewards

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/clipperhouse/uax29/v2/words"
)

// Length scores the number of words against the range that was asked for. A
// range that the prompt does not state is read from its text.
//
//	1                 min <= n <= max
//	n/min             n < min
//	(M-n)/(M-max)     n > max, 0 from M on; M = 2 max unless given
//
// What was cut off is worth 0. Without any range the score is unknown. The parts
// length.longbench are LongBench-Write's score (SL) for the middle of the range.
type Length struct {
	// Range, where set, is asked for prompts that neither state a range nor name
	// one in their text.
	Range func(ctx context.Context, prompt string) (Range, error)
}

// A Range is a wanted number of words.
type Range struct {
	Min, Max   int
	Unit       string // what the prompt counted: "words", "characters", "pages"
	Start, End int    // where it says so, in code points; both 0: it does not
}

// maxWords bounds a range: above it a number is not a length.
const maxWords = 10_000_000

// Score implements Reward.
func (l Length) Score(ctx context.Context, p Prompt, c Completion) (Score, error) {
	r, err := l.wanted(ctx, p)
	if err != nil {
		return Score{}, err
	}
	b := bodyOf(p, c.Text)
	n := wordsOf(b.text)
	if r.Max == 0 {
		s := unknown("the prompt asks for no length")
		s.Parts = []Part{{"length.words", float64(n)}, {"length.min", math.NaN()}, {"length.max", math.NaN()}}
		return s, nil
	}
	theirs := CountLongBench(b.text)
	s := Score{
		Value: LengthValue(n, r.Min, r.Max, p.Limit),
		Parts: []Part{
			{"length.words", float64(n)},
			{"length.min", float64(r.Min)},
			{"length.max", float64(r.Max)},
			{"length.longbench_words", float64(theirs)},
			{"length.longbench", SL((r.Min+r.Max)/2, theirs) / 100},
		},
	}
	if r.Unit == "guess" {
		s.Note = fmt.Sprintf("the judge guesses that %d to %d words are wanted", r.Min, r.Max)
	}
	why := ""
	switch {
	case !c.Finished:
		s.Value, why = 0, "cut off before its end"
	case n < r.Min:
		why = fmt.Sprintf("ends %d words short of %d", r.Min-n, r.Min)
	case n > r.Max:
		why = fmt.Sprintf("%d words beyond %d", n-r.Max, r.Max)
	}
	if why != "" {
		end := len(b.text)
		from := end
		if n > r.Max {
			from = wordEnd(b.text, r.Max)
		}
		s.Spans = spansOf(c.Text, b.start, []passage{{from, end, why}})
	}
	return s, nil
}

// wanted is the range of a prompt, a zero Max where there is none.
func (l Length) wanted(ctx context.Context, p Prompt) (Range, error) {
	if r := p.stated(); r.Max > 0 {
		return r, nil
	}
	if r, ok := Wanted(p.Text); ok {
		return r, nil
	}
	if l.Range == nil {
		return Range{}, nil
	}
	r, err := l.Range(ctx, p.Text)
	if err != nil {
		return Range{}, err
	}
	if r.Max < 0 || r.Min < 0 || r.Max < r.Min || r.Max > maxWords {
		r = Range{}
	}
	return r, nil
}

// stated is the range that the prompt's numbers state.
func (p Prompt) stated() Range {
	low, high := min(max(p.Min, 0), maxWords), min(max(p.Max, 0), maxWords)
	if high == 0 {
		high = low + low/10
	}
	return Range{Min: min(low, high), Max: high, Unit: "words"}
}

// LengthValue is the formula of Length for n words. A limit at or below upper,
// 0 too, is taken as twice upper.
func LengthValue(n, lower, upper, limit int) float64 {
	if limit <= upper {
		limit = 2 * upper
	}
	switch {
	case n < lower:
		return clamp(float64(n) / float64(lower))
	case n <= upper:
		return 1
	case n >= limit:
		return 0
	}
	return clamp(float64(limit-n) / float64(limit-upper))
}

// wordEnd is the byte offset behind the n-th word of text, headings aside.
func wordEnd(text string, n int) int {
	lines, _ := linesOf(text)
	for _, l := range lines {
		if l.kind == headingLine {
			continue
		}
		here := CountWords(text[l.start:l.end])
		if n -= here; n > 0 {
			continue
		}
		n += here
		for at := l.start; at < l.end; {
			end := at
			for end < l.end && isSpace(text[end]) {
				end++
			}
			for end < l.end && !isSpace(text[end]) {
				end++
			}
			piece := CountWords(text[at:end])
			if n <= piece {
				return at + pieceEnd(text[at:end], n)
			}
			n, at = n-piece, end
		}
		return l.end
	}
	return len(text)
}

// pieceEnd is where the n-th word of a text of one piece ends.
func pieceEnd(text string, n int) int {
	at := 0
	for seg := words.FromString(strings.ToValidUTF8(text, "?")); n > 0 && seg.Next(); {
		n -= weight(seg.Value())
		at += len(seg.Value())
	}
	return min(at, len(text))
}
