// Package rewards says how good a draft is: its length, its format, its
// writing, each in [0, 1]. The same rewards score what the app writes and steer
// what training makes of the model, so they are built to be read and hard to
// cheat: every score names its parts and the passages that cost it something.
//
// Length and Format are pure functions of the prompt and the text. The judges
// of the writing (Checklist, Pairwise, Personal) are handed a Model; this
// package imports none.
//
// Start reading at Set, then Length and Format.
package rewards

import (
	"context"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Form is what a completion was asked to be.
type Form int

const (
	// Plain is a text and nothing more. A closed <think> part at its very start
	// is thinking and is not counted.
	Plain Form = iota
	// OnePass is one <think> part, then one <answer> part, whose closing tag may
	// be missing. The answer alone is counted.
	OnePass
	// Planned is Markdown with the outline's titles as headings, in order.
	Planned
)

// Heading is one section of an outline.
type Heading struct {
	Title string
	Words int // 0: unknown
}

// Prompt is what was asked.
type Prompt struct {
	Text    string
	Min     int       // words wanted of the answer. Both 0: read from Text; only Min: at most a tenth more
	Max     int       //
	Limit   int       // words from which on the length is worth nothing; 0: twice the upper length
	Form    Form      //
	Opened  string    // what the template has written of the answer before the completion begins: "<think>\n"
	Outline []Heading // of a Planned draft
	Seed    uint64    // for what is drawn: whom the pairwise judge compares with
}

// Completion is a text that was written for a prompt.
type Completion struct {
	Text     string // as sampled, tags and all, without the end token
	Finished bool   // it ended by itself; one that was cut off is worth nothing in length and structure
}

// Part is a number behind a score. It need not be in [0, 1]; NaN is unknown.
type Part struct {
	Name  string // "format.repetition"
	Value float64
}

// Span is a passage of the completion that cost its score something.
type Span struct {
	Start, End int // code points of Completion.Text, half open
	Why        string
}

// Score is what a reward says of one completion.
type Score struct {
	Name  string  // of the reward in its Set
	Value float64 // in [0, 1]; NaN: it could not be computed, and Note says why
	Parts []Part
	Spans []Span
	Must  bool   // the completion breaks a constraint that it must keep
	Note  string // for a person
}

// Known says whether the score could be computed.
func (s Score) Known() bool { return !math.IsNaN(s.Value) }

// Part is the value of a part by its name, NaN where there is none.
func (s Score) Part(name string) float64 {
	for _, p := range s.Parts {
		if p.Name == name {
			return p.Value
		}
	}
	return math.NaN()
}

// unknown is a score that could not be computed.
func unknown(format string, args ...any) Score {
	return Score{Value: math.NaN(), Note: fmt.Sprintf(format, args...)}
}

// Reward scores one completion. It is deterministic and keeps nothing of its
// arguments. A bad text is a low score, never an error: errors are failures of
// the machine (a cancelled context, an engine that died).
type Reward interface {
	Score(ctx context.Context, p Prompt, c Completion) (Score, error)
}

// GroupReward judges the completions of one prompt against each other. What its
// Score says of one alone is unknown.
type GroupReward interface {
	Reward
	// ScoreGroup returns one score for each completion, in order.
	ScoreGroup(ctx context.Context, p Prompt, group []Completion) ([]Score, error)
}

// clamp keeps x in [0, 1]; what is not a number counts as 0.
func clamp(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return min(x, 1)
}

// A passage is a span in bytes of the text it was found in.
type passage struct {
	start, end int
	why        string
}

// mostSpans bounds what a score shows: more is no help.
const mostSpans = 40

// spansOf turns passages of the answer, which begins at byte base of text,
// into spans in order, joined where they touch for the same reason.
func spansOf(text string, base int, found []passage) []Span {
	slices.SortStableFunc(found, func(a, b passage) int { return a.start - b.start })
	var joined []passage
	for _, f := range found {
		if n := len(joined) - 1; n >= 0 && joined[n].why == f.why && f.start <= joined[n].end+1 {
			joined[n].end = max(joined[n].end, f.end)
			continue
		}
		joined = append(joined, f)
	}
	if len(joined) > mostSpans {
		joined = joined[:mostSpans]
	}
	spans := make([]Span, 0, len(joined))
	at, chars := 0, 0
	for _, f := range joined {
		from, to := whole(text, max(base+f.start, at)), whole(text, base+f.end)
		chars += utf8.RuneCountInString(text[at:from])
		at = from
		spans = append(spans, Span{Start: chars, End: chars + utf8.RuneCountInString(text[from:max(from, to)]), Why: f.why})
	}
	return spans
}

// whole moves i back to where a character begins.
func whole(text string, i int) int {
	if i = max(min(i, len(text)), 0); i == len(text) {
		return i
	}
	for i > 0 && !utf8.RuneStart(text[i]) {
		i--
	}
	return i
}
