package cpu

import (
	"longhand/rl/model"
)

// Zero is dst = 0.
func (d *Device) Zero(dst model.Buffer) {
	m := cells(dst)
	if d.err != nil {
		return
	}
	d.eachRows(m.rows, m.cols, func(from, to int) {
		for r := from; r < to; r++ {
			clear(m.row(r))
		}
	})
}

// Copy is dst = src.
func (d *Device) Copy(dst, src model.Buffer) {
	to, m := cells(dst), cells(src)
	must(to.rows == m.rows && to.cols == m.cols, "Copy")
	if d.err != nil {
		return
	}
	d.eachRows(m.rows, m.cols, func(from, until int) {
		for r := from; r < until; r++ {
			copy(to.row(r), m.row(r))
		}
	})
}

// Add is dst += src.
func (d *Device) Add(dst, src model.Buffer) {
	to, m := cells(dst), cells(src)
	must(to.rows == m.rows && to.cols == m.cols, "Add")
	if d.err != nil {
		return
	}
	d.eachRows(m.rows, m.cols, func(from, until int) {
		d.kern.add(to.between(from, until), m.between(from, until))
	})
}

// ScaleRows is dst[t,:] = g[t] src[t,:].
func (d *Device) ScaleRows(dst, src, g model.Buffer) {
	to, m, f := cells(dst), cells(src), cells(g)
	must(to.rows == m.rows && to.cols == m.cols && f.rows == m.rows && f.cols == 1, "ScaleRows")
	if d.err != nil {
		return
	}
	d.eachRows(m.rows, m.cols, func(from, until int) {
		d.kern.scaleRows(to.between(from, until), m.between(from, until), f.between(from, until))
	})
}

// GatherRows is dst[i,:] = src[rows[i],:].
func (d *Device) GatherRows(dst, src model.Buffer, rows model.Ints) {
	to, m := cells(dst), cells(src)
	must(to.rows == rows.Len() && to.cols == m.cols, "GatherRows")
	if d.err != nil {
		return
	}
	list, ok := d.within(rows, m.rows, "row")
	if !ok {
		return
	}
	d.eachRows(to.rows, to.cols, func(from, until int) {
		for i := from; i < until; i++ {
			copy(to.row(i), m.row(int(list[i])))
		}
	})
}

// ScatterAddRows is dst[rows[i],:] += src[i,:]. Workers divide the columns, so that rows are
// added in their order.
func (d *Device) ScatterAddRows(dst, src model.Buffer, rows model.Ints) {
	to, m := cells(dst), cells(src)
	must(m.rows == rows.Len() && to.cols == m.cols, "ScatterAddRows")
	if d.err != nil || m.empty() {
		return
	}
	list, ok := d.within(rows, to.rows, "row")
	if !ok {
		return
	}
	width := max(64, (m.cols/max(1, m.rows*m.cols/grain)+15)/16*16)
	d.each((m.cols+width-1)/width, func(_, j int) {
		cols := min(width, m.cols-j*width)
		for i, r := range list {
			d.kern.add(to.part(int(r), 1, j*width, cols), m.part(i, 1, j*width, cols))
		}
	})
}

// SumSquares is dst += the sum of src's squares. The parts are of a fixed size and
// are added in their order.
func (d *Device) SumSquares(dst, src model.Buffer) {
	to, m := cells(dst), cells(src)
	must(to.rows == 1 && to.cols == 1, "SumSquares")
	if d.err != nil || m.empty() {
		return
	}
	run := max(1, grain/m.cols)
	sums := make([]float64, (m.rows+run-1)/run)
	d.eachRows(m.rows, m.cols, func(from, until int) {
		sums[from/run] = d.kern.sumSquares(m.between(from, until))
	})
	var sum float64
	for _, s := range sums {
		sum += s
	}
	to.data[0] += float32(sum)
}

// AdamW moves p by its gradient.
func (d *Device) AdamW(p, g, m, v model.Buffer, o model.AdamW) {
	list := [4]matrix{cells(p), cells(g), cells(m), cells(v)}
	for _, x := range list {
		must(x.rows == list[0].rows && x.cols == list[0].cols && x.stride == x.cols, "AdamW")
	}
	if d.err != nil || list[0].empty() {
		return
	}
	c := adamNumbers(o)
	d.eachSpan(list[0].rows*list[0].cols, func(from, to int) {
		d.kern.adamW(list[0].data[from:to], list[1].data[from:to], list[2].data[from:to], list[3].data[from:to], &c)
	})
}

// adamNumbers are what the kernels compute a step with, rounded once.
func adamNumbers(o model.AdamW) [10]float32 {
	return [10]float32{
		float32(o.Scale), float32(o.Beta1), float32(1 - o.Beta1), float32(o.Beta2), float32(1 - o.Beta2),
		float32(1 / o.Correction1), float32(1 / o.Correction2), float32(o.Eps), float32(o.Rate), float32(o.Rate * o.Decay),
	}
}
