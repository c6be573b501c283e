package main

import (
	"testing"
	"time"

	"longhand/app/draft"
)

func TestPaceLeavesPausesOut(t *testing.T) {
	now := time.Unix(1000, 0)
	p := &pace{now: func() time.Time { return now }}
	words := 0
	write := func(seconds int) {
		for range seconds {
			now = now.Add(time.Second)
			words += 5
			p.add(words)
		}
	}
	write(2)
	if r := p.rate(); r != 0 {
		t.Errorf("after two seconds the rate is %v, which is a guess", r)
	}
	write(20)
	if r := p.rate(); r < 299 || r > 301 {
		t.Errorf("the rate is %v, want 300", r)
	}
	p.pause()
	now = now.Add(10 * time.Minute)
	p.resume()
	write(20)
	if r := p.rate(); r < 285 || r > 301 {
		t.Errorf("after a pause the rate is %v, want 300", r)
	}
	words += 5000 // a draft that goes on tells what it holds
	write(10)
	if r := p.rate(); r < 299 || r > 301 {
		t.Errorf("after a retold draft the rate is %v, want 300", r)
	}
}

func TestStatusLine(t *testing.T) {
	m := newManuscript()
	check := func(ph phase, rate float64, want string) {
		t.Helper()
		if got := statusLine(m, ph, rate); got != want {
			t.Errorf("says %q\nwant %q", got, want)
		}
	}
	check(phaseRunning, 0, "Opening the model…")
	m.apply(draft.Started{ID: "a", Target: 1200})
	m.apply(draft.Think{Text: "Hm."})
	check(phaseRunning, 0, "Thinking  ·  the plan comes next")
	m.apply(draft.Outline{Sections: []draft.SectionPlan{{Words: 600}, {Index: 1, Words: 600}}})
	check(phaseRunning, 0, "Planning  ·  2 sections")
	m.apply(draft.SectionBegun{Title: "A", Target: 600})
	m.apply(draft.Text{Text: "One two three."})
	check(phaseRunning, 0, "Section 1 of 2  ·  3 of 1,200 words")
	check(phaseRunning, 412, "Section 1 of 2  ·  3 of 1,200 words  ·  410 words a minute  ·  about 3 minutes left")
	check(phasePaused, 412, "Paused  ·  Section 1 of 2  ·  3 of 1,200 words")
	check(phaseStopped, 412, "Stopped  ·  Section 1 of 2  ·  3 of 1,200 words")
	check(phaseStopping, 412, "Stopping…")
	m.apply(draft.Finished{Flagged: 1})
	check(phaseFinished, 412, "Finished  ·  2 sections  ·  3 of 1,200 words  ·  1 flagged")
}

func TestFiguresAreReadable(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1200: "-1,200"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %s", n, got)
		}
	}
	for m, want := range map[float64]string{0.5: "less than a minute left", 1: "about 1 minute left", 59.4: "about 59 minutes left", 125: "about 2 h 05 min left"} {
		if got := leftover(m); got != want {
			t.Errorf("leftover(%v) = %s", m, got)
		}
	}
}
