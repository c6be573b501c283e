package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"longhand/engine"
	"longhand/rewards"
)

// benchJudgeCmd measures how well a model judges: pairs of an honest text and a
// worse version of it.
type benchJudgeCmd struct {
	Model    string `help:"A model's name or a GGUF file." placeholder:"M"`
	Judge    string `help:"What is measured." enum:"length,format,overlap,checklist,pairwise,random" default:"checklist"`
	Rounds   int    `help:"How often each text is damaged in each way." default:"2"`
	Words    int    `help:"Cut the texts to about so many words; 0: whole." default:"0"`
	Limit    int    `help:"Pairs at most, spread over all; 0: all." default:"0"`
	Language string `help:"Texts in this language alone: en, de, fr, zh." placeholder:"L"`
	Part     string `hidden:"" help:"Of the pairs every n-th from the i-th on: i/n."`
	Lists    bool   `help:"The checklist takes requirements from the prompt, too."`
	JSON     bool   `help:"Results as JSON lines on standard output."`
}

// judged is what came out for one kind of damage.
type judged struct {
	Name    string  `json:"name"` // "judge KIND"
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Low     float64 `json:"low"`  // of the 95 % interval
	High    float64 `json:"high"` // of the 95 % interval
	Pairs   int     `json:"pairs"`
	Seconds float64 `json:"seconds"`
	Model   string  `json:"model"`
	Judge   string  `json:"judge"`
}

func (c *benchJudgeCmd) Run(e *env) error {
	if c.Rounds < 1 || c.Words < 0 || c.Limit < 0 {
		return usage("--rounds must be at least 1, --words and --limit not below 0")
	}
	pairs, err := c.pairs()
	if err != nil {
		return err
	}
	reward, path, done, err := c.reward(e)
	if err != nil {
		return err
	}
	defer done()
	began := time.Now()
	all := map[rewards.Damage]*rewards.Accuracy{"all": {}}
	for _, d := range rewards.Damages {
		all[d] = &rewards.Accuracy{}
	}
	n := 0
	for s, err := range rewards.Discriminate(e.ctx, reward, pairs) {
		if err != nil {
			return err
		}
		for _, d := range []rewards.Damage{s.Damage, "all"} {
			all[d].Of++
			all[d].Right += s.Right
		}
		n++
		fmt.Fprintf(e.stderr, "%d of %d: %s %s, %.3f and %.3f\n", n, len(pairs), s.Name, s.Damage, s.GoodValue, s.BadValue)
	}
	for _, d := range append(rewards.Damages, "all") {
		if err := c.show(e, string(d), *all[d], path, time.Since(began).Seconds()); err != nil {
			return err
		}
	}
	if c.Judge != "checklist" {
		return nil
	}
	return e.keepJudge(path, func(j *measuredJudge) { j.Accuracy = *all["all"] })
}

// pairs are what the judge is shown.
func (c *benchJudgeCmd) pairs() ([]rewards.Pair, error) {
	samples := rewards.Samples()
	if c.Language != "" {
		samples = slices.DeleteFunc(samples, func(s rewards.Sample) bool { return rewards.Language(s.Text) != c.Language })
		if len(samples) == 0 {
			return nil, usage("there are no texts in " + c.Language)
		}
	}
	if c.Words > 0 {
		samples = rewards.Cut(samples, c.Words)
	}
	pairs := spread(rewards.Pairs(samples, c.Rounds, 1), c.Limit)
	if c.Part == "" {
		return pairs, nil
	}
	i, n := 0, 0
	if _, err := fmt.Sscanf(c.Part, "%d/%d", &i, &n); err != nil || i < 1 || i > n {
		return nil, usage("--part is i/n")
	}
	var part []rewards.Pair
	for k := i - 1; k < len(pairs); k += n {
		part = append(part, pairs[k])
	}
	return part, nil
}

// reward is what is measured, with the model it needs.
func (c *benchJudgeCmd) reward(e *env) (r rewards.Reward, path string, done func(), err error) {
	done = func() {}
	switch c.Judge {
	case "length":
		return rewards.Length{}, "", done, nil
	case "format":
		return rewards.Format{}, "", done, nil
	case "random":
		return rewards.Coin{}, "", done, nil
	}
	p, path, err := e.openEngine(e.ctx, job{Model: c.Model})
	if err != nil {
		return nil, "", done, err
	}
	done = func() { p.Close() }
	plain := engine.Plain{Engine: p}
	switch c.Judge {
	case "overlap":
		like, err := rewards.Calibrate(e.ctx, plain)
		if err != nil {
			done()
			return nil, "", func() {}, err
		}
		for language, centre := range like {
			fmt.Fprintf(e.stderr, "%s: two paragraphs say the same from a cosine of %.3f on\n", language, centre.Threshold)
		}
		if err := e.keepJudge(path, func(j *measuredJudge) { j.Likeness = like }); err != nil {
			done()
			return nil, "", func() {}, err
		}
		return rewards.Format{Overlap: &rewards.Overlap{Embedder: plain, Likeness: like}}, path, done, nil
	case "pairwise":
		return rewards.Pairwise{Model: plain}, path, done, nil
	}
	j := rewards.Checklist{Model: plain}
	if c.Lists {
		j.Lists = &rewards.Checklists{}
	}
	return j, path, done, nil
}

func (c *benchJudgeCmd) show(e *env, kind string, a rewards.Accuracy, path string, seconds float64) error {
	low, high := a.Interval()
	m := judged{Name: "judge " + kind, Value: a.Share(), Unit: "share right", Low: low, High: high, Pairs: a.Of, Seconds: seconds, Model: base(path), Judge: c.Judge}
	if math.IsNaN(m.Value) {
		return nil // no such pairs
	}
	if c.JSON {
		return e.line("bench", m)
	}
	_, err := fmt.Fprintf(e.stdout, "%-10s %-10s %s\n", c.Judge, kind, strings.TrimSpace(a.String()))
	return err
}

// spread takes at most n pairs, as evenly as they come.
func spread(pairs []rewards.Pair, n int) []rewards.Pair {
	if n == 0 || n >= len(pairs) {
		return pairs
	}
	out := make([]rewards.Pair, n)
	for i := range out {
		out[i] = pairs[i*len(pairs)/n]
	}
	return out
}
