// Package draft turns a request into a long document: thinking, an outline,
// sections, with a local model.
//
// A draft is a state machine. Everything that happens is a Record; a Project is
// the fold of its records and nothing else; a record is in the Log before the
// caller sees it as an Event. So a draft that was killed goes on where its log
// ends (Replay, then Write again).
//
// Start reading at Writer.Write. The package knows no window, no file and no
// database; it knows the model only as a Generator.
package draft

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"longhand/engine"
	"longhand/rewards"
)

// Generator is the model. *engine.Model and *engine.Process are.
type Generator interface {
	Info() engine.Info
	Tokenize(ctx context.Context, pieces ...engine.Piece) ([]int32, error)
	Generate(ctx context.Context, r engine.Request) iter.Seq2[engine.Token, error]
}

// Writer writes drafts with one model.
type Writer struct {
	Engine   Generator
	Log      Log
	PlanOnly bool        // stop when the outline stands
	Rewards  rewards.Set // what sections and draft are scored with; nil: length and format, which need no model
}

// Write goes on with p, from wherever it stands, and yields what happens. The
// loop pulls the work: a caller that does not ask for the next event pauses it;
// one that breaks off ends it, with everything so far in the log.
func (w *Writer) Write(ctx context.Context, p *Project) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r := &run{Writer: w, ctx: ctx, p: p, yield: yield, info: w.Engine.Info(), began: time.Now(), spent: p.Seconds}
		if err := r.write(); err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped says that the caller broke off.
var errStopped = errors.New("draft: stopped")

// run is one call of Write.
type run struct {
	*Writer
	ctx   context.Context
	p     *Project
	yield func(Event, error) bool
	info  engine.Info
	guard *guard
	began time.Time
	spent float64 // seconds of earlier runs
	cost  Cost    // not yet in the log
	fresh bool    // the transcript was just compacted: the next prompt says what that cost
}

func (r *run) write() error {
	p := r.p
	if p.Done {
		if r.yield(p.Outline, nil) {
			r.yield(p.Finished, nil)
		}
		return nil
	}
	if p.Request.OnePass {
		return r.onePass()
	}
	if !p.Planned {
		if err := r.plan(); err != nil {
			return err
		}
	}
	if r.PlanOnly {
		if p.Started.Resumed {
			r.yield(p.Outline, nil)
		}
		return nil
	}
	r.guard = newGuard(p)
	r.guard.prose = r.small()
	if p.Started.Resumed {
		if err := r.tellWhere(); err != nil {
			return err
		}
	}
	for k := p.next(); k >= 0; k = p.next() {
		if err := r.section(k); err != nil {
			return err
		}
	}
	return r.finish()
}

// tellWhere lets a reader catch up, who saw more than the log holds, or, since
// a record is in the log before it is told, one record less: the sentence in
// hand is told again.
func (r *run) tellWhere() error {
	if len(r.p.Outline.Sections) > 0 {
		if !r.yield(r.p.Outline, nil) {
			return errStopped
		}
	}
	k := r.p.next()
	if k >= 0 && r.p.Sections[k].Begun {
		if !r.yield(SectionBegun{Index: k, Title: r.p.Outline.Sections[k].Title, Target: r.p.Sections[k].Target}, nil) {
			return errStopped
		}
	}
	for i := k; i >= 0 && i < min(k+2, len(r.p.Sections)); i++ {
		s := &r.p.Sections[i]
		stands := 0
		if n := len(s.Turns); n > 0 {
			stands = s.Turns[n-1].Bytes
		}
		stands = min(stands, len(s.Text))
		if !r.yield(Rewind{Index: i, Chars: chars(s.Text[:stands])}, nil) {
			return errStopped
		}
		if stands < len(s.Text) && !r.yield(Text{Index: i, Text: s.Text[stands:]}, nil) {
			return errStopped
		}
	}
	return nil
}

// catchUp takes in what others did to the project meanwhile, where the log has
// it. It is asked for between turns.
func (r *run) catchUp() {
	shared, ok := r.Log.(interface{ Others() []Record })
	if !ok {
		return
	}
	for _, rec := range shared.Others() {
		if r.p.Check(rec) == nil {
			r.p.apply(rec)
		}
	}
}

