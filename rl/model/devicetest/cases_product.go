package devicetest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// types are those a weight may be of; blocks of the last four are 256 wide.
var types = []checkpoint.Type{
	checkpoint.F32, checkpoint.F16, checkpoint.BF16, checkpoint.Q8_0, checkpoint.Q4_0, checkpoint.Q4_1, checkpoint.Q5_0, checkpoint.Q5_1,
	checkpoint.IQ4_NL, checkpoint.Q4_K, checkpoint.Q5_K, checkpoint.Q6_K, checkpoint.IQ4_XS,
}

// matrixOf makes a random tensor.
func matrixOf(typ checkpoint.Type, rows, cols int) *checkpoint.Tensor {
	r := rand.New(rand.NewPCG(uint64(typ), uint64(rows*1000+cols)))
	v := make([]float32, rows*cols)
	for i := range v {
		v[i] = float32(r.NormFloat64() / math.Sqrt(float64(cols)))
	}
	return checkpoint.NewTensor(fmt.Sprintf("%s %d x %d", typ, rows, cols), typ, rows, cols, v)
}

// weights are what Linear, LinearT and Embed are tried with, and how many rows of
// tokens with each.
func weights() []weighing {
	list := []weighing{}
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {17, 33, 65}, {64, 64, 64}, {2, 130, 515}, {1, 64, 33}} {
		list = append(list, weighing{tokens: s[0], of: []*checkpoint.Tensor{matrixOf(checkpoint.F32, s[2], s[1])}})
	}
	for _, typ := range types {
		list = append(list, weighing{tokens: 5, of: []*checkpoint.Tensor{matrixOf(typ, 9, max(32, typ.Block()))}})
	}
	join := func(cols int, parts ...any) (w []*checkpoint.Tensor) {
		for i := 0; i < len(parts); i += 2 {
			w = append(w, matrixOf(parts[i].(checkpoint.Type), parts[i+1].(int), cols))
		}
		return w
	}
	return append(list,
		weighing{tokens: 6, of: join(64, checkpoint.F32, 31, checkpoint.F32, 17, checkpoint.F32, 5)},
		weighing{tokens: 7, of: join(256, checkpoint.Q4_K, 33, checkpoint.Q4_K, 1, checkpoint.Q6_K, 15)},
		weighing{tokens: 130, large: true, of: join(96, checkpoint.F32, 257)},
		weighing{tokens: 67, large: true, of: join(256, checkpoint.Q4_1, 200, checkpoint.Q8_0, 65)},
		weighing{tokens: 1, large: true, of: join(512, checkpoint.Q5_K, 1000)},
	)
}

// weighing is a weight and the tokens it is used for.
type weighing struct {
	tokens int
	large  bool
	of     []*checkpoint.Tensor
}

func (w weighing) String() string {
	s := fmt.Sprintf("%d tokens by", w.tokens)
	for _, t := range w.of {
		s += " " + t.Name
	}
	return s
}

// rows and cols of all tensors together.
func (w weighing) size() (rows, cols int) {
	for _, t := range w.of {
		rows += t.Rows
	}
	return rows, w.of[0].Cols
}

func productOperations() []operation {
	var list []operation
	for _, w := range weights() {
		list = append(list, embedding(w))
		for _, add := range []bool{false, true} {
			list = append(list, linear(w, add, false), linear(w, add, true), linearT(w, add))
		}
	}
	list = append(list, matMuls()...)
	list = append(list, headOperations()...)
	return byMethod(list)
}

func embedding(w weighing) operation {
	rows, cols := w.size()
	ids := make([]int32, w.tokens)
	for i := range ids {
		ids[i] = int32((rows - 1 + i*i*5) % rows)
	}
	return operation{
		method: "Embed", about: w.String(), weight: w.of, ints: ids, large: w.large,
		operands: []operand{{name: "dst", rows: w.tokens, cols: cols, role: writes}},
		call:     func(d model.Device, a *arguments) { d.Embed(a.b("dst"), a.w, a.ints) },
	}
}

// addRole is what add makes of a result.
func addRole(add bool) (role, string) {
	if add {
		return changes, ", added"
	}
	return writes, ""
}

func linear(w weighing, add, bias bool) operation {
	rows, cols := w.size()
	r, about := addRole(add)
	op := operation{
		method: "Linear", about: w.String() + about, weight: w.of, large: w.large,
		operands: []operand{{name: "dst", rows: w.tokens, cols: rows, role: r}, {name: "x", rows: w.tokens, cols: cols}},
		call:     func(d model.Device, a *arguments) { d.Linear(a.b("dst"), a.b("x"), a.w, nil, add) },
	}
	if bias {
		op.about += ", with a bias"
		op.operands = append(op.operands, operand{name: "bias", rows: 1, cols: rows, f32: true})
		op.call = func(d model.Device, a *arguments) { d.Linear(a.b("dst"), a.b("x"), a.w, a.b("bias"), add) }
	}
	return op
}

