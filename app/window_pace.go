package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A pace measures how fast a draft grows, over the last minute or so. Time
// spent paused does not count.
type pace struct {
	now    func() time.Time
	marks  []paceMark
	paused time.Time // zero: running
	last   int       // words
	words  float64   // a minute, as last said
	said   time.Time
}

type paceMark struct {
	at    time.Time
	words int
}

const (
	paceSpan  = 90 * time.Second
	paceStart = 4 * time.Second // before that, and before ...
	paceWords = 25              // ... so many words, a rate would be a guess
	paceLeap  = 250             // words at once: a draft that goes on tells what it holds
	paceCalm  = time.Second     // a figure that changes faster cannot be read
)

// add notes how many words there are now.
func (p *pace) add(words int) {
	now := p.now()
	if words-p.last > paceLeap || words < p.last-paceLeap {
		p.marks = nil
	}
	p.last = words
	if n := len(p.marks); n > 0 && now.Sub(p.marks[n-1].at) < paceCalm {
		return
	}
	p.marks = append(p.marks, paceMark{now, words})
	for len(p.marks) > 2 && now.Sub(p.marks[0].at) > paceSpan {
		p.marks = p.marks[1:]
	}
}

func (p *pace) pause() { p.paused = p.now() }

func (p *pace) resume() {
	if p.paused.IsZero() {
		return
	}
	gap := p.now().Sub(p.paused)
	for i := range p.marks {
		p.marks[i].at = p.marks[i].at.Add(gap)
	}
	p.paused = time.Time{}
}

// rate is in words a minute; 0 is not known.
func (p *pace) rate() float64 {
	n := len(p.marks)
	if n < 2 {
		return 0
	}
	if now := p.now(); now.Sub(p.said) >= paceCalm {
		first, last := p.marks[0], p.marks[n-1]
		p.words, p.said = 0, now
		if span := last.at.Sub(first.at); span >= paceStart && last.words-first.words >= paceWords {
			p.words = float64(last.words-first.words) / span.Minutes()
		}
	}
	return p.words
}

// phase is what is being done about a draft.
type phase uint8

const (
	phaseNone phase = iota
	phaseRunning
	phasePaused
	phaseStopping
	phaseStopped
	phaseFailed
	phaseFinished
)

// statusLine says in one line how far a draft is.
func statusLine(m *manuscript, ph phase, rate float64) string {
	var say []string
	switch ph {
	case phasePaused:
		say = append(say, "Paused")
	case phaseStopping:
		return "Stopping…"
	case phaseStopped:
		say = append(say, "Stopped")
	case phaseFailed:
		say = append(say, "Broken off")
	case phaseFinished:
		say = append(say, "Finished")
	}
	words, target := m.words(), m.target()
	switch {
	case m.current >= 0 && len(m.sections) > 0:
		say = append(say, fmt.Sprintf("Section %d of %d", m.current+1, len(m.sections)))
	case ph == phaseFinished:
		say = append(say, plural(len(m.sections), "section"))
	case words > 0:
	case len(m.outline.Sections) > 0:
		say = append(say, "Planning", plural(len(m.outline.Sections), "section"))
	case m.thinking.count() > 0:
		say = append(say, "Thinking", "the plan comes next")
	case ph == phaseRunning:
		say = append(say, "Opening the model…")
	}
	if words > 0 {
		say = append(say, fmt.Sprintf("%s of %s words", grouped(words), grouped(target)))
	}
	if rate > 0 && ph == phaseRunning && m.current >= 0 {
		say = append(say, grouped(int(rounded(rate)))+" words a minute")
		if left := float64(target-words) / rate; left > 0 {
			say = append(say, leftover(left))
		}
	}
	if m.finished != nil && m.finished.Flagged > 0 {
		say = append(say, grouped(m.finished.Flagged)+" flagged")
	}
	return strings.Join(say, "  ·  ")
}

// rounded keeps two digits, which is as much as a rate is worth.
func rounded(x float64) float64 {
	if x < 100 {
		return math.Round(x)
	}
	return math.Round(x/10) * 10
}

func leftover(minutes float64) string {
	switch m := int(math.Round(minutes)); {
	case minutes < 0.75:
		return "less than a minute left"
	case m < 60:
		return "about " + plural(max(1, m), "minute") + " left"
	default:
		return fmt.Sprintf("about %d h %02d min left", m/60, m%60)
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(n) + " " + what + "s"
}

// grouped writes 12345 as 12,345.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
