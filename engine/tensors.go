package engine

import (
	"fmt"
	"math/bits"
)

// A ggmlType is how a tensor's numbers are stored: blocks of so many numbers in
// so many bytes. The table is ggml.c's of llama.cpp v0.5.0; a test compares it
// with the library.
type ggmlType struct {
	name  string
	block uint64
	bytes uint64
}

var ggmlTypes = map[uint32]ggmlType{
	0: {"F32", 1, 4}, 1: {"F16", 1, 2}, 30: {"BF16", 1, 2}, 28: {"F64", 1, 8},
	24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4}, 27: {"I64", 1, 8},
	2: {"Q4_0", 32, 18}, 3: {"Q4_1", 32, 20}, 6: {"Q5_0", 32, 22}, 7: {"Q5_1", 32, 24},
	8: {"Q8_0", 32, 34}, 9: {"Q8_1", 32, 36}, 20: {"IQ4_NL", 32, 18},
	10: {"Q2_K", 256, 84}, 11: {"Q3_K", 256, 110}, 12: {"Q4_K", 256, 144}, 13: {"Q5_K", 256, 176},
	14: {"Q6_K", 256, 210}, 15: {"Q8_K", 256, 292},
	16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 18: {"IQ3_XXS", 256, 98}, 19: {"IQ1_S", 256, 50},
	21: {"IQ3_S", 256, 110}, 22: {"IQ2_S", 256, 82}, 23: {"IQ4_XS", 256, 136}, 29: {"IQ1_M", 256, 56},
	34: {"TQ1_0", 256, 54}, 35: {"TQ2_0", 256, 66},
	39: {"MXFP4", 32, 17}, 40: {"NVFP4", 64, 36}, 41: {"Q1_0", 128, 18}, 42: {"Q2_0", 64, 18},
}

// tensor reads the description of one tensor.
func (g *ggufReader) tensor() ggufTensor {
	t := ggufTensor{name: g.text("a tensor's name", ggufMaxName)}
	n := g.u32()
	if n > ggufDims {
		g.fail("the tensor %q has %d dimensions", t.name, n)
		return t
	}
	t.dims = [ggufDims]uint64{1, 1, 1, 1}
	for i := range n {
		t.dims[i] = g.u64()
	}
	t.kind, t.offset = g.u32(), g.u64()
	if g.err == nil {
		var err error
		if t.bytes, err = t.size(); err != nil {
			g.fail("%w", err)
		}
	}
	return t
}

// size is the tensor's bytes.
func (t *ggufTensor) size() (uint64, error) {
	kind, ok := ggmlTypes[t.kind]
	if !ok {
		return 0, fmt.Errorf("the tensor %q has the unknown type %d", t.name, t.kind)
	}
	n := uint64(1)
	for _, d := range t.dims {
		over, product := bits.Mul64(n, d)
		if over != 0 || product > 1<<62 || d == 0 {
			return 0, fmt.Errorf("the tensor %q has the shape %v", t.name, t.dims)
		}
		n = product
	}
	if t.dims[0]%kind.block != 0 {
		return 0, fmt.Errorf("the tensor %q of type %s has rows of %d", t.name, kind.name, t.dims[0])
	}
	over, size := bits.Mul64(n/kind.block, kind.bytes)
	if over != 0 || size > 1<<62 {
		return 0, fmt.Errorf("the tensor %q has the shape %v", t.name, t.dims)
	}
	return size, nil
}

// place checks that the tensors lie one after the other within the file.
func (g *ggufReader) place(h *ggufHeader, align uint64) {
	pad := func(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }
	start := pad(g.at)
	var at uint64
	for _, t := range h.tensors {
		if t.offset != at {
			g.fail("the tensor %q does not follow the one before it", t.name)
			return
		}
		if start > g.size || at+t.bytes > g.size-start {
			g.fail("the file is cut: the tensor %q goes on after byte %d, where it ends", t.name, g.size)
			return
		}
		at = pad(at + t.bytes)
		h.bytes += t.bytes
	}
}
