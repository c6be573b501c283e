package draft

import (
	"math"
	"strings"

	"longhand/engine"
)

// pen writes one open turn, sentence by sentence: a sentence that the guard
// refuses is taken back and written again with other random numbers. All that
// it must remember is in the turn's records, so that a draft which goes on after
// a kill goes on as it would have.
type pen struct {
	*run
	k     int
	s     *Section
	t     *Turn
	limit int // words of the section at which the turn hands over; 0: none
	words int // of the section, up to the last boundary
}

const (
	mostTries   = 3   // for one sentence
	mostPending = 300 // tokens without the end of a sentence
	earlyEnd    = 0.8 // of its share: a turn that ends before is asked again
	mostFree    = 3   // a free turn is stopped at so many times its share
	mostPass    = 2   // a one-pass draft is stopped at so many times its length
)

// turnMarks end a turn where they are written out: a base model's next turn, the
// end of a one-pass answer.
var turnMarks = []string{"<|user|>", "</answer>"}

// write1 writes section k's open turn to its end and closes it.
func (r *run) write1(k int) error {
	s := &r.p.Sections[k]
	w := &pen{run: r, k: k, s: s, t: &s.Turns[len(s.Turns)-1]}
	before := CountWords(s.Text[:w.t.Start])
	w.limit = w.handOver(before)
	w.words = CountWords(s.Text[:w.t.Bytes])
	r.guard.begin(s.Text[:w.t.Bytes])
	why, err := w.t.Due, error(nil)
	if w.t.Tries > mostTries {
		why = "loop"
	}
	for again := why == ""; again; {
		if why, again, err = w.stream(); err != nil {
			return err
		}
	}
	close, err := r.Engine.Tokenize(r.ctx, r.info.Chat.End())
	if err != nil {
		return err
	}
	kept, tokens := w.trimmed(why)
	end := TurnEnded{Index: k, Why: why, Chars: chars(kept), Keep: tokens, PerWord: w.perWord(), Tokens: close, Cost: r.takeCost()}
	if w.t.Kind == "forced" {
		end.Forced = max(0, CountWords(kept)-before)
	}
	return r.commit(end)
}

// stand makes the section's end, at so many tokens, the last boundary; why says
// that the turn ends with it.
func (w *pen) stand(tokens int, why string) error {
	return w.commit(Stands{Index: w.k, Tokens: tokens, Why: why})
}

// whole says whether the text up to the boundary ends with a sentence.
func (w *pen) whole() bool { return w.t.Bytes > w.t.Start && endsSentence(w.s.Text[:w.t.Bytes]) }

// freeRoom is what a turn of a free draft may take: some models count to the end
// of the context once they begin to.
func (w *pen) freeRoom() int {
	if !w.p.Request.Free {
		return math.MaxInt
	}
	share := float64(w.s.Target) / float64(max(1, len(w.p.Outline.Sections[w.k].Beats)))
	return int(mostFree * share * max(w.p.PerWord, 1))
}

// handOver is the section's length at which this beat has had its share.
func (w *pen) handOver(before int) int {
	beats := len(w.p.Outline.Sections[w.k].Beats)
	if w.t.Kind != "beat" || w.t.Beat+1 >= beats || w.p.Request.Free {
		return 0
	}
	return before + int(pace*float64(max(0, w.s.Target-before))/float64(beats-w.t.Beat))
}

// stream runs one request of the turn. again says that the turn goes on with
// another request.
func (w *pen) stream() (why string, again bool, err error) {
	temp := min(w.temperature()+0.1*float32(w.t.Tries), 1.2)
	req := engine.Request{Prompt: w.p.Transcript[:w.t.Base], Completion: w.p.Transcript[w.t.Base:],
		MaxTokens: min(w.info.Context-asideRoom-w.t.Base, w.freeRoom()),
		Sampling:  sampling(temp, w.seed(uint64(w.k), uint64(len(w.s.Turns)), uint64(w.t.Redone)))}
	req.Sampling.Ban, req.Sampling.NoEnd = w.t.Banned, w.t.Kind == "forced"
	if req.MaxTokens <= len(req.Completion) {
		return "room", false, nil
	}
	// The request's slices are the transcript's own; what follows appends to it.
	req.Prompt, req.Completion = clone(req.Prompt), clone(req.Completion)
	why, again = "room", false
	err = w.generate(req, func(tok engine.Token) (bool, error) {
		var stop bool
		var err error
		why, again, stop, err = w.take(tok)
		return !stop, err
	})
	return why, again, err
}

