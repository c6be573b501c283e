package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"longhand/rl"
)

// after is a course of n steps, each made by step.
func after(n int, step func(i int, s *rl.Step)) *course {
	c := newCourse(trainJob(100))
	c.apply(rl.Started{Steps: 100})
	for i := range n {
		s := rl.Step{Step: i, Slope: rl.Number(math.NaN()), Rewards: []rl.RewardStat{{Name: "length", Mean: 0.5}, {Name: "format", Mean: 0.5}}, Entropy: 2, Relative: 1, Seconds: 30}
		if step != nil {
			step(i, &s)
		}
		c.apply(s)
	}
	return c
}

func TestRemarkSaysWhatIsHappening(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	rising := func(slope, noise float64) func(int, *rl.Step) {
		return func(i int, s *rl.Step) {
			s.Rewards[0].Mean = rl.Number(0.5 + slope*float64(i) + noise*r.NormFloat64())
		}
	}
	late := func(f func(s *rl.Step)) func(int, *rl.Step) {
		return func(i int, s *rl.Step) {
			if i >= 20 {
				f(s)
			}
		}
	}
	for _, c := range []struct {
		steps int
		step  func(int, *rl.Step)
		phase trainPhase
		want  string
	}{
		{0, nil, trainChecking, "Opening the model"},
		{0, nil, trainRunning, "The model writes its first texts"},
		{0, nil, trainStopped, "No step was done"},
		{4, rising(0.1, 0), trainRunning, "The first steps only show"},
		{4, nil, trainStopped, "Too few steps"},
		{40, rising(0.005, 0.02), trainRunning, "The texts are getting better: the reward went from 0.5"},
		{40, rising(-0.005, 0.02), trainRunning, "The texts are getting worse"},
		{40, rising(0.005, 0.02), trainFinished, "The texts got better"},
		{40, rising(-0.005, 0.02), trainFailed, "The texts got worse"},
		{40, rising(0, 0.05), trainRunning, "No clear change yet: the reward is about 0."},
		{40, rising(0, 0.05), trainFinished, "No clear change: the reward is about 0."},
		{30, late(func(s *rl.Step) { s.Clipped = 0.7 }), trainRunning, "More than half of the texts are cut off"},
		{30, late(func(s *rl.Step) { s.Dead = 0.9 }), trainRunning, "The texts for a prompt are worth nearly the same"},
		{30, late(func(s *rl.Step) { s.Relative = 2.4 }), trainRunning, "The model that writes and the model that learns drift apart"},
		{30, late(func(s *rl.Step) { s.Entropy = 0.4 }), trainRunning, "The texts are growing more and more alike"},
		{30, late(func(s *rl.Step) { s.Slope, s.SlopeError = 0, 0.1 }), trainRunning, "What was learned does not reach the texts"},
		{30, late(func(s *rl.Step) { s.Slope, s.SlopeError = 0, 0.9 }), trainRunning, "No clear change yet"},
		{30, late(func(s *rl.Step) { s.Slope, s.SlopeError = 1, 0.1 }), trainRunning, "No clear change yet"},
		{30, late(func(s *rl.Step) { s.Clipped = 0.7 }), trainFinished, "No clear change"},
		{30, func(_ int, s *rl.Step) {
			unknown := rl.Number(math.NaN())
			*s = rl.Step{Step: s.Step, Reward: unknown, Entropy: unknown, Relative: unknown, Clipped: unknown, Dead: unknown, Slope: unknown}
		}, trainRunning, "No clear change yet"},
	} {
		if got := after(c.steps, c.step).remark(c.phase); !strings.HasPrefix(got, c.want) {
			t.Errorf("%d steps, phase %d: it says %q, want %q", c.steps, c.phase, got, c.want)
		}
	}
	if got := after(40, rising(0.005, 0)).remark(trainRunning); !strings.HasSuffix(got, ", most of all in length.") {
		t.Errorf("it says %q", got)
	}
}

// Noise alone is called a change in few runs.
func TestTrendIsNotFooledByNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	const runs = 400
	fooled := 0
	for range runs {
		c := after(60, func(_ int, s *rl.Step) { s.Rewards[0].Mean = rl.Number(0.5 + 0.1*r.NormFloat64()) })
		if !strings.HasPrefix(c.trend(trainRunning), "No clear") {
			fooled++
		}
	}
	if fooled > runs/6 { // 5 % by the normal's tails, more with so few steps at each end
		t.Errorf("%d of %d runs of noise are told as a change", fooled, runs)
	}
}

func TestTrainingStatusLine(t *testing.T) {
	c := after(12, nil)
	for ph, want := range map[trainPhase]string{
		trainChecking: "Going on  ·  Step 12 of 100",
		trainReady:    "Ready to start",
		trainRunning:  "Step 12 of 100  ·  a step takes about 30 seconds  ·  about 44 minutes left",
		trainStopping: "Stopping after this step  ·  Step 12 of 100",
		trainStopped:  "Stopped  ·  Step 12 of 100",
		trainFailed:   "Broken off  ·  Step 12 of 100",
		trainFinished: "Finished  ·  12 steps",
	} {
		if got := c.status(ph); got != want {
			t.Errorf("phase %d says %q, want %q", ph, got, want)
		}
	}
	if got := after(1, func(_ int, s *rl.Step) { s.Seconds = rl.Number(math.NaN()) }).status(trainRunning); got != "Step 1 of 100" {
		t.Errorf("without a pace it says %q", got)
	}
}

