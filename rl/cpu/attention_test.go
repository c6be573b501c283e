package cpu

import (
	"math"
	"slices"
	"testing"

	"longhand/rl/model"
)

// TestRoomForContributions: attention's gradients have the same bits whether all jobs'
// contributions fit, or one job's at a time, and with any number of threads.
func TestRoomForContributions(t *testing.T) {
	b, kern := machine(t)
	segments := []model.Segment{{Rows: 300}, {Start: 300, Rows: 270, PrefixRows: 300}, {Start: 570, Rows: 40, PrefixRows: 300}, {Start: 610, Rows: 20}}
	var first []float64
	for _, c := range []struct{ threads, room int }{{1, contributions}, {1, 1}, {4, 1 << 20}, {3, contributions}} {
		d := newDevice(Options{Threads: c.threads}, b, kern)
		d.room = c.room
		got := attend(t, d, 630, 4, 2, 32, segments)
		if first == nil {
			first = got
		}
		if !slices.Equal(first, got) {
			t.Errorf("%d threads and room for %d bytes give other bits", c.threads, c.room)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	slow := newDevice(Options{Threads: 1}, gonumBLAS{}, plain{})
	for i, want := range attend(t, slow, 630, 4, 2, 32, segments) {
		if math.Abs(first[i]-want) > 2e-5*max(1, math.Abs(want)) {
			t.Fatalf("value %d is %g in place of %g", i, first[i], want)
		}
	}
}

// attend is attention and its gradients on random rows.
func attend(t *testing.T, d *Device, rows, heads, kv, size int, segments []model.Segment) []float64 {
	t.Helper()
	var seed uint64
	random := func(cols int) model.Buffer {
		seed++
		b := d.Alloc(model.Act, rows, cols)
		n, values := numbers(rows, cols, seed), make([]float64, rows*cols)
		for i := range values {
			values[i] = float64(n.row(i / cols)[i%cols])
		}
		d.Upload(b, values)
		return b
	}
	q, k, v, dout := random(heads*size), random(kv*size), random(kv*size), random(heads*size)
	out, lse := d.Alloc(model.Act, rows, heads*size), d.Alloc(model.F32, rows, heads)
	dq, dk, dv := d.Alloc(model.Act, rows, heads*size), d.Alloc(model.Act, rows, kv*size), d.Alloc(model.Act, rows, kv*size)
	l := d.Layout(make([]int32, rows), segments)
	d.Attention(out, lse, q, k, v, l, heads, kv)
	d.AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse, l, heads, kv)
	var all []float64
	for _, b := range []model.Buffer{out, lse, dq, dk, dv} {
		values := make([]float64, b.Rows()*b.Cols())
		if err := d.Download(values, b); err != nil {
			t.Fatal(err)
		}
		all = append(all, values...)
	}
	return all
}