// take adds one token and looks whether a sentence, the turn or the section
// ended with it.
func (w *pen) take(tok engine.Token) (why string, again, stop bool, err error) {
	w.cost.Sampled++
	pending := w.s.Text[w.t.Bytes:]
	if tok.End {
		if strings.TrimSpace(pending) == "" {
			if len(w.s.Text) == w.t.Start && !w.p.Request.Free {
				return w.refuse() // not a word: another try
			}
			return w.end()
		}
		if why, again, stop, err = w.close(len(w.p.Transcript), true); err != nil || stop {
			if why == "room" && again { // it stands; only its ban was to be lifted
				return "end", false, true, err
			}
			return why, again, stop, err
		}
		return w.end()
	}
	if ended(pending, tok.Text) {
		if why, again, stop, err = w.close(len(w.p.Transcript), strings.HasPrefix(strings.TrimLeft(tok.Text, " "), "\n")); err != nil || stop {
			return why, again, stop, err
		}
	}
	if err := w.put(tok); err != nil {
		return "", false, true, err
	}
	pending = w.s.Text[w.t.Bytes:]
	for _, mark := range turnMarks {
		if i := strings.Index(pending, mark); i >= 0 {
			if err := w.commit(Rewind{Index: w.k, Chars: chars(w.s.Text[:w.t.Bytes+i])}); err != nil {
				return "", false, true, err
			}
			if len(strings.TrimSpace(w.s.Text[w.t.Start:])) == 0 {
				return w.refuse()
			}
			return "end", false, true, w.stand(len(w.p.Transcript), "end")
		}
	}
	switch {
	case len(w.p.Transcript)-w.t.Tokens > mostPending && !w.p.Request.Free:
		return w.refuse()
	case strings.TrimSpace(pending) == "":
	case strings.HasSuffix(pending, "\n"):
		return w.close(len(w.p.Transcript), true)
	case startsBreak(tok.Text), endsWide(pending):
		return w.measure(pending)
	}
	return "room", false, false, nil
}

// end takes the model's end of a turn, or asks it once more whether it is done.
func (w *pen) end() (why string, again, stop bool, err error) {
	if !w.early() {
		return "end", false, true, nil
	}
	return "", true, true, w.commit(Rewind{Index: w.k, Chars: chars(w.s.Text), Keep: len(w.p.Transcript), Again: true, Ban: -1})
}

// early says that the model ends a turn at less than earlyEnd of its share, and
// was not asked mostTries times already whether it goes on. Its end tokens are
// not banned for that: it draws again.
func (w *pen) early() bool {
	if w.p.Request.Free || w.t.Kind == "pass" || w.t.Tries >= mostTries {
		return false
	}
	share := w.s.Target / max(1, len(w.p.Outline.Sections[w.k].Beats))
	return float64(w.words-CountWords(w.s.Text[:w.t.Start])) < earlyEnd*float64(share)
}

// put appends a token to the transcript and its text to the section. Blanks
// before the first word of a turn are not text; a turn begins a paragraph.
func (w *pen) put(tok engine.Token) error {
	text := tok.Text
	if len(w.s.Text) == w.t.Start {
		text = strings.TrimLeft(text, " \t\r\n")
		if text != "" && w.t.Start > 0 {
			text = "\n\n" + text
		}
	}
	return w.commit(Text{Index: w.k, Text: text, Tokens: []int32{tok.ID}})
}

