package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"longhand/rewards"
)

// scored is the line of "longhand score --json".
type scored struct {
	Words    int                 `json:"words"`
	MinWords *int                `json:"min_words"`
	MaxWords *int                `json:"max_words"`
	Total    *float64            `json:"total"`
	Rewards  map[string]*float64 `json:"rewards"`
	Parts    map[string]*float64 `json:"parts"`
	Spans    []scoredSpan        `json:"spans"`
	Judge    *string             `json:"judge"`
	Notes    map[string]string   `json:"notes"` // by reward
}

type scoredSpan struct {
	Reward string `json:"reward"`
	Start  int    `json:"start"` // code points of the draft
	End    int    `json:"end"`
	Why    string `json:"why"`
}

func scoreLine(s rewards.Scores, judge string) scored {
	out := scored{Total: orNull(s.Total), Rewards: map[string]*float64{"length": nil, "format": nil, "writing": nil}, Parts: map[string]*float64{}, Spans: []scoredSpan{}, Notes: map[string]string{}}
	if judge != "" {
		out.Judge = &judge
	}
	for _, r := range s.Rewards {
		out.Rewards[r.Name] = orNull(r.Value)
		for _, p := range r.Parts {
			out.Parts[p.Name] = orNull(p.Value)
		}
		for _, p := range r.Spans {
			out.Spans = append(out.Spans, scoredSpan{r.Name, p.Start, p.End, p.Why})
		}
		if r.Note != "" {
			out.Notes[r.Name] = r.Note
		}
		if r.Name == "length" {
			out.Words, out.MinWords, out.MaxWords = wordsPart(r, "length.words"), optionalPart(r, "length.min"), optionalPart(r, "length.max")
		}
	}
	return out
}

func wordsPart(r rewards.Score, part string) int {
	if n := optionalPart(r, part); n != nil {
		return *n
	}
	return 0
}

func optionalPart(r rewards.Score, part string) *int {
	x := r.Part(part)
	if math.IsNaN(x) {
		return nil
	}
	n := int(x)
	return &n
}

// showScores prints a report for a person.
func showScores(w io.Writer, text string, s rewards.Scores, judge string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "total    %s\n", value(s.Total))
	for _, r := range s.Rewards {
		fmt.Fprintf(&b, "\n%-8s %s  %s\n", r.Name, value(r.Value), summary(r, judge))
		for _, p := range r.Parts {
			if q, ok := strings.CutPrefix(p.Name, "writing: "); ok {
				fmt.Fprintf(&b, "         %s  %s\n", value(p.Value), q)
			} else if name, ok := strings.CutPrefix(p.Name, "format."); ok && name != "structure" && name != "repetition" && tells(name, p.Value) {
				fmt.Fprintf(&b, "         %s  %s\n", value(p.Value), partNames[name])
			}
		}
		for _, p := range r.Spans {
			fmt.Fprintf(&b, "         %s\n", showSpan(text, p))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// partNames say for a person what the parts of the format are.
var partNames = map[string]string{
	"form":       "has the form that was asked for",
	"markdown":   "Markdown is whole",
	"paragraphs": "paragraphs can be read",
	"lists":      "is more than lists",
	"copied":     "does not copy the prompt",
	"language":   "is in the language that was asked for",
	"stuffed":    "does not stuff words",
	"salad":      "words make sentences",
	"novelty":    "goes on to say new things",
	"ending":     "ends with a whole sentence",
	"lines":      "of the lines stand twice",
	"far":        "of the words stand already, much earlier",
	"overlap":    "of the words say an earlier paragraph again",
}

// tells says whether a part is worth a line: it costs something.
func tells(name string, x float64) bool {
	switch name {
	case "lines", "far", "overlap":
		return x > 0.005
	}
	return partNames[name] != "" && x < 0.995
}

func value(x float64) string {
	if math.IsNaN(x) {
		return "   –"
	}
	return fmt.Sprintf("%.2f", x)
}

// summary is the line behind a reward's value.
func summary(r rewards.Score, judge string) string {
	switch {
	case r.Name == "length" && r.Known():
		s := fmt.Sprintf("%d words, wanted %d to %d", wordsPart(r, "length.words"), wordsPart(r, "length.min"), wordsPart(r, "length.max"))
		if r.Note != "" {
			s += " (" + r.Note + ")"
		}
		return s
	case r.Name == "length":
		return fmt.Sprintf("%d words; %s", wordsPart(r, "length.words"), r.Note)
	case r.Name == "format":
		return fmt.Sprintf("structure %.2f, repetition %.2f", r.Part("format.structure"), r.Part("format.repetition"))
	case r.Note != "":
		return r.Note
	}
	return "judged by " + judge
}

// showSpan is a passage with its line: the first words of it.
func showSpan(text string, s rewards.Span) string {
	from, to := offset(text, s.Start), offset(text, s.End)
	at := fmt.Sprintf("line %d: %s", 1+strings.Count(text[:from], "\n"), s.Why)
	passage := strings.Join(strings.Fields(text[from:to]), " ")
	if passage == "" {
		return at
	}
	if short := head(passage, 60); short != passage {
		passage = short + "…"
	}
	return at + ": “" + passage + "”"
}

// offset is the byte of a code point.
func offset(text string, chars int) int {
	at := 0
	for ; chars > 0 && at < len(text); chars-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}
