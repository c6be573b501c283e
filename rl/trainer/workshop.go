package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"longhand/engine"
	"longhand/rl"
	"longhand/rl/checkpoint"
	"longhand/rl/cpu"
	"longhand/rl/model"
)

// A workshop holds what a run works with.
type workshop struct {
	job    rl.Job // with slots and rows as they were found to fit
	parts  rl.Parts
	device model.Device
	onGPU  bool  // the device is a card
	beside bool  // and llama.cpp computes on it, too
	whole  int64 // what the device had free when it was opened
	base   *checkpoint.File
	opened []func() error // closed in the reverse order
}

func (w *workshop) close() (err error) {
	for i := len(w.opened) - 1; i >= 0; i-- {
		err = errors.Join(err, w.opened[i]())
	}
	w.opened = nil
	return err
}

// open opens the base twice: for rollouts and judges in llama.cpp, and on the device for
// training, whose memory plan is made when the others have theirs.
func (w *workshop) open(ctx context.Context) error {
	if err := w.openBase(ctx); err != nil {
		return err
	}
	if err := w.openSampler(ctx); err != nil {
		return err
	}
	if err := w.openRewards(ctx); err != nil {
		return err
	}
	w.parts.Held = memoryOf("VmRSS")
	if w.parts.Held == 0 {
		w.parts.Held = int64(w.parts.Sampler.Info().Bytes)
	}
	w.parts.Peak = func() int64 { return memoryOf("VmHWM") }
	if w.onGPU { // the card's memory is what is short: what llama.cpp has taken of it, and what all have taken in the end
		w.parts.Held = w.whole - w.free()
		w.parts.Peak = func() int64 { return w.whole - w.free() }
	}
	return w.openPolicy()
}

// openBase opens device and file.
func (w *workshop) openBase(ctx context.Context) (err error) {
	if w.device, w.onGPU, err = openDevice(w.job); err != nil {
		return err
	}
	w.opened = append(w.opened, w.device.Close)
	w.whole = w.free()
	if w.base, err = checkpoint.Open(w.job.Base); err != nil {
		return err
	}
	w.opened = append(w.opened, w.base.Close)
	w.parts.SHA256, err = w.base.SHA256(ctx)
	return err
}

func (w *workshop) free() int64 {
	if w.device == nil {
		return 0
	}
	free, _ := w.device.Memory()
	return free
}

// cacheShare is the part of the free memory that the rollouts' KV cache may take.
const cacheShare = 5

// openSampler opens the engine that draws the rollouts.
func (w *workshop) openSampler(ctx context.Context) error {
	prompt, err := w.longestPrompt()
	if err != nil {
		return err
	}
	path, err := w.drawnFrom(ctx)
	if err != nil {
		return err
	}
	tokens := prompt + w.job.MaxTokens
	free, _ := cpu.SystemMemory()
	if w.beside = w.onGPU && w.small(path); w.beside {
		free = min(free, w.free())
	}
	slots, cells, err := engine.Room(path, tokens, uint64(free/cacheShare), engine.Options{})
	if err != nil {
		return err
	}
	if w.job.Slots > 0 {
		slots, cells = w.job.Slots, w.job.Slots*tokens
	}
	if all := w.job.Group * w.job.PromptsPerStep; slots > all {
		slots, cells = all, all*tokens
	}
	w.job.Slots = slots
	m, err := w.engine(path, engine.Options{Split: true, Context: cells + tokens, Sequences: slots + 1})
	if err != nil {
		return err
	}
	w.parts.Sampler = m
	return nil
}

// drawnFrom is the file that llama.cpp reads the base from.
func (w *workshop) drawnFrom(ctx context.Context) (string, error) {
	if w.job.Rollout == "f16" {
		return w.wide(ctx)
	}
	return w.job.Base, nil
}

// engineShare is the part of a card's memory that llama.cpp may have: the rest is for training, which is planned
// when llama.cpp has taken its own.
const engineShare = 3

// small says whether the files that llama.cpp will open fit into its share of the card. Else it computes on the
// processor.
func (w *workshop) small(path string) bool {
	files := []string{path}
	if w.judged() {
		files = append(files, cmp.Or(w.job.Judge, path))
	}
	var bytes int64
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			return false
		}
		bytes += st.Size()
	}
	return bytes < w.free()/engineShare
}

