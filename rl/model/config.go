package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"longhand/rl/checkpoint"
)

// config is a decoder's shape, read from a GGUF header.
type config struct {
	architecture              string
	layers, width, ff         int
	heads, kvHeads, headSize  int
	vocabulary, context       int
	eps                       float64
	rope                      RoPE
	biases, norms, tied       bool // of q, k and v (qwen2); of the heads of q and k (qwen3); of the head to the embedding
	frequencyFactors, hasBias bool // the file has rope_freqs; it has the biases
}

// q and kv are the columns of the queries, and of the keys or the values.
func (c *config) q() int  { return c.heads * c.headSize }
func (c *config) kv() int { return c.kvHeads * c.headSize }

// keys of an architecture that the decoder uses, and keys that say nothing that
// it would need. Any other could change what the model computes, and is refused.
var (
	usedKeys = []string{
		"block_count", "context_length", "embedding_length", "feed_forward_length",
		"attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
		"attention.layer_norm_rms_epsilon", "rope.dimension_count", "rope.freq_base",
		"rope.scaling.type", "rope.scaling.factor", "rope.scale_linear",
	}
	idleKeys = []string{
		"vocab_size",                           // the embedding's rows say it
		"tensor_data_layout",                   // the architecture says it
		"rope.scaling.original_context_length", // used by the scalings that are refused
		"rope.scaling.finetuned",
	}
)

// readConfig reads the shape and refuses what the decoder cannot compute.
func readConfig(f *checkpoint.File) (*config, error) {
	c := &config{architecture: f.Architecture()}
	switch c.architecture {
	case "llama":
		c.rope.Pairwise = true
	case "qwen2":
		c.biases = true
	case "qwen3":
		c.norms = true
	default:
		return nil, fmt.Errorf("model: architecture %q is not supported; llama, qwen2 and qwen3 are", c.architecture)
	}
	if kind, ok := f.Text("general.type"); ok && kind != "model" {
		return nil, fmt.Errorf("model: %s is of type %q, not a model", f.Path(), kind)
	}
	if err := c.checkKeys(f); err != nil {
		return nil, err
	}
	if err := c.readSizes(f); err != nil {
		return nil, err
	}
	return c, c.readRoPE(f)
}

// checkKeys refuses a key of the architecture that the decoder does not use, unless its value
// is the one that changes nothing.
func (c *config) checkKeys(f *checkpoint.File) error {
	for _, key := range f.Keys() {
		name, ours := strings.CutPrefix(key, c.architecture+".")
		if !ours || slices.Contains(usedKeys, name) || slices.Contains(idleKeys, name) {
			continue
		}
		switch name {
		case "expert_count", "expert_used_count", "attention.sliding_window":
			if n, ok := f.Uint(key); ok && n == 0 {
				continue
			}
		case "attention.causal":
			if causal, ok := f.Bool(key); ok && causal {
				continue
			}
		}
		return fmt.Errorf("model: key %s is one that the decoder does not use, so it would compute another model", key)
	}
	return nil
}

// readSizes reads the shape and checks that it is one.
func (c *config) readSizes(f *checkpoint.File) error {
	var wrong error
	number := func(name string, otherwise int) int {
		key := c.architecture + "." + name
		n, ok := f.Uint(key)
		if !ok && otherwise > 0 && !slices.Contains(f.Keys(), key) {
			return otherwise
		}
		if (!ok || n == 0 || n > 1<<24) && wrong == nil {
			wrong = fmt.Errorf("model: key %s is missing or no fitting number", key)
		}
		return int(min(n, 1<<24))
	}
	c.layers = number("block_count", 0)
	c.width = number("embedding_length", 0)
	c.ff = number("feed_forward_length", 0)
	c.heads = number("attention.head_count", 0)
	c.context = number("context_length", 0)
	if wrong != nil {
		return wrong
	}
	c.kvHeads = number("attention.head_count_kv", c.heads)
	c.headSize = number("attention.key_length", max(1, c.width/c.heads))
	values := number("attention.value_length", c.headSize)
	if wrong != nil {
		return wrong
	}
	return c.checkSizes(f, values)
}

