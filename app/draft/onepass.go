package draft

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"longhand/engine"
)

// One pass: a model that was trained to it (LongWriter-Zero) thinks in <think>
// and writes the whole in <answer>; the last closing tag may be missing. The
// draft is one section without a title. Its length is the model's; the guard
// still takes repetition back, and a full transcript is compacted to the
// request and the end of the text.

// tagReader splits a stream into text and the tags think and answer. What may
// be the beginning of a tag is held back.
type tagReader struct{ held string }

type tagged struct{ tag, text string }

var tags = []string{"<think>", "</think>", "<answer>", "</answer>"}

func (t *tagReader) read(text string) []tagged {
	var out []tagged
	say := func(s string) {
		if s != "" {
			out = append(out, tagged{text: s})
		}
	}
	t.held += text
	for {
		i := strings.IndexByte(t.held, '<')
		if i < 0 {
			say(t.held)
			t.held = ""
			return out
		}
		say(t.held[:i])
		t.held = t.held[i:]
		tag, may := "", false
		for _, x := range tags {
			if strings.HasPrefix(t.held, x) {
				tag = x
			}
			may = may || strings.HasPrefix(x, t.held)
		}
		switch {
		case tag != "":
			out = append(out, tagged{tag: tag})
			t.held = t.held[len(tag):]
		case may:
			return out
		default:
			say("<")
			t.held = t.held[1:]
		}
	}
}

// passPieces is the request as a model that writes in one pass gets it, and its text so far.
func (r *run) passPieces(text string) []engine.Piece {
	question := requestText(r.p, r.share(25))
	if n := r.p.Target; n > 0 && WordsAsked(r.p.Request.Prompt) == 0 {
		question += "\nLength: about " + strconv.Itoa(n) + " words."
	}
	return r.info.OnePass(question, text)
}

func (r *run) onePass() error {
	p := r.p
	if !p.Planned {
		if !p.Thought {
			if err := r.passThink(); err != nil && !errors.Is(err, engine.ErrContextFull) {
				return err
			}
			if err := r.commit(Thought{}); err != nil {
				return err
			}
		}
		o := Outline{Title: title(p.Request.Prompt), Sections: []SectionPlan{{Beats: []string{}, Flags: []string{}, Words: p.Target}}}
		if err := r.commit(o); err != nil {
			return err
		}
		if err := r.commit(PlanDone{Target: p.Target, Cost: r.takeCost()}); err != nil {
			return err
		}
	}
	r.guard = newGuard(p)
	if p.Started.Resumed {
		if err := r.tellWhere(); err != nil {
			return err
		}
	}
	s := &p.Sections[0]
	if !s.Begun {
		if err := r.commit(SectionBegun{Target: p.Target}); err != nil {
			return err
		}
	}
	for !s.Done {
		if err := r.passTurn(s); err != nil {
			return err
		}
	}
	return r.finish()
}

// passTurn writes until the model ends or the transcript is full.
func (r *run) passTurn(s *Section) error {
	n := len(s.Turns)
	if n > 0 && s.Turns[n-1].Ended == "" {
		return r.write1(0)
	}
	if n > 0 && (s.Turns[n-1].Ended != "room" || n > mostPassTurns) {
		return r.commit(passDone(s))
	}
	if n > 0 && len(s.Text) == s.Turns[n-1].Start {
		return fmt.Errorf("draft: the request does not fit a context of %d tokens; ask for a larger one or shorten it", r.info.Context)
	}
	text := "<think>\n" + firstWords(r.p.Thinking, r.share(10)) + "\n</think>\n<answer>\n" + lastWords(s.Text, r.share(20))
	ids, err := r.Engine.Tokenize(r.ctx, r.passPieces(text)...)
	if err != nil {
		return err
	}
	r.fresh = n > 0
	if err := r.commit(Compacted{Tokens: ids}); err != nil {
		return err
	}
	return r.commit(TurnBegun{Kind: "pass"})
}

const mostPassTurns = 64

// passDone closes a one-pass draft, with what it missed of a length that was asked.
func passDone(s *Section) SectionDone {
	done := SectionDone{Words: CountWords(s.Text), Target: s.Target, Flags: []string{}}
	share := float64(done.Words) / float64(max(1, s.Target))
	for flag, set := range map[string]bool{"short": s.Target > 0 && share < enough, "long": s.Target > 0 && share > tooLong} {
		if set {
			done.Flags = append(done.Flags, flag)
		}
	}
	if s.Turns[len(s.Turns)-1].Ended == "loop" {
		done.Flags = append(done.Flags, "loop")
	}
	return done
}

// passThink streams what stands before the answer.
func (r *run) passThink() error {
	ids, err := r.Engine.Tokenize(r.ctx, r.passPieces("<think>\n"+r.p.Thinking)...)
	if err != nil {
		return err
	}
	req := engine.Request{Prompt: ids, MaxTokens: min(3000, r.info.Context/2), Sampling: engine.Sampling{Temperature: r.temperature(), TopK: 60, TopP: 0.95, MinP: 0.05, Seed: r.seed(1)}}
	reader := tagReader{}
	return r.generate(req, func(t engine.Token) (bool, error) {
		if t.End {
			return false, nil
		}
		for _, part := range reader.read(t.Text) {
			if part.tag == "</think>" || part.tag == "<answer>" {
				return false, nil
			}
			if part.text != "" {
				if err := r.commit(Think{Text: part.text}); err != nil {
					return false, err
				}
			}
		}
		return true, nil
	})
}

// title names a draft that has no outline after its request.
func title(prompt string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(prompt), "\n")
	return strings.TrimRight(firstWords(line, 10), " ,.;:")
}