// engine opens a model in llama.cpp: on the processor, or where the device is a card, it has room, and the library
// is built for it, beside the training.
func (w *workshop) engine(path string, o engine.Options) (*engine.Model, error) {
	o.Library, o.Threads, o.GPULayers = w.job.Library, w.job.Threads, -1
	if w.beside {
		o.GPULayers = 0 // as many as fit
	}
	m, err := engine.Open(path, o)
	if err != nil {
		return nil, err
	}
	w.opened = append(w.opened, m.Close)
	return m, nil
}

// longestPrompt is more tokens than any prompt can take, the template's with it: no
// vocabulary is open yet. A token of these vocabularies is two bytes and more on the average of a text.
func (w *workshop) longestPrompt() (tokens int, err error) {
	const template = 160
	for _, path := range []string{w.job.Prompts, w.job.Eval} {
		if path == "" {
			continue
		}
		prompts, err := rl.ReadPrompts(path)
		if err != nil {
			return 0, err
		}
		for _, p := range prompts {
			tokens = max(tokens, len(p.Text)/2)
		}
	}
	if w.job.Form == rl.FormOnePass {
		tokens += 200
	}
	return tokens + template, nil
}

// openPolicy opens the model that is trained. A run that goes on takes the adapter and the
// micro-batches of its checkpoint.
func (w *workshop) openPolicy() error {
	o := model.Options{
		Rank: w.job.Rank, Alpha: w.job.Alpha, Seed: w.job.Seed, MaxRows: w.job.MaxRows, Memory: w.job.Memory,
		Recompute: map[string]model.Recompute{"never": model.Never, "always": model.Always}[w.job.Recompute],
	}
	if w.onGPU {
		free, _ := cpu.SystemMemory()
		o.Host = max(1, free/2)
	}
	from := w.job.Adapter
	if w.job.Resume {
		_, dir, err := rl.LastState(w.job.Out)
		if err != nil {
			return err
		}
		if dir != "" {
			from = dir
			if o.MaxRows, _, err = model.SavedPlan(dir); err != nil {
				return err
			}
		}
	}
	if from != "" {
		a, err := checkpoint.ReadAdapter(from)
		if err != nil {
			return err
		}
		o.Adapter, o.Rank, o.Alpha = a, a.Rank, 0
		w.job.Rank, w.job.Alpha = a.Rank, float64(a.Alpha)
	}
	m, err := model.Open(w.base, w.device, o)
	if err != nil {
		return err
	}
	w.opened = append(w.opened, m.Close)
	w.job.MaxRows = m.Plan().MaxRows
	w.parts.Policy = policy{m, w.base}
	return nil
}

// policy is a model as rl trains it.
type policy struct {
	*model.Model
	base *checkpoint.File
}

// WriteAdapter writes the adapter as llama.cpp loads it.
func (p policy) WriteAdapter(path string) error {
	a, err := p.Adapter()
	if err != nil {
		return err
	}
	return a.WriteGGUF(path, checkpoint.F32)
}

// Export writes the adapter as PEFT loads it.
func (p policy) Export(dir string) error {
	a, err := p.Adapter()
	if err != nil {
		return err
	}
	return a.WritePEFT(dir, p.base)
}

// wide makes a copy of the base for the rollouts, once, and names it: its layers are in F16. What quantised
// weights are multiplied with llama.cpp rounds to 8 bits, and not what F16 weights are. Embedding and head
// stay as they are.
func (w *workshop) wide(ctx context.Context) (string, error) {
	folder, err := cacheFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, w.parts.SHA256[:16]+"-f16.gguf")
	if f, err := checkpoint.Open(path); err == nil {
		return path, f.Close()
	}
	// An adapter that changes nothing, at every matrix of the layers that is quantised.
	a := &checkpoint.Adapter{Architecture: w.base.Architecture(), Rank: 1, Alpha: 1}
	for _, t := range w.base.Tensors() {
		if strings.HasPrefix(t.Name, "blk.") && len(t.Dims) == 2 && t.Type != checkpoint.F32 && t.Type != checkpoint.F16 {
			a.Pairs = append(a.Pairs, checkpoint.Pair{Name: t.Name, In: t.Cols, Out: t.Rows, A: make([]float32, t.Cols), B: make([]float32, t.Rows)})
		}
	}
	if len(a.Pairs) == 0 {
		return w.job.Base, nil
	}
	for e, err := range checkpoint.Merge(ctx, w.base, a, path, checkpoint.MergeF16) {
		if err != nil {
			return "", fmt.Errorf("write the rollouts' weights: %w", err)
		}
		if e.Changed && math.IsNaN(e.Error) {
			return "", fmt.Errorf("write the rollouts' weights: %s cannot be F16", e.Name)
		}
	}
	return path, nil
}
