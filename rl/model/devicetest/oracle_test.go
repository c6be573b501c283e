package devicetest

import (
	"math"
	"math/rand/v2"
	"testing"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// TestOracle holds the oracle to all that is asked of a Device beside its
// numbers, which are its own here. TestForward and TestBackward look at these.
func TestOracle(t *testing.T) {
	Run(t, func(*testing.T) model.Device { return NewOracle() }, Tolerance{})
}

// bench is an oracle with buffers by name, to write formulas with.
type bench struct {
	*Oracle
	t    *testing.T
	rand *rand.Rand
	b    map[string]model.Buffer
}

func newBench(t *testing.T) *bench {
	return &bench{NewOracle(), t, rand.New(rand.NewPCG(7, 7)), map[string]model.Buffer{}}
}

// random is a new buffer of random numbers, zeros one of zeros.
func (b *bench) random(name string, rows, cols int) model.Buffer {
	v := make([]float64, rows*cols)
	for i := range v {
		v[i] = b.rand.NormFloat64()
	}
	b.Upload(b.zeros(name, rows, cols), v)
	return b.b[name]
}

func (b *bench) zeros(name string, rows, cols int) model.Buffer {
	b.b[name] = b.Alloc(model.F32, rows, cols)
	return b.b[name]
}

func (b *bench) read(name string) []float64 {
	v := make([]float64, b.b[name].Rows()*b.b[name].Cols())
	if err := b.Download(v, b.b[name]); err != nil {
		b.t.Fatal(err)
	}
	return v
}

// slopes compares the gradient that a backward left in buffer "d"+name with
// central differences of the sum of out's cells times "d"+out's.
func (b *bench) slopes(out, name string, forward func()) {
	b.t.Helper()
	const step = 1e-5
	loss := func(x []float64) float64 {
		b.Upload(b.b[name], x)
		forward()
		return dot(b.read(out), b.read("d"+out))
	}
	x, grad := b.read(name), b.read("d"+name)
	for i, at := range x {
		x[i] = at + step
		up := loss(x)
		x[i] = at - step
		slope := (up - loss(x)) / (2 * step)
		x[i] = at
		if off := math.Abs(slope - grad[i]); !(off <= 1e-8*max(1, math.Abs(slope))) {
			b.t.Errorf("d%s[%d] is %.12g, the slope is %.12g", name, i, grad[i], slope)
		}
	}
	b.Upload(b.b[name], x)
	forward()
}

// TestBackward compares every backward with central differences of its forward.
func TestBackward(t *testing.T) {
	t.Run("RMSNorm", func(t *testing.T) {
		b := newBench(t)
		x, gain, dy := b.random("x", 3, 8), b.random("gain", 1, 4), b.random("dy", 3, 8)
		y, inv, dx := b.zeros("y", 3, 8), b.zeros("inv", 3, 2), b.zeros("dx", 3, 8)
		forward := func() { b.RMSNorm(y, inv, x, gain, 2, 0.1) }
		forward()
		b.RMSNormBackward(dx, dy, x, inv, gain, 2, false)
		b.slopes("y", "x", forward)
	})
	for _, pairwise := range []bool{false, true} {
		b := newBench(t)
		x, dx := b.random("x", 3, 10), b.zeros("dx", 3, 10)
		y, dy := b.zeros("y", 3, 10), b.random("dy", 3, 10)
		l := b.Layout([]int32{4, 0, 9}, []model.Segment{{Rows: 3}})
		r := &model.RoPE{Freq: []float64{1, 0.3}, Pairwise: pairwise}
		forward := func() {
			b.Copy(y, x)
			b.RoPE(y, l, 2, r, false)
		}
		b.Copy(dx, dy)
		b.RoPE(dx, l, 2, r, true)
		b.slopes("y", "x", forward)
	}
	t.Run("SwiGLU", func(t *testing.T) {
		b := newBench(t)
		gate, up, dy := b.random("gate", 2, 5), b.random("up", 2, 5), b.random("dy", 2, 5)
		y := b.zeros("y", 2, 5)
		forward := func() { b.SwiGLU(y, gate, up) }
		b.SwiGLUBackward(b.zeros("dgate", 2, 5), b.zeros("dup", 2, 5), dy, gate, up)
		b.slopes("y", "gate", forward)
		b.slopes("y", "up", forward)
	})
	t.Run("Attention", func(t *testing.T) {
		b := newBench(t)
		q, k, v := b.random("q", 9, 12), b.random("k", 9, 6), b.random("v", 9, 6)
		out, dout, lse := b.zeros("out", 9, 12), b.random("dout", 9, 12), b.zeros("lse", 9, 4)
		l := b.Layout(count(9, 0), []model.Segment{{Rows: 3}, {Start: 3, Rows: 2, PrefixRows: 3}, {Start: 5, Rows: 4, PrefixRows: 3}})
		forward := func() { b.Attention(out, lse, q, k, v, l, 4, 2) }
		forward()
		b.AttentionBackward(b.zeros("dq", 9, 12), b.zeros("dk", 9, 6), b.zeros("dv", 9, 6), dout, out, q, k, v, lse, l, 4, 2)
		b.slopes("out", "q", forward)
		b.slopes("out", "k", forward)
		b.slopes("out", "v", forward)
	})
	t.Run("Linear", func(t *testing.T) {
		b := newBench(t)
		w := b.weight(6, 4)
		x, y, dy := b.random("x", 3, 4), b.zeros("y", 3, 6), b.random("dy", 3, 6)
		b.LinearT(b.zeros("dx", 3, 4), dy, w, false)
		b.slopes("y", "x", func() { b.Linear(y, x, w, nil, false) })
	})
	t.Run("Head", func(t *testing.T) {
		b := newBench(t)
		w := b.weight(11, 4)
		x, logp, entropy := b.random("x", 3, 4), b.zeros("logp", 3, 1), b.zeros("entropy", 3, 1)
		targets := b.Ints([]int32{10, 0, 3})
		b.Upload(b.zeros("dlogp", 3, 1), []float64{1, 1, 1}) // each row's log-prob hangs on that row alone
		b.Head(logp, entropy, b.zeros("dx", 3, 4), x, w, targets)
		b.slopes("logp", "x", func() { b.Head(logp, entropy, nil, x, w, targets) })
	})
}

// weight is a random frozen matrix.
func (b *bench) weight(rows, cols int) model.Weight {
	w, err := b.Weight(matrixOf(checkpoint.F32, rows, cols))
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

// TestForward compares formulas with numbers worked out by hand.
func TestForward(t *testing.T) {
	b := newBench(t)
	put := func(name string, rows, cols int, v ...float64) model.Buffer {
		b.Upload(b.zeros(name, rows, cols), v)
		return b.b[name]
	}
	is := func(name string, want ...float64) {
		t.Helper()
		for i, x := range b.read(name) {
			if !(math.Abs(x-want[i]) <= 1e-15*max(1, math.Abs(want[i]))) {
				t.Errorf("%s is %v instead of %v", name, b.read(name), want)
				return
			}
		}
	}
	w, err := b.Weight(checkpoint.NewTensor("w", checkpoint.F32, 3, 2, []float32{1, 2, 3, 4, 5, 6}))
	if err != nil {
		t.Fatal(err)
	}
	x := put("x", 2, 2, 1, 10, 0, -1)
	b.Linear(put("y", 2, 3, 1, 1, 1, 1, 1, 1), x, w, put("bias", 1, 3, .5, 0, 0), true)
	is("y", 22.5, 44, 66, -.5, -3, -5)
	b.LinearT(b.zeros("dx", 2, 2), put("dy", 2, 3, 1, 0, 0, 0, 1, -1), w, false)
	is("dx", 1, 2, -2, -2)
	b.MatMul(b.zeros("xᵀx", 2, 2), x, x, true, false, 2, false)
	is("xᵀx", 2, 20, 20, 202)
	b.MatMul(b.zeros("xxᵀ", 2, 2), x, x, false, true, 1, false)
	is("xxᵀ", 101, -10, -10, 1)
	b.Embed(b.zeros("rows", 2, 2), w, b.Ints([]int32{2, 0}))
	is("rows", 5, 6, 1, 2)
	b.RMSNorm(b.zeros("normed", 1, 2), b.zeros("inv", 1, 1), put("seven", 1, 2, 1, 7), put("gain", 1, 2, 5, 10), 1, 11)
	is("normed", 5./6, 70./6)
	is("inv", 1./6)

	turned := &model.RoPE{Freq: []float64{math.Pi / 2, math.Pi}}
	l := b.Layout([]int32{0, 1}, []model.Segment{{Rows: 2}})
	b.RoPE(put("split", 2, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5), l, 1, turned, false)
	is("split", 1, 2, 3, 4, 5, -3, -2, 1, -4, 5)
	turned.Pairwise = true
	b.RoPE(put("pairs", 2, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5), l, 1, turned, false)
	is("pairs", 1, 2, 3, 4, 5, -2, 1, -3, -4, 5)

	b.SwiGLU(b.zeros("gated", 1, 2), put("gate", 1, 2, 0, math.Log(3)), put("up", 1, 2, 9, 4))
	is("gated", 0, 3*math.Log(3))

	// Row 1 sees rows 0 and 1, of scores 0 and log 3: a quarter and three quarters.
	q := put("q", 2, 4, 0, 0, 0, 0, 2, 0, 0, 0)
	k := put("k", 2, 4, 0, 1, 0, 0, math.Log(3), 0, 0, 0)
	b.Attention(b.zeros("out", 2, 4), b.zeros("lse", 2, 1), q, k, put("v", 2, 4, 4, 0, 0, 8, 0, 4, 0, 8), l, 1, 1)
	is("out", 4, 0, 0, 8, 1, 3, 0, 8)
	is("lse", 0, math.Log(4))

	// Logits 0, log 2, log 5: probabilities 1/8, 1/4, 5/8.
	eighths, err := b.Weight(checkpoint.NewTensor("w", checkpoint.F32, 3, 2, []float32{0, 0, 1, 0, 0, 1}))
	if err != nil {
		t.Fatal(err)
	}
	b.Head(b.zeros("logp", 1, 1), b.zeros("entropy", 1, 1), b.zeros("u", 1, 2), put("h", 1, 2, math.Log(2), math.Log(5)), eighths, b.Ints([]int32{1}))
	is("logp", math.Log(.25))
	is("entropy", math.Log(8)/8+math.Log(4)/4+5./8*math.Log(8./5))
	is("u", .75, -5./8)

	b.AdamW(put("p", 1, 1, 1), put("g", 1, 1, 4), put("m", 1, 1, 1), put("vv", 1, 1, 4),
		model.AdamW{Rate: .5, Beta1: .5, Beta2: .75, Eps: 1, Decay: .25, Scale: .5, Correction1: .5, Correction2: 1})
	is("m", 1.5)
	is("vv", 4)
	is("p", 1-.5*(1.5/.5/3+.25))
}
