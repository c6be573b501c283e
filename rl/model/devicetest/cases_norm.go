package devicetest

import (
	"fmt"
	"math"

	"longhand/rl/model"
)

// parts are rows, parts of a row, and how wide a part is.
var parts = [][3]int{{1, 1, 1}, {3, 1, 7}, {5, 3, 4}, {2, 5, 33}, {17, 2, 64}, {5, 1, 576}, {130, 9, 64}}

func normOperations() []operation {
	var list []operation
	for i, s := range parts {
		large := i == len(parts)-1
		list = append(list, norms(s[0], s[1], s[2], large)...)
		list = append(list, normBackwards(s[0], s[1], s[2], large)...)
	}
	list = append(list, ropes()...)
	for i, s := range shapes {
		list = append(list, swiGLU(s[0], s[1], i == len(shapes)-1)...)
	}
	return byMethod(list)
}

const eps = 1e-2 // so large that leaving it out shows

func norms(rows, heads, size int, large bool) []operation {
	about := fmt.Sprintf("%d x %d x %d", rows, heads, size)
	row := operand{rows: rows, cols: heads * size}
	inv, gain := operand{name: "inv", rows: rows, cols: heads, role: writes, f32: true}, operand{name: "gain", rows: 1, cols: size, f32: true}
	dst, x := row, row
	dst.name, dst.role, x.name = "dst", writes, "x"
	apart := operation{
		method: "RMSNorm", about: about, large: large, operands: []operand{dst, inv, x, gain},
		call: func(d model.Device, a *arguments) {
			d.RMSNorm(a.b("dst"), a.b("inv"), a.b("x"), a.b("gain"), heads, eps)
		},
	}
	x.role = changes
	inPlace := operation{
		method: "RMSNorm", about: about + " in place", large: large, operands: []operand{inv, x, gain},
		call: func(d model.Device, a *arguments) {
			d.RMSNorm(a.b("x"), a.b("inv"), a.b("x"), a.b("gain"), heads, eps)
		},
	}
	return []operation{apart, inPlace}
}

func normBackwards(rows, heads, size int, large bool) []operation {
	var list []operation
	for form := range 4 {
		add, inPlace := form&1 != 0, form&2 != 0
		about := fmt.Sprintf("%d x %d x %d", rows, heads, size)
		role, added := addRole(add)
		row := operand{rows: rows, cols: heads * size, size: 1} // differences of numbers about as large
		dx, dy, x := row, row, row
		dx.name, dx.role, dy.name, x.name = "dx", role, "dy", "x"
		to := "dx"
		operands := []operand{dx, dy, x}
		if inPlace {
			dy.role, to, about = changes, "dy", about+" in place"
			operands = []operand{dy, x}
		}
		operands = append(operands, operand{name: "inv", rows: rows, cols: heads, f32: true}, operand{name: "gain", rows: 1, cols: size, f32: true})
		list = append(list, operation{
			method: "RMSNormBackward", about: about + added, large: large, operands: operands,
			settle: func(values map[string][]float64) { // inv is x's, as RMSNorm left it
				for i := range values["inv"] {
					part := values["x"][i*size : (i+1)*size]
					values["inv"][i] = 1 / math.Sqrt(dot(part, part)/float64(size)+eps)
				}
			},
			call: func(d model.Device, a *arguments) {
				d.RMSNormBackward(a.b(to), a.b("dy"), a.b("x"), a.b("inv"), a.b("gain"), heads, add)
			},
		})
	}
	return list
}

// ropes are both forms, both ways, with positions that restart and that are far
// out, and with columns behind the pairs.
func ropes() []operation {
	var list []operation
	for _, c := range []struct {
		about              string
		pos                []int32
		heads, size, pairs int
		large              bool
	}{
		{"one pair", []int32{3}, 1, 2, 1, false},
		{"positions that restart", []int32{0, 1, 2, 3, 2, 3, 4, 0, 1}, 3, 16, 8, false},
		{"far out", []int32{40000, 17, 32767, 0, 100003}, 2, 64, 32, false},
		{"columns behind the pairs", []int32{5, 6, 7, 8}, 2, 21, 8, false},
		{"many rows", count(200, 11), 5, 64, 32, true},
	} {
		for form := range 4 {
			r := &model.RoPE{Freq: frequencies(c.pairs), Pairwise: form&1 != 0}
			inverse := form&2 != 0
			about := c.about
			if r.Pairwise {
				about += ", pairwise"
			}
			if inverse {
				about += ", back"
			}
			list = append(list, operation{
				method: "RoPE", about: about, large: c.large, pos: c.pos, segments: []model.Segment{{Rows: len(c.pos)}},
				operands: []operand{{name: "x", rows: len(c.pos), cols: c.heads * c.size, role: changes, loose: c.heads == 1}},
				call:     func(d model.Device, a *arguments) { d.RoPE(a.b("x"), a.layout, c.heads, r, inverse) },
			})
		}
	}
	return list
}

// frequencies are those of a base of 10,000.
func frequencies(pairs int) []float64 {
	f := make([]float64, pairs)
	for j := range f {
		f[j] = math.Pow(10000, -float64(j)/float64(pairs))
	}
	return f
}

// count is n numbers from first on.
func count(n int, first int32) []int32 {
	v := make([]int32, n)
	for i := range v {
		v[i] = first + int32(i)
	}
	return v
}

func swiGLU(rows, cols int, large bool) []operation {
	about := fmt.Sprintf("%d x %d", rows, cols)
	// At a spread of 60 exponentials of single gates overflow float32.
	cell := func(name string, r role, spread float64) operand {
		return operand{name: name, rows: rows, cols: cols, role: r, spread: spread}
	}
	list := []operation{{
		method: "SwiGLUBackward", about: about + " in place", operands: []operand{cell("gate", changes, 1), cell("up", changes, 1), cell("dy", reads, 1)}, large: large,
		call: func(d model.Device, a *arguments) {
			d.SwiGLUBackward(a.b("gate"), a.b("up"), a.b("dy"), a.b("gate"), a.b("up"))
		},
	}}
	for _, spread := range []float64{1, 60} {
		about := fmt.Sprintf("%s, gates of %g", about, spread)
		gate, up := cell("gate", reads, spread), cell("up", reads, 1)
		list = append(list, operation{
			method: "SwiGLU", about: about, large: large, operands: []operand{cell("dst", writes, 0), gate, up},
			call: func(d model.Device, a *arguments) { d.SwiGLU(a.b("dst"), a.b("gate"), a.b("up")) },
		}, operation{
			method: "SwiGLUBackward", about: about, large: large, operands: []operand{cell("dgate", writes, 0), cell("dup", writes, 0), cell("dy", reads, 1), gate, up},
			call: func(d model.Device, a *arguments) {
				d.SwiGLUBackward(a.b("dgate"), a.b("dup"), a.b("dy"), a.b("gate"), a.b("up"))
			},
		})
	}
	return list
}