func (r *run) finish() error {
	p := r.p
	f := Finished{ID: p.ID, Words: p.Words(), Target: p.Target, Sections: len(p.Sections), PromptTokens: p.PromptTokens, Tokens: p.Tokens, Flags: []string{}}
	has := map[string]bool{}
	for _, s := range p.Sections {
		if len(s.Flags) > 0 {
			f.Flagged++
		}
		for _, flag := range s.Flags {
			has[flag] = true
		}
	}
	for _, flag := range []string{"short", "long", "loop", "forced"} {
		if has[flag] {
			f.Flags = append(f.Flags, flag)
		}
	}
	f.Seconds = r.spent + time.Since(r.began).Seconds()
	f.TokensPerSecond = float64(f.Tokens) / max(f.Seconds, 1e-9)
	return r.commit(f)
}

// commit puts a record into the log, into the project and, if it is for the
// caller, before the caller, in this order.
func (r *run) commit(rec Record) error {
	rec, err := r.scored(rec)
	if err != nil {
		return err
	}
	if err := r.Log.Append(rec); err != nil {
		return fmt.Errorf("draft: keep the draft on disk: %w", err)
	}
	had := 0
	if end, ok := rec.(TurnEnded); ok {
		had = chars(r.p.Sections[end.Index].Text)
	}
	r.p.apply(rec)
	var e Event
	switch rec := rec.(type) {
	case Text:
		if rec.Text == "" {
			return nil
		}
		rec.Tokens = nil
		e = rec
	case Rewind:
		rec.Keep, rec.Again, rec.Ban = 0, false, 0
		e = rec
	case TurnEnded:
		if rec.Chars >= had {
			return nil
		}
		e = Rewind{Index: rec.Index, Chars: rec.Chars}
	case Started, Think, Outline, SectionBegun, Engine, SectionDone, Finished:
		e = rec
	default:
		return nil
	}
	if !r.yield(e, nil) {
		return errStopped
	}
	return nil
}

// generate runs a request and hands each token to take, until it says false.
// Costs are counted; restarts of the engine are told.
func (r *run) generate(req engine.Request, take func(engine.Token) (bool, error)) error {
	for tok, err := range r.Engine.Generate(r.ctx, req) {
		if err != nil {
			return err
		}
		r.cost.Prompt += tok.Decoded
		for range tok.Restarts {
			if err := r.commit(Engine{State: "restarted", PromptTokens: tok.Decoded, Seconds: tok.Seconds}); err != nil {
				return err
			}
		}
		if r.fresh && !req.Fork {
			r.fresh = false
			if err := r.commit(Engine{State: "compacted", PromptTokens: tok.Decoded, Seconds: tok.Seconds}); err != nil {
				return err
			}
		}
		if more, err := take(tok); err != nil || !more {
			return err
		}
	}
	return r.ctx.Err()
}

// aside asks something in a fork of the transcript, which stays as it is, or,
// without one, in a conversation of its own, which takes the transcript's place
// in the cache. An answer that the context has no room for is cut.
func (r *run) aside(transcript []int32, prompt, grammar string, limit int, salt uint64) (string, error) {
	pieces := r.info.Chat.Ask(prompt, false, "")
	if transcript == nil {
		head, _ := r.info.Chat.Begin(systemText)
		pieces = append(head, r.info.Chat.Ask(r.fold(prompt), false, "")...)
	}
	ids, err := r.Engine.Tokenize(r.ctx, pieces...)
	if err != nil {
		return "", err
	}
	req := engine.Request{Prompt: append(clone(transcript), ids...), MaxTokens: limit, Grammar: grammar, Fork: transcript != nil,
		Sampling: engine.Sampling{Temperature: 0.5, TopK: 40, TopP: 0.95, MinP: 0.05, Seed: r.seed(salt), DRY: engine.DRY{Multiplier: 0.8, AllowedLength: 4, Window: 200, Breakers: []string{"\n"}}}}
	var text strings.Builder
	err = r.generate(req, func(t engine.Token) (bool, error) {
		text.WriteString(t.Text)
		return !t.End, nil
	})
	if errors.Is(err, engine.ErrContextFull) {
		err = nil
	}
	return text.String(), err
}

func (r *run) takeCost() Cost {
	c := r.cost
	c.Seconds = r.spent + time.Since(r.began).Seconds() - r.p.Seconds
	r.cost = Cost{}
	return c
}

// seed mixes the draft's seed with what the random numbers are for (splitmix64).
func (r *run) seed(salts ...uint64) uint64 {
	x := r.p.Started.Seed
	for _, s := range salts {
		x += 0x9e3779b97f4a7c15 + s
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

func (r *run) temperature() float32 {
	if t := r.p.Request.Heat; t > 0 {
		return float32(t)
	}
	return 0.8
}
