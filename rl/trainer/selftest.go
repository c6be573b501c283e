package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"longhand/engine"
	"longhand/rl/checkpoint"
	"longhand/rl/cpu"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// stepBounds are those of a step against the processor in float32.
var stepBounds = map[string]devicetest.Difference{
	"small": {Logp: 0.03, Cosine: 0.9995, Relative: 2e-2, Worst: 5e-2},
	// Random weights of this width leave queries and keys of the upper layers gradients of a hundred-thousandth of
	// all: they are what BF16 rounds, on the processor as well.
	"medium": {Logp: 0.03, Cosine: 0.9995, Relative: 3e-2, Worst: math.Inf(1)},
}

// testShapes are the models that a step is tried with: one for every machine, and one that fills a card,
// tried where the first took less than a second.
var testShapes = []engine.Shape{
	{Name: "small", Layers: 2, Width: 128, Heads: 4, KVHeads: 2, FF: 256, Vocabulary: 512},
	{Name: "medium", Layers: 4, Width: 1024, Heads: 16, KVHeads: 4, FF: 2816, Vocabulary: 16384},
}

// selftest runs every method of the GPU against plain loops in float64 that are fed the same BF16 numbers, and a training step
// against the processor, and prints errors, in parts of the allowed, and times: the one command to run on a card that is new to us.
func selftest(w io.Writer) error {
	begin := time.Now()
	d, err := openCUDA(false)
	if err != nil {
		return err
	}
	free, total := d.Memory()
	fmt.Fprintf(w, "%s, %.1f of %.1f GB free; opened in %.2f s, kernels compiled or read from the driver's cache\n\n", d.Name(), float64(free)/1e9, float64(total)/1e9, time.Since(begin).Seconds())
	failed := 0
	fmt.Fprintf(w, "%-20s  %-14s %8s\n", "method", "error / bound", "seconds")
	for _, c := range devicetest.Cases() {
		on := d
		if c.Last {
			if on, err = openCUDA(false); err != nil {
				return err
			}
		}
		begin := time.Now()
		off, err := c.Check(on, devicetest.InBF16)
		said := fmt.Sprintf("%.2f", off)
		if off == 0 {
			said = "exact"
		}
		if err != nil {
			said = "FAILS"
			failed++
		}
		fmt.Fprintf(w, "%-20s  %-14s %8.3f\n", c.Name, said, time.Since(begin).Seconds())
		if err != nil {
			fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(err.Error(), "\n", "\n    "))
		}
	}
	if err := d.Close(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, s := range testShapes {
		off, seconds, err := tryStep(s)
		if err != nil {
			return err
		}
		said := "ok"
		if !off.Within(stepBounds[s.Name]) {
			said = "FAILS"
			failed++
		}
		fmt.Fprintf(w, "a step of a %s model, %.2f s: %s: %v\n", s.Name, seconds, said, off)
		if seconds > 1 {
			fmt.Fprintln(w, "larger models are left out: this would take minutes")
			break
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of the checks failed", failed)
	}
	fmt.Fprintln(w, "\nAll checks passed.")
	return nil
}

// tryStep takes a step on the GPU and on the processor, and returns the seconds of the first.
func tryStep(s engine.Shape) (off devicetest.Difference, seconds float64, err error) {
	f, remove, err := shapeFile(s)
	defer remove()
	if err != nil {
		return off, 0, err
	}
	d, err := openCUDA(false)
	if err != nil {
		return off, 0, err
	}
	defer d.Close()
	p, err := cpu.New(cpu.Options{})
	if err != nil {
		return off, 0, err
	}
	defer p.Close()
	var models [2]*model.Model
	for i, on := range []model.Device{d, p} {
		if models[i], err = model.Open(f, on, model.Options{Seed: 1, MaxRows: 512, Memory: 1 << 40}); err != nil {
			return off, 0, err
		}
		defer models[i].Close()
		for at, q := range models[i].Params() { // B is zero in a new adapter, and would hide what is wrong with A
			if strings.HasSuffix(q.Name, "lora_b") {
				v := make([]float64, q.Rows*q.Cols)
				for j := range v {
					v[j] = 0.02 * math.Sin(float64(at+7*j))
				}
				if err := q.Set(v); err != nil {
					return off, 0, err
				}
			}
		}
	}
	groups := []model.Group{randomGroup(s.Vocabulary, 40, 30, 4, 1), randomGroup(s.Vocabulary, 5, 70, 1, 2)}
	for range 2 { // at the first, cuBLAS loads its kernels
		begin := time.Now()
		if _, err := models[0].Score(groups, []model.Part{{Group: 0, From: 0, To: 4}}); err != nil {
			return off, 0, err
		}
		seconds = time.Since(begin).Seconds()
	}
	off, err = devicetest.CompareSteps(models[0], models[1], groups)
	return off, seconds, err
}

// shapeFile writes a model of random weights for a while, and opens it.
func shapeFile(s engine.Shape) (f *checkpoint.File, remove func(), err error) {
	dir, err := os.MkdirTemp("", "longhand-shape-")
	if err != nil {
		return nil, func() {}, err
	}
	remove = func() {
		if f != nil {
			f.Close()
		}
		os.RemoveAll(dir)
	}
	path := filepath.Join(dir, s.Name+".gguf")
	if err := engine.WriteShape(path, s); err != nil {
		return nil, remove, err
	}
	f, err = checkpoint.Open(path)
	return f, remove, err
}

// randomGroup is a prompt with n completions, of tokens that follow from the seed.
func randomGroup(vocabulary, prompt, completion, n, seed int) model.Group {
	x := uint32(seed)
	tokens := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			x = x*1664525 + 1013904223 // Knuth's
			ids[i] = int32(x>>8) % int32(vocabulary)
		}
		return ids
	}
	g := model.Group{Prompt: tokens(prompt)}
	for range n {
		g.Completions = append(g.Completions, tokens(completion))
	}
	return g
}
