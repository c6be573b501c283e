package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"longhand/app/draft"
)

// progress tells a person what a draft is doing, on one line of a terminal;
// where nobody watches, in a line for each section.
type progress struct {
	w        io.Writer
	live     bool
	quiet    bool
	shown    bool
	last     time.Time
	began    time.Time // of the writing
	sections int
	index    int
	title    string
	target   int            // words of the whole
	begun    int            // words that were there before this run
	done     int            // words of finished sections
	texts    map[int]string // sections that are being written
	thought  int
	outline  draft.Outline // until it was said
}

func newProgress(w io.Writer, json bool) *progress {
	live := terminal(w)
	return &progress{w: w, live: live, quiet: json && !live, texts: map[int]string{}}
}

// resume takes over what a draft holds already.
func (p *progress) resume(d *draft.Project) {
	p.target, p.sections = d.Target, len(d.Outline.Sections)
	for i, s := range d.Sections {
		if s.Done {
			p.done += draft.CountWords(s.Text)
		} else if s.Text != "" {
			p.texts[i] = s.Text
		}
	}
	p.begun = d.Words()
}

func (p *progress) event(ev draft.Event) {
	if p.quiet {
		return
	}
	switch ev := ev.(type) {
	case draft.Started:
		p.target = ev.Target
		verb := "draft"
		if ev.Resumed {
			verb = "going on with draft"
		}
		p.say("%s %s: %s on %s, %d tokens of context", verb, ev.ID, base(ev.Model), ev.Device, ev.Context)
	case draft.Think:
		p.thought += draft.CountWords(ev.Text)
		p.bar("thinking … %d words", p.thought)
	case draft.Outline: // it grows, event by event
		p.outline, p.sections = ev, len(ev.Sections)
		p.bar("planning … %d sections", p.sections)
	case draft.SectionBegun:
		p.sayOutline()
		p.index, p.title = ev.Index, ev.Title
		if p.began.IsZero() {
			p.began = time.Now()
		}
	case draft.Text:
		p.texts[ev.Index] += ev.Text
		p.rate()
	case draft.Rewind:
		p.texts[ev.Index] = head(p.texts[ev.Index], ev.Chars)
	case draft.Engine:
		if ev.State == "restarted" {
			p.say("the engine was started again; the draft goes on where it was")
		}
	case draft.SectionDone:
		p.done += ev.Words
		delete(p.texts, ev.Index)
		if !p.live {
			p.say("section %d of %d: %d words of %d%s", ev.Index+1, p.sections, ev.Words, ev.Target, flagged(ev.Flags))
		} else if len(ev.Flags) > 0 {
			p.say("section %d, “%s”%s", ev.Index+1, p.title, flagged(ev.Flags))
		}
	case draft.Finished:
		p.say("%d words of %d in %s%s", ev.Words, ev.Target, round(ev.Seconds), flagged(ev.Flags))
	}
}

// sayOutline says the plan, once it is whole.
func (p *progress) sayOutline() {
	if o := p.outline; len(o.Sections) > 0 {
		p.outline, p.target = draft.Outline{}, o.Words()
		p.say("“%s”: %d sections, %d words", o.Title, len(o.Sections), p.target)
	}
}

// rate draws the line while a section is written.
func (p *progress) rate() {
	if !p.live || time.Since(p.last) < 200*time.Millisecond {
		return
	}
	words := p.done
	for _, t := range p.texts {
		words += draft.CountWords(t)
	}
	took := time.Since(p.began)
	left := "…"
	perMinute := 0.0
	if wrote := words - p.begun; wrote > 20 && took > time.Second {
		perMinute = float64(wrote) / took.Minutes()
		left = round(took.Seconds() / float64(wrote) * float64(max(0, p.target-words)))
	}
	p.bar("section %d of %d  %s  %d of %d words  %.0f words/min  %s left", p.index+1, p.sections, meter(words, p.target), words, p.target, perMinute, left)
}

func (p *progress) bar(format string, args ...any) {
	if !p.live {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
	p.shown = true
}

func (p *progress) say(format string, args ...any) {
	p.close()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// finish ends the telling.
func (p *progress) finish() {
	if !p.quiet {
		p.sayOutline()
	}
	p.close()
}

// close ends the line that is drawn over.
func (p *progress) close() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

func meter(n, of int) string {
	const width = 24
	full := min(width, width*n/max(1, of))
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

func flagged(flags []string) string {
	if len(flags) == 0 {
		return ""
	}
	return " (" + strings.Join(flags, ", ") + ")"
}

func round(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if s := d.String(); strings.HasSuffix(s, "m0s") {
		return strings.TrimSuffix(s, "0s")
	}
	return d.String()
}

func base(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

func head(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
