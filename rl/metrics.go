package rl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// A metricsLog is metrics.jsonl: the events Warmup, Step and Eval, a line each,
// written before anybody hears of them.
type metricsLog struct {
	file *os.File
	held []Event // what the file holds
}

// openMetrics opens a file that ends in a whole line.
func openMetrics(path string) (*metricsLog, error) {
	held, err := ReadMetrics(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("rl: %w", err)
	}
	return &metricsLog{f, held}, nil
}

func (l *metricsLog) add(ev Event) error {
	line, err := Marshal(ev)
	if err != nil {
		return err
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("rl: write the metrics: %w", err)
	}
	l.held = append(l.held, ev)
	return nil
}

// evaluated says whether there was an evaluation after so many steps of a phase.
func (l *metricsLog) evaluated(phase string, step int) bool {
	return slices.ContainsFunc(l.held, func(ev Event) bool {
		e, ok := ev.(Eval)
		return ok && e.Phase == phase && e.Step == step
	})
}

func (l *metricsLog) close() { l.file.Close() }

// ReadMetrics reads a run's metrics.jsonl, or a checkpoint's: Warmup, Step and Eval
// events in their order. A last line that was cut is left out; no file is none.
func ReadMetrics(path string) (all []Event, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rl: %w", err)
	}
	in := bufio.NewReader(bytes.NewReader(b))
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return all, nil
		}
		ev, err := Unmarshal(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		if ev != nil {
			all = append(all, ev)
		}
	}
}

// cutMetrics leaves of a metrics file what was before a state.
func cutMetrics(path string, s State) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	all, err := ReadMetrics(path)
	if err != nil {
		return err
	}
	var kept bytes.Buffer
	for _, ev := range all {
		if s.past(ev) {
			line, err := Marshal(ev)
			if err != nil {
				return err
			}
			kept.Write(append(line, '\n'))
		}
	}
	return replaceFile(path, kept.Bytes())
}

// past says whether an event came before the state.
func (s State) past(ev Event) bool {
	switch e := ev.(type) {
	case Warmup:
		return s.Phase == phaseTrain || e.Step < s.Step
	case Step:
		return s.Phase == phaseTrain && e.Step < s.Step
	case Eval:
		return e.Phase == "base" || s.Phase == phaseTrain && (e.Phase == "warmup" || e.Step <= s.Step)
	}
	return false
}
