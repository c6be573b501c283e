package main

import (
	"context"
	"errors"
	"math"
	"slices"

	"longhand/rl"
)

// A course is a training run as the window knows it: what the events said,
// added up. It is changed by apply alone.
type course struct {
	job        rl.Job
	started    rl.Started
	preflight  *rl.Preflight
	warmup     int // supervised steps so far
	start      int // the first step in steps
	steps      []rl.Step
	samples    []rl.Sample // of the last step that had any, the best first
	checkpoint rl.Checkpoint
	finished   *rl.Finished
}

// maxSamples bounds what is shown of one step.
const maxSamples = 16

func newCourse(j rl.Job) *course { return &course{job: j} }

func (c *course) apply(e rl.Event) {
	switch e := e.(type) {
	case rl.Started:
		c.started, c.preflight, c.finished = e, nil, nil
		c.forget(e.Step) // what comes again after a resumption
	case rl.Preflight:
		c.preflight = &e
	case rl.Warmup:
		c.warmup++
	case rl.Step:
		if len(c.steps) == 0 {
			c.start = min(max(e.Step, 0), c.total())
		}
		c.forget(e.Step)
		c.steps = append(c.steps, e)
	case rl.Sample:
		if len(c.samples) > 0 && c.samples[0].Step != e.Step {
			c.samples = nil // the slice is the page's; a new one for the new step
		}
		if len(c.samples) < maxSamples {
			c.samples = append(c.samples, e)
		}
		slices.SortStableFunc(c.samples, func(a, b rl.Sample) int { return compareUnknownLast(number(b.Advantage), number(a.Advantage)) })
	case rl.Checkpoint:
		c.checkpoint = e
	case rl.Finished:
		c.finished = &e
		if e.Dir != "" {
			c.checkpoint = rl.Checkpoint{Step: e.Step, Dir: e.Dir}
		}
	}
}

// forget drops the steps from step on.
func (c *course) forget(step int) {
	if i := step - c.start; i < len(c.steps) {
		c.steps = c.steps[:max(0, i)]
	}
}

// done is how many steps were done, with those before a resumption.
func (c *course) done() int { return c.start + len(c.steps) }

// total is how many there are to be.
func (c *course) total() int {
	n := c.started.Steps
	if n <= 0 {
		n = c.job.Steps
	}
	return min(max(n, 1), 10*stepsMost)
}

// seconds is how long a step takes: as the last ones did, or before the first
// as the preflight measured. NaN is not known.
func (c *course) seconds() float64 {
	if n := len(c.steps); n > 0 {
		return mean(c.figures(func(s *rl.Step) rl.Number { return s.Seconds })[max(0, n-10):])
	}
	if c.preflight != nil {
		return number(c.preflight.SecondsPerStep)
	}
	return math.NaN()
}

// figures is one figure of all steps.
func (c *course) figures(of func(*rl.Step) rl.Number) []float64 {
	all := make([]float64, len(c.steps))
	for i := range c.steps {
		all[i] = number(of(&c.steps[i]))
	}
	return all
}

// names are the rewards', in the job's order.
func (c *course) names() []string {
	if len(c.steps) == 0 {
		return nil
	}
	var names []string
	for _, r := range c.steps[len(c.steps)-1].Rewards {
		names = append(names, r.Name)
	}
	return names
}

// reward is what a reward was worth in each step.
func (c *course) reward(name string) []float64 {
	return c.figures(func(s *rl.Step) rl.Number {
		for _, r := range s.Rewards {
			if r.Name == name {
				return r.Mean
			}
		}
		return rl.Number(math.NaN())
	})
}

// rewards is the mean of the rewards in each step, in [0, 1]. (A step's own
// figure is their sum by weight; here every weight is 1.)
func (c *course) rewards() []float64 {
	return c.figures(func(s *rl.Step) rl.Number {
		if len(s.Rewards) == 0 {
			return s.Reward
		}
		var known []float64
		for _, r := range s.Rewards {
			known = append(known, number(r.Mean))
		}
		return rl.Number(mean(known))
	})
}

// series are what the charts show: all rewards together, each of them where
// there are several, and the length of the texts.
func (c *course) series() []series {
	all := []series{{name: "Reward", note: "mean of a step’s texts", values: c.rewards(), least: 0.2, ceiling: 1, format: twoDigits}}
	if names := c.names(); len(names) > 1 {
		for _, name := range names {
			all = append(all, series{name: capital(name), note: "reward", values: c.reward(name), least: 0.2, ceiling: 1, format: twoDigits})
		}
	}
	all = append(all, series{
		name: "Tokens", note: "of a text, from the shortest to the longest", least: 20, format: wholeNumber,
		values: c.figures(func(s *rl.Step) rl.Number { return s.Length }),
		low:    c.figures(func(s *rl.Step) rl.Number { return s.LengthMin }),
		high:   c.figures(func(s *rl.Step) rl.Number { return s.LengthMax }),
	})
	for i := range all {
		all[i].start = c.start
	}
	return all
}

// span is how many steps the charts' axes have room for: the next round number,
// so that a long run does not begin as a dot at the left edge.
func (c *course) span() int {
	return min(int(roundUp(float64(max(c.done(), 10)))), max(c.total(), c.done()))
}

// ended is what a run has come to that ended with err, and what to say of it.
func (c *course) ended(byHand bool, err error) (trainPhase, error) {
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		return trainFailed, err
	case c.preflight != nil && !c.preflight.OK:
		return trainFailed, errors.New(c.preflight.Message)
	case byHand || err != nil || c.finished != nil && c.finished.Stopped:
		return trainStopped, nil
	}
	return trainFinished, nil
}

// number is NaN for all that is not finite.
func number(n rl.Number) float64 {
	x := float64(n)
	if math.IsInf(x, 0) {
		return math.NaN()
	}
	return x
}

func compareUnknownLast(a, b float64) int {
	switch {
	case a < b || math.IsNaN(b) && !math.IsNaN(a):
		return -1
	case a > b || math.IsNaN(a) && !math.IsNaN(b):
		return 1
	}
	return 0
}
