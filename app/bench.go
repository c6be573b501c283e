package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"longhand/app/draft"
	"longhand/app/store"
	"longhand/engine"
)

// benchCmd is "longhand bench".
type benchCmd struct {
	Draft  benchDraftCmd  `cmd:"" help:"Speed of drafting: sampling, child process and journal included."`
	Sample benchSampleCmd `cmd:"" help:"Speed of drawing groups of completions, as training does."`
	Train  benchTrainCmd  `cmd:"" help:"Speed of the trainer: forward, backward and update."`
	Judge  benchJudgeCmd  `cmd:"" help:"How often a model names the better of two texts."`
	Learn  benchLearnCmd  `cmd:"" help:"What a training run has changed on its held-out prompts."`
	Store  benchStoreCmd  `cmd:"" help:"The store with a long book in it: opening, saving, memory, files."`
}

// benchDraftCmd measures generation as a draft does it.
type benchDraftCmd struct {
	Model      string `help:"A model's name or a GGUF file." placeholder:"M"`
	Shape      string `help:"In place of a model: random weights in the shape of qwen2.5-0.5b or qwen2.5-1.5b." placeholder:"S"`
	Depth      []int  `help:"Tokens that are in the context already." default:"0,1500"`
	Tokens     int    `help:"Tokens to generate." default:"256"`
	Repeat     int    `help:"Runs of each; the median counts." default:"5"`
	Threads    int    `help:"Threads; 0 is what a draft would use."`
	LlamaBench string `help:"llama.cpp's llama-bench: measured in turn with ours, and the ratio printed." placeholder:"F"`
	JSON       bool   `help:"Results as JSON lines on standard output."`
}

// measured is one result.
type measured struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Tokens  int     `json:"tokens"`
	Seconds float64 `json:"seconds"`
	Depth   int     `json:"depth"`
	Slots   int     `json:"slots"`
	Threads int     `json:"threads"`
	Model   string  `json:"model"`
	Low     float64 `json:"low"`  // of the runs
	High    float64 `json:"high"` // of the runs
}

func (c *benchDraftCmd) Run(e *env) error {
	if c.Tokens < 2 || c.Repeat < 1 {
		return usage("--tokens must be at least 2, --repeat at least 1")
	}
	return benchEach(e, c.Model, c.Shape, c.Depth, c.measure)
}

// benchEach measures a model at each of some depths or numbers of slots.
func benchEach(e *env, model, shape string, at []int, measure func(e *env, path, folder string, at int) error) error {
	folder, _, _, err := e.library()
	if err != nil {
		return err
	}
	path, remove, err := benchModel(e, model, shape)
	defer remove()
	for _, n := range at {
		if err == nil {
			err = measure(e, path, folder, n)
		}
	}
	return err
}

// benchModel finds the model to measure, or makes one of a shape for the time of
// the run.
func benchModel(e *env, model, shape string) (path string, remove func(), err error) {
	if shape != "" {
		return shapeFile(shape)
	}
	path, _, err = e.model(model)
	return path, func() {}, err
}

// shapeFile writes a model of random weights for the time of the run.
func shapeFile(name string) (path string, remove func(), err error) {
	s, ok := engine.ShapeOf(name)
	if !ok {
		return "", func() {}, usage("there is no shape " + name)
	}
	dir, err := os.MkdirTemp("", "longhand-shape-")
	if err != nil {
		return "", func() {}, err
	}
	path = filepath.Join(dir, s.Name+".gguf")
	return path, func() { os.RemoveAll(dir) }, engine.WriteShape(path, s)
}

// measure alternates our runs with llama-bench's, so that a machine that slows
// down slows both. Our engine is closed while the other runs.
func (c *benchDraftCmd) measure(e *env, path, folder string, depth int) error {
	var ours, prompt, theirs, ratios []float64
	m := measured{Tokens: c.Tokens, Depth: depth, Slots: 1, Model: base(path)}
	for range c.Repeat {
		gen, pre, threads, err := c.once(e.ctx, path, folder, depth)
		if err != nil {
			return err
		}
		m.Threads = threads
		ours = append(ours, gen)
		if depth > 0 {
			prompt = append(prompt, pre)
		}
		if c.LlamaBench != "" {
			their, err := c.llamaBench(e.ctx, path, depth, threads)
			if err != nil {
				return err
			}
			theirs, ratios = append(theirs, their), append(ratios, gen/their)
		}
	}
	return m.show(e, c.JSON, figure{"generate", "tokens/s", ours}, figure{"prompt", "tokens/s", prompt}, figure{"llama-bench", "tokens/s", theirs},
		figure{"ratio", "generate / llama-bench", ratios})
}

