package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
)

// Shape is the shape of a Qwen2 model: what its speed depends on.
type Shape struct {
	Name                              string
	Layers, Width, Heads, KVHeads, FF int
	Vocabulary                        int
}

// Shapes can be measured without a model at hand.
var Shapes = []Shape{
	{"qwen2.5-0.5b", 24, 896, 14, 2, 4864, 151936},
	{"qwen2.5-1.5b", 28, 1536, 12, 2, 8960, 151936},
	{"qwen2.5-7b", 28, 3584, 28, 4, 18944, 152064}, // whose head is a matrix of its own, here the embedding
}

// WriteShape writes a GGUF file of the shape with random weights: Q4_0 in the
// layers, Q8_0 in the embedding, which is also the head. It serves to measure
// speed; what it writes is noise.
func WriteShape(path string, s Shape) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("engine: write shape %s: %w", s.Name, err)
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := &shapeWriter{out: bufio.NewWriterSize(f, 1<<20), noise: rand.New(rand.NewPCG(1, 2))}
	w.write(s)
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("engine: write shape %s: %w", s.Name, err)
	}
	return nil
}

type shapeTensor struct {
	name string
	dims []uint64
	kind uint32
	one  bool // all ones, or zeros, in place of noise
	zero bool
}

// ggml's numbers of tensor types.
const (
	shapeF32  = 0
	shapeQ4_0 = 2
	shapeQ8_0 = 8
)

func (t shapeTensor) bytes() uint64 {
	n := uint64(1)
	for _, d := range t.dims {
		n *= d
	}
	switch t.kind {
	case shapeQ4_0:
		return n / 32 * 18
	case shapeQ8_0:
		return n / 32 * 34
	}
	return n * 4
}

func (s Shape) tensors() []shapeTensor {
	d, ff, kv := uint64(s.Width), uint64(s.FF), uint64(s.Width/s.Heads*s.KVHeads)
	out := []shapeTensor{{name: "token_embd.weight", dims: []uint64{d, uint64(s.Vocabulary)}, kind: shapeQ8_0}, {name: "output_norm.weight", dims: []uint64{d}, one: true}}
	for l := range s.Layers {
		b := fmt.Sprintf("blk.%d.", l)
		for _, t := range []shapeTensor{
			{name: "attn_norm.weight", dims: []uint64{d}, one: true}, {name: "ffn_norm.weight", dims: []uint64{d}, one: true},
			{name: "attn_q.bias", dims: []uint64{d}, zero: true}, {name: "attn_k.bias", dims: []uint64{kv}, zero: true}, {name: "attn_v.bias", dims: []uint64{kv}, zero: true},
			{name: "attn_q.weight", dims: []uint64{d, d}, kind: shapeQ4_0}, {name: "attn_k.weight", dims: []uint64{d, kv}, kind: shapeQ4_0},
			{name: "attn_v.weight", dims: []uint64{d, kv}, kind: shapeQ4_0}, {name: "attn_output.weight", dims: []uint64{d, d}, kind: shapeQ4_0},
			{name: "ffn_gate.weight", dims: []uint64{d, ff}, kind: shapeQ4_0}, {name: "ffn_up.weight", dims: []uint64{d, ff}, kind: shapeQ4_0}, {name: "ffn_down.weight", dims: []uint64{ff, d}, kind: shapeQ4_0},
		} {
			t.name = b + t.name
			out = append(out, t)
		}
	}
	return out
}

type shapeWriter struct {
	out   *bufio.Writer
	noise *rand.Rand
	n     uint64
}

func (w *shapeWriter) put(v any) {
	var b bytes.Buffer
	switch v := v.(type) {
	case string:
		binary.Write(&b, binary.LittleEndian, uint64(len(v)))
		b.WriteString(v)
	default:
		binary.Write(&b, binary.LittleEndian, v)
	}
	w.raw(b.Bytes())
}

// raw leaves errors to the final Flush, which repeats the first.
func (w *shapeWriter) raw(b []byte) {
	w.out.Write(b)
	w.n += uint64(len(b))
}

func (w *shapeWriter) pad() { w.raw(make([]byte, (32-w.n%32)%32)) }

