package devicetest

import (
	"errors"
	"fmt"
	"math"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// memoryCases are buffers, views, marks and errors.
func memoryCases() []Case {
	exact := func(check func(model.Device, Tolerance) error) func(model.Device, Tolerance) (float64, error) {
		return func(d model.Device, tol Tolerance) (float64, error) { return 0, check(d, tol) }
	}
	return []Case{
		{Name: "Name and Memory", Check: exact(describes)},
		{Name: "Alloc", Check: exact(allocates)},
		{Name: "Upload and Download", Check: exact(keeps)},
		{Name: "View", Check: exact(views)},
		{Name: "Weight", Check: exact(weighs)},
		{Name: "Mark and Times", Check: exact(marks)},
		{Name: "Sync", Last: true, Check: exact(sticks)},
	}
}

func describes(d model.Device, _ Tolerance) error {
	free, total := d.Memory()
	switch {
	case d.Name() == "":
		return errors.New("the device has no name")
	case free <= 0 || total < free:
		return fmt.Errorf("%d of %d bytes are free", free, total)
	}
	for _, k := range []model.Kind{model.F32, model.Act} {
		one, many := d.Bytes(k, 1, 1), d.Bytes(k, 64, 64)
		if one < 2 || many < 2*64*64 || many > 2*8*64*64 {
			return fmt.Errorf("kind %d: a cell takes %d bytes, 64 x 64 take %d", k, one, many)
		}
	}
	w := matrixOf(checkpoint.Q8_0, 64, 64)
	if resident, scratch := d.WeightBytes(w); resident < 64*64 || scratch < 0 {
		return fmt.Errorf("64 x 64 weights of Q8_0 take %d bytes and %d", resident, scratch)
	}
	return d.Sync()
}

// allocates: a buffer is zero, also where another one lay before.
func allocates(d model.Device, _ Tolerance) error {
	d.Free(nil)
	for _, k := range []model.Kind{model.F32, model.Act} {
		for round := range 3 {
			b := d.Alloc(k, 37, 29)
			if b.Kind() != k || b.Rows() != 37 || b.Cols() != 29 {
				return fmt.Errorf("asked for 37 x 29 of kind %d, got %d x %d of kind %d", k, b.Rows(), b.Cols(), b.Kind())
			}
			v := make([]float64, 37*29)
			if err := d.Download(v, b); err != nil {
				return err
			}
			for i, x := range v {
				if x != 0 {
					return fmt.Errorf("round %d: cell %d of a new buffer is %g", round, i, x)
				}
				v[i] = 1
			}
			d.Upload(b, v)
			d.Free(b)
		}
	}
	return d.Sync()
}

// keeps: float32 numbers come back from F32 as they were, also from a view, and
// from Act rounded.
func keeps(d model.Device, tol Tolerance) error {
	src := []float64{1, -2.5, 0, float64(float32(0.1)), 3e-20, -7e20, 12345, 1 << 24, -1, 0.5, 96, 1e-3}
	for i, x := range src {
		src[i] = float64(float32(x))
	}
	for _, k := range []model.Kind{model.F32, model.Act} {
		b := d.Alloc(k, 6, 9)
		defer d.Free(b)
		for _, to := range []model.Buffer{b.View(1, 4, 2, 3), b.View(0, 3, 5, 4)} {
			d.Upload(to, src)
			got := make([]float64, len(src))
			if err := d.Download(got, to); err != nil {
				return err
			}
			for i, x := range src {
				allowed := tol.Act * math.Abs(x)
				if k == model.F32 {
					allowed = 0
				}
				if !(math.Abs(got[i]-x) <= allowed) {
					return fmt.Errorf("kind %d: %g comes back as %g", k, x, got[i])
				}
			}
		}
	}
	return nil
}

// views share cells with what they are of, and views of views too.
func views(d model.Device, _ Tolerance) error {
	b := d.Alloc(model.F32, 8, 10)
	defer d.Free(b)
	outer := b.View(1, 6, 2, 7)
	inner := outer.View(2, 3, 1, 4) // row 3 and column 3 of b
	if inner.Rows() != 3 || inner.Cols() != 4 || inner.Kind() != model.F32 {
		return fmt.Errorf("a view of 3 x 4 is %d x %d of kind %d", inner.Rows(), inner.Cols(), inner.Kind())
	}
	v := make([]float64, 12)
	for i := range v {
		v[i] = float64(i + 1)
	}
	d.Upload(inner, v)
	got := make([]float64, 80)
	if err := d.Download(got, b); err != nil {
		return err
	}
	for i, x := range got {
		var want float64
		if row, col := i/10-3, i%10-3; row >= 0 && row < 3 && col >= 0 && col < 4 {
			want = v[row*4+col]
		}
		if x != want {
			return fmt.Errorf("cell %d,%d is %g instead of %g", i/10, i%10, x, want)
		}
	}
	for _, wrong := range [][4]int{{0, 9, 0, 1}, {0, 1, 0, 11}, {7, 2, 0, 1}, {0, 1, 9, 2}, {-1, 1, 0, 1}, {0, -1, 0, 1}} {
		if !panics(func() { b.View(wrong[0], wrong[1], wrong[2], wrong[3]) }) {
			return fmt.Errorf("8 x 10 has a view of %d rows from %d, %d columns from %d", wrong[1], wrong[0], wrong[3], wrong[2])
		}
	}
	return nil
}

// weighs: a weight has the shape of its tensors joined, and tensors of different
// widths are not joined.
func weighs(d model.Device, _ Tolerance) error {
	w, err := d.Weight(matrixOf(checkpoint.F32, 3, 64), matrixOf(checkpoint.Q8_0, 5, 64))
	if err != nil {
		return err
	}
	defer d.FreeWeight(w)
	if w.Rows() != 8 || w.Cols() != 64 {
		return fmt.Errorf("3 x 64 over 5 x 64 is %d x %d", w.Rows(), w.Cols())
	}
	if !panics(func() { err = errorOf(d.Weight(matrixOf(checkpoint.F32, 3, 64), matrixOf(checkpoint.F32, 3, 32))) }) && err == nil {
		return errors.New("tensors of widths 64 and 32 are one weight")
	}
	return d.Sync()
}

func errorOf(_ model.Weight, err error) error { return err }

// marks: time is counted under the name that was marked last.
func marks(d model.Device, _ Tolerance) error {
	w, err := d.Weight(matrixOf(checkpoint.F32, 200, 200))
	if err != nil {
		return err
	}
	defer d.FreeWeight(w)
	x, y := d.Alloc(model.Act, 200, 200), d.Alloc(model.Act, 200, 200)
	defer d.Free(x)
	defer d.Free(y)
	d.Mark("products")
	for range 3 {
		d.Linear(y, x, w, nil, false)
	}
	d.Mark("rest")
	if err := d.Sync(); err != nil {
		return err
	}
	t := d.Times()
	if !(t["products"] > 0) || t["rest"] < 0 {
		return fmt.Errorf("three products took %v", t)
	}
	return nil
}

// sticks: a buffer that no machine can hold is an error which stays.
func sticks(d model.Device, _ Tolerance) error {
	defer func() { _ = d.Close() }() // it may well return the error
	good := d.Alloc(model.F32, 2, 2)
	if err := d.Sync(); err != nil {
		return fmt.Errorf("an error before anything went wrong: %w", err)
	}
	bad := d.Alloc(model.F32, 1<<24, 1<<24) // a petabyte and more
	first := d.Sync()
	if first == nil {
		return errors.New("2^48 cells were allocated")
	}
	d.Zero(bad) // and nothing that follows does harm
	d.Add(good, bad.View(0, 2, 0, 2))
	d.Free(bad)
	d.Alloc(model.F32, 1<<24, 1<<24)
	for what, later := range map[string]error{"Download": d.Download(make([]float64, 4), good), "Sync": d.Sync()} {
		if later == nil || later.Error() != first.Error() {
			return fmt.Errorf("after %q, %s says %q", first.Error(), what, fmt.Sprint(later))
		}
	}
	return nil
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}
