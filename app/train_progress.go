package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"longhand/assets"
	"longhand/rl"
)

// trainProgress tells a person how a training run goes: a line for each step,
// and on a terminal a bar below it.
type trainProgress struct {
	w     io.Writer
	live  bool
	quiet bool
	shown bool
	steps int
	first int // step of this process
	began time.Time
}

func newTrainProgress(w io.Writer, json bool, steps int) *trainProgress {
	live := terminal(w)
	return &trainProgress{w: w, live: live, quiet: json && !live, steps: steps}
}

func (p *trainProgress) event(ev rl.Event) {
	if p.quiet {
		return
	}
	switch ev := ev.(type) {
	case rl.Started:
		p.steps, p.first = ev.Steps, ev.Step
		p.say("training %s on %s, seed %d, into %s", base(ev.Model), ev.Device, ev.Seed, ev.Dir)
		if ev.Resumed != "" {
			p.say("going on after step %d", ev.Step)
		}
	case rl.Preflight:
		p.say("%s: %s of memory, %s free; %s a step expected", ev.Architecture, assets.Size(ev.MemoryBytes), assets.Size(ev.MemoryFree), secondsOr(ev.SecondsPerStep))
		if ev.Message != "" {
			p.say("%s", ev.Message)
		}
	case rl.Warmup:
		p.bar("warm-up step %d  loss %s  %s tokens/s", ev.Step+1, digits(ev.Loss, 3), digits(ev.TrainSpeed, 0))
	case rl.Step:
		p.step(ev)
	case rl.Eval:
		p.say("held-out prompts after step %d (%s): %s; %s words on average, %s %% finished", ev.Step, ev.Phase, means(ev.Rewards), digits(ev.LengthMean, 0), digits(100*ev.Finished, 0))
	case rl.Checkpoint:
		if !p.live {
			p.say("checkpoint: %s", ev.Dir)
		}
	case rl.Finished:
		if ev.Stopped {
			p.say("stopped after step %d; go on with --resume. Checkpoint: %s", ev.Step, ev.Dir)
		} else {
			p.say("done in %s: %s", round(float64(ev.Seconds)), ev.Dir)
		}
	}
}

// step is a line of a finished step.
func (p *trainProgress) step(ev rl.Step) {
	if p.began.IsZero() {
		p.began = time.Now().Add(-time.Duration(float64(ev.Seconds) * float64(time.Second)))
	}
	var parts []string
	for _, r := range ev.Rewards {
		parts = append(parts, r.Name+" "+digits(r.Mean, 3))
	}
	line := fmt.Sprintf("step %d of %d  reward %s (%s)  %s tokens long  rollout %s, training %s tokens/s", ev.Step+1, p.steps, digits(ev.Reward, 3),
		strings.Join(parts, ", "), digits(ev.Length, 0), digits(ev.Rollout, 0), digits(ev.Train, 0))
	p.say("%s", line)
	if done := ev.Step + 1 - p.first; done > 0 {
		left := time.Since(p.began).Seconds() / float64(done) * float64(p.steps-ev.Step-1)
		p.bar("%s  %s left", meter(ev.Step+1, p.steps), round(left))
	}
}

func (p *trainProgress) bar(format string, args ...any) {
	if p.live {
		fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
		p.shown = true
	}
}

func (p *trainProgress) say(format string, args ...any) {
	p.close()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *trainProgress) close() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// digits is a number with so many digits, or a dash for one that is not known.
func digits(n rl.Number, digits int) string {
	if math.IsNaN(float64(n)) {
		return "–"
	}
	return fmt.Sprintf("%.*f", digits, float64(n))
}

func secondsOr(n rl.Number) string {
	if math.IsNaN(float64(n)) {
		return "unknown time"
	}
	return round(float64(n))
}

// means lists rewards in the order of their names.
func means(m map[string]rl.Number) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, name+" "+digits(m[name], 3))
	}
	return strings.Join(out, ", ")
}
