package checkpoint

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// types are those that Dequant knows.
var types = []Type{F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS}

func open(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestDequantIsThatOfLlamaCpp compares every type, bit for bit, with what llama.cpp's own
// Python package makes of the same blocks (testdata/gen.py).
func TestDequantIsThatOfLlamaCpp(t *testing.T) {
	f := open(t, filepath.Join("testdata", "types.gguf"))
	for _, typ := range types {
		name := strings.ToLower(typ.String())
		tensor, want := f.Tensor(name), f.Tensor(name+".f32")
		if tensor == nil || want == nil || tensor.Type != typ || tensor.Rows != 3 || tensor.Cols != 512 {
			t.Fatalf("%s: %+v, %+v", name, tensor, want)
		}
		if err := tensor.Check(); err != nil {
			t.Fatal(err)
		}
		x, y := make([]float32, 3*512), make([]float32, 3*512)
		want.Dequant(y, 0, 3)
		tensor.Dequant(x[2*512:], 2, 1) // rows one by one and two at once are the same
		tensor.Dequant(x, 0, 2)
		spread := map[float32]bool{}
		for i := range x {
			spread[x[i]] = true
			if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
				t.Errorf("%s: number %d is %v instead of %v", name, i, x[i], y[i])
				break
			}
		}
		if len(spread) < 100 {
			t.Errorf("%s: the golden has only %d numbers", name, len(spread))
		}
	}
}

// TestHalves goes through all 65,536 halves and the numbers between them.
func TestHalves(t *testing.T) {
	value := func(h uint16) float64 {
		sign, exponent, fraction := 1-2*float64(h>>15), int(h>>10&31), float64(h&1023)
		switch {
		case exponent == 0:
			return sign * math.Ldexp(fraction, -24)
		case exponent == 31 && fraction == 0:
			return sign * math.Inf(1)
		case exponent == 31:
			return math.NaN()
		}
		return sign * math.Ldexp(1024+fraction, exponent-25)
	}
	for i := range 1 << 16 {
		h := uint16(i)
		x, want := fromHalf(h), value(h)
		if float64(x) != want && !(math.IsNaN(want) && x != x) || math.Signbit(float64(x)) != (h>>15 == 1) {
			t.Fatalf("half %04x is %v instead of %v", h, x, want)
		}
		if x != x {
			if back := toHalf(x); back&0x7c00 != 0x7c00 || back&0x3ff == 0 {
				t.Errorf("not a number becomes %04x", back)
			}
			continue
		}
		if back := toHalf(x); back != h {
			t.Fatalf("half %04x comes back as %04x", h, back)
		}
		if h&0x7fff >= 0x7bff {
			continue
		}
		above := fromHalf(h + 1) // one step further from 0
		middle := float32((float64(x) + float64(above)) / 2)
		even := h + h&1
		for _, c := range []struct {
			x    float32
			want uint16
		}{{middle, even}, {math.Nextafter32(middle, x), h}, {math.Nextafter32(middle, above), h + 1}} {
			if got := toHalf(c.x); got != c.want {
				t.Fatalf("%v becomes half %04x instead of %04x", c.x, got, c.want)
			}
		}
	}
	for x, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, -1e30: 0xfc00, 1e-30: 0} {
		if got := toHalf(x); got != want {
			t.Errorf("%v becomes half %04x instead of %04x", x, got, want)
		}
	}
}

func TestBrain(t *testing.T) {
	for x, want := range map[float32]uint16{1: 0x3f80, 1.00390625: 0x3f80, 1.01171875: 0x3f82, -3: 0xc040, 3.4e38: 0x7f80} {
		if got := toBrain(x); got != want {
			t.Errorf("%v becomes %04x instead of %04x", x, got, want)
		}
	}
	if got := toBrain(math.Float32frombits(0x7f800001)); fromBrain(got) == fromBrain(got) {
		t.Errorf("not a number becomes %04x", got)
	}
}

// TestVectorsGiveTheBitsOfLoops compares the two ways on random blocks, whose halves may be anything, and
// on rows that are not multiples of eight.
func TestVectorsGiveTheBitsOfLoops(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, typ := range types {
		for _, blocks := range []int{1, 2, 3, 7, 8, 9, 31, 500} {
			n := blocks * typ.Block()
			src := make([]byte, typ.Bytes(n))
			for i := range src {
				src[i] = byte(r.Uint32())
			}
			x, y := make([]float32, n+1), make([]float32, n+1)
			x[n], y[n] = 42, 42 // which neither may touch
			dequant(typ, x[:n], src)
			dequantLoops(typ, y[:n], src)
			for i := range x {
				if math.Float32bits(x[i]) != math.Float32bits(y[i]) && (x[i] == x[i] || y[i] == y[i]) {
					t.Fatalf("%s, %d blocks: number %d is %v instead of %v", typ, blocks, i, x[i], y[i])
				}
			}
		}
	}
}

// BenchmarkDequant gives GB/s of float32 on one core, from and into the cache; loops is without vector
// instructions.
func BenchmarkDequant(b *testing.B) {
	for _, typ := range types {
		const n = 8 << 10
		r := rand.New(rand.NewPCG(1, 2))
		src := make([]byte, typ.Bytes(n))
		for i := range src {
			src[i] = byte(r.Uint32()) & 0xbb // no infinite half
		}
		dst := make([]float32, n)
		for name, do := range map[string]func(Type, []float32, []byte){"": dequant, "-loops": dequantLoops} {
			b.Run(typ.String()+name, func(b *testing.B) {
				b.SetBytes(4 * n)
				for b.Loop() {
					do(typ, dst, src)
				}
			})
		}
	}
}
