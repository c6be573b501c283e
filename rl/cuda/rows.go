//go:build cuda

package cuda

import (
	"errors"
	"math"
	"slices"

	"gorgonia.org/cu"

	"longhand/rl/model"
)

// blockThreads and blockCols are what a block of the kernels on cells has and takes (kernels/cells.h).
const blockThreads, blockCols = 256, 1024

// each starts a kernel on the cells of rows x cols.
func (d *Device) each(kernel string, rows, cols int, arguments ...any) error {
	if rows == 0 || cols == 0 {
		return nil
	}
	return d.launch(kernel, [2]int{rows * ((cols + blockCols - 1) / blockCols), 1}, [2]int{blockThreads, 1}, 0, arguments...)
}

// flat makes one row of matrices without gaps, so that narrow ones fill their blocks.
func flat(all ...*matrix) {
	n := int64(all[0].rows) * int64(all[0].cols)
	for _, m := range all {
		if !m.dense() || n > math.MaxInt32-blockCols {
			return
		}
	}
	for _, m := range all {
		m.rows, m.cols, m.stride = 1, int(n), int(n)
	}
}

// Zero is dst = 0.
func (d *Device) Zero(dst model.Buffer) {
	to := cellsOf(dst)
	d.do("Zero", func() error {
		if to.empty() {
			return nil
		}
		if to.dense() {
			return doing("zero", cu.MemsetD8Async(to.address(), 0, width(to.kind)*int64(to.rows)*int64(to.cols), cu.Stream{}))
		}
		return d.each("zero_cells", to.rows, to.cols, to, to.rows, to.cols)
	})
}

// Copy is dst = src.
func (d *Device) Copy(dst, src model.Buffer) { d.copyOrAdd("Copy", dst, src, false) }

// Add is dst += src.
func (d *Device) Add(dst, src model.Buffer) { d.copyOrAdd("Add", dst, src, true) }

func (d *Device) copyOrAdd(method string, dst, src model.Buffer, add bool) {
	to, from := cellsOf(dst), cellsOf(src)
	must(to.is(from.rows, from.cols), method)
	d.do(method, func() error { return d.copy(to, from, add) })
}

func (d *Device) copy(to, from matrix, add bool) error {
	if to.of.host != nil || from.of.host != nil {
		if add || to.kind != from.kind || !to.dense() || !from.dense() {
			return errors.New("cuda: what lies in the machine's memory can be copied, whole rows, and nothing else")
		}
		return doing("copy", cu.MemcpyAsync(to.address(), from.address(), width(to.kind)*int64(to.rows)*int64(to.cols), cu.Stream{}))
	}
	flat(&to, &from)
	return d.each("copy_cells", to.rows, to.cols, to, from, to.rows, to.cols, add)
}

// ScaleRows is dst[t,:] = g[t] src[t,:].
func (d *Device) ScaleRows(dst, src, g model.Buffer) {
	to, from, by := cellsOf(dst), cellsOf(src), cellsOf(g)
	must(to.is(from.rows, from.cols) && by.is(from.rows, 1), "ScaleRows")
	d.do("ScaleRows", func() error {
		return d.each("scale_rows", to.rows, to.cols, to, from, by, to.rows, to.cols)
	})
}

// GatherRows is dst[i,:] = src[rows[i],:].
func (d *Device) GatherRows(dst, src model.Buffer, rows model.Ints) {
	to, from := cellsOf(dst), cellsOf(src)
	must(to.is(rows.Len(), from.cols), "GatherRows")
	d.do("GatherRows", func() error {
		list, err := within(rows, from.rows, "row")
		if err != nil {
			return err
		}
		return d.each("gather_rows", to.rows, to.cols, to, from, list.on.ptr, to.rows, to.cols)
	})
}

// ScatterAddRows is dst[rows[i],:] += src[i,:], in the order of i for each row.
func (d *Device) ScatterAddRows(dst, src model.Buffer, rows model.Ints) {
	to, from := cellsOf(dst), cellsOf(src)
	must(from.is(rows.Len(), to.cols), "ScatterAddRows")
	d.do("ScatterAddRows", func() error {
		list, err := within(rows, to.rows, "row")
		if err != nil {
			return err
		}
		if err := d.group(list); err != nil {
			return err
		}
		return d.each("scatter_add_rows", list.names, to.cols, to, from, list.named.ptr, list.starts.ptr, list.order.ptr, list.names, to.cols)
	})
}

// group brings to the card which sources each named row has.
func (d *Device) group(n *ints) error {
	if n.named != nil {
		return nil
	}
	order := make([]int32, len(n.v))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return int(n.v[a]) - int(n.v[b]) })
	var named, starts []int32
	for i, o := range order {
		if i == 0 || n.v[o] != named[len(named)-1] {
			named, starts = append(named, n.v[o]), append(starts, int32(i))
		}
	}
	n.names = len(named)
	starts = append(starts, int32(len(order)))
	n.named, n.starts, n.order = &memory{}, &memory{}, &memory{}
	for m, v := range map[*memory][]int32{n.named: named, n.starts: starts, n.order: order} {
		if err := d.number(m, v); err != nil {
			return err
		}
	}
	return nil
}

// sumBlocks is how many parts a sum of squares is cut into, at most.
const sumBlocks = 512

// SumSquares is dst += the sum of src's squares.
func (d *Device) SumSquares(dst, src model.Buffer) {
	to, from := cellsOf(dst), cellsOf(src)
	must(to.isF32(1, 1), "SumSquares")
	d.do("SumSquares", func() error {
		if from.empty() {
			return nil
		}
		if from.dense() && from.rows*from.cols > blockCols { // rows of one length, whatever they were
			n := from.rows * from.cols
			if n%blockCols == 0 {
				from.rows, from.cols, from.stride = n/blockCols, blockCols, blockCols
			}
		}
		blocks := min(from.rows, sumBlocks)
		parts, err := d.scratchFor(scratchParts, 8*sumBlocks)
		if err != nil {
			return err
		}
		if err := d.launch("sum_squares", [2]int{blocks, 1}, [2]int{blockThreads, 1}, 0, parts.ptr, from, from.rows, from.cols); err != nil {
			return err
		}
		return d.launch("sum_parts", [2]int{1, 1}, [2]int{blockThreads, 1}, 0, vector{to}, parts.ptr, blocks)
	})
}

// AdamW moves p by its gradient.
func (d *Device) AdamW(p, g, m, v model.Buffer, o model.AdamW) {
	list := [4]matrix{cellsOf(p), cellsOf(g), cellsOf(m), cellsOf(v)}
	for _, x := range list {
		must(x.isF32(list[0].rows, list[0].cols) && x.dense(), "AdamW")
	}
	n := list[0].rows * list[0].cols
	must(n <= math.MaxInt32, "AdamW")
	d.do("AdamW", func() error {
		if n == 0 {
			return nil
		}
		return d.launch("adamw", [2]int{min((n+blockThreads-1)/blockThreads, 1<<16), 1}, [2]int{blockThreads, 1}, 0,
			vector{list[0]}, vector{list[1]}, vector{list[2]}, vector{list[3]}, n, float32(o.Scale), float32(o.Beta1), float32(1-o.Beta1), float32(o.Beta2), float32(1-o.Beta2),
			float32(1/o.Correction1), float32(1/o.Correction2), float32(o.Eps), float32(o.Rate), float32(o.Rate*o.Decay))
	})
}
