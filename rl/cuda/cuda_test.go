//go:build cuda

package cuda

import (
	"debug/elf"
	"math"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"longhand/rl/checkpoint"
	"longhand/rl/cpu"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// open makes a device, or skips the test; with REQUIRE_CUDA=1 it fails instead. `make cuda-test` names the stand-ins
// for driver and cuBLAS in CUDA_DRIVER_LIB and CUBLAS_LIB.
func open(t *testing.T, o Options) *Device {
	t.Helper()
	if err := Found(); err != nil {
		if os.Getenv("REQUIRE_CUDA") == "1" {
			t.Fatal(err)
		}
		t.Skipf("skipped: %v", err)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDevice holds the device to the plain loops.
func TestDevice(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) model.Device { return open(t, Options{}) }, devicetest.InBF16)
}

// TestWeightsNotHeld does the same for what weights are used for, where they stay quantised on the card.
func TestWeightsNotHeld(t *testing.T) {
	d := open(t, Options{Resident: -1})
	for _, c := range devicetest.Cases() {
		if slices.Contains([]string{"Weight", "Embed", "Linear", "LinearT", "Head"}, c.Name) {
			t.Run(c.Name, func(t *testing.T) {
				if _, err := c.Check(d, devicetest.InBF16); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// The bounds of a whole step against the processor in float32, and against the processor with everything
// rounded to BF16 that is held in BF16 here. What is left of the second is that attention multiplies probabilities
// of 16 bits, so that some results are rounded to the neighbour. qwen3, which rounds queries and keys once more, for
// their norm, stays above both bounds of the relative error.
var steps = []struct {
	model        string
	float, brain devicetest.Difference
}{
	{"llama", devicetest.Difference{Logp: 0.03, Cosine: 0.9995, Relative: 2e-2, Worst: 5e-2}, devicetest.Difference{Logp: 0.005, Cosine: 0.9999, Relative: 5e-3, Worst: 1e-2}},
	{"qwen2", devicetest.Difference{Logp: 0.03, Cosine: 0.9995, Relative: 2e-2, Worst: 5e-2}, devicetest.Difference{Logp: 0.005, Cosine: 0.9999, Relative: 5e-3, Worst: 1e-2}},
	{"qwen3", devicetest.Difference{Logp: 0.03, Cosine: 0.9995, Relative: 3e-2, Worst: 5e-2}, devicetest.Difference{Logp: 0.005, Cosine: 0.9999, Relative: 1e-2, Worst: 2e-2}},
}

// TestStep takes a step of tiny models of each architecture on the card and on the processor.
func TestStep(t *testing.T) {
	for _, s := range steps {
		for how, o := range map[string]model.Options{
			"kept":       {MaxRows: 128},
			"recomputed": {MaxRows: 64, Block: 16, Recompute: model.Always},
		} {
			t.Run(s.model+", "+how, func(t *testing.T) {
				f, err := checkpoint.Open("../model/testdata/" + s.model + ".gguf")
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				o.Rank, o.Seed, o.Adapter = 4, 1, adapter(t, f)
				for what, own := range map[string]func() model.Device{
					"float": func() model.Device { return processor(t) },
					"brain": func() model.Device { return rounding{processor(t)} },
				} {
					d, p := open(t, Options{Resident: map[string]int64{"kept": 0, "recomputed": -1}[how]}), own()
					got, err := model.Open(f, d, o)
					if err != nil {
						t.Fatal(err)
					}
					want, err := model.Open(f, p, o)
					if err != nil {
						t.Fatal(err)
					}
					off, err := devicetest.CompareSteps(got, want, groups(got.Info().Vocabulary))
					if err != nil {
						t.Fatal(err)
					}
					t.Logf("%s: %v", what, off)
					if !off.Within(map[string]devicetest.Difference{"float": s.float, "brain": s.brain}[what]) {
						t.Errorf("%s: %v", what, off)
					}
					for _, c := range []interface{ Close() error }{got, want, d, p} {
						if err := c.Close(); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
}

func processor(t *testing.T) *cpu.Device {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// groups are a prompt with completions of several lengths, and one with a single one.
func groups(vocabulary int) []model.Group {
	ids := func(seed, n int) []int32 {
		v := make([]int32, n)
		for i := range v {
			v[i] = int32((seed*31 + i*i*7 + i) % vocabulary)
		}
		return v
	}
	return []model.Group{
		{Prompt: ids(1, 9), Completions: [][]int32{ids(2, 12), ids(3, 1), ids(4, 20)}},
		{Prompt: ids(5, 3), Completions: [][]int32{ids(6, 17)}},
	}
}

// adapter is one that changes something: a drawn A and a small B.
func adapter(t *testing.T, f *checkpoint.File) *checkpoint.Adapter {
	t.Helper()
	d := processor(t)
	m, err := model.Open(f, d, model.Options{Rank: 4, Seed: 1, MaxRows: 8})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Params() {
		if strings.HasSuffix(p.Name, "lora_b") {
			v := make([]float64, p.Rows*p.Cols)
			for j := range v {
				v[j] = 0.1 * math.Sin(float64(i+5*j))
			}
			if err := p.Set(v); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, err := m.Adapter()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// rounding is the processor with everything in BF16 that is in BF16 on the card: weights, and buffers of kind Act.
type rounding struct{ *cpu.Device }

func (d rounding) Weight(tensors ...*checkpoint.Tensor) (model.Weight, error) {
	rounded := make([]*checkpoint.Tensor, len(tensors))
	for i, t := range tensors {
		v := make([]float32, t.Rows*t.Cols)
		t.Dequant(v, 0, t.Rows)
		rounded[i] = checkpoint.NewTensor(t.Name, checkpoint.BF16, t.Rows, t.Cols, v)
	}
	return d.Device.Weight(rounded...)
}

// round rounds buffers of kind Act.
func (d rounding) round(all ...model.Buffer) {
	for _, b := range all {
		if b == nil || b.Kind() != act {
			continue
		}
		v := make([]float64, b.Rows()*b.Cols())
		if err := d.Download(v, b); err != nil {
			return
		}
		for i, x := range v {
			v[i] = brain(x)
		}
		d.Device.Upload(b, v)
	}
}

func (d rounding) Upload(dst model.Buffer, src []float64) { d.Device.Upload(dst, src); d.round(dst) }
func (d rounding) Copy(dst, src model.Buffer)             { d.Device.Copy(dst, src); d.round(dst) }
func (d rounding) Add(dst, src model.Buffer)              { d.Device.Add(dst, src); d.round(dst) }
func (d rounding) Embed(dst model.Buffer, w model.Weight, ids model.Ints) {
	d.Device.Embed(dst, w, ids)
	d.round(dst)
}

func (d rounding) Linear(dst, x model.Buffer, w model.Weight, bias model.Buffer, add bool) {
	if bias != nil && !add && dst.Kind() == act { // rounded before the bias is added, and after
		d.Device.Linear(dst, x, w, nil, false)
		d.round(dst)
		for t := range dst.Rows() {
			d.Device.Add(dst.View(t, 1, 0, dst.Cols()), bias)
		}
	} else {
		d.Device.Linear(dst, x, w, bias, add)
	}
	d.round(dst)
}

// Head rounds what the weight is multiplied with for u: the slopes.
func (d rounding) Head(logp, entropy, u, x model.Buffer, w model.Weight, target model.Ints) {
	d.Device.Head(logp, entropy, u, x, w, target)
	if u == nil {
		return
	}
	z, y := d.Alloc(f32, x.Rows(), w.Rows()), d.Alloc(act, x.Rows(), w.Rows())
	defer d.Free(z)
	defer d.Free(y)
	d.Device.Linear(z, x, w, nil, false)
	logits, logps := d.read(z), d.read(logp)
	targets := d.read(d.targets(target, w.Rows()))
	for t := range x.Rows() {
		row := logits[t*w.Rows() : (t+1)*w.Rows()]
		at := int(targets[t])
		lse := row[at] - logps[t]
		for j := range row {
			row[j] = -math.Exp(row[j] - lse)
		}
		row[at]++
	}
	d.Upload(y, logits)
	d.Device.LinearT(u, y, w, false)
}

// targets are numbers as a buffer: Embed of the identity's column would do, but these are few.
func (d rounding) targets(n model.Ints, vocabulary int) model.Buffer {
	v := make([]float32, vocabulary)
	for i := range v {
		v[i] = float32(i)
	}
	w, err := d.Device.Weight(checkpoint.NewTensor("numbers", checkpoint.F32, vocabulary, 1, v))
	if err != nil {
		panic(err)
	}
	b := d.Alloc(f32, n.Len(), 1)
	d.Embed(b, w, n)
	return b
}

func (d rounding) read(b model.Buffer) []float64 {
	v := make([]float64, b.Rows()*b.Cols())
	if err := d.Download(v, b); err != nil {
		panic(err)
	}
	return v
}

func (d rounding) LinearT(dx, dy model.Buffer, w model.Weight, add bool) {
	d.Device.LinearT(dx, dy, w, add)
	d.round(dx)
}

func (d rounding) MatMul(dst, a, b model.Buffer, transA, transB bool, s float64, add bool) {
	d.Device.MatMul(dst, a, b, transA, transB, s, add)
	d.round(dst)
}

func (d rounding) RMSNorm(dst, inv, x, gain model.Buffer, heads int, eps float64) {
	d.Device.RMSNorm(dst, inv, x, gain, heads, eps)
	d.round(dst)
}

func (d rounding) RMSNormBackward(dx, dy, x, inv, gain model.Buffer, heads int, add bool) {
	d.Device.RMSNormBackward(dx, dy, x, inv, gain, heads, add)
	d.round(dx)
}

func (d rounding) SwiGLU(dst, gate, up model.Buffer) { d.Device.SwiGLU(dst, gate, up); d.round(dst) }
func (d rounding) SwiGLUBackward(dgate, dup, dy, gate, up model.Buffer) {
	d.Device.SwiGLUBackward(dgate, dup, dy, gate, up)
	d.round(dgate, dup)
}

func (d rounding) RoPE(x model.Buffer, l model.Layout, heads int, r *model.RoPE, inverse bool) {
	d.Device.RoPE(x, l, heads, r, inverse)
	d.round(x)
}

func (d rounding) Attention(dst, lse, q, k, v model.Buffer, l model.Layout, heads, kvHeads int) {
	d.Device.Attention(dst, lse, q, k, v, l, heads, kvHeads)
	d.round(dst)
}

func (d rounding) AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse model.Buffer, l model.Layout, heads, kvHeads int) {
	d.Device.AttentionBackward(dq, dk, dv, dout, out, q, k, v, lse, l, heads, kvHeads)
	d.round(dq, dk, dv)
}

func brain(x float64) float64 { return float64(checkpoint.RoundBF16(float32(x))) }

// Every kind of weight that files have is, number after number, what it is on the processor, rounded to BF16.
func TestDequantisation(t *testing.T) {
	d := open(t, Options{Resident: -1})
	defer d.Close()
	for _, typ := range []checkpoint.Type{
		checkpoint.F32, checkpoint.F16, checkpoint.BF16, checkpoint.Q8_0, checkpoint.Q4_0, checkpoint.Q4_1, checkpoint.Q5_0, checkpoint.Q5_1,
		checkpoint.IQ4_NL, checkpoint.Q4_K, checkpoint.Q5_K, checkpoint.Q6_K, checkpoint.IQ4_XS,
	} {
		v := make([]float32, 5*512)
		for i := range v {
			v[i] = float32(math.Sin(float64(i*i)) * math.Exp(float64(i%37)/9-3))
		}
		tensor := checkpoint.NewTensor(typ.String(), typ, 5, 512, v)
		want := make([]float32, len(v))
		tensor.Dequant(want, 0, 5)
		w, err := d.Weight(tensor)
		if err != nil {
			t.Fatal(err)
		}
		b, ids := d.Alloc(f32, 5, 512), d.Ints([]int32{0, 1, 2, 3, 4})
		d.Embed(b, w, ids)
		got := make([]float64, len(v))
		if err := d.Download(got, b); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if math.Abs(got[i]-float64(want[i])) > math.Abs(float64(want[i]))/256 {
				t.Errorf("%s: number %d is %g, not %g", typ, i, got[i], want[i])
				break
			}
		}
		d.FreeWeight(w)
		d.FreeInts(ids)
		d.Free(b)
	}
}

// What does not fit is an error with advice, and everything can still be closed.
func TestMemoryIsShort(t *testing.T) {
	d := open(t, Options{})
	_, total := d.Memory()
	for range 9 {
		d.Alloc(f32, int(total/8/4/1024), 1024)
	}
	err := d.Sync()
	if err == nil || !strings.Contains(err.Error(), "MiB more of the card's memory are needed") {
		t.Fatalf("%v", err)
	}
	if again := d.Close(); again == nil || again.Error() != err.Error() {
		t.Errorf("%v", again)
	}
	d = open(t, Options{})
	if free, total := d.Memory(); free < total*9/10 {
		t.Errorf("of %d bytes %d are free after the device was closed", total, free)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// A step has the same bits whether weights are held or dequantised at each use, whether layers are kept, computed again, or
// computed again from the machine's memory, and each time it is taken.
func TestSameBits(t *testing.T) {
	f, err := checkpoint.Open("../model/testdata/llama.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := adapter(t, f)
	take := func(resident int64, o model.Options) (logp [][]float64, grads [][]float64, p model.Plan) {
		d := open(t, Options{Resident: resident})
		defer d.Close()
		o.Adapter = a
		m, err := model.Open(f, d, o)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		g := groups(m.Info().Vocabulary)
		parts := []model.Part{{Group: 0, To: 3}, {Group: 1, To: 1}}
		s, err := m.Forward(g, parts)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Backward(s.Entropy); err != nil {
			t.Fatal(err)
		}
		for _, q := range m.Params() {
			grads = append(grads, q.Grad())
		}
		return s.Logp, grads, m.Plan()
	}
	logp, grads, _ := take(0, model.Options{MaxRows: 64})
	_, _, always := take(0, model.Options{MaxRows: 64, Recompute: model.Always})
	for name, x := range map[string]struct {
		resident int64
		o        model.Options
	}{
		"again":          {0, model.Options{MaxRows: 64}},
		"not held":       {-1, model.Options{MaxRows: 64}},
		"recomputed":     {0, model.Options{MaxRows: 64, Recompute: model.Always}},
		"from elsewhere": {0, model.Options{MaxRows: 64, Memory: always.Bytes - 1}},
	} {
		l, g, p := take(x.resident, x.o)
		if !reflect.DeepEqual(l, logp) || !reflect.DeepEqual(g, grads) {
			t.Errorf("%s: other bits", name)
		}
		if (name == "from elsewhere") != (p.Host > 0) {
			t.Errorf("%s: %s", name, p.Message)
		}
	}
}

// Results may lie where 16 bytes are not aligned, beside inputs that are: then they are written cell by cell.
func TestOddResults(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	const rows, size = 5, 16
	l := d.Layout([]int32{0, 1, 2, 3, 4}, []model.Segment{{Rows: rows}})
	defer d.FreeLayout(l)
	alloc := func(k model.Kind, cols int) model.Buffer { return d.Alloc(k, rows, cols) }
	var in [4]model.Buffer // q, k, v, dout
	for i := range in {
		in[i] = alloc(act, size)
		v := make([]float64, rows*size)
		for j := range v {
			v[j] = math.Sin(float64(7*i + j*j))
		}
		d.Upload(in[i], v)
	}
	take := func(place func() model.Buffer) (all [][]float64) {
		lse, out := alloc(f32, 1), alloc(act, size)
		results := []model.Buffer{place(), place(), place(), place()}
		d.Attention(results[0], lse, in[0], in[1], in[2], l, 1, 1)
		d.Attention(out, lse, in[0], in[1], in[2], l, 1, 1)
		d.AttentionBackward(results[1], results[2], results[3], in[3], out, in[0], in[1], in[2], lse, l, 1, 1)
		for _, b := range results {
			v := make([]float64, rows*size)
			if err := d.Download(v, b); err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
		return all
	}
	even := take(func() model.Buffer { return alloc(act, size) })
	odd := take(func() model.Buffer { return alloc(act, size+4).View(0, rows, 1, size) })
	if !reflect.DeepEqual(even, odd) {
		t.Errorf("%v\n%v", even, odd)
	}
}

// Where a plan does not fit, weights are not held; taken back, they are.
func TestHoldNone(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	q := checkpoint.NewTensor("q", checkpoint.Q4_0, 4000, 4096, make([]float32, 4000*4096))
	held, _ := d.WeightBytes(q)
	back := d.HoldNone()
	raw, scratch := d.WeightBytes(q)
	if held < 2*4000*4096 || raw > held/3 || scratch < held {
		t.Errorf("held %d bytes, quantised %d and %d of scratch", held, raw, scratch)
	}
	back()
	if again, _ := d.WeightBytes(q); again != held {
		t.Errorf("%d bytes, and taken back %d", held, again)
	}
}

// What the plan counts is what loading takes.
func TestWeightBytesHold(t *testing.T) {
	for _, resident := range []int64{-1, 0, 300_000} {
		d := open(t, Options{Resident: resident})
		var tensors []*checkpoint.Tensor
		for i, rows := range []int{400, 2000, 30, 400} {
			tensors = append(tensors, checkpoint.NewTensor(string(rune('a'+i)), checkpoint.Q8_0, rows, 256, slices.Repeat([]float32{1, -2}, rows*128)))
		}
		var planned, scratch int64
		for _, t := range tensors {
			r, s := d.WeightBytes(t)
			planned, scratch = planned+r, max(scratch, s)
		}
		before, _ := d.Memory()
		for _, x := range tensors {
			if _, err := d.Weight(x); err != nil {
				t.Fatal(err)
			}
		}
		after, _ := d.Memory()
		if took := before - after; took > planned+scratch || took < planned {
			t.Errorf("resident %d: %d bytes and %d of scratch were planned, %d taken", resident, planned, scratch, took)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The program that `make trainer` builds starts where there is no driver: it asks for none.
func TestTrainerNeedsNoDriver(t *testing.T) {
	trainer := os.Getenv("LONGHAND_TRAINER")
	if trainer == "" {
		if os.Getenv("REQUIRE_CUDA") == "1" {
			t.Fatal("REQUIRE_CUDA is set, but LONGHAND_TRAINER names no program")
		}
		t.Skip("skipped: LONGHAND_TRAINER names no program; make cuda-test does")
	}
	f, err := elf.Open(trainer)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	needed, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range needed {
		if strings.Contains(name, "cuda") || strings.Contains(name, "cublas") {
			t.Errorf("%s needs %s", trainer, name)
		}
	}
	cmd := exec.Command(trainer, "selftest")
	cmd.Env = append(os.Environ(), "CUDA_DRIVER_LIB=/nowhere/libcuda.so.1")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.HasPrefix(string(out), "cuda: the library that CUDA_DRIVER_LIB names cannot be opened: /nowhere/libcuda.so.1: ") {
		t.Errorf("%v: %s", err, out)
	}
}

// A driver that is too old, a card that is too old, no card and no cuBLAS are a sentence each. Each is tried in a
// process of its own, for the driver is opened when the program starts.
func TestWhatIsMissing(t *testing.T) {
	if os.Getenv("LONGHAND_MISSING") == "1" {
		_, err := New(Options{})
		os.Stdout.WriteString(errorText(err))
		os.Exit(0)
	}
	if !strings.Contains(open(t, Options{}).Name(), "stand-in") {
		t.Skip("skipped: a real driver cannot be told to be old")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for set, want := range map[string]string{
		"STANDIN_DRIVER=10020":    "cuda: the NVIDIA driver is too old: it speaks CUDA 10.2, 11.0 is needed",
		"STANDIN_CC=75":           "cuda: the stand-in is of compute capability 7; training needs 8 (Ampere) or newer",
		"STANDIN_DEVICES=0":       "cuda: no NVIDIA GPU or driver was found",
		"CUBLAS_LIB=/nowhere.so":  "cuda: no cuBLAS can be used; install it (libcublas of CUDA 13, 12 or 11) or name its file in CUBLAS_LIB: ",
		"STANDIN_MEMORY=16777216": "cuda: 32 MiB more of the card's memory are needed, and of 16 MiB ",
	} {
		cmd := exec.Command(self, "-test.run", "^TestWhatIsMissing$")
		cmd.Env = append(os.Environ(), "LONGHAND_MISSING=1", set)
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s: %v: %s", set, err, out)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
