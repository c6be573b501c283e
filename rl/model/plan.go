package model

import (
	"fmt"
	"strings"

	"longhand/rl/checkpoint"
)

// Plan is what a model takes on its device, decided before the first weight is
// loaded: nothing grows later.
type Plan struct {
	MaxRows    int       // tokens of a micro-batch
	Block      int       // rows that a feed-forward part takes at once
	Recompute  Recompute // Never, Always, or Auto where some layers are kept
	Recomputed int       // layers whose forward is computed again in the backward
	Host       int64     // bytes of the machine's memory that what they are computed from is laid into; 0: it stays on the device
	Parts      []PlanPart
	Bytes      int64 // all parts together
	Limit      int64 // to stay within
	Free       int64 // what the device had free
	Identity   string
	Message    string // the plan in a sentence
}

// PlanPart is what a part of the plan takes: "base", "adapter", "kept" (what the layers
// leave for their backward), "work" (what all layers share).
type PlanPart struct {
	Name  string
	Bytes int64
}

// rowChoices are what MaxRows is taken from when it is not given.
var rowChoices = []int{4096, 2048, 1024, 512, 256}

// blockBytes is about what the scratch of a feed-forward block may take: enough rows
// for full products, while long micro-batches of wide models stay small.
const blockBytes = 256 << 20

// makePlan chooses rows, block and recomputation so that all fits, or says what would.
func (m *Model) makePlan() (Plan, error) {
	free, _ := m.d.Memory()
	limit := m.opts.Memory
	if limit == 0 {
		limit = free / 5 * 4
	}
	p, err := m.planWith(m.baseBytes(), limit, free)
	if d, ok := m.d.(interface{ HoldNone() func() }); ok && (err != nil || p.Host > 0) {
		back := d.HoldNone() // weights that stay quantised take a quarter, and less time at each use than what is fetched
		if smaller, e := m.planWith(m.baseBytes(), limit, free); e == nil && (err != nil || smaller.Host == 0) {
			return smaller, nil
		}
		back()
	}
	return p, err
}

// planWith is makePlan for a base of so many bytes.
func (m *Model) planWith(base, limit, free int64) (Plan, error) {
	choices := rowChoices
	if m.opts.MaxRows > 0 {
		choices = []int{m.opts.MaxRows}
	}
	offload := false
	fit := func(rows, recomputed int) (Plan, bool) {
		p := m.planFor(base, rows, recomputed, offload)
		p.Limit, p.Free = limit, free
		p.describe(m.cfg.layers)
		return p, p.Bytes <= limit
	}
	if m.opts.Recompute != Always {
		for _, rows := range choices {
			if len(choices) > 1 && rows < 1024 && m.opts.Recompute == Auto {
				break // smaller products cost more than computing again
			}
			if p, ok := fit(rows, 0); ok {
				return p, nil
			}
		}
	}
	if m.opts.Recompute != Never {
		for _, rows := range choices {
			if p, ok := m.leastRecomputed(fit, rows); ok {
				return p, nil
			}
		}
	}
	if _, ok := m.d.(Offloader); ok && m.opts.Recompute != Never {
		offload = true
		for _, rows := range choices {
			if p, ok := fit(rows, m.cfg.layers); ok && (m.opts.Host == 0 || p.Host <= m.opts.Host) {
				return p, nil
			}
		}
	}
	return Plan{}, m.tooMuch(fit, choices[len(choices)-1])
}

// leastRecomputed finds the fewest layers that must be computed again.
func (m *Model) leastRecomputed(fit func(rows, recomputed int) (Plan, bool), rows int) (Plan, bool) {
	best, ok := fit(rows, m.cfg.layers)
	if !ok || m.opts.Recompute == Always {
		return best, ok
	}
	for low, high := 1, m.cfg.layers; low < high; {
		mid := (low + high) / 2
		if p, ok := fit(rows, mid); ok {
			best, high = p, mid
		} else {
			low = mid + 1
		}
	}
	return best, true
}

