// Package model is a decoder of the llama, qwen2 or qwen3 architecture with LoRA pairs on
// its seven projections: log-probabilities of completions, their gradient by the pairs, and
// AdamW. It knows no reward, no advantage and no device: everything is computed through
// Device, and what a loss is stays with the caller, who turns log-probabilities into
// dL/dlogp.
//
// The base is frozen. Sequences are packed without padding, and the prompt of a group is
// computed once for all of its completions. What each layer leaves for its backward is kept
// or computed again, as the memory plan says; either way gives the same bits.
//
// Of the operations of Device these kinds are used: RMSNorm from F32 (the residual stream) or
// Act to Act, its backward with dx F32, dy Act or F32 and x F32, or all three Act; Linear
// from Act to Act or, with add, to F32; LinearT from Act to Act; MatMul of Act operands to Act
// or F32; RoPE, SwiGLU and Attention on Act; Embed, GatherRows, ScatterAddRows and ScaleRows
// on F32; Head with x Act and u F32; Copy and Add of either.
package model

import (
	"fmt"

	"longhand/rl/checkpoint"
)

// Options are how a model is opened for training.
type Options struct {
	Rank      int                 // of the pairs; 0: 16, or the given adapter's
	Alpha     float64             // the pairs' scale is Alpha / Rank; 0: twice the rank, or the given adapter's
	Seed      uint64              // of the random streams that A is drawn from
	Adapter   *checkpoint.Adapter // to go on from; nil: A drawn, B zero
	MaxRows   int                 // tokens of a micro-batch, and scored tokens of one; 0: what fits, at most 4,096
	Block     int                 // rows that a feed-forward part takes at once; 0: by its width
	Memory    int64               // bytes to stay within; 0: 80 % of what the device has free
	Host      int64               // bytes of the machine's memory that what does not fit on a device may take; 0: any
	Recompute Recompute
	NoShare   bool // each completion computes a prompt of its own: for comparison
}

// Recompute says whether a layer's forward is computed again in its backward, in
// place of being kept.
type Recompute uint8

const (
	Auto   Recompute = iota // in as many layers as memory asks for
	Never                   // in none
	Always                  // in all
)

// String is the name of the choice.
func (r Recompute) String() string {
	switch r {
	case Never:
		return "never"
	case Always:
		return "always"
	}
	return "auto"
}

// Info is what a model is.
type Info struct {
	Architecture       string
	Name               string // general.name of the file, or its path
	Device             string
	Layers, Width      int
	Heads, KVHeads     int
	HeadSize           int
	FeedForward        int
	Vocabulary         int
	Context            int // tokens that the base was trained for
	Tied               bool
	Parameters         int64 // of the base, a tied head counted once
	AdapterParameters  int64
	Rank               int
	Alpha              float64
	BodyMatrices, Head int64 // parameters in the layers' matrices, and in the head's: what a token is multiplied with
}

// Model is a base on a Device with the adapter that is trained. It is used by one
// goroutine at a time.
type Model struct {
	d    Device
	file *checkpoint.File
	cfg  *config
	opts Options // with every default filled in
	plan Plan

	scale float64 // of the pairs: Alpha / Rank
	step  int     // AdamW steps taken

	embedding, head Weight
	finalNorm       Buffer // 1 x width F32
	layers          []*layer
	pairs           []*pair // of all layers, in the order of Params

	buffers buffers
	work    work
	traces  []*trace // what each layer's last Forward left
	kept    *batch   // the micro-batch of the last Forward, until its Backward
}

// Open reads the base's configuration, plans the memory, and only then loads the weights
// onto the device. It refuses by name what the decoder does not use: another architecture,
// a tensor, a key. The file stays open as long as the model; the device is the caller's to close.
func Open(f *checkpoint.File, d Device, o Options) (*Model, error) {
	cfg, err := readConfig(f)
	if err != nil {
		return nil, err
	}
	if err := cfg.checkTensors(f); err != nil {
		return nil, err
	}
	if err := o.complete(cfg); err != nil {
		return nil, err
	}
	m := &Model{d: d, file: f, cfg: cfg, opts: o, scale: o.Alpha / float64(o.Rank)}
	if m.plan, err = m.makePlan(); err != nil {
		return nil, err
	}
	m.buffers = buffers{d: d}
	if err := m.load(); err != nil {
		m.Close()
		return nil, err
	}
	m.allocate(&m.buffers, m.plan.MaxRows, m.plan.Block, m.plan.Recomputed, m.plan.Host > 0)
	if err := m.drawOrTake(); err != nil {
		m.Close()
		return nil, fmt.Errorf("model: load %s: %w", f.Path(), err)
	}
	m.opts.Adapter = nil // it is on the device now
	return m, nil
}

