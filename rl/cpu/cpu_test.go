package cpu

import (
	"os"
	"slices"
	"strings"
	"testing"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// machine is the BLAS and kernels that New chooses.
func machine(t testing.TB) (blas, kernels) {
	t.Helper()
	kern := kernelSets()[0]
	b, err := openBLAS("", kern)
	if err != nil {
		t.Fatal(err)
	}
	return b, kern
}

// within is what a result in float32 may be off by, in parts of the largest value it is made of.
var within = devicetest.Tolerance{F32: 1e-5, Act: 1e-5}

// TestDevice runs the suite on what this machine chooses.
func TestDevice(t *testing.T) {
	b, kern := machine(t)
	devicetest.Run(t, func(*testing.T) model.Device { return newDevice(Options{Threads: 2}, b, kern) }, within)
}

// TestFallbacks runs it with weights that stay quantised, with what is used where there is no BLAS,
// and with every set of kernels that this machine can run: of each the cases that it changes, all with
// LONGHAND_DEVICETEST=all.
func TestFallbacks(t *testing.T) {
	best, fastest := machine(t)
	type choice struct {
		name  string
		o     Options
		blas  blas
		kern  kernels
		cases string
	}
	choices := []choice{
		{"one thread", Options{Threads: 1}, best, fastest, "Attention ScatterAddRows"},
		{"five threads", Options{Threads: 5}, best, fastest, "AttentionBackward SumSquares"},
		{"weights not held", Options{Threads: 2, Resident: 1}, best, fastest, "Weight Embed LinearT Head"},
		{"gonum", Options{Threads: 2}, gonumBLAS{}, fastest, "LinearT"},
		{"all in Go", Options{Threads: 2, Resident: 1}, gonumBLAS{}, plain{}, "Head Attention AttentionBackward"},
	}
	for _, k := range kernelSets() {
		choices = append(choices, choice{k.name(), Options{Threads: 2}, best, k, "AttentionBackward"})
		if own, ok := k.(multiplier); ok {
			choices = append(choices, choice{"own products, " + k.name(), Options{Threads: 2}, newOwnBLAS(own), k, "Head"})
		}
	}
	for _, c := range choices {
		t.Run(c.name, func(t *testing.T) {
			open := func(*testing.T) model.Device { return newDevice(c.o, c.blas, c.kern) }
			if os.Getenv("LONGHAND_DEVICETEST") == "all" {
				devicetest.Run(t, open, within)
				return
			}
			d := open(t)
			for _, test := range devicetest.Cases() {
				if !slices.Contains(strings.Fields(c.cases), test.Name) {
					continue
				}
				if _, err := test.Check(d, within); err != nil {
					t.Errorf("%s: %v", test.Name, err)
				}
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBigProductsOnThreads computes what is large enough to be cut, with one thread and with
// five, and with weights that stay quantised. It compares with the same loops in Go: the suite's oracle would take
// minutes.
func TestBigProductsOnThreads(t *testing.T) {
	const rows, in, out = 300, 320, 2100
	values := numbers(out, in, 7)
	dense := make([]float32, out*in)
	for r := range out {
		copy(dense[r*in:], values.row(r))
	}
	w := checkpoint.NewTensor("w", checkpoint.Q8_0, out, in, dense)
	b, kern := machine(t)
	results := map[string][]float64{}
	for name, o := range map[string]Options{"one": {Threads: 1}, "five": {Threads: 5}, "not held": {Threads: 5, Resident: 1}} {
		d := newDevice(o, b, kern)
		results[name] = bigProducts(t, d, w, rows)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(results["five"], results["not held"]) {
		t.Error("weights that stay quantised give other bits")
	}
	slow := newDevice(Options{Threads: 1}, gonumBLAS{}, plain{})
	want := bigProducts(t, slow, w, rows)
	for name, got := range results {
		for i, v := range got {
			if d := v - want[i]; d > 1e-4 || d < -1e-4 {
				t.Fatalf("%s: value %d is %g in place of %g", name, i, v, want[i])
			}
		}
	}
}

// bigProducts is Linear, LinearT and Head of random rows, scaled to be about 1.
func bigProducts(t *testing.T, d *Device, tensor *checkpoint.Tensor, rows int) []float64 {
	t.Helper()
	w, err := d.Weight(tensor)
	if err != nil {
		t.Fatal(err)
	}
	x := d.Alloc(model.Act, rows, w.Cols())
	values := make([]float64, rows*w.Cols())
	n := numbers(rows, w.Cols(), 8)
	for i := range values {
		values[i] = float64(n.row(i / w.Cols())[i%w.Cols()]) / 10
	}
	d.Upload(x, values)
	y, u := d.Alloc(model.Act, rows, w.Rows()), d.Alloc(model.F32, rows, w.Cols())
	logp, entropy := d.Alloc(model.F32, rows, 1), d.Alloc(model.F32, rows, 1)
	target := make([]int32, rows)
	for i := range target {
		target[i] = int32(i * 7 % w.Rows())
	}
	var all []float64
	take := func(b model.Buffer) {
		got := make([]float64, b.Rows()*b.Cols())
		if err := d.Download(got, b); err != nil {
			t.Fatal(err)
		}
		all = append(all, got...)
	}
	d.Linear(y, x, w, nil, false)
	take(y)
	d.Head(logp, entropy, u, x, w, d.Ints(target))
	take(logp)
	take(entropy)
	take(u)
	d.LinearT(x, y, w, true)
	d.ScaleRows(x, x, ones(d, rows, 0.01))
	take(x)
	d.FreeWeight(w)
	return all
}

// ones is a column of a number.
func ones(d *Device, rows int, f float64) model.Buffer {
	b := d.Alloc(model.F32, rows, 1)
	v := make([]float64, rows)
	for i := range v {
		v[i] = f
	}
	d.Upload(b, v)
	return b
}

// TestResidentBytes: what WeightBytes says before anything is loaded is what loading takes, and
// freeing gives room for others.
func TestResidentBytes(t *testing.T) {
	b, kern := machine(t)
	first, second := checkpoint.NewTensor("a", checkpoint.Q8_0, 64, 64, make([]float32, 64*64)), checkpoint.NewTensor("b", checkpoint.Q8_0, 64, 64, make([]float32, 64*64))
	d := newDevice(Options{Threads: 1, Resident: 20000}, b, kern)
	defer d.Close()
	one, _ := d.WeightBytes(first)
	two, scratch := d.WeightBytes(second)
	if one != 4*64*64 || two != int64(len(second.Data)) || scratch < 4*64*64 {
		t.Errorf("%d, then %d with a scratch of %d", one, two, scratch)
	}
	w, err := d.Weight(second)
	if err != nil {
		t.Fatal(err)
	}
	if w.(*weight).memory != nil {
		t.Error("the second is held in F32, against what was said")
	}
	v, err := d.Weight(first)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(v.(*weight).memory)) != one {
		t.Errorf("the first takes %d bytes, not %d", len(v.(*weight).memory), one)
	}
	d.FreeWeight(v)
	d.FreeWeight(w)
	if again, _ := d.WeightBytes(second); again != 4*64*64 {
		t.Errorf("with all room free %d bytes are held", again)
	}
}

// TestTokensOutside: a token that the vocabulary lacks is an error with a sentence, and later calls do nothing.
func TestTokensOutside(t *testing.T) {
	b, kern := machine(t)
	d := newDevice(Options{Threads: 1}, b, kern)
	defer d.Close()
	w, err := d.Weight(checkpoint.NewTensor("a", checkpoint.F32, 4, 8, make([]float32, 32)))
	if err != nil {
		t.Fatal(err)
	}
	x := d.Alloc(model.F32, 1, 8)
	d.Embed(x, w, d.Ints([]int32{4}))
	if err := d.Sync(); err == nil || err.Error() != "cpu: token 4 is not one of 4" {
		t.Errorf("token 4 of 4: %v", err)
	}
	if err := d.Download(make([]float64, 8), x); err == nil {
		t.Error("the error is gone")
	}
}

// TestOptions: what cannot be is refused.
func TestOptions(t *testing.T) {
	for _, o := range []Options{{Threads: -1}, {Resident: -1}, {BLAS: "/nowhere/libopenblas.so"}} {
		if d, err := New(o); err == nil {
			t.Errorf("%+v gave %s", o, d.Name())
		} else if !strings.HasPrefix(err.Error(), "cpu: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for path, name := range map[string]string{"go": "gonum", "own": ""} {
		d, err := New(Options{BLAS: path})
		if err != nil {
			t.Fatal(err)
		}
		if t.Log(d.Name()); !strings.Contains(d.Name(), name) {
			t.Errorf("%s is called %s", path, d.Name())
		}
	}
}