// measure stops a sentence that runs out of its section or does not end.
func (w *pen) measure(pending string) (why string, again, stop bool, err error) {
	if w.p.Request.Free {
		return "room", false, false, nil
	}
	n := CountWords(pending)
	if w.t.Kind != "pass" && float64(w.words+n) > tooLong*float64(w.s.Target) {
		if w.whole() && float64(w.words) >= enough*float64(w.s.Target) {
			return "full", false, true, nil
		}
		return w.refuse()
	}
	if n > longestLine {
		return w.refuse()
	}
	return "room", false, false, nil
}

// close ends the pending sentence at so many tokens of the transcript.
func (w *pen) close(tokens int, line bool) (why string, again, stop bool, err error) {
	sentence := strings.TrimSpace(w.s.Text[w.t.Bytes:])
	if w.p.Request.Free {
		return "room", false, false, w.stand(tokens, "")
	}
	if w.guard.offence(sentence, w.t.Bytes == w.t.Start, line) != "" {
		return w.refuse()
	}
	w.guard.add(sentence)
	w.words = CountWords(w.s.Text)
	why = w.due(line)
	banned := w.t.Banned != nil // for this sentence only
	if err := w.stand(tokens, why); err != nil || why != "" {
		return why, false, true, err
	}
	return "room", banned, banned, nil
}

// due says why the turn ends with the text as it is, or "".
func (w *pen) due(line bool) string {
	share := float64(w.words) / float64(max(1, w.s.Target))
	switch {
	case !endsSentence(w.s.Text):
	case w.t.Kind == "pass": // the length is the model's, within reason
		if w.s.Target > 0 && share > mostPass {
			return "full"
		}
	case share >= full, line && share >= (full+enough)/2:
		return "full"
	case w.limit > 0 && w.words >= w.limit:
		return "pace"
	}
	return ""
}

// refuse takes the pending sentence back. After some tries the turn ends there.
func (w *pen) refuse() (why string, again, stop bool, err error) {
	last := w.t.Tries >= mostTries
	back := Rewind{Index: w.k, Chars: chars(w.s.Text[:w.t.Bytes]), Keep: w.t.Tokens, Again: true, Ban: -1}
	if w.t.Tokens < len(w.p.Transcript) {
		back.Ban = w.p.Transcript[w.t.Tokens]
	}
	err = w.commit(back)
	if last {
		return "loop", false, true, err
	}
	return "", true, true, err
}

// trimmed is what stays of the section and of the transcript: not what stands
// behind the last boundary of a turn that was stopped, nor half a sentence at the
// end of one that ended by itself.
func (w *pen) trimmed(why string) (text string, tokens int) {
	text, tokens = w.s.Text, len(w.p.Transcript)
	if w.p.Request.Free {
		return text, tokens
	}
	if why != "end" && w.t.Bytes < len(text) {
		text, tokens = text[:w.t.Bytes], w.t.Tokens
	}
	line := text[strings.LastIndexByte(text, '\n')+1:]
	if len(text) > w.t.Start && !endsSentence(text) && !listItem.MatchString(line) {
		text = text[:w.t.Start+lastEnd(text[w.t.Start:])]
	}
	return strings.TrimRight(text, " \t\r\n"), tokens
}

// sampling is how text is drawn. The breakers keep repetition of names and of
// the shape of text from being punished.
func sampling(temperature float32, seed uint64) engine.Sampling {
	return engine.Sampling{Temperature: temperature, TopK: 60, TopP: 0.95, MinP: 0.05, Seed: seed,
		DRY: engine.DRY{Multiplier: 1, Base: 1.75, AllowedLength: 3, Window: 1024, Breakers: []string{"\n", ":", "\"", "*", "“", "”"}}}
}

// BenchSampling is a draft's sampling without an end, for measuring speed.
func BenchSampling() engine.Sampling {
	s := sampling(0.8, 1)
	s.NoEnd = true
	return s
}

// perWord keeps the measure of tokens per word near this text's.
func (w *pen) perWord() float64 {
	words, tokens := CountWords(w.s.Text[w.t.Start:]), len(w.p.Transcript)-w.t.Base
	if words <= 20 {
		return w.p.PerWord
	}
	return 0.9*w.p.PerWord + 0.1*min(max(float64(tokens)/float64(words), 1), 4)
}

func clone(ids []int32) []int32 { return append([]int32(nil), ids...) }
