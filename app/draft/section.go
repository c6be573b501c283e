package draft

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of a section's length, as shares of its target.
const (
	enough   = 0.90   // a section the model ends from here on may end
	full     = 0.97   // from here on it ends with the sentence
	tooLong  = 1.10   // here it is cut
	pace     = 1.25   // a turn hands over to the next beat at so much of its share
	forcedIs = 1. / 3 // a section with a larger share of forced words is flagged
	mostMore = 2      // turns "go on" before the end tokens are banned
	mostHard = 3      // turns with the end tokens banned
)

// section writes section k to its end.
func (r *run) section(k int) error {
	s := &r.p.Sections[k]
	if !s.Begun {
		if err := r.commit(SectionBegun{Index: k, Title: r.p.Outline.Sections[k].Title, Target: r.target(k)}); err != nil {
			return err
		}
	}
	for {
		if n := len(s.Turns); n > 0 && s.Turns[n-1].Ended == "" {
			if err := r.write1(k); err != nil {
				return err
			}
		}
		r.catchUp()
		kind, beat, more := r.nextTurn(k)
		if !more {
			break
		}
		if err := r.openTurn(k, kind, beat); err != nil {
			return err
		}
	}
	return r.closeSection(k)
}

// target is the plan's, and a share of what the sections before it missed: at
// most a fifth more, a tenth less.
func (r *run) target(k int) int {
	planned, written := 0, 0
	for i := range k {
		planned += r.p.Outline.Sections[i].Words
		written += CountWords(r.p.Sections[i].Text)
	}
	words := r.p.Outline.Sections[k].Words
	if r.p.Request.Free {
		return words
	}
	extra := (planned - written) / (len(r.p.Sections) - k)
	return words + min(max(extra, -words/10), words/5)
}

// nextTurn decides from the section as it stands what is asked next.
func (r *run) nextTurn(k int) (kind string, beat int, more bool) {
	s, beats := &r.p.Sections[k], len(r.p.Outline.Sections[k].Beats)
	asked, gone, hard, ended, spare := 0, 0, 0, "", 4+s.Target/40
	for _, t := range s.Turns {
		switch t.Kind {
		case "beat":
			asked++
		case "more":
			gone++
		case "forced":
			hard++
		case "room":
			spare--
		}
		ended = t.Ended
	}
	words := CountWords(s.Text[:lastEnd(s.Text)])
	share := float64(words) / float64(max(1, s.Target))
	switch {
	case r.p.Request.Free:
		return "beat", asked, asked < max(1, beats)
	case ended == "full", share >= enough:
		return "", 0, false
	case ended == "room" && spare > 0: // the transcript was full: go on after a compaction
		return "room", asked - 1, true
	case asked < max(1, beats):
		return "beat", asked, true
	case gone < mostMore:
		return "more", gone, true
	case hard < mostHard:
		return "forced", gone + hard, true
	}
	return "", 0, false
}

// openTurn asks the model, after a compaction where the transcript has no room,
// or where the model goes round in a circle and must not read itself doing so.
func (r *run) openTurn(k int, kind string, beat int) error {
	s, plan := &r.p.Sections[k], r.p.Outline.Sections[k]
	need := r.need(k)
	if kind != "beat" || beat > 0 { // mid-section: enough for this turn will do
		need = min(need, 120+int(float64(s.Target)*max(r.p.PerWord, 1))/2, r.info.Context/3)
	}
	if looped := len(s.Turns) > 0 && s.Turns[len(s.Turns)-1].Ended == "loop"; looped || !r.room(need) {
		if err := r.compact(k); err != nil {
			return err
		}
	}
	left := max(s.Target-CountWords(s.Text), 30)
	if r.small() {
		left = left * 3 / 2 // it writes fewer words than it is asked for
	}
	if kind == "beat" {
		answer := ""
		if beat == 0 {
			answer = "### " + plan.Title + "\n\n"
		}
		return r.ask(k, kind, beat, beatPrompt(r.p, k, beat, round10(left/max(1, len(plan.Beats)-beat)), r.small()), answer)
	}
	return r.ask(k, kind, beat, morePrompt(r.p, k, beat, round10(left)), "")
}

// closeSection cuts the section to its last whole sentence and says how it went.
func (r *run) closeSection(k int) error {
	s := &r.p.Sections[k]
	if !r.p.Request.Free && s.lastBy() == Model { // a person may end as they like
		from := 0
		if n := len(s.Turns); n > 0 && s.Turns[n-1].Bytes > 0 {
			from = min(s.Turns[n-1].Start, len(s.Text)) // what stood before the last turn stays
		}
		if err := r.cutTo(k, max(from, lastEnd(s.Text))); err != nil {
			return err
		}
	}
	words := CountWords(s.Text)
	if words == 0 && (k == 0 || r.p.Sections[k-1].Text == "") {
		return fmt.Errorf("draft: the model writes nothing for section %d, \"%s\"; another model, a larger context or other words for the request may help", k+1, r.p.Outline.Sections[k].Title)
	}
	done := SectionDone{Index: k, Words: words, Target: s.Target, ForcedWords: min(s.Forced, words), Flags: []string{}}
	share := float64(words) / float64(max(1, s.Target))
	flag := func(name string, set bool) {
		if set && !r.p.Request.Free {
			done.Flags = append(done.Flags, name)
		}
	}
	flag("short", share < enough)
	flag("long", share > tooLong)
	loops := 0
	for _, t := range s.Turns {
		if t.Ended == "loop" {
			loops++
		}
	}
	flag("loop", loops > len(s.Turns)/2 && share < enough)
	flag("forced", float64(done.ForcedWords) > forcedIs*float64(words))
	r.guard.finish(s.Text)
	return r.commit(done)
}

// lastBy is who wrote the section's last words.
func (s *Section) lastBy() Origin {
	for _, p := range slices.Backward(s.Paragraphs) {
		if n := len(p.Spans); n > 0 {
			return p.Spans[n-1].By
		}
	}
	return Model
}

// cutTo keeps the first n bytes of the section.
func (r *run) cutTo(k, n int) error {
	s := &r.p.Sections[k]
	if kept := strings.TrimRight(s.Text[:n], " \t\r\n"); len(kept) < len(s.Text) {
		return r.commit(Rewind{Index: k, Chars: chars(kept)})
	}
	return nil
}

func round10(n int) int { return max(10, (n+5)/10*10) }
