package rl

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Prompt is one line of a prompt file. Without a range the length is read from the
// prompt's text, where it says one.
type Prompt struct {
	Text string `json:"prompt"`
	Min  int    `json:"min_words"`
	Max  int    `json:"max_words"`
}

// Example is one line of a warm-up file.
type Example struct {
	Prompt     string `json:"prompt"`
	Completion string `json:"completion"`
}

// Replayed is one line of a replay file: token ids, used as they are.
type Replayed struct {
	Prompt      []int32              `json:"prompt"`
	Completions []ReplayedCompletion `json:"completions"`
}

// ReplayedCompletion has the end token in Tokens if it was sampled.
type ReplayedCompletion struct {
	Tokens    []int32   `json:"tokens"`
	Advantage *float64  `json:"advantage"`
	LogProbs  []float64 `json:"logprobs"`     // the sampler's; optional
	Old       []float64 `json:"old_logprobs"` // optional
}

// maxPromptLine keeps a wrong file from being read into memory whole.
const maxPromptLine = 64 << 20

// ReadPrompts reads a prompt file. An error names the line.
func ReadPrompts(path string) ([]Prompt, error) { return readFile(path, Prompt.check) }

// ReadExamples reads a warm-up file.
func ReadExamples(path string) ([]Example, error) { return readFile(path, Example.check) }

// ReadReplay reads a replay file.
func ReadReplay(path string) ([]Replayed, error) { return readFile(path, Replayed.check) }

func (p Prompt) check() error {
	switch {
	case strings.TrimSpace(p.Text) == "":
		return errors.New(`the "prompt" is missing or empty`)
	case strings.ContainsRune(p.Text, 0):
		return errors.New("the prompt holds a zero byte")
	case p.Min < 0 || p.Max < 0 || p.Max > 10_000_000 || p.Min > 10_000_000:
		return fmt.Errorf("min_words %d and max_words %d", p.Min, p.Max)
	case p.Max > 0 && p.Min > p.Max:
		return fmt.Errorf("min_words %d is above max_words %d", p.Min, p.Max)
	}
	return nil
}

func (e Example) check() error {
	switch {
	case strings.TrimSpace(e.Prompt) == "":
		return errors.New(`the "prompt" is missing or empty`)
	case strings.TrimSpace(e.Completion) == "":
		return errors.New(`the "completion" is missing or empty`)
	case strings.ContainsRune(e.Prompt+e.Completion, 0):
		return errors.New("it holds a zero byte")
	}
	return nil
}

func (r Replayed) check() error {
	if len(r.Prompt) == 0 {
		return errors.New(`the "prompt" has no tokens`)
	}
	if len(r.Completions) == 0 {
		return errors.New("there are no completions")
	}
	for j, c := range r.Completions {
		switch {
		case len(c.Tokens) == 0:
			return fmt.Errorf("completion %d has no tokens", j)
		case c.Advantage == nil:
			return fmt.Errorf("completion %d has no advantage", j)
		case c.LogProbs != nil && len(c.LogProbs) != len(c.Tokens):
			return fmt.Errorf("completion %d has %d tokens and %d logprobs", j, len(c.Tokens), len(c.LogProbs))
		case c.Old != nil && len(c.Old) != len(c.Tokens):
			return fmt.Errorf("completion %d has %d tokens and %d old_logprobs", j, len(c.Tokens), len(c.Old))
		}
	}
	return nil
}

// readFile reads JSON lines. Empty lines and keys that are not known are passed over.
func readFile[T any](path string, check func(T) error) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("rl: %w", err)
	}
	defer f.Close()
	all, err := readLines(f, check)
	if err != nil {
		return nil, fmt.Errorf("rl: %s: %w", path, err)
	}
	return all, nil
}

func readLines[T any](r io.Reader, check func(T) error) (all []T, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxPromptLine)
	n := 0
	for in.Scan() {
		n++
		line := strings.TrimSpace(strings.TrimPrefix(in.Text(), "\uFEFF"))
		if line == "" {
			continue
		}
		var v T
		if !utf8.ValidString(line) {
			return nil, fmt.Errorf("line %d is not UTF-8", n)
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			return nil, fmt.Errorf("line %d is not what it should be: %w", n, plainJSON(err))
		}
		if err := check(v); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		all = append(all, v)
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d is longer than %d MiB", n+1, maxPromptLine>>20)
	}
	if in.Err() != nil {
		return nil, in.Err()
	}
	if len(all) == 0 {
		return nil, errors.New("the file is empty")
	}
	return all, nil
}

// plainJSON says what is wrong with a line in a person's words.
func plainJSON(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		if kind.Field == "" {
			return fmt.Errorf("a JSON %s where an object is wanted", kind.Value)
		}
		return fmt.Errorf("%q is a %s, which does not fit", kind.Field, kind.Value)
	}
	return err
}