func (w *shapeWriter) write(s Shape) {
	tensors, keys := s.tensors(), s.keys()
	w.raw([]byte("GGUF"))
	w.put(uint32(3))
	w.put(uint64(len(tensors)))
	w.put(uint64(len(keys)))
	for _, k := range keys {
		w.put(k.name)
		switch v := k.value.(type) {
		case []string:
			w.put(uint32(ggufArray))
			w.put(uint32(ggufString))
			w.put(uint64(len(v)))
			for _, x := range v {
				w.put(x)
			}
		case []int32:
			w.put(uint32(ggufArray))
			w.put(uint32(ggufInt32))
			w.put(uint64(len(v)))
			w.put(v)
		case string:
			w.put(uint32(ggufString))
			w.put(v)
		case uint32:
			w.put(uint32(ggufUint32))
			w.put(v)
		case float32:
			w.put(uint32(ggufFloat32))
			w.put(v)
		}
	}
	at := uint64(0)
	for _, t := range tensors {
		w.put(t.name)
		w.put(uint32(len(t.dims)))
		w.put(t.dims)
		w.put(t.kind)
		w.put(at)
		at += (t.bytes() + 31) / 32 * 32
	}
	w.pad()
	for _, t := range tensors {
		w.tensor(t)
		w.pad()
	}
}

// tensor writes noise of a standard deviation near 0.02, in blocks of 32.
func (w *shapeWriter) tensor(t shapeTensor) {
	block, scale := 0, float32(0)
	switch t.kind {
	case shapeQ4_0:
		block, scale = 16, 0.02/4.6
	case shapeQ8_0:
		block, scale = 32, 0.02/74
	default:
		row := make([]float32, t.dims[0])
		if t.one {
			for i := range row {
				row[i] = 1
			}
		}
		w.put(row)
		return
	}
	half := float16(scale)
	run := make([]byte, 0, 1024*(2+block))
	for range 1024 {
		run = binary.LittleEndian.AppendUint16(run, half)
		for range block / 8 {
			run = binary.LittleEndian.AppendUint64(run, w.noise.Uint64())
		}
	}
	for left := t.bytes(); left > 0; left -= min(left, uint64(len(run))) {
		w.raw(run[:min(left, uint64(len(run)))])
	}
}

// float16 is the half of a positive normal number.
func float16(f float32) uint16 {
	b := math.Float32bits(f)
	return uint16((b>>23&0xff-127+15)<<10 | b>>13&0x3ff)
}

type shapeKey struct {
	name  string
	value any
}

func (s Shape) keys() []shapeKey {
	tokens, kinds := make([]string, 0, s.Vocabulary), make([]int32, s.Vocabulary)
	for b := range 256 {
		tokens = append(tokens, string(byteRune(byte(b))))
	}
	for i := len(tokens); i < s.Vocabulary; i++ {
		tokens = append(tokens, fmt.Sprintf("t%d", i))
	}
	for i := range kinds {
		kinds[i] = 1
	}
	end := s.Vocabulary - 1
	tokens[end], kinds[end] = "<|im_end|>", 3
	return []shapeKey{
		{"general.architecture", "qwen2"}, {"general.name", s.Name + ", random weights"}, {"qwen2.block_count", uint32(s.Layers)}, {"qwen2.context_length", uint32(32768)},
		{"qwen2.embedding_length", uint32(s.Width)}, {"qwen2.feed_forward_length", uint32(s.FF)}, {"qwen2.attention.head_count", uint32(s.Heads)}, {"qwen2.attention.head_count_kv", uint32(s.KVHeads)},
		{"qwen2.attention.layer_norm_rms_epsilon", float32(1e-6)}, {"qwen2.rope.freq_base", float32(1e6)},
		{"tokenizer.ggml.model", "gpt2"}, {"tokenizer.ggml.pre", "qwen2"}, {"tokenizer.ggml.tokens", tokens}, {"tokenizer.ggml.token_type", kinds},
		{"tokenizer.ggml.merges", []string{"t h"}}, {"tokenizer.ggml.eos_token_id", uint32(end)}, {"tokenizer.ggml.bos_token_id", uint32(end)},
	}
}

// byteRune is how byte-level BPE spells a byte: printable Latin-1 as it is, the
// others from U+0100 on, in their order.
func byteRune(b byte) rune {
	plain := func(b byte) bool { return b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae }
	if plain(b) {
		return rune(b)
	}
	n := rune(0)
	for c := range int(b) {
		if !plain(byte(c)) {
			n++
		}
	}
	return 0x100 + n
}

// ShapeOf finds a shape by name.
func ShapeOf(name string) (Shape, bool) {
	i := slices.IndexFunc(Shapes, func(s Shape) bool { return s.Name == name })
	if i < 0 {
		return Shape{}, false
	}
	return Shapes[i], true
}
