package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"unicode/utf8"

	"longhand/engine"
	"longhand/rewards"
)

// scoreCmd is "longhand score".
type scoreCmd struct {
	PromptFile string `required:"" help:"What was asked: a text, or a line of JSON with prompt, min_words and max_words; - is standard input." placeholder:"F"`
	Draft      string `required:"" help:"The draft, as Markdown or plain text." placeholder:"F.md"`
	MinWords   int    `help:"Wanted words at least. Without it: as the prompt says." placeholder:"A"`
	MaxWords   int    `help:"Wanted words at most." placeholder:"B"`
	Outline    string `help:"The outline that the draft was to follow." placeholder:"F.json"`
	OnePass    bool   `help:"The draft is <think> and <answer>, as a model wrote it in one pass."`
	Model      string `help:"The judge: a model's name or a GGUF file. Without it: the best that is installed." placeholder:"M"`
	NoJudge    bool   `help:"Length and format alone, which take no model and no time."`
	Head       string `help:"The writer's own preferences, as learnt from choices." placeholder:"F.json"`
	JSON       bool   `help:"One JSON line on standard output."`
}

// maxDraft is the size of a text that is scored: some 5 million words.
const maxDraft = 32 << 20

func (c *scoreCmd) Run(e *env) error {
	return e.told(c.JSON, c.run(e))
}

func (c *scoreCmd) run(e *env) error {
	p, err := c.prompt(e)
	if err != nil {
		return err
	}
	text, err := readDraft(c.Draft)
	if err != nil {
		return err
	}
	with, judge, done, err := c.judge(e)
	if err != nil {
		return err
	}
	defer done()
	spec := "length=1,format=1"
	if with.Judge != nil {
		spec += ",writing=1"
	}
	set, err := rewards.Parse(spec, with)
	if err != nil {
		return err
	}
	scores, err := set.Score(e.ctx, p, rewards.Completion{Text: text, Finished: true})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.line("score", scoreLine(scores, judge))
	}
	return showScores(e.stdout, text, scores, judge)
}

// prompt reads what was asked.
func (c *scoreCmd) prompt(e *env) (rewards.Prompt, error) {
	p := rewards.Prompt{}
	if c.MinWords < 0 || c.MaxWords < 0 || c.MaxWords > 0 && c.MinWords > c.MaxWords || max(c.MinWords, c.MaxWords) > 10_000_000 {
		return p, usage("--min-words and --max-words are a range from 0 to 10,000,000")
	}
	if c.OnePass && c.Outline != "" {
		return p, usage("--one-pass writes without an outline")
	}
	file, err := e.readText(c.PromptFile)
	if err != nil {
		return p, err
	}
	if p, err = promptOf(file); err != nil {
		return p, fmt.Errorf("%s: %w", c.PromptFile, err)
	}
	if c.MinWords > 0 || c.MaxWords > 0 {
		p.Min, p.Max = c.MinWords, c.MaxWords
	}
	if c.OnePass {
		p.Form = rewards.OnePass
	}
	if c.Outline != "" {
		return c.planned(p)
	}
	return p, nil
}

// planned adds the outline that the draft was to follow.
func (c *scoreCmd) planned(p rewards.Prompt) (rewards.Prompt, error) {
	o, err := readOutline(c.Outline, 0)
	if err != nil {
		return p, err
	}
	p.Form = rewards.Planned
	for _, s := range o.Sections {
		p.Outline = append(p.Outline, rewards.Heading{Title: s.Title, Words: s.Words})
	}
	return p, nil
}

// promptOf takes a text as it is, or a line of a prompt file.
func promptOf(file string) (rewards.Prompt, error) {
	text := strings.TrimSpace(strings.TrimPrefix(file, "\ufeff"))
	if text == "" {
		return rewards.Prompt{}, errors.New("the prompt is empty")
	}
	if !strings.HasPrefix(text, "{") || !strings.Contains(text, `"prompt"`) {
		return rewards.Prompt{Text: text}, nil
	}
	line, rest, _ := strings.Cut(text, "\n")
	if !json.Valid([]byte(line)) {
		line, rest = text, "" // over several lines
	}
	var in struct {
		Prompt   string `json:"prompt"`
		MinWords int    `json:"min_words"`
		MaxWords int    `json:"max_words"`
	}
	if err := json.Unmarshal([]byte(line), &in); err != nil {
		return rewards.Prompt{}, fmt.Errorf("it is not a prompt in JSON: %w", err)
	}
	switch {
	case strings.TrimSpace(rest) != "":
		return rewards.Prompt{}, errors.New("it holds several prompts; a draft is scored for one")
	case strings.TrimSpace(in.Prompt) == "":
		return rewards.Prompt{}, errors.New("the prompt is empty")
	case in.MinWords < 0 || in.MaxWords < 0 || in.MaxWords > 0 && in.MinWords > in.MaxWords:
		return rewards.Prompt{}, errors.New("min_words and max_words are not a range")
	}
	return rewards.Prompt{Text: in.Prompt, Min: in.MinWords, Max: in.MaxWords}, nil
}

func readDraft(name string) (string, error) {
	st, err := os.Stat(name)
	switch {
	case err != nil:
		return "", err
	case st.IsDir():
		return "", fmt.Errorf("%s is a folder, not a draft", name)
	case st.Size() > maxDraft:
		return "", fmt.Errorf("%s is larger than 32 MiB; it cannot be a draft", name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", fmt.Errorf("%s is not UTF-8 text", name)
	}
	return strings.TrimPrefix(string(b), "\ufeff"), nil
}

// judge opens the model that judges, if there is one; done closes it.
func (c *scoreCmd) judge(e *env) (with rewards.With, name string, done func(), err error) {
	done = func() {}
	if c.Head != "" {
		b, err := os.ReadFile(c.Head)
		if err != nil {
			return with, "", done, err
		}
		with.Head = &rewards.Head{}
		if err := json.Unmarshal(b, with.Head); err != nil {
			return with, "", done, fmt.Errorf("%s: %w", c.Head, err)
		}
	}
	if c.NoJudge {
		return with, "", done, nil
	}
	p, path, err := e.openEngine(e.ctx, job{Model: c.Model})
	if err != nil {
		if c.Model != "" || e.ctx.Err() != nil {
			return with, "", done, err
		}
		fmt.Fprintln(e.stderr, "longhand: scored without a judge:", err)
		return with, "", done, nil
	}
	plain := engine.Plain{Engine: p}
	with.Judge, with.Embedder = plain, plain
	with.Likeness = e.likeness(path)
	name = base(path)
	if why := e.weakJudge(path, plain); why != "" {
		fmt.Fprintln(e.stderr, "longhand:", why)
	}
	return with, name, func() { p.Close() }, nil
}

// orNull is a value for JSON: null where it is unknown.
func orNull(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