// checkSizes refuses sizes that do not go together, and reads the norms' epsilon.
func (c *config) checkSizes(f *checkpoint.File, values int) error {
	if c.heads%c.kvHeads != 0 {
		return fmt.Errorf("model: %d heads cannot share %d key heads evenly", c.heads, c.kvHeads)
	}
	if values != c.headSize {
		return fmt.Errorf("model: values of %d beside keys of %d are not supported", values, c.headSize)
	}
	if c.layers > len(f.Tensors()) {
		return fmt.Errorf("model: %d layers, but only %d tensors", c.layers, len(f.Tensors()))
	}
	key := c.architecture + ".attention.layer_norm_rms_epsilon"
	eps, ok := f.Float(key)
	if !ok || !(eps > 0 && eps < 1) {
		return fmt.Errorf("model: key %s is missing or no fitting number", key)
	}
	c.eps = eps
	return nil
}

// readRoPE makes the frequencies: base^(-2j/n), divided by the file's factors (Llama 3.x) and by
// a linear scaling. Other scalings are refused by name.
func (c *config) readRoPE(f *checkpoint.File) error {
	prefix := c.architecture + ".rope."
	n := uint64(c.headSize)
	if v, ok := f.Uint(prefix + "dimension_count"); ok {
		n = v
	}
	if n == 0 || n%2 != 0 || n > uint64(c.headSize) {
		return fmt.Errorf("model: key %sdimension_count is %d, in heads of %d", prefix, n, c.headSize)
	}
	base := 10000.0
	if v, ok := f.Float(prefix + "freq_base"); ok {
		base = v
	}
	factor, err := c.ropeFactor(f, prefix)
	if err != nil {
		return err
	}
	if !(base > 0) || !(factor > 0) || math.IsInf(base, 0) || math.IsInf(factor, 0) {
		return fmt.Errorf("model: rope has base %g and factor %g", base, factor)
	}
	factors, err := c.ropeFactors(f, int(n/2))
	if err != nil {
		return err
	}
	c.rope.Freq = make([]float64, n/2)
	for j := range c.rope.Freq {
		c.rope.Freq[j] = math.Pow(base, -2*float64(j)/float64(n)) / factor / factors[j]
	}
	return nil
}

// ropeFactor is what a linear scaling divides every frequency by.
func (c *config) ropeFactor(f *checkpoint.File, prefix string) (float64, error) {
	kind, named := f.Text(prefix + "scaling.type")
	if named && kind != "none" && kind != "linear" {
		return 0, fmt.Errorf("model: rope scaling %q is not supported; linear is", kind)
	}
	if kind == "none" {
		return 1, nil
	}
	for _, name := range []string{"scaling.factor", "scale_linear"} {
		if v, ok := f.Float(prefix + name); ok && v != 0 {
			return v, nil
		}
	}
	return 1, nil
}

// ropeFactors reads rope_freqs.weight, one factor for each of n pairs, or ones.
func (c *config) ropeFactors(f *checkpoint.File, n int) ([]float64, error) {
	factors := make([]float64, n)
	for j := range factors {
		factors[j] = 1
	}
	t := f.Tensor(frequencyTensor)
	if t == nil || c.architecture != "llama" {
		return factors, nil // of another architecture the tensor is refused with the others
	}
	c.frequencyFactors = true
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if t.Rows != 1 || t.Cols != n {
		return nil, fmt.Errorf("model: tensor %s is %d x %d, not 1 x %d", t.Name, t.Rows, t.Cols, n)
	}
	row := make([]float32, n)
	t.Dequant(row, 0, 1)
	for j, v := range row {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("model: tensor %s has the factor %g", t.Name, v)
		}
		factors[j] = float64(v)
	}
	return factors, nil
}
