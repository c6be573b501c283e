package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"longhand/assets"
	"longhand/rl"
)

// What the training page says of a run, in words.

// remark is one line on what is happening and what to make of it.
func (c *course) remark(ph trainPhase) string {
	switch ph {
	case trainChecking:
		if len(c.steps) > 0 {
			return "Opening the model again. Then it goes on."
		}
		return "Opening the model and trying a few texts, to see what the training will take. That needs a minute or so."
	case trainRunning, trainStopping:
		if len(c.steps) == 0 && c.warmup > 0 {
			return "Warming up on examples: " + plural(c.warmup, "step") + " so far."
		}
		if len(c.steps) == 0 {
			return "The model writes its first texts. After each step the curves grow."
		}
		if alarm := c.alarm(); alarm != "" {
			return alarm
		}
		return c.trend(ph)
	}
	if len(c.steps) == 0 {
		return "No step was done."
	}
	return c.trend(ph)
}

// lasts is over how many steps an alarm looks.
const lasts = 5

// alarm says what is going wrong, or nothing.
func (c *course) alarm() string {
	n := len(c.steps)
	if n < lasts {
		return ""
	}
	late := func(of func(*rl.Step) rl.Number) float64 { return mean(c.figures(of)[n-lasts:]) }
	early := func(of func(*rl.Step) rl.Number) float64 { return mean(c.figures(of)[:lasts]) }
	entropy := func(s *rl.Step) rl.Number { return s.Entropy }
	switch {
	case c.unapplied():
		return "What was learned does not reach the texts: the engine seems not to apply it. Stop, and report this."
	case late(func(s *rl.Step) rl.Number { return s.Relative }) > 2:
		return "The model that writes and the model that learns drift apart. If this goes on, stop: the last checkpoint is kept."
	case late(func(s *rl.Step) rl.Number { return s.Clipped }) > 0.5:
		return "More than half of the texts are cut off before they end, and count for nothing. Shorter texts would help."
	case late(func(s *rl.Step) rl.Number { return s.Dead }) > 0.8:
		return "The texts for a prompt are worth nearly the same, so there is little to learn from. Other prompts may help."
	case n >= 4*lasts && late(entropy) < early(entropy)/3:
		return "The texts are growing more and more alike. It may be time to stop: the last checkpoint is kept."
	}
	return ""
}

// unapplied says whether the sampler's texts show, beyond doubt, nothing of the
// adapter: a slope of 1 is applied, of 0 not.
func (c *course) unapplied() bool {
	doubts := 0
	for _, s := range c.steps[max(0, len(c.steps)-lasts):] {
		if s.Step >= 2 && number(s.Slope)+3*number(s.SlopeError) < 0.5 {
			doubts++
		}
	}
	return doubts >= 3
}

// trendFrom is how many steps it takes until a change is more than noise.
const trendFrom = 10

// trend compares the last steps with the first.
func (c *course) trend(ph trainPhase) string {
	over := ph != trainRunning && ph != trainStopping
	all := c.rewards()
	n := min(len(all)/2, max(lasts, recent(len(all))))
	if len(all) < trendFrom {
		if over {
			return "Too few steps to tell whether anything was learned."
		}
		return "The first steps only show where the model stands. Whether it learns shows after twenty or so."
	}
	first, last := all[:n], all[len(all)-n:]
	from, to := mean(first), mean(last)
	noise := math.Sqrt((variance(first) + variance(last)) / float64(n))
	figures := fmt.Sprintf("the reward went from %s to %s", twoDigits(from), twoDigits(to))
	switch clear := max(2*noise, 0.01); {
	case to-from > clear:
		text := "The texts are getting better: "
		if over {
			text = "The texts got better: "
		}
		return text + figures + c.most(n, 1) + "."
	case from-to > clear:
		text := "The texts are getting worse: "
		if over {
			text = "The texts got worse: "
		}
		return text + figures + c.most(n, -1) + "."
	case over:
		return fmt.Sprintf("No clear change: the reward is about %s, as at the start.", twoDigits(to))
	}
	return fmt.Sprintf("No clear change yet: the reward is about %s, as at the start.", twoDigits(to))
}

// most names the reward that changed most in that direction, where there are
// several.
func (c *course) most(n int, sign float64) string {
	names := c.names()
	if len(names) < 2 {
		return ""
	}
	best, which := 0.0, ""
	for _, name := range names {
		v := c.reward(name)
		if change := sign * (mean(v[len(v)-n:]) - mean(v[:n])); change > best {
			best, which = change, name
		}
	}
	if which == "" {
		return ""
	}
	return ", most of all in " + which
}

func variance(values []float64) float64 {
	m, sum, n := mean(values), 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum, n = sum+(v-m)*(v-m), n+1
		}
	}
	return sum / float64(max(1, n-1))
}