// complete fills in the defaults, and refuses numbers that are none.
func (o *Options) complete(cfg *config) error {
	if o.Rank < 0 || !(o.Alpha >= 0 && o.Alpha < 1e6) || o.MaxRows < 0 || o.Block < 0 || o.Memory < 0 {
		return fmt.Errorf("model: rank, alpha, rows and memory must not be negative, alpha at most a million")
	}
	if o.MaxRows > 1<<24 {
		return fmt.Errorf("model: micro-batches of %d rows are more than anything holds", o.MaxRows)
	}
	if o.Adapter != nil {
		if err := o.follow(o.Adapter, cfg); err != nil {
			return err
		}
	}
	if o.Rank == 0 {
		o.Rank = 16
	}
	if o.Alpha == 0 {
		o.Alpha = 2 * float64(o.Rank)
	}
	if most := max(cfg.width, 256); o.Rank > most {
		return fmt.Errorf("model: rank %d is more than %d", o.Rank, most)
	}
	return nil
}

// follow takes rank and alpha from an adapter, which must fit the model, and the options where they
// say something.
func (o *Options) follow(a *checkpoint.Adapter, cfg *config) error {
	if err := cfg.checkAdapter(a); err != nil {
		return err
	}
	alpha := float64(a.Alpha)
	if alpha == 0 {
		alpha = float64(a.Rank) // llama.cpp: without alpha the scale is 1
	}
	if !(alpha > 0 && alpha < 1e6) {
		return fmt.Errorf("model: the adapter has alpha %g", alpha)
	}
	if o.Rank != 0 && o.Rank != a.Rank {
		return fmt.Errorf("model: the adapter has rank %d, not %d", a.Rank, o.Rank)
	}
	if o.Alpha != 0 && float32(o.Alpha) != float32(alpha) {
		return fmt.Errorf("model: the adapter has alpha %g, not %g", alpha, o.Alpha)
	}
	o.Rank, o.Alpha = a.Rank, alpha
	return nil
}

// Info is what the model is.
func (m *Model) Info() Info {
	c := m.cfg
	i := Info{
		Architecture: c.architecture, Name: modelName(m.file), Device: m.d.Name(),
		Layers: c.layers, Width: c.width, Heads: c.heads, KVHeads: c.kvHeads, HeadSize: c.headSize,
		FeedForward: c.ff, Vocabulary: c.vocabulary, Context: c.context, Tied: c.tied,
		Rank: m.opts.Rank, Alpha: m.opts.Alpha, Head: int64(c.vocabulary) * int64(c.width),
	}
	for _, t := range m.file.Tensors() {
		i.Parameters += int64(t.Rows) * int64(t.Cols)
	}
	for _, p := range c.projections() {
		for _, out := range p.outs {
			i.BodyMatrices += int64(c.layers) * int64(out) * int64(p.in)
			i.AdapterParameters += int64(c.layers) * int64(m.opts.Rank) * int64(out+p.in)
		}
	}
	return i
}

// modelName is what a file calls its model, or the file's path.
func modelName(f *checkpoint.File) string {
	if name, ok := f.Text("general.name"); ok && name != "" {
		return name
	}
	return f.Path()
}

// Plan is the memory plan that the model was opened with.
func (m *Model) Plan() Plan { return m.plan }

// Close frees what the model holds on the device.
func (m *Model) Close() error {
	m.forget()
	for _, l := range m.layers {
		l.free(m.d)
	}
	for _, w := range []Weight{m.embedding, m.head} {
		if w != nil {
			m.d.FreeWeight(w)
		}
	}
	m.layers, m.embedding, m.head = nil, nil, nil
	m.buffers.free()
	return nil
}
