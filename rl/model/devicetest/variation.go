package devicetest

import (
	"fmt"
	"math"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// placing is how operands lie in buffers.
type placing int

const (
	whole  placing = iota // each is a buffer
	inside                // each is a view with cells on all sides
	beside                // those with as many rows are columns of one buffer
)

// variation is one way to call an operation.
type variation struct {
	op    *operation
	kinds kinds
	place placing
	tol   float64
	bf16  bool // what is read is rounded to BF16
}

func (v *variation) String() string {
	kind := func(k model.Kind) string { return [...]string{"F32", "Act"}[k] }
	return fmt.Sprintf("%s to %s, %s", kind(v.kinds.in), kind(v.kinds.out), [...]string{"whole buffers", "views", "columns of one buffer"}[v.place])
}

// host is a buffer in which operands lie.
type host struct {
	kind       model.Kind
	rows, cols int
	guests     []guest
	cells      []float64 // to begin with
}

// guest is an operand in a host, its upper left cell at row, col.
type guest struct {
	operand
	row, col int
}

// around a view inside a larger buffer there are so many rows and columns.
const above, below, left, right = 1, 2, 3, 1

// hosts lays the operands out and fills them.
func (v *variation) hosts() []*host {
	values := map[string][]float64{}
	for _, o := range v.op.operands {
		values[o.name] = v.op.values(o, o.rows*o.cols)
	}
	if v.op.settle != nil {
		v.op.settle(values)
	}
	var list []*host
	for _, o := range v.op.operands {
		kind := o.kind(v.kinds)
		h := &host{kind: kind, rows: o.rows, cols: o.cols, guests: []guest{{operand: o}}}
		switch v.place {
		case inside:
			h.rows, h.cols = above+o.rows+below, left+o.cols+right
			h.guests[0].row, h.guests[0].col = above, left
		case beside:
			if to := fitting(list, kind, o.rows); to != nil {
				to.guests = append(to.guests, guest{operand: o, col: to.cols})
				to.cols += o.cols
				continue
			}
		}
		list = append(list, h)
	}
	if v.bf16 {
		for _, o := range v.op.operands {
			for i, x := range values[o.name] {
				values[o.name][i] = float64(checkpoint.RoundBF16(float32(x)))
			}
		}
	}
	for _, h := range list {
		h.cells = v.op.values(operand{name: "around", spread: 100}, h.rows*h.cols)
		for _, g := range h.guests {
			for i := range g.rows {
				copy(h.cells[(g.row+i)*h.cols+g.col:], values[g.name][i*g.cols:(i+1)*g.cols])
			}
		}
	}
	return list
}

// fitting finds a host with so many rows.
func fitting(list []*host, k model.Kind, rows int) *host {
	for _, h := range list {
		if h.kind == k && h.rows == rows {
			return h
		}
	}
	return nil
}

// on calls the operation on a device, on hosts that hold cells, and returns what they hold before
// and after.
func (v *variation) on(d model.Device, a *arguments, hosts []*host, cells [][]float64) (before, after [][]float64, err error) {
	a.buffers = map[string]model.Buffer{}
	var buffers []model.Buffer
	read := func() (all [][]float64) {
		for i, h := range hosts {
			c := make([]float64, h.rows*h.cols)
			if e := d.Download(c, buffers[i]); e != nil {
				err = e
			}
			all = append(all, c)
		}
		return all
	}
	for i, h := range hosts {
		b := d.Alloc(h.kind, h.rows, h.cols)
		defer d.Free(b)
		d.Upload(b, cells[i])
		buffers = append(buffers, b)
		for _, g := range h.guests {
			a.buffers[g.name] = b
			if v.place != whole {
				a.buffers[g.name] = b.View(g.row, g.rows, g.col, g.cols)
			}
		}
	}
	before = read()
	v.op.call(d, a)
	return before, read(), err
}

// compare runs the operation twice on a device and once on the oracle, which
// gets what the device holds: rounding of the operands is no error. It returns the largest error in
// parts of the one that is allowed.
func (v *variation) compare(d, oracle model.Device, got, want *arguments) (most float64, err error) {
	hosts := v.hosts()
	cells := make([][]float64, len(hosts))
	for i, h := range hosts {
		cells[i] = h.cells
	}
	before, first, err := v.on(d, got, hosts, cells)
	if err != nil {
		return 0, err
	}
	_, second, err := v.on(d, got, hosts, cells)
	if err != nil {
		return 0, err
	}
	_, right, err := v.on(oracle, want, hosts, before)
	if err != nil {
		return 0, err
	}
	for i, h := range hosts {
		off, err := h.compare(before[i], first[i], second[i], right[i], v.tol)
		if err != nil {
			return most, err
		}
		most = max(most, off)
	}
	return most, nil
}

// compare looks at every cell of a host: what the operation wrote is right and
// the same in both calls, the rest is as it was.
func (h *host) compare(before, first, second, right []float64, tol float64) (most float64, err error) {
	written := make([]bool, len(before))
	for _, g := range h.guests {
		if g.role == reads {
			continue
		}
		var size float64
		for i := range g.rows * g.cols {
			size = max(size, math.Abs(right[g.cell(h, i)]))
		}
		if size = max(size, g.size); size == 0 {
			size = 1
		}
		for i := range g.rows * g.cols {
			c := g.cell(h, i)
			written[c] = true
			off := math.Abs(first[c]-right[c]) / size
			if !(off <= tol) {
				return most, fmt.Errorf("%s[%d,%d] is %g, the oracle's %g: %.2g of %.3g, allowed are %.2g", g.name, i/g.cols, i%g.cols, first[c], right[c], off, size, tol)
			}
			most = max(most, off/tol)
			if math.Float64bits(first[c]) != math.Float64bits(second[c]) {
				return most, fmt.Errorf("%s[%d,%d] is %g, and called again %g", g.name, i/g.cols, i%g.cols, first[c], second[c])
			}
		}
	}
	for c, was := range before {
		if !written[c] && math.Float64bits(was) != math.Float64bits(first[c]) {
			return most, fmt.Errorf("%s: %g became %g", h.whose(c), was, first[c])
		}
	}
	return most, nil
}

// cell is where cell i of a guest lies in its host.
func (g guest) cell(h *host, i int) int { return (g.row+i/g.cols)*h.cols + g.col + i%g.cols }

// whose names a cell of a host.
func (h *host) whose(c int) string {
	row, col := c/h.cols, c%h.cols
	for _, g := range h.guests {
		if row >= g.row && row < g.row+g.rows && col >= g.col && col < g.col+g.cols {
			return fmt.Sprintf("%s[%d,%d], which is only read", g.name, row-g.row, col-g.col)
		}
	}
	return fmt.Sprintf("the cell %d,%d around the view of %s", row-h.guests[0].row, col-h.guests[0].col, h.guests[0].name)
}

// panics says whether the call does. Whatever it leaves in its buffers is dropped.
func (v *variation) panics(d model.Device, a *arguments) (yes bool) {
	defer func() { yes = recover() != nil }()
	hosts := v.hosts()
	cells := make([][]float64, len(hosts))
	for i, h := range hosts {
		cells[i] = make([]float64, h.rows*h.cols)
	}
	_, _, _ = v.on(d, a, hosts, cells)
	return false
}
