package model

import (
	"fmt"
	"slices"

	"longhand/rl/checkpoint"
)

// frequencyTensor holds what RoPE's frequencies are divided by in Llama 3.x.
const frequencyTensor = "rope_freqs.weight"

// joined names the projections of a layer that read the same input: they are
// multiplied as one matrix, and their A's are one matrix too.
type joined struct {
	names []string // as GGUF has them, such as "attn_q"
	in    int
	outs  []int
}

// The places of projections().
const (
	attnQKV = iota
	attnOutput
	ffnGateUp
	ffnDown
)

// projections are a layer's seven adapted matrices, by what they read.
func (c *config) projections() [4]joined {
	return [4]joined{
		attnQKV:    {[]string{"attn_q", "attn_k", "attn_v"}, c.width, []int{c.q(), c.kv(), c.kv()}},
		attnOutput: {[]string{"attn_output"}, c.q(), []int{c.width}},
		ffnGateUp:  {[]string{"ffn_gate", "ffn_up"}, c.width, []int{c.ff, c.ff}},
		ffnDown:    {[]string{"ffn_down"}, c.ff, []int{c.width}},
	}
}

// tensors are the names of the projections in a layer's GGUF tensors.
func (j *joined) tensors(layer int) []string {
	names := make([]string, len(j.names))
	for i, name := range j.names {
		names[i] = block(layer, name+".weight")
	}
	return names
}

// rows is what the joined matrix has of them.
func (j *joined) rows() int {
	n := 0
	for _, out := range j.outs {
		n += out
	}
	return n
}

// block is the GGUF name of a tensor of a layer.
func block(layer int, name string) string { return fmt.Sprintf("blk.%d.%s", layer, name) }

// shape is what a tensor must be.
type shape struct{ rows, cols int }

// checkTensors compares the file with what the decoder computes with: each tensor must be there in its
// shape and a known type, and there must be no other, since a model that has one computes
// something else.
func (c *config) checkTensors(f *checkpoint.File) error {
	t := f.Tensor("token_embd.weight")
	if t == nil {
		return fmt.Errorf("model: tensor token_embd.weight is missing")
	}
	c.vocabulary = t.Rows
	c.tied = f.Tensor("output.weight") == nil
	c.hasBias = c.biases && f.Tensor(block(0, "attn_q.bias")) != nil
	wanted := c.wanted()
	for _, t := range f.Tensors() {
		s, ok := wanted[t.Name]
		if !ok {
			return fmt.Errorf("model: tensor %s is one that the decoder does not use, so it would compute another model", t.Name)
		}
		if t.Rows != s.rows || t.Cols != s.cols {
			return fmt.Errorf("model: tensor %s is %d x %d, not %d x %d", t.Name, t.Rows, t.Cols, s.rows, s.cols)
		}
		if err := t.Check(); err != nil {
			return fmt.Errorf("model: %w", err)
		}
		delete(wanted, t.Name)
	}
	if len(wanted) > 0 {
		names := make([]string, 0, len(wanted))
		for name := range wanted {
			names = append(names, name)
		}
		return fmt.Errorf("model: tensor %s is missing", slices.Min(names))
	}
	return nil
}

// wanted are the tensors of the decoder with their shapes.
func (c *config) wanted() map[string]shape {
	w := map[string]shape{
		"token_embd.weight":  {c.vocabulary, c.width},
		"output_norm.weight": {1, c.width},
	}
	if !c.tied {
		w["output.weight"] = shape{c.vocabulary, c.width}
	}
	if c.frequencyFactors {
		w[frequencyTensor] = shape{1, len(c.rope.Freq)}
	}
	for l := range c.layers {
		w[block(l, "attn_norm.weight")] = shape{1, c.width}
		w[block(l, "ffn_norm.weight")] = shape{1, c.width}
		for _, p := range c.projections() {
			for i, name := range p.tensors(l) {
				w[name] = shape{p.outs[i], p.in}
			}
		}
		if c.hasBias {
			w[block(l, "attn_q.bias")] = shape{1, c.q()}
			w[block(l, "attn_k.bias")] = shape{1, c.kv()}
			w[block(l, "attn_v.bias")] = shape{1, c.kv()}
		}
		if c.norms {
			w[block(l, "attn_q_norm.weight")] = shape{1, c.headSize}
			w[block(l, "attn_k_norm.weight")] = shape{1, c.headSize}
		}
	}
	return w
}

// checkAdapter refuses an adapter that is of another model, or that adapts what this
// decoder leaves alone.
func (c *config) checkAdapter(a *checkpoint.Adapter) error {
	if a.Architecture != "" && a.Architecture != c.architecture {
		return fmt.Errorf("model: the adapter is for %s, the model is %s", a.Architecture, c.architecture)
	}
	if a.Rank <= 0 {
		return fmt.Errorf("model: the adapter has rank %d", a.Rank)
	}
	known := map[string]shape{}
	for l := range c.layers {
		for _, p := range c.projections() {
			for i, name := range p.tensors(l) {
				known[name] = shape{p.outs[i], p.in}
			}
		}
	}
	for _, p := range a.Pairs {
		s, ok := known[p.Name]
		if !ok {
			return fmt.Errorf("model: the adapter changes %s, which is not one of the seven projections of %d layers, or does so twice", p.Name, c.layers)
		}
		delete(known, p.Name)
		if p.In != s.cols || p.Out != s.rows || len(p.A) != a.Rank*p.In || len(p.B) != p.Out*a.Rank {
			return fmt.Errorf("model: the adapter's pair for %s is for %d x %d at rank %d, the matrix is %d x %d", p.Name, p.Out, p.In, a.Rank, s.rows, s.cols)
		}
	}
	return nil
}
