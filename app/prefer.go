package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"longhand/engine"
	"longhand/rewards"
)

// preferCmd is "longhand prefer": it learns a writer's taste.
type preferCmd struct {
	Choices string `help:"What you kept and rejected: JSON lines with prompt, kept and rejected." placeholder:"F.jsonl"`
	Prompts string `help:"Prompts to make pairs from: the model writes for each, and for it without one of its requirements." placeholder:"F.jsonl"`
	Pairs   int    `help:"Pairs to make of each prompt at most." default:"2"`
	Words   int    `help:"Words of a text that is made." default:"250"`
	Model   string `help:"Whose embeddings are used, and who writes: a name or a GGUF file." placeholder:"M"`
	Seed    uint64 `help:"Seed of the random numbers." default:"1"`
	Out     string `required:"" help:"Write what was learnt there, for score --head and train." placeholder:"F.json"`
	JSON    bool   `help:"The result as a JSON line on standard output."`
}

// preferred is the line of "longhand prefer --json".
type preferred struct {
	Pairs    int      `json:"pairs"`
	Made     int      `json:"made"`     // of them made by dropping requirements
	Accuracy *float64 `json:"accuracy"` // on pairs that were held out
	Low      float64  `json:"low"`      // of the 95 % interval
	High     float64  `json:"high"`
	Enough   bool     `json:"enough"`
	Message  string   `json:"message"`
	Out      string   `json:"out"`
}

func (c *preferCmd) Run(e *env) error {
	return e.told(c.JSON, c.run(e))
}

func (c *preferCmd) run(e *env) error {
	if c.Choices == "" && c.Prompts == "" {
		return usage("say what to learn from: --choices or --prompts")
	}
	if c.Pairs < 1 || c.Words < 20 || c.Words > 5000 {
		return usage("--pairs must be at least 1, --words between 20 and 5000")
	}
	choices, err := readLines(c.Choices, func(p rewards.Preference) error {
		if strings.TrimSpace(p.Kept) == "" || strings.TrimSpace(p.Rejected) == "" {
			return errors.New("kept and rejected must be texts")
		}
		return nil
	})
	if err != nil {
		return err
	}
	prompts, err := readLines(c.Prompts, func(p struct{ Prompt string }) error {
		if strings.TrimSpace(p.Prompt) == "" {
			return errors.New("the prompt is empty")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := writable(c.Out); err != nil {
		return err
	}
	p, path, err := e.openEngine(e.ctx, job{Model: c.Model})
	if err != nil {
		return err
	}
	defer p.Close()
	made := 0
	for i, prompt := range prompts {
		pairs, err := c.make(e, p, prompt.Prompt, uint64(i))
		if err != nil {
			return err
		}
		choices, made = append(choices, pairs...), made+len(pairs)
	}
	h, err := rewards.TrainHead(e.ctx, engine.Plain{Engine: p}, base(path), choices)
	if err != nil {
		return err
	}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := replaceFile(c.Out, append(b, '\n')); err != nil {
		return err
	}
	return c.tell(e, h, made)
}

func (c *preferCmd) tell(e *env, h *rewards.Head, made int) error {
	out := preferred{Pairs: h.Pairs, Made: made, Accuracy: orNull(h.HeldOut.Share()), Message: h.Enough(), Out: c.Out}
	out.Low, out.High = h.HeldOut.Interval()
	if out.Enough = out.Message == ""; out.Enough {
		out.Message = "on preferences it has not seen it is right in " + h.HeldOut.String()
	}
	if c.JSON {
		return e.line("preferred", out)
	}
	_, err := fmt.Fprintf(e.stdout, "%d preferences: %s\n", out.Pairs, out.Message)
	return err
}

// make writes for a prompt and for reductions of it.
func (c *preferCmd) make(e *env, p *engine.Process, prompt string, number uint64) ([]rewards.Preference, error) {
	reduced := rewards.Reductions(prompt)
	if len(reduced) == 0 {
		fmt.Fprintf(e.stderr, "“%s” has no requirement that could be left out\n", head(prompt, 60))
		return nil, nil
	}
	var all []rewards.Preference
	for i, less := range reduced[:min(len(reduced), c.Pairs)] {
		seed := c.Seed<<20 + number<<8 + uint64(2*i)
		kept, err := c.write(e, p, prompt, seed)
		if err != nil {
			return nil, err
		}
		rejected, err := c.write(e, p, less, seed+1)
		if err != nil {
			return nil, err
		}
		if kept != "" && rejected != "" {
			all = append(all, rewards.Preference{Prompt: prompt, Kept: kept, Rejected: rejected})
		}
	}
	return all, nil
}

// write has the model answer a prompt.
func (c *preferCmd) write(e *env, p *engine.Process, prompt string, seed uint64) (string, error) {
	chat := p.Info().Chat
	pieces, _ := chat.Begin("")
	ids, err := p.Tokenize(e.ctx, append(pieces, chat.Ask(prompt, false, "")...)...)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	r := engine.Request{Prompt: ids, MaxTokens: 3 * c.Words / 2, Sampling: engine.Sampling{Temperature: 0.8, TopP: 0.95, MinP: 0.05, Seed: seed}}
	for t, err := range p.Generate(e.ctx, r) {
		if errors.Is(err, engine.ErrContextFull) {
			break
		}
		if err != nil {
			return "", err
		}
		text.WriteString(t.Text)
	}
	return strings.TrimSpace(text.String()), nil
}

// readLines reads JSON lines; "" is no file.
func readLines[T any](name string, check func(T) error) ([]T, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []T
	in := bufio.NewScanner(f)
	in.Buffer(nil, maxDraft)
	for n := 1; in.Scan(); n++ {
		if strings.TrimSpace(in.Text()) == "" {
			continue
		}
		var one T
		err := json.Unmarshal(in.Bytes(), &one)
		if err == nil {
			err = check(one)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", filepath.Base(name), n, err)
		}
		all = append(all, one)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds nothing", filepath.Base(name))
	}
	return all, nil
}
