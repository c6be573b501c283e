package devicetest

import (
	"fmt"
	"math"

	"longhand/rl/model"
)

// shapes are rows x columns, the last across the borders of usual tiles.
var shapes = [][2]int{{1, 1}, {1, 7}, {5, 1}, {3, 33}, {65, 9}, {130, 257}}

// rowOperations are those on cells and rows.
func rowOperations() []operation {
	var list []operation
	for i, s := range shapes {
		about := fmt.Sprintf("%d x %d", s[0], s[1])
		for _, op := range elementwise(s[0], s[1]) {
			op.about, op.large = about+op.about, i == len(shapes)-1
			list = append(list, op)
		}
	}
	list = append(list, gatherings()...)
	list = append(list, adamW()...)
	return byMethod(list)
}

// byMethod puts the operations of a method behind one another, methods in their first order.
func byMethod(list []operation) []operation {
	var sorted []operation
	seen := map[string]bool{}
	for _, first := range list {
		if seen[first.method] {
			continue
		}
		seen[first.method] = true
		for _, op := range list {
			if op.method == first.method {
				sorted = append(sorted, op)
			}
		}
	}
	return sorted
}

func elementwise(rows, cols int) []operation {
	cell := func(name string, r role) operand { return operand{name: name, rows: rows, cols: cols, role: r} }
	loose := func(o operand) operand { o.loose = true; return o }
	byRow := operand{name: "g", rows: rows, cols: 1, f32: true}
	return []operation{
		{
			method: "Zero", operands: []operand{loose(cell("dst", writes))},
			call: func(d model.Device, a *arguments) { d.Zero(a.b("dst")) },
		}, {
			method: "Copy", operands: []operand{cell("dst", writes), cell("src", reads)},
			call: func(d model.Device, a *arguments) { d.Copy(a.b("dst"), a.b("src")) },
		}, {
			method: "Add", operands: []operand{cell("dst", changes), cell("src", reads)},
			call: func(d model.Device, a *arguments) { d.Add(a.b("dst"), a.b("src")) },
		}, {
			method: "ScaleRows", operands: []operand{cell("dst", writes), cell("src", reads), byRow},
			call: func(d model.Device, a *arguments) { d.ScaleRows(a.b("dst"), a.b("src"), a.b("g")) },
		}, {
			method: "ScaleRows", about: " in place", operands: []operand{loose(cell("x", changes)), byRow},
			call: func(d model.Device, a *arguments) { d.ScaleRows(a.b("x"), a.b("x"), a.b("g")) },
		}, {
			method: "SumSquares", operands: []operand{{name: "dst", rows: 1, cols: 1, role: changes, f32: true}, loose(cell("src", reads))},
			call: func(d model.Device, a *arguments) { d.SumSquares(a.b("dst"), a.b("src")) },
		},
	}
}

// gatherings are GatherRows and ScatterAddRows with rows out of order, repeated,
// left out, and many.
func gatherings() []operation {
	many := make([]int32, 200)
	for i := range many {
		many[i] = int32(i * i % 67)
	}
	var list []operation
	for _, c := range []struct {
		about string
		rows  []int32
		of    int
		cols  int
	}{
		{"one row", []int32{0}, 1, 1},
		{"backwards", []int32{4, 3, 2, 1, 0}, 5, 7},
		{"some rows, one of them often", []int32{2, 2, 8, 2, 0, 8, 2}, 9, 33},
		{"many rows", many, 67, 65},
	} {
		few, all := operand{name: "few", rows: len(c.rows), cols: c.cols}, operand{name: "all", rows: c.of, cols: c.cols}
		gather := operation{method: "GatherRows", about: c.about, ints: c.rows, call: func(d model.Device, a *arguments) {
			d.GatherRows(a.b("few"), a.b("all"), a.ints)
		}}
		few.role = writes
		gather.operands = []operand{few, all}
		scatter := operation{method: "ScatterAddRows", about: c.about, ints: c.rows, call: func(d model.Device, a *arguments) {
			d.ScatterAddRows(a.b("all"), a.b("few"), a.ints)
		}}
		few.role, all.role = reads, changes
		scatter.operands = []operand{few, all}
		list = append(list, gather, scatter)
	}
	for i := range list { // a row more of what is picked from is not wrong
		for j := range list[i].operands {
			list[i].operands[j].loose = list[i].operands[j].name == "all"
		}
	}
	return list
}

// adamW is a first step, a later one, one with decay and a scaled gradient, and one
// whose moments are so small that it matters where epsilon stands.
func adamW() []operation {
	var list []operation
	for _, c := range []struct {
		about      string
		rows, cols int
		spread     float64 // of the gradient and of the root of v
		o          model.AdamW
	}{
		{"first step", 3, 5, 1, model.AdamW{Rate: 1e-3, Beta1: .9, Beta2: .999, Eps: 1e-8, Scale: 1, Correction1: 1 - .9, Correction2: 1 - .999}},
		{"later, with decay and a scale", 17, 16, 1, model.AdamW{Rate: .01, Beta1: .8, Beta2: .95, Eps: 1e-8, Decay: .1, Scale: .3, Correction1: 1 - math.Pow(.8, 7), Correction2: 1 - math.Pow(.95, 7)}},
		{"small moments", 5, 33, 1e-6, model.AdamW{Rate: .5, Beta1: .9, Beta2: .99, Eps: 1e-6, Scale: 1, Correction1: .4, Correction2: .5}},
		{"many", 300, 67, 1, model.AdamW{Rate: 1e-2, Beta1: .9, Beta2: .999, Eps: 1e-8, Scale: 1, Correction1: .3, Correction2: .01}},
	} {
		cell := func(name string, r role, spread float64) operand {
			return operand{name: name, rows: c.rows, cols: c.cols, role: r, f32: true, spread: spread}
		}
		list = append(list, operation{
			method: "AdamW", about: c.about, whole: true,
			operands: []operand{cell("p", changes, 1), cell("g", reads, c.spread), cell("m", changes, c.spread), cell("v", changes, c.spread*c.spread)},
			settle: func(values map[string][]float64) {
				for i, v := range values["v"] { // a mean of squares is not negative
					values["v"][i] = math.Abs(v)
				}
			},
			call: func(d model.Device, a *arguments) { d.AdamW(a.b("p"), a.b("g"), a.b("m"), a.b("v"), c.o) },
		})
	}
	return list
}
