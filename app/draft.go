package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"longhand/app/draft"
)

// draftCmd is "longhand draft".
type draftCmd struct {
	Prompt     string  `xor:"what" help:"What to write." placeholder:"TEXT"`
	PromptFile string  `xor:"what" help:"Read the prompt from a file; - is standard input." placeholder:"F"`
	Resume     string  `xor:"what" help:"Go on with a draft; 'last' is the one written last." placeholder:"ID|last"`
	Words      int     `help:"Wanted words. Without it: read from the prompt, or the model's estimate." placeholder:"N"`
	Model      string  `help:"A model's name or a GGUF file. Without it: the best that is installed." placeholder:"M"`
	Adapter    string  `help:"A LoRA adapter: a GGUF file or a checkpoint folder." placeholder:"DIR"`
	Style      string  `help:"Style notes, or pages of your own as a sample." placeholder:"F.md"`
	PlanOnly   bool    `help:"Stop when the outline stands; --out F.json takes it."`
	Outline    string  `help:"Write this outline instead of planning." placeholder:"F.json"`
	OnePass    bool    `help:"Think and write in one pass, for models trained to it."`
	Free       bool    `hidden:"" help:"Let the model end each turn as it likes, with no held length and no guards; for comparison."`
	Temp       float64 `help:"Temperature. Without it: 0.8." placeholder:"X"`
	Seed       uint64  `help:"Seed of the random numbers. Without it: one is drawn." placeholder:"S"`
	Ctx        int     `help:"Working context in tokens." placeholder:"N"`
	Out        string  `help:"Write the draft there as Markdown." placeholder:"F.md"`
	JSON       bool    `help:"Events as JSON lines on standard output."`
}

// maxPrompt keeps a wrong file from being taken for a prompt.
const maxPrompt = 1 << 20

func (c *draftCmd) Run(e *env) error {
	return e.told(c.JSON, c.run(e))
}

func (c *draftCmd) run(e *env) error {
	j, err := c.job(e)
	if err != nil {
		return err
	}
	if c.Out != "" {
		if err := writable(c.Out); err != nil {
			return err
		}
	}
	var p *draft.Project
	show := newProgress(e.stderr, c.JSON)
	j.Begun = func(q *draft.Project) { p = q; show.resume(q) }
	defer show.close()
	for ev, err := range e.start(e.ctx, j) {
		if err != nil {
			show.close()
			saveDraft(p, c.Out, c.PlanOnly)
			return err
		}
		if c.JSON {
			if err := e.event(ev); err != nil {
				return err
			}
		}
		show.event(ev)
		if _, done := ev.(draft.SectionDone); done {
			if err := saveDraft(p, c.Out, c.PlanOnly); err != nil {
				return err
			}
		}
	}
	show.finish()
	if c.Out != "" {
		return saveDraft(p, c.Out, c.PlanOnly)
	}
	if !c.JSON {
		_, err = e.stdout.Write(draftFile(p, c.PlanOnly))
	}
	return err
}

// job turns the flags into a job and says what does not fit together.
func (c *draftCmd) job(e *env) (job, error) {
	j := job{Words: c.Words, Model: c.Model, Adapter: c.Adapter, Resume: c.Resume, Out: c.Out, PlanOnly: c.PlanOnly, OnePass: c.OnePass, Free: c.Free, Temperature: c.Temp, Seed: c.Seed, Context: c.Ctx}
	switch {
	case c.Words < 0 || c.Words > 1_000_000 || c.Words > 0 && c.Words < 20:
		return j, usage("--words must be between 20 and 1,000,000")
	case c.Temp < 0 || c.Temp > 2:
		return j, usage("--temp must be between 0 and 2")
	case c.Ctx != 0 && c.Ctx < 2048:
		return j, usage("--ctx must be at least 2048")
	case c.Resume != "" && (c.Words != 0 || c.Outline != "" || c.Style != "" || c.OnePass || c.Seed != 0 || c.Temp != 0):
		return j, usage("--resume goes on with the draft as it was asked for: --words, --style, --outline, --one-pass, --seed and --temp cannot change it")
	case c.OnePass && (c.Outline != "" || c.PlanOnly):
		return j, usage("--one-pass writes without an outline")
	}
	var err error
	switch {
	case c.PromptFile != "":
		j.Prompt, err = e.readText(c.PromptFile)
	case c.Prompt != "":
		j.Prompt = c.Prompt
	case c.Resume == "":
		return j, usage("say what to write: --prompt, --prompt-file or --resume")
	}
	if err == nil && c.Resume == "" && strings.TrimSpace(j.Prompt) == "" {
		err = errors.New("the prompt is empty")
	}
	if err == nil && c.Style != "" {
		j.Style, err = e.readText(c.Style)
	}
	if err == nil && c.Outline != "" {
		j.Outline, err = readOutline(c.Outline, c.Words)
	}
	j.Language = language(j.Prompt)
	return j, err
}

func usage(what string) error { return &exitError{2, errors.New(what)} }

// readText reads a text file of sane size that is text.
func (e *env) readText(name string) (string, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return "", err
		}
		defer f.Close()
	}
	return textOf(f, name)
}

func readOutline(name string, words int) (*draft.Outline, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var o draft.Outline
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("%s is not an outline: %w", name, err)
	}
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if words > 0 {
		o.Scale(words)
		if err := o.Check(); err != nil {
			return nil, fmt.Errorf("%s with --words %d: %w", name, words, err)
		}
	}
	return &o, nil
}

// language names the language to write in where the prompt's script tells it.
func language(prompt string) string {
	han, kana, hangul, letters := 0, 0, 0, 0
	for _, r := range prompt {
		switch {
		case unicode.Is(unicode.Han, r):
			han++
		case unicode.In(r, unicode.Hiragana, unicode.Katakana):
			kana++
		case unicode.Is(unicode.Hangul, r):
			hangul++
		case unicode.IsLetter(r):
			letters++
		}
	}
	switch {
	case kana*5 > letters && kana > 0:
		return "Japanese"
	case hangul*3 > letters && hangul > 0:
		return "Korean"
	case han*3 > letters && han > 0:
		return "Chinese"
	}
	return ""
}

// writable finds out before hours of work that the result cannot be saved.
func writable(name string) error {
	if st, err := os.Stat(name); err == nil && st.IsDir() {
		return fmt.Errorf("%s cannot be written: it is a folder", name)
	}
	if st, err := os.Stat(name); err == nil && !st.Mode().IsRegular() {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(filepath.Dir(name), ".longhand-"+newID()), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", name, err)
	}
	f.Close()
	return os.Remove(f.Name())
}
