package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"longhand/engine"
)

// benchSampleCmd measures the drawing of groups as training does it.
type benchSampleCmd struct {
	Model             string `help:"A model's name or a GGUF file." placeholder:"M"`
	Shape             string `help:"In place of a model: random weights in the shape of qwen2.5-0.5b or qwen2.5-1.5b." placeholder:"S"`
	Slots             []int  `help:"Completions at once." default:"8,16"`
	Prompt            int    `help:"Tokens of the prompt, which the group shares." default:"64"`
	Tokens            int    `help:"Tokens of each completion." default:"128"`
	Repeat            int    `help:"Runs of each; the median counts." default:"5"`
	Threads           int    `help:"Threads; 0 is all cores."`
	Adapter           string `help:"With a LoRA adapter, as training draws after its first step." placeholder:"DIR"`
	NoLogProbs        bool   `help:"Without the log-probabilities that training wants."`
	LlamaBatchedBench string `help:"llama.cpp's llama-batched-bench: measured in turn with ours, and the ratio printed." placeholder:"F"`
	JSON              bool   `help:"Results as JSON lines on standard output."`
}

func (c *benchSampleCmd) Run(e *env) error {
	if c.Tokens < 2 || c.Prompt < 1 || c.Repeat < 1 {
		return usage("--tokens must be at least 2, --prompt and --repeat at least 1")
	}
	if slices.ContainsFunc(c.Slots, func(n int) bool { return n < 1 || n > 255 }) {
		return usage("--slots must be 1 to 255")
	}
	return benchEach(e, c.Model, c.Shape, c.Slots, c.measure)
}

// measure alternates our runs with those of llama-batched-bench. Generation is
// compared without the prompt, and the whole with it: the other decodes a prompt
// for every sequence.
func (c *benchSampleCmd) measure(e *env, path, folder string, slots int) error {
	var ours, whole, theirs, theirWhole, ratios, wholeRatios []float64
	m := measured{Tokens: slots * c.Tokens, Depth: c.Prompt, Slots: slots, Model: base(path)}
	for range c.Repeat {
		drawn, all, threads, err := c.once(e.ctx, path, folder, slots)
		if err != nil {
			return err
		}
		m.Threads = threads
		ours, whole = append(ours, drawn), append(whole, all)
		if c.LlamaBatchedBench != "" {
			their, theirAll, err := c.batchedBench(e.ctx, path, slots, threads)
			if err != nil {
				return err
			}
			theirs, theirWhole = append(theirs, their), append(theirWhole, theirAll)
			ratios, wholeRatios = append(ratios, drawn/their), append(wholeRatios, all/theirAll)
		}
	}
	return m.show(e, c.JSON, figure{"sample", "tokens/s", ours}, figure{"batched-bench", "tokens/s", theirs}, figure{"ratio", "sample / batched-bench", ratios},
		figure{"sample, whole", "tokens/s", whole}, figure{"batched-bench, whole", "tokens/s", theirWhole}, figure{"ratio, whole", "sample / batched-bench", wholeRatios})
}

// once draws one group in a child process. The first tokens come with the prompt,
// so a group of one token each takes what is not generation.
func (c *benchSampleCmd) once(ctx context.Context, path, folder string, slots int) (drawn, whole float64, threads int, err error) {
	o := engine.Options{Library: folder, Split: true, Context: (slots + 1) * (c.Prompt + c.Tokens), Sequences: slots + 1, Threads: c.Threads}
	p, err := engine.Start(ctx, []string{childBinary(), "engine"}, path, o)
	if err != nil {
		return 0, 0, 0, err
	}
	defer p.Close()
	if c.Adapter != "" {
		if err := p.SetAdapter(ctx, c.Adapter); err != nil {
			return 0, 0, 0, err
		}
	}
	r := engine.SampleRequest{Prompt: make([]int32, c.Prompt), Seed: 1, Sampling: &engine.Sampling{Temperature: 1, NoEnd: true}}
	for i := range r.Prompt {
		r.Prompt[i] = int32(1000 + i*37%10000)
	}
	draw := func(tokens int) (float64, error) {
		r.MaxTokens = tokens
		begin, n := time.Now(), 0
		for done, err := range p.Sample(ctx, []engine.SampleRequest{r}, slots, engine.SampleOptions{LogProbs: !c.NoLogProbs}) {
			if err != nil {
				return 0, err
			}
			n += len(done.Tokens)
		}
		if n != slots*tokens {
			return 0, fmt.Errorf("%d tokens were drawn, not %d", n, slots*tokens)
		}
		return time.Since(begin).Seconds(), nil
	}
	if _, err := draw(2); err != nil { // llama.cpp's first work takes longer
		return 0, 0, 0, err
	}
	first, err := draw(1)
	if err != nil {
		return 0, 0, 0, err
	}
	all, err := draw(c.Tokens)
	if err != nil {
		return 0, 0, 0, err
	}
	return float64(slots*(c.Tokens-1)) / (all - first), float64(slots*c.Tokens) / all, p.Info().Threads, nil
}

// batchedBench runs llama.cpp's own tool on the same work.
func (c *benchSampleCmd) batchedBench(ctx context.Context, path string, slots, threads int) (drawn, whole float64, err error) {
	number := strconv.Itoa
	out, err := exec.CommandContext(ctx, c.LlamaBatchedBench, "-m", path, "-c", number(slots*(c.Prompt+c.Tokens+256)), "-npp", number(c.Prompt), "-ntg", number(c.Tokens), "-npl", number(slots),
		"-t", number(threads), "-ngl", "0", "--output-format", "jsonl").Output()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", c.LlamaBatchedBench, err)
	}
	for line := range bytes.Lines(out) {
		var row struct {
			Generation float64 `json:"speed_tg"`
			Seconds    float64 `json:"t"`
		}
		if json.Unmarshal(line, &row) == nil && row.Generation > 0 && row.Seconds > 0 {
			return row.Generation, float64(slots*c.Tokens) / row.Seconds, nil
		}
	}
	return 0, 0, fmt.Errorf("%s did not print its result as JSON", c.LlamaBatchedBench)
}
