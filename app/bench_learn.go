package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"longhand/rl"
)

// benchLearnCmd says what a training run has changed.
type benchLearnCmd struct {
	Dir   string `name:"run" required:"" help:"Folder of a training run that had held-out prompts." placeholder:"DIR"`
	Since string `enum:"base,warmup" default:"base" help:"Compare the last evaluation with that of the base, or of the end of the warm-up."`
	Plot  string `help:"Draw the run's curves into this file." placeholder:"F.png"`
	JSON  bool   `help:"Results as JSON lines on standard output."`
}

func (c *benchLearnCmd) Run(e *env) error {
	metrics, err := rl.ReadMetrics(filepath.Join(c.Dir, "metrics.jsonl"))
	if err != nil {
		return err
	}
	if len(metrics) == 0 {
		return fmt.Errorf("there is no training run in %s", c.Dir)
	}
	if c.Plot != "" {
		if err := plotRun(c.Plot, metrics, filepath.Base(c.Dir)); err != nil {
			return err
		}
	}
	var first, last string
	for _, ev := range metrics {
		if ev, ok := ev.(rl.Eval); ok {
			path := filepath.Join(c.Dir, filepath.Base(ev.Samples)) // the folder may have been moved
			if ev.Phase == c.Since {
				first = path
			}
			last = path
		}
	}
	if first == "" || first == last {
		return hinted{fmt.Errorf("the run in %s has no evaluation after that of the %s", c.Dir, c.Since), "train with --eval and a file of held-out prompts"}
	}
	changes, err := rl.Compare(first, last)
	if err != nil {
		return err
	}
	if c.JSON {
		for _, ch := range changes {
			if err := e.line("change", ch); err != nil {
				return err
			}
		}
		return nil
	}
	return showChanges(e, changes, c.Since)
}

func showChanges(e *env, changes []rl.Change, since string) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\tprompts\t%s\tnow\tdifference\t95 %% interval\t\n", since)
	for _, c := range changes {
		name := c.Name
		if c.Max > 0 {
			name += fmt.Sprintf(", %d to %d words", c.Min, c.Max)
		}
		fmt.Fprintf(w, "%s\t%d x %d\t%.3f\t%.3f\t%+.3f\t%+.3f to %+.3f\t\n", name, c.Prompts, c.Samples/max(1, c.Prompts), c.Before, c.After, c.Difference(), c.Low, c.High)
	}
	return w.Flush()
}

// plotRun draws the curves of a run.
func plotRun(path string, metrics []rl.Event, title string) error {
	var b bytes.Buffer
	if err := rl.Plot(&b, metrics, title); err != nil {
		return err
	}
	return replaceFile(path, b.Bytes())
}