// status says in one line how far a run is.
func (c *course) status(ph trainPhase) string {
	steps := fmt.Sprintf("Step %s of %s", grouped(c.done()), grouped(c.total()))
	switch ph {
	case trainChecking:
		if len(c.steps) > 0 {
			return "Going on  ·  " + steps
		}
		return "Looking what it takes…"
	case trainReady:
		return "Ready to start"
	case trainStopping:
		if len(c.steps) == 0 {
			return "Stopping…"
		}
		return "Stopping after this step  ·  " + steps
	case trainStopped:
		return "Stopped  ·  " + steps
	case trainFailed:
		return "Broken off  ·  " + steps
	case trainFinished:
		return "Finished  ·  " + plural(c.done(), "step")
	}
	say := []string{steps}
	if s := c.seconds(); !math.IsNaN(s) {
		say = append(say, "a step takes "+duration(s), duration(s*float64(c.total()-c.done()))+" left")
	}
	return strings.Join(say, "  ·  ")
}

// figuresLine has the figures for those who know them. The loss is not among
// them: it hovers around 0 and is no sign of anything.
func (c *course) figuresLine() string {
	n := len(c.steps)
	if n == 0 {
		return ""
	}
	late := func(of func(*rl.Step) rl.Number) float64 { return mean(c.figures(of)[n-recent(n):]) }
	var say []string
	add := func(v float64, format string, as func(float64) string) {
		if !math.IsNaN(v) {
			say = append(say, fmt.Sprintf(format, as(v)))
		}
	}
	add(late(func(s *rl.Step) rl.Number { return s.Clipped }), "%s cut off", percent)
	add(late(func(s *rl.Step) rl.Number { return s.GradNorm }), "gradient norm %s", threeDigits)
	add(late(func(s *rl.Step) rl.Number { return s.Difference }), "sampler and trainer %s nat apart", threeDigits)
	add(late(func(s *rl.Step) rl.Number { return s.Entropy }), "entropy %s", twoDigits)
	add(late(func(s *rl.Step) rl.Number { return s.KL }), "KL %s", threeDigits)
	return strings.Join(say, "  ·  ")
}

// An estimate is a line of what a run will take.
type estimate struct{ what, figure string }

// estimates are what the preflight found out, for people.
func (c *course) estimates() []estimate {
	p := c.preflight
	if p == nil {
		return nil
	}
	lines := []estimate{{"Memory", fmt.Sprintf("%s of the %s that are free", assets.Size(p.MemoryBytes), assets.Size(p.MemoryFree))}}
	if s := number(p.SecondsPerStep); !math.IsNaN(s) {
		lines = append(lines,
			estimate{"A step", fmt.Sprintf("%s, for %s", duration(s), plural(c.job.Group*c.job.PromptsPerStep, "text"))},
			estimate{"All " + plural(c.total()-c.done(), "step"), duration(s * float64(c.total()-c.done()))})
	}
	if p.Trained > 0 && p.Parameters > 0 {
		lines = append(lines, estimate{"What is trained", fmt.Sprintf("%s numbers beside the model's %s", short(float64(p.Trained)), short(float64(p.Parameters)))})
	}
	if m := number(p.Mismatch); !math.IsNaN(m) {
		lines = append(lines, estimate{"Agreement", "sampler and trainer are " + threeDigits(m) + " nat apart"})
	}
	if c.started.Device != "" {
		lines = append(lines, estimate{"Runs on", c.started.Device})
	}
	return append(lines, estimate{"Kept in", ending(c.job.Out, 56)})
}

// duration writes seconds with the digits that an estimate is worth.
func duration(seconds float64) string {
	minutes := int(math.Round(seconds / 60))
	switch {
	case seconds < 1.5:
		return "about a second"
	case seconds < 90:
		return "about " + plural(int(math.Round(seconds)), "second")
	case minutes < 60:
		return "about " + plural(minutes, "minute")
	case minutes < 48*60:
		return fmt.Sprintf("about %d h %02d min", minutes/60, minutes%60)
	}
	return "about " + plural(int(math.Round(seconds/86400)), "day")
}

// short writes 135,000,000 as 135 million.
func short(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "billion"}, {1e6, "million"}} {
		if n >= unit.size {
			return strconv.FormatFloat(n/unit.size, 'g', 3, 64) + " " + unit.name
		}
	}
	return grouped(int(n))
}

func twoDigits(v float64) string   { return strconv.FormatFloat(v, 'f', 2, 64) }
func threeDigits(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
func wholeNumber(v float64) string { return grouped(int(math.Round(v))) }
func percent(v float64) string     { return strconv.Itoa(int(math.Round(100*v))) + " %" }
