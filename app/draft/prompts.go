package draft

import (
	"fmt"
	"strings"
)

// What the model is told. Short, since every turn pays for it, and without an
// example that a small model would copy into the text.

const systemText = "You are a writer. You write the text that is asked for, and nothing else."

func thinkPrompt(p *Project, limit int, small bool) string {
	if small { // a small model loses itself in talk about the task
		return requestText(p, limit) + "\n\nWho will read this text, what do they want to know, and what should it tell them first, next and last? Answer in two short paragraphs."
	}
	return fmt.Sprintf("%s\n\nThe text will have about %d words. Before it is planned, think about it: who reads it and why, what it must hold, in which order, in which voice, and what to avoid. Think in a few short plain paragraphs. Do not write the text yet.", requestText(p, limit), p.Target)
}

// titlesPrompt asks for n titles: of the parts of the whole, or of the sections
// of a part or of a whole without parts.
func titlesPrompt(p *Project, limit, n int, part *Part, small bool) string {
	var b strings.Builder
	b.WriteString(requestText(p, limit) + thoughts(p, small))
	if part == nil {
		fmt.Fprintf(&b, "\n\nList %d different chapter titles for this text, and a title for the whole.", n)
		return b.String()
	}
	if part.Title != "" {
		fmt.Fprintf(&b, "\n\nThe text is called \"%s\" and has these parts:\n", p.Parts.Title)
		for _, q := range p.Parts.Parts {
			b.WriteString("- " + q.Title + "\n")
		}
	}
	if done := p.Outline.Sections; len(done) > 0 {
		b.WriteString("\nThese chapters are there already:\n")
		for _, s := range done[max(0, len(done)-2*partSections):] {
			b.WriteString("- " + s.Title + "\n")
		}
	}
	if part.Title != "" {
		fmt.Fprintf(&b, "\nList %d different chapter titles for the part \"%s\".", n, part.Title)
	} else {
		fmt.Fprintf(&b, "\nList %d more chapter titles, all different.", n)
	}
	return b.String()
}

// sectionPlanPrompt asks for the beats, as headings, the point and the weight of
// a section.
func sectionPlanPrompt(p *Project, limit int, o *Outline, title, part string, beats int, small bool) string {
	var b strings.Builder
	b.WriteString(requestText(p, limit) + thoughts(p, small))
	fmt.Fprintf(&b, "\n\nThe text is called \"%s\".", o.Title)
	if part != "" {
		fmt.Fprintf(&b, " One of its parts is called \"%s\".", part)
	}
	if beats > 0 {
		fmt.Fprintf(&b, " List %d different headings for its chapter \"%s\".", beats, title)
	} else {
		fmt.Fprintf(&b, " One of its chapters is called \"%s\".", title)
	}
	if !small {
		b.WriteString(" Then say in one sentence what the chapter tells, and its weight from 1 (short) to 3 (long).")
	}
	return b.String()
}

func againPrompt(title string) string {
	return fmt.Sprintf("There is a chapter like \"%s\" already. Give the title of another chapter in its place.", title)
}

// requestText is the request with its style notes, of each at most so many words.
func requestText(p *Project, limit int) string {
	text := firstWords(p.Request.Prompt, limit)
	if p.Request.Language != "" {
		text += "\nWrite in " + p.Request.Language + "."
	}
	if p.Request.Style != "" {
		text += "\nStyle: " + firstWords(p.Request.Style, limit/2)
	}
	return text
}

// thoughts is what the plan sees of the thinking. A small model takes it for the
// text and goes on with that.
func thoughts(p *Project, small bool) string {
	if p.Thinking == "" || small {
		return ""
	}
	return "\n\nThoughts: " + firstWords(p.Thinking, 250)
}

// beatPrompt asks for one beat of section k; words is how many.
func beatPrompt(p *Project, k, beat, words int, small bool) string {
	s, n := p.Outline.Sections[k], len(p.Outline.Sections)
	var b strings.Builder
	switch {
	case small: // it needs the task whole and in few words, each time
		fmt.Fprintf(&b, "%s The chapter is called \"%s\".", stop(firstWords(p.Request.Prompt, 40)), s.Title)
	case beat == 0:
		fmt.Fprintf(&b, "Write section %d of %d, called \"%s\". %s", k+1, n, s.Title, stop(s.Point))
	default:
		fmt.Fprintf(&b, "Go on with the section \"%s\".", s.Title)
	}
	if len(s.Beats) == 0 {
		fmt.Fprintf(&b, " Write about %d words.", words)
	} else {
		fmt.Fprintf(&b, " Write about %d words on this: %s", words, stop(s.Beats[min(beat, len(s.Beats)-1)]))
	}
	return b.String() + bearing(p, k, beat, small)
}

// bearing says what comes next, so that the text neither ends early nor runs ahead.
func bearing(p *Project, k, beat int, small bool) string {
	s := p.Outline.Sections[k]
	switch {
	case small && k+1 < len(p.Outline.Sections):
		return ""
	case beat+1 < len(s.Beats):
		return fmt.Sprintf(" Next comes: %s. Do not conclude.", s.Beats[beat+1])
	case k+1 < len(p.Outline.Sections):
		return fmt.Sprintf(" The next section is called \"%s\". Do not conclude.", p.Outline.Sections[k+1].Title)
	}
	return " Conclude the whole text."
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