func TestDurationsAreReadable(t *testing.T) {
	for seconds, want := range map[float64]string{
		0.4: "about a second", 22.4: "about 22 seconds", 89: "about 89 seconds", 600: "about 10 minutes",
		3570: "about 1 h 00 min", 11_200: "about 3 h 07 min", 47 * 3600: "about 47 h 00 min", 3.2 * 86400: "about 3 days",
	} {
		if got := duration(seconds); got != want {
			t.Errorf("%v seconds are %s, want %s", seconds, got, want)
		}
	}
	for n, want := range map[float64]string{135e6: "135 million", 4.88448e6: "4.88 million", 7.24e9: "7.24 billion", 921: "921"} {
		if got := short(n); got != want {
			t.Errorf("%v is written %s, want %s", n, got, want)
		}
	}
}

func TestCourseIsWhatTheEventsSay(t *testing.T) {
	c := newCourse(trainJob(100))
	for _, e := range recorded(t) {
		c.apply(e)
	}
	if len(c.steps) != 24 || c.done() != 24 || c.total() != 24 || c.checkpoint.Step != 24 || c.finished == nil || c.samples[0].Step != 23 {
		t.Errorf("%d steps of %d, checkpoint %+v", c.done(), c.total(), c.checkpoint)
	}
	for i := 1; i < len(c.samples); i++ {
		if c.samples[i].Advantage > c.samples[i-1].Advantage {
			t.Error("the best text is not the first")
		}
	}
	last := c.steps[23]
	c.apply(rl.Started{Steps: 24, Step: 20, Resumed: "out/checkpoint-000020"})
	if c.done() != 20 || c.finished != nil {
		t.Errorf("taken up again at 20 it has %d steps", c.done())
	}
	last.Step = 20
	c.apply(last)
	if c.done() != 21 || !reflect.DeepEqual(c.steps[20], last) {
		t.Errorf("and then %d", c.done())
	}
}

func TestCourseTakenUpInAnotherWindow(t *testing.T) {
	c := newCourse(trainJob(100))
	c.apply(rl.Started{Steps: 100, Step: 60, Resumed: "out/step-0060"})
	for i := range 7 {
		c.apply(rl.Step{Step: 60 + i, Seconds: 10, Rewards: []rl.RewardStat{{Name: "length", Mean: 0.5}}})
	}
	if s := c.series()[0]; s.start != 60 || len(s.values) != 7 || c.done() != 67 || c.span() != 100 {
		t.Errorf("the curve has %d steps from %d, %d are done, the axis has %d", len(s.values), s.start, c.done(), c.span())
	}
	if names := len(c.series()); names != 2 { // one reward is all of them
		t.Errorf("%d charts", names)
	}
}

func TestCourseStandsStrangeEvents(t *testing.T) {
	c := newCourse(rl.Job{})
	for _, e := range []rl.Event{
		rl.Finished{},
		rl.Step{Step: -7},
		rl.Step{Step: 1 << 60},
		rl.Step{Step: 3},
		rl.Sample{},
		rl.Sample{Step: 9, Rewards: nil},
		rl.Started{Step: -5, Steps: -1},
		rl.Step{Step: 2, Rewards: []rl.RewardStat{{}, {Name: "x"}}},
		rl.Preflight{MemoryBytes: -1},
		rl.Checkpoint{},
		rl.Eval{},
		rl.Warmup{},
		nil,
	} {
		c.apply(e)
		for ph := trainNone; ph <= trainFinished; ph++ {
			c.remark(ph)
			c.status(ph)
		}
		c.series()
		c.figuresLine()
		c.estimates()
		c.span()
	}
}

func TestSmallFigures(t *testing.T) {
	c := after(20, func(_ int, s *rl.Step) {
		s.GradNorm, s.Difference, s.KL, s.Clipped = 0.4, 0.066, rl.Number(math.NaN()), 0.03
	})
	if got, want := c.figuresLine(), "3 % cut off  ·  gradient norm 0.400  ·  sampler and trainer 0.066 nat apart  ·  entropy 2.00"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func TestSamplesAreLaidOut(t *testing.T) {
	rows := sampleRows([]rl.Sample{
		{Prompt: "A\n\nprompt", Completion: "One.\n\nTwo.", Advantage: 1, Finished: true, Tokens: 1, Rewards: map[string]rl.Number{"writing": 0.25, "length": rl.Number(math.NaN())}},
		{Prompt: strings.Repeat("long ", 200), Completion: strings.Repeat("漢", 9000), Advantage: -1, Tokens: 512},
	})
	var got []string
	for _, r := range rows {
		got = append(got, r.text[:min(len(r.text), 60)])
	}
	want := []string{"**Better than the others**  ·  1 token", "length unknown  ·  writing 0.25", "A prompt", "One.", "Two."}
	for i, w := range want {
		if got[i] != w {
			t.Errorf("row %d is %q, want %q", i, got[i], w)
		}
	}
	all := fmt.Sprint(rowTexts(rows))
	if !strings.Contains(all, "**Worse than the others**  ·  512 tokens, cut off") || strings.Contains(all, "\uFFFD") || len(all) > 8000 {
		t.Errorf("%d bytes are shown", len(all))
	}
}