func linearT(w weighing, add bool) operation {
	rows, cols := w.size()
	r, about := addRole(add)
	return operation{
		method: "LinearT", about: w.String() + about, weight: w.of, large: w.large,
		operands: []operand{{name: "dx", rows: w.tokens, cols: cols, role: r}, {name: "dy", rows: w.tokens, cols: rows}},
		call:     func(d model.Device, a *arguments) { d.LinearT(a.b("dx"), a.b("dy"), a.w, add) },
	}
}

// matMuls are products of all forms in odd sizes, those of an adapter (one side
// is its rank) and one across the borders of tiles.
func matMuls() []operation {
	var list []operation
	for _, s := range []struct {
		rows, inner, cols int
		large             bool
	}{{1, 1, 1, false}, {3, 5, 2, false}, {33, 4, 17, false}, {4, 65, 31, false}, {70, 16, 40, false}, {130, 70, 129, true}} {
		for form := range 8 {
			transA, transB, add := form&1 != 0, form&2 != 0, form&4 != 0
			r, about := addRole(add)
			a, b := operand{name: "a", rows: s.rows, cols: s.inner}, operand{name: "b", rows: s.inner, cols: s.cols}
			if transA {
				a.rows, a.cols, about = a.cols, a.rows, about+", a transposed"
			}
			if transB {
				b.rows, b.cols, about = b.cols, b.rows, about+", b transposed"
			}
			list = append(list, operation{
				method: "MatMul", about: fmt.Sprintf("%d x %d x %d%s", s.rows, s.inner, s.cols, about), large: s.large,
				operands: []operand{{name: "dst", rows: s.rows, cols: s.cols, role: r}, a, b},
				call: func(d model.Device, g *arguments) {
					d.MatMul(g.b("dst"), g.b("a"), g.b("b"), transA, transB, -2.5, add)
				},
			})
		}
	}
	return list
}

// headOperations score tokens of small and of large vocabularies, that no tile
// divides, of flat distributions and of such whose exponentials overflow.
func headOperations() []operation {
	var list []operation
	for _, c := range []struct {
		about               string
		tokens, width, vocs int
		spread              float64 // of the logits
		typ                 checkpoint.Type
		large               bool
	}{
		{"one token of one", 1, 3, 1, 1, checkpoint.F32, false},
		{"a small vocabulary", 5, 7, 11, 1, checkpoint.F32, false},
		{"an odd vocabulary", 33, 64, 97, 2, checkpoint.F32, false},
		{"quantised", 9, 64, 131, 3, checkpoint.Q8_0, false},
		{"large logits", 19, 32, 101, 100, checkpoint.F32, false},
		{"enormous logits", 7, 32, 67, 3000, checkpoint.F32, false},
		{"a large vocabulary", 35, 48, 4099, 3, checkpoint.F32, true},
	} {
		targets := make([]int32, c.tokens)
		for i := range targets {
			targets[i] = int32((c.vocs - 1 + 7*i) % c.vocs)
		}
		// A logit's own rounding is in every result: an error is measured against the largest, and
		// probabilities are exponentials of it.
		stat := operand{rows: c.tokens, cols: 1, role: writes, f32: true, size: c.spread}
		logp, entropy := stat, stat
		logp.name, entropy.name = "logp", "entropy"
		x := operand{name: "x", rows: c.tokens, cols: c.width, spread: c.spread}
		op := operation{
			method: "Head", about: c.about + ", without gradient", weight: []*checkpoint.Tensor{matrixOf(c.typ, c.vocs, c.width)}, ints: targets,
			operands: []operand{logp, entropy, x}, large: c.large, slack: c.spread,
			call: func(d model.Device, a *arguments) {
				d.Head(a.b("logp"), a.b("entropy"), nil, a.b("x"), a.w, a.ints)
			},
		}
		with := op
		with.about = c.about
		with.operands = append([]operand{{name: "u", rows: c.tokens, cols: c.width, role: writes}}, op.operands...)
		with.call = func(d model.Device, a *arguments) {
			d.Head(a.b("logp"), a.b("entropy"), a.b("u"), a.b("x"), a.w, a.ints)
		}
		list = append(list, op, with)
	}
	return list
}
