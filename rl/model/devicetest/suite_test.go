package devicetest

import (
	"testing"

	"longhand/rl/model"
)

// Each type here is the oracle with one fault that is not a wrong formula.

type spills struct{ *Oracle } // writes one cell to the right of a view

func (d spills) Add(dst, src model.Buffer) {
	d.Oracle.Add(dst, src)
	if m := in(dst); m.col+m.cols < m.of.cols {
		m.of.v[m.row*m.of.cols+m.col+m.cols]++
	}
}

type scribbles struct{ *Oracle } // uses an input as scratch

func (d scribbles) SwiGLU(dst, gate, up model.Buffer) {
	d.Oracle.SwiGLU(dst, gate, up)
	d.Oracle.Zero(up)
}

type moody struct { // gives other bits at each call, within any tolerance
	*Oracle
	calls *float64
}

func (d moody) ScaleRows(dst, src, g model.Buffer) {
	d.Oracle.ScaleRows(dst, src, g)
	*d.calls++
	in(dst).at(0)[0] *= 1 + 1e-12**d.calls
}

type blends struct{ *Oracle } // multiplies what dst held by 0 in place of overwriting it

func (d blends) MatMul(dst, a, b model.Buffer, transA, transB bool, s float64, add bool) {
	if !add {
		for i := range in(dst).rows {
			row := in(dst).at(i)
			for j := range row {
				row[j] *= 0
			}
		}
	}
	d.Oracle.MatMul(dst, a, b, transA, transB, s, true)
}

type lenient struct{ *Oracle } // takes a source with rows to spare

func (d lenient) Copy(dst, src model.Buffer) {
	d.Oracle.Copy(dst, src.View(0, min(dst.Rows(), src.Rows()), 0, src.Cols()))
}

type rowByRow struct{ *Oracle } // takes every view for a whole buffer

func (d rowByRow) Zero(dst model.Buffer) {
	m := in(dst)
	from := m.row*m.of.cols + m.col
	clear(m.of.v[from : from+m.rows*m.cols])
}

type used struct{ *Oracle } // gives buffers as the last user left them

func (d used) Alloc(k model.Kind, rows, cols int) model.Buffer {
	b := d.Oracle.Alloc(k, rows, cols)
	for i := range min(rows, in(b).rows) {
		for j := range in(b).at(i) {
			in(b).at(i)[j] = 1
		}
	}
	return b
}

type forgets struct { // reports an error once
	*Oracle
	told *bool
}

func (d forgets) Sync() error {
	err := d.Oracle.Sync()
	if *d.told {
		return nil
	}
	*d.told = err != nil
	return err
}

// TestFaultsAreFound: the suite sees more than wrong numbers.
func TestFaultsAreFound(t *testing.T) {
	cases := map[string]Case{}
	for _, c := range Cases() {
		cases[c.Name] = c
	}
	for _, f := range []struct {
		found string
		d     model.Device
	}{
		{"Add", spills{NewOracle()}},
		{"SwiGLU", scribbles{NewOracle()}},
		{"ScaleRows", moody{NewOracle(), new(float64)}},
		{"MatMul", blends{NewOracle()}},
		{"Copy", lenient{NewOracle()}},
		{"Zero", rowByRow{NewOracle()}},
		{"Alloc", used{NewOracle()}},
		{"Sync", forgets{NewOracle(), new(bool)}},
	} {
		_, err := cases[f.found].Check(f.d, Tolerance{F32: 1e-5, Act: 1e-5})
		if err == nil {
			t.Errorf("%T passes as %s", f.d, f.found)
			continue
		}
		t.Logf("%T: %.150s", f.d, err.Error())
	}
}
