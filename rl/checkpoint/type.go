package checkpoint

import "fmt"

// Type is how a tensor's numbers are stored, as ggml numbers it: blocks of so many
// numbers of one row in so many bytes.
type Type uint32

// The types that Dequant knows.
const (
	F32    Type = 0
	F16    Type = 1
	Q4_0   Type = 2
	Q4_1   Type = 3
	Q5_0   Type = 6
	Q5_1   Type = 7
	Q8_0   Type = 8
	Q4_K   Type = 12
	Q5_K   Type = 13
	Q6_K   Type = 14
	IQ4_NL Type = 20
	IQ4_XS Type = 23
	BF16   Type = 30
)

// layout is a type's name and the size of its blocks.
type layout struct {
	name         string
	block, bytes int
}

// layouts are ggml's types; the sizes of those that are not dequantised here serve
// to find the tensors behind them and to name them.
var layouts = map[Type]layout{
	F32: {"F32", 1, 4}, F16: {"F16", 1, 2}, BF16: {"BF16", 1, 2}, 28: {"F64", 1, 8},
	24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4}, 27: {"I64", 1, 8},
	Q4_0: {"Q4_0", 32, 18}, Q4_1: {"Q4_1", 32, 20}, Q5_0: {"Q5_0", 32, 22}, Q5_1: {"Q5_1", 32, 24},
	Q8_0: {"Q8_0", 32, 34}, 9: {"Q8_1", 32, 36}, IQ4_NL: {"IQ4_NL", 32, 18},
	10: {"Q2_K", 256, 84}, 11: {"Q3_K", 256, 110}, Q4_K: {"Q4_K", 256, 144}, Q5_K: {"Q5_K", 256, 176},
	Q6_K: {"Q6_K", 256, 210}, 15: {"Q8_K", 256, 292}, IQ4_XS: {"IQ4_XS", 256, 136},
	16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 18: {"IQ3_XXS", 256, 98}, 19: {"IQ1_S", 256, 50},
	21: {"IQ3_S", 256, 110}, 22: {"IQ2_S", 256, 82}, 29: {"IQ1_M", 256, 56},
	34: {"TQ1_0", 256, 54}, 35: {"TQ2_0", 256, 66},
	39: {"MXFP4", 32, 17}, 40: {"NVFP4", 64, 36}, 41: {"Q1_0", 128, 18}, 42: {"Q2_0", 64, 18},
}

// String is ggml's name of the type, or its number where it has none here.
func (t Type) String() string {
	if l, ok := layouts[t]; ok {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Supported says whether Dequant knows the type.
func (t Type) Supported() bool {
	switch t {
	case F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS:
		return true
	}
	return false
}

// Block is the numbers in a block, 0 for a type without a name here. A row is whole blocks.
func (t Type) Block() int { return layouts[t].block }

// Bytes is what n numbers, whole blocks, take.
func (t Type) Bytes(n int) int64 {
	l := layouts[t]
	if l.block == 0 || n%l.block != 0 {
		panic(fmt.Sprintf("checkpoint: %d numbers of %s", n, t))
	}
	return int64(n/l.block) * int64(l.bytes)
}
