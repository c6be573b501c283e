package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"longhand/app/draft"
	"longhand/rewards"
	"longhand/rl"
)

// exportExamplesCmd is "longhand export examples": what `longhand train --warmup` begins with.
type exportExamplesCmd struct {
	Drafts  []string `arg:"" optional:"" help:"Ids of finished drafts. Without one: all that are finished."`
	Form    string   `enum:"plain,one_pass" default:"plain" help:"plain: the text alone. one_pass: the plan as thinking, then the text as answer."`
	Longest int      `default:"400" help:"Words of an example. A longer draft gives its sections, one by one, as far as they are not longer."`
	Out     string   `required:"" help:"File to write: JSON lines {\"prompt\", \"completion\"}." placeholder:"F.jsonl"`
}

func (c *exportExamplesCmd) Run(e *env) error {
	if c.Longest < 1 {
		return usage("--longest must be at least 1")
	}
	projects, err := e.finished(c.Drafts)
	if err != nil {
		return err
	}
	var all []rl.Example
	drafts := 0
	for _, p := range projects {
		some := examplesOf(p, c.Form, c.Longest)
		all = append(all, some...)
		drafts += min(1, len(some))
	}
	if len(all) == 0 {
		return hinted{errors.New("no finished draft gives an example"), fmt.Sprintf("sections must be finished, without a flag, and of at most %d words: see --longest", c.Longest)}
	}
	if err := writeLines(c.Out, all); err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "%s: %s from %s\n", c.Out, plural(len(all), "example"), plural(drafts, "draft"))
	return nil
}

// finished are the drafts of these ids, or all that are finished, the oldest first. Of all those, what cannot be
// read is left out; of those that were named it is an error.
func (e *env) finished(ids []string) (all []*draft.Project, err error) {
	named := len(ids) > 0
	if !named {
		cards, err := e.cards()
		if err != nil {
			return nil, err
		}
		for _, c := range cards {
			ids = append(ids, c.ID)
		}
		slices.Sort(ids)
	}
	for _, id := range ids {
		p, err := e.peek(id)
		if err == nil && !p.Done {
			err = errors.New("it is not finished")
		}
		if err == nil && p.Private && !named {
			continue // not for training
		}
		if err == nil {
			all = append(all, p)
		} else if named {
			return nil, fmt.Errorf("draft %s: %w", id, err)
		}
	}
	return all, nil
}

// examplesOf makes supervised examples of a finished draft: the whole where it is short enough, else each
// section that is, asked for by its title and point. Sections with a flag teach what a writer would not
// have kept.
func examplesOf(p *draft.Project, form string, longest int) (all []rl.Example) {
	flagged := slices.ContainsFunc(p.Sections, func(s draft.Section) bool { return len(s.Flags) > 0 })
	if n := p.Words(); n <= longest && !flagged {
		return []rl.Example{lesson(form, withLength(p.Request.Prompt, n), planOf(p), strings.TrimSpace(p.Markdown()))}
	}
	for i, s := range p.Sections {
		n := rewards.CountWords(s.Text)
		if !s.Done || len(s.Flags) > 0 || n == 0 || n > longest || len(p.Sections) == 1 {
			continue
		}
		plan := p.Outline.Sections[i]
		ask := fmt.Sprintf("%s\n\nWrite only the section “%s”, about %d words.", strings.TrimSpace(p.Request.Prompt), plan.Title, nearly(n))
		if plan.Point != "" {
			ask += " Its point: " + plan.Point
		}
		all = append(all, lesson(form, ask, sectionPlan(plan), strings.TrimSpace(s.Text)))
	}
	return all
}

func lesson(form, prompt, plan, text string) rl.Example {
	if form == rl.FormOnePass {
		text = "<think>\n" + plan + "\n</think>\n<answer>\n" + text + "\n</answer>"
	}
	return rl.Example{Prompt: prompt, Completion: text}
}

// withLength adds the length to a prompt that does not name one, so that the model learns that it is asked for.
func withLength(prompt string, words int) string {
	prompt = strings.TrimSpace(prompt)
	if draft.WordsAsked(prompt) > 0 {
		return prompt
	}
	return fmt.Sprintf("%s\n\nAbout %d words.", prompt, nearly(words))
}

// nearly is a number of words as people say it.
func nearly(n int) int {
	if n < 100 {
		return max(5, (n+2)/5*5)
	}
	return (n + 25) / 50 * 50
}

// planOf is what was thought and planned before the draft was written.
func planOf(p *draft.Project) string {
	lines := []string{}
	if t := strings.TrimSpace(p.Thinking); t != "" {
		lines = append(lines, t)
	}
	for _, s := range p.Outline.Sections {
		if s.Title != "" || s.Point != "" || len(s.Beats) > 0 {
			lines = append(lines, sectionPlan(s))
		}
	}
	if len(lines) == 0 {
		lines = append(lines, fmt.Sprintf("About %d words on what was asked.", nearly(p.Words())))
	}
	return tagless(strings.Join(lines, "\n"))
}

func sectionPlan(s draft.SectionPlan) string {
	line := fmt.Sprintf("%s (about %d words)", s.Title, nearly(s.Words))
	if s.Point != "" {
		line += ": " + s.Point
	}
	for _, b := range s.Beats {
		line += "\n- " + b
	}
	return tagless(line)
}

// tagless keeps a plan from ending the thinking early.
func tagless(s string) string {
	return strings.NewReplacer("<think>", "", "</think>", "", "<answer>", "", "</answer>", "").Replace(s)
}