// tooMuch is the error of a plan that cannot fit, with what could be done.
func (m *Model) tooMuch(fit func(rows, recomputed int) (Plan, bool), rows int) error {
	recomputed := m.cfg.layers
	if m.opts.Recompute == Never {
		recomputed = 0
	}
	p, _ := fit(rows, recomputed)
	most := 0 // rows that would fit
	for low, high := 1, rows; low < high; {
		mid := (low + high) / 2
		if _, ok := fit(mid, recomputed); ok {
			most, low = mid, mid+1
		} else {
			high = mid
		}
	}
	advice := "a smaller base or a lower rank is needed"
	if most >= 64 {
		advice = fmt.Sprintf("at most %d rows (prompt and completion together) would fit", most)
	}
	if _, ok := fit(rows, m.cfg.layers); ok {
		advice = "it fits when layers are computed again in the backward"
	}
	return fmt.Errorf("model: micro-batches of %d rows need %s (%s) and %s may be used: %s",
		rows, size(p.Bytes), p.parts(), size(p.Limit), advice)
}

// planFor adds up what rows and recomputed layers take.
func (m *Model) planFor(base int64, rows, recomputed int, offload bool) Plan {
	block := m.opts.Block
	if block == 0 {
		// gate and up, their product, and its gradient: four widths of the device's kind.
		block = max(512, int(blockBytes/max(1, m.d.Bytes(Act, 1, 4*m.cfg.ff)))/64*64)
	}
	block = min(block, rows)
	dry := &buffers{d: m.d, dry: true}
	(&Model{d: m.d, cfg: m.cfg, opts: m.opts}).allocate(dry, rows, block, recomputed, offload)
	p := Plan{MaxRows: rows, Block: block, Recomputed: recomputed, Host: dry.bytes["host"]}
	p.Parts = []PlanPart{{"base", base}}
	for _, name := range []string{"adapter", "kept", "work"} {
		p.Parts = append(p.Parts, PlanPart{name, dry.bytes[name]})
	}
	for _, part := range p.Parts {
		p.Bytes += part.Bytes
	}
	p.Identity = fmt.Sprintf("rows %d, block %d, prompts shared %t, rank %d, %s", rows, block, !m.opts.NoShare, m.opts.Rank, m.d.Name())
	return p
}

// baseBytes is what the frozen weights take: each as the device holds it, and the
// largest scratch once.
func (m *Model) baseBytes() int64 {
	var resident, scratch int64
	add := func(names ...string) {
		tensors := make([]*checkpoint.Tensor, len(names))
		for i, name := range names {
			tensors[i] = m.file.Tensor(name)
		}
		r, s := m.d.WeightBytes(tensors...)
		resident, scratch = resident+r, max(scratch, s)
	}
	for name, s := range m.cfg.wanted() {
		if s.rows == 1 && name != frequencyTensor {
			resident += m.d.Bytes(F32, 1, s.cols) // norms and biases
		}
	}
	add("token_embd.weight")
	if !m.cfg.tied {
		add("output.weight")
	}
	for l := range m.cfg.layers {
		for _, p := range m.cfg.projections() {
			add(p.tensors(l)...)
		}
	}
	return resident + scratch
}

// describe fills in the plan's words, for a model of so many layers.
func (p *Plan) describe(layers int) {
	again := "every layer kept for its backward"
	p.Recompute = Never
	if p.Recomputed > 0 {
		p.Recompute = Auto
		again = fmt.Sprintf("%d of %d layers computed again in the backward", p.Recomputed, layers)
	}
	if p.Recomputed == layers {
		p.Recompute = Always
		again = "every layer computed again in the backward"
	}
	if p.Host > 0 {
		again += fmt.Sprintf(" from what lies in %s of the machine's memory", size(p.Host))
	}
	p.Message = fmt.Sprintf("%s of %s: micro-batches of up to %d rows, %s (%s)",
		size(p.Bytes), size(p.Limit), p.MaxRows, again, p.parts())
}

// parts lists the parts with their sizes.
func (p *Plan) parts() string {
	words := make([]string, len(p.Parts))
	for i, part := range p.Parts {
		words[i] = part.Name + " " + size(part.Bytes)
	}
	return strings.Join(words, ", ")
}

// size is bytes for a person.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}
