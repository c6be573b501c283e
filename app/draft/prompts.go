package draft

import (
	"fmt"
	"strings"
)

// What the model is told. Short, since every turn pays for it, and without an
// example that a small model would copy into the text.

const systemText = "You are a writer at work on one long document. You write finished prose for its readers, part by part, and nothing else: no remarks about the task, no headings, no lists of what you will do."

func thinkPrompt(p *Project) string {
	return fmt.Sprintf("%s\n\nThe document will have about %d words. Before planning it, think: who reads it and why, what it must hold, what it tells in which order, which voice fits, what to avoid. Think in short plain paragraphs; do not write the document yet.", requestText(p, 0), p.Target)
}

func partsPrompt(p *Project, n, sections int) string {
	return fmt.Sprintf("%s%s\n\nPlan this document of about %d words. It has %d parts with %d sections in all. Write the title of the whole, then the %d parts in their order: for each its title, and its point in one sentence. Every part is about something of its own; no two titles are alike.",
		requestText(p, 0), thoughts(p), p.Target, n, sections, n)
}

func planPrompt(p *Project, first, last, beats int, part *Part) string {
	var b strings.Builder
	b.WriteString(requestText(p, 0) + thoughts(p))
	if len(p.Parts.Parts) > 0 {
		fmt.Fprintf(&b, "\n\nThe document is called \"%s\". Its parts:\n", p.Parts.Title)
		for i, q := range p.Parts.Parts {
			fmt.Fprintf(&b, "%d. %s\n", i+1, q.Title)
		}
	}
	if n := len(p.Outline.Sections); n > 0 {
		b.WriteString("\n\nPlanned so far:\n")
		for _, s := range p.Outline.Sections[max(0, n-2*partSections):] {
			fmt.Fprintf(&b, "- %s\n", s.Title)
		}
	}
	if part != nil {
		fmt.Fprintf(&b, "\nNow plan the part \"%s\": %s\n", part.Title, part.Point)
	}
	fmt.Fprintf(&b, "\n\nPlan sections %d to %d of this document of about %d words. For each write its title, its point in one sentence, and its weight from 1 (short) to 3 (long)", first, last, p.Target)
	if beats > 0 {
		fmt.Fprintf(&b, ", then %d things it tells, in their order", beats)
	}
	b.WriteString(". Each section brings something new; no two titles are alike.")
	return b.String()
}

func againPrompt(title, point string) string {
	return fmt.Sprintf("There is a section like \"%s\" already. Write another section in its place: another title and another point than \"%s\".", title, point)
}

func requestText(p *Project, limit int) string {
	prompt := p.Request.Prompt
	if limit > 0 {
		prompt = firstWords(prompt, limit)
	}
	text := "The request: " + strings.TrimSpace(prompt)
	if p.Request.Language != "" {
		text += "\nWrite in " + p.Request.Language + "."
	}
	if p.Request.Style != "" {
		style := p.Request.Style
		if limit > 0 {
			style = firstWords(style, limit)
		}
		text += "\nStyle: " + strings.TrimSpace(style)
	}
	return text
}

func thoughts(p *Project) string {
	if p.Thinking == "" {
		return ""
	}
	return "\n\nThoughts: " + firstWords(p.Thinking, 250)
}

// beatPrompt asks for one beat of section k; words is how many.
func beatPrompt(p *Project, k, beat, words int) string {
	s := p.Outline.Sections[k]
	var b strings.Builder
	if beat == 0 {
		fmt.Fprintf(&b, "Section %d of %d: \"%s\". %s\n", k+1, len(p.Outline.Sections), s.Title, stop(s.Point))
	}
	what := s.Point
	if beat < len(s.Beats) {
		what = s.Beats[beat]
	}
	switch {
	case len(s.Beats) == 0:
		fmt.Fprintf(&b, "Write it in about %d words.", words)
	case beat == 0:
		fmt.Fprintf(&b, "Begin with this, in about %d words: %s", words, stop(what))
	default:
		fmt.Fprintf(&b, "Go on with this, in about %d words: %s", words, stop(what))
	}
	b.WriteString(" " + bearing(p, k, beat))
	return b.String()
}

// bearing says what comes next, so that the text neither ends early nor runs ahead.
func bearing(p *Project, k, beat int) string {
	s := p.Outline.Sections[k]
	switch {
	case beat+1 < len(s.Beats):
		return "Do not conclude."
	case k+1 < len(p.Outline.Sections):
		return fmt.Sprintf("The next section is \"%s\"; do not conclude.", p.Outline.Sections[k+1].Title)
	}
	return "This is the end of the document: conclude it."
}

// asks are ways to go on when a section is short and has no beat left: each
// looks at the matter from another side.
var asks = []string{
	"Go on with what is not yet told about \"%s\", in about %d words. Say nothing again.",
	"Add a scene, an example or a case that shows \"%s\", in about %d words. Say nothing again.",
	"Look closely at one detail of \"%s\" that has not been told, in about %d words.",
	"Tell what follows from \"%s\", and for whom, in about %d words.",
	"Tell what stands against \"%s\", and how that is met, in about %d words.",
}

func morePrompt(p *Project, k, nth, words int) string {
	return fmt.Sprintf(asks[nth%len(asks)], p.Outline.Sections[k].Title, max(words, 40))
}

func summaryPrompt(title string) string {
	return fmt.Sprintf("For your notes only: what did the section \"%s\" tell? Answer in one sentence of at most 25 words.", title)
}

func condensePrompt(texts []string) string {
	return "Say in at most 50 words what these lines tell together:\n" + strings.Join(texts, "\n")
}

const notesPrompt = "For your notes only: list the people, places, facts and open promises of the text so far that later sections must keep to. One short line each, at most eight lines."

func rangePrompt(prompt string) string {
	return "A reader asks for this text: " + strings.TrimSpace(prompt) + "\n\nHow many words should it have? Judge what is really asked for: help to begin a thesis is 400 to 800 words, not a thesis. Both bounds are multiples of 100, at most 12000, and at most 3000 apart. Answer with the lower and the upper bound."
}

func stop(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || endsSentence(s) {
		return s
	}
	return s + "."
}