// A figure is one quantity of a benchmark, with its value in each run.
type figure struct {
	name, unit string
	values     []float64
}

// show prints the figures that were measured.
func (m measured) show(e *env, asJSON bool, figures ...figure) error {
	for _, f := range figures {
		if len(f.values) == 0 {
			continue
		}
		m.Name, m.Unit = f.name, f.unit
		if err := showMeasured(e, m, f.values, asJSON); err != nil {
			return err
		}
	}
	return nil
}

// showMeasured prints the median of the runs, and the lowest and highest.
func showMeasured(e *env, m measured, values []float64, asJSON bool) error {
	slices.Sort(values)
	m.Value, m.Low, m.High = values[len(values)/2], values[0], values[len(values)-1]
	m.Seconds = float64(m.Tokens) / m.Value
	if asJSON {
		return e.line("bench", m)
	}
	_, err := fmt.Fprintf(e.stdout, "%-20s slots %-3d depth %-5d %9.3f %s (%.3f to %.3f in %d runs, %d tokens, %d threads, %s)\n",
		m.Name, m.Slots, m.Depth, m.Value, m.Unit, m.Low, m.High, len(values), m.Tokens, m.Threads, m.Model)
	return err
}

// once generates as a draft does: in a child process, with a draft's sampling,
// every token into a journal.
func (c *benchDraftCmd) once(ctx context.Context, path, folder string, depth int) (generated, prompt float64, threads int, err error) {
	p, err := engine.Start(ctx, []string{childBinary(), "engine"}, path, engine.Options{Library: folder, Context: depth + c.Tokens + 64, Threads: c.Threads})
	if err != nil {
		return 0, 0, 0, err
	}
	defer p.Close()
	tmp, err := os.MkdirTemp("", "longhand-bench-")
	if err != nil {
		return 0, 0, 0, err
	}
	defer os.RemoveAll(tmp)
	log, err := store.Create(tmp)
	if err != nil {
		return 0, 0, 0, err
	}
	defer log.Close()
	req := engine.Request{Prompt: make([]int32, max(1, depth)), MaxTokens: c.Tokens, Sampling: draft.BenchSampling()}
	for i := range req.Prompt {
		req.Prompt[i] = int32(1000 + i*37%10000)
	}
	var first time.Time
	n := 0
	for tok, err := range p.Generate(ctx, req) {
		if err != nil {
			return 0, 0, 0, err
		}
		if n++; n == 1 {
			first = time.Now()
			prompt = float64(tok.Decoded) / tok.Seconds
		}
		if err := log.Append(draft.Text{Text: tok.Text, Tokens: []int32{tok.ID}}); err != nil {
			return 0, 0, 0, err
		}
	}
	return float64(n-1) / time.Since(first).Seconds(), prompt, p.Info().Threads, nil
}

// llamaBench runs llama.cpp's own tool on the same work.
func (c *benchDraftCmd) llamaBench(ctx context.Context, path string, depth, threads int) (float64, error) {
	out, err := exec.CommandContext(ctx, c.LlamaBench, "-m", path, "-p", "0", "-n", strconv.Itoa(c.Tokens), "-d", strconv.Itoa(depth),
		"-t", strconv.Itoa(threads), "-r", "1", "-ngl", "0", "-o", "json").Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.LlamaBench, err)
	}
	var rows []struct {
		Speed float64 `json:"avg_ts"`
	}
	if err := json.Unmarshal(out, &rows); err != nil || len(rows) != 1 || rows[0].Speed <= 0 {
		return 0, fmt.Errorf("%s did not print its result as JSON", c.LlamaBench)
	}
	return rows[0].Speed, nil
}
