package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"longhand/engine"
	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// benched is the line of "longhand-trainer bench --json".
type benched struct {
	Shape     string             `json:"shape"`
	Device    string             `json:"device"`
	Rows      int                `json:"rows"`   // computed: shared prompts count once
	Tokens    int                `json:"tokens"` // that a trainer without shared prompts would compute
	Recompute int                `json:"recomputed_layers"`
	Forward   float64            `json:"forward_rows_per_second"`
	Backward  float64            `json:"backward_rows_per_second"`
	Rate      float64            `json:"tokens_per_second"` // forward, backward and update
	TFLOPs    float64            `json:"tflops"`            // of the products, what is computed again counted
	GEMM      float64            `json:"gemm_tflops"`       // of a product of 8192 cubed, on the same card
	Share     float64            `json:"share_of_gemm"`
	Peak      int64              `json:"peak_bytes"` // of the card's memory
	Kernels   map[string]float64 `json:"seconds_by_method"`
}

// bench measures forward, backward and update on the GPU, with random weights in the shape of a known model.
func bench(w io.Writer, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	shape := flags.String("shape", "qwen2.5-1.5b", "one of "+shapeNames())
	group := flags.Int("group", 8, "completions of each prompt, which they share")
	prompts := flags.Int("prompts", 2, "prompts")
	prompt := flags.Int("prompt", 256, "tokens of a prompt")
	tokens := flags.Int("tokens", 256, "tokens of a completion")
	steps := flags.Int("steps", 5, "steps that count, after two that do not")
	recompute := flags.String("recompute", "auto", "auto, never or always, or several of them: never,always")
	gemm := flags.Int("gemm", 8192, "the side of the product that the card's rate is measured with; 0: none")
	asJSON := flags.Bool("json", false, "one JSON line")
	if err := flags.Parse(args); err != nil {
		return err
	}
	shapes := slices.Concat(engine.Shapes, testShapes)
	at := slices.IndexFunc(shapes, func(s engine.Shape) bool { return s.Name == *shape })
	if at < 0 || *group < 1 || *prompts < 1 || *prompt < 1 || *tokens < 1 || *steps < 1 {
		return fmt.Errorf("bench: --shape is one of %s, and numbers are at least 1", shapeNames())
	}
	s := shapes[at]
	f, remove, err := shapeFile(s)
	defer remove()
	if err != nil {
		return err
	}
	var groups []model.Group
	var micro []model.Part
	for i := range *prompts {
		groups = append(groups, randomGroup(s.Vocabulary, *prompt, *tokens, *group, i+1))
		micro = append(micro, model.Part{Group: i, From: 0, To: *group})
	}
	for _, again := range strings.Split(*recompute, ",") {
		b := benched{Shape: s.Name, Kernels: map[string]float64{}, Rows: *prompts * (*prompt + *group*(*tokens-1)), Tokens: *prompts * *group * (*prompt + *tokens)}
		o := model.Options{Seed: 1, MaxRows: max(b.Rows, *prompts**group**tokens), Recompute: map[string]model.Recompute{"never": model.Never, "always": model.Always}[again]}
		if err := b.run(w, f, o, groups, micro, *steps, *gemm, *asJSON); err != nil {
			return err
		}
	}
	return nil
}

// run measures one way of recomputation.
func (b *benched) run(w io.Writer, f *checkpoint.File, o model.Options, groups []model.Group, micro []model.Part, steps, gemm int, asJSON bool) error {
	d, err := openCUDA(true)
	if err != nil {
		return err
	}
	defer d.Close()
	b.Device = d.Name()
	if b.GEMM, err = productRate(d, gemm); err != nil {
		return err
	}
	free, _ := d.Memory()
	m, err := model.Open(f, d, o)
	if err != nil {
		if d.Sync() == nil { // the plan does not fit, and nothing broke
			fmt.Fprintf(w, "%s, recompute %s: %v\n", b.Shape, o.Recompute, err)
			return nil
		}
		return err
	}
	defer m.Close()
	b.Recompute = m.Plan().Recomputed
	if err := b.measure(d, m, groups, micro, steps, free); err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(w).Encode(b)
	}
	b.show(w, m)
	return nil
}

func shapeNames() (names string) {
	for i, s := range engine.Shapes {
		if i > 0 {
			names += ", "
		}
		names += s.Name
	}
	return names
}

// measure takes the medians of steps.
func (b *benched) measure(d model.Device, m *model.Model, groups []model.Group, micro []model.Part, steps int, free int64) error {
	const unmeasured = 2
	var forwards, backwards, wholes []float64
	before := map[string]float64{}
	for i := range unmeasured + steps {
		if i == unmeasured {
			before = d.Times()
		}
		begin := time.Now()
		s, err := m.Forward(groups, micro)
		if err != nil {
			return err
		}
		middle := time.Now()
		slopes := make([][]float64, len(s.Logp))
		for j, c := range s.Logp {
			slopes[j] = make([]float64, len(c))
			for t := range c {
				slopes[j][t] = math.Cos(float64(j+3*t)) / float64(b.Rows)
			}
		}
		if err := m.Backward(slopes); err != nil {
			return err
		}
		if err := d.Sync(); err != nil {
			return err
		}
		end := time.Now()
		if _, err := m.Update(model.Step{Rate: 1e-5, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, MaxNorm: 1}); err != nil {
			return err
		}
		if i >= unmeasured {
			forwards, backwards = append(forwards, middle.Sub(begin).Seconds()), append(backwards, end.Sub(middle).Seconds())
			wholes = append(wholes, time.Since(begin).Seconds())
		}
	}
	now, _ := d.Memory()
	b.Peak = free - now // buffers are made once and kept
	for name, t := range d.Times() {
		if t -= before[name]; t > 0 {
			b.Kernels[name] = t / float64(steps)
		}
	}
	forward, backward := m.FLOPs(groups, micro)
	rows, f, back, whole := float64(b.Rows), median(forwards), median(backwards), median(wholes)
	b.Forward, b.Backward, b.Rate = rows/f, rows/back, float64(b.Tokens)/whole
	b.TFLOPs = (forward + backward) / (f + back) / 1e12
	if b.GEMM > 0 {
		b.Share = b.TFLOPs / b.GEMM
	}
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// productRate is the card's rate, in TFLOP/s, at a product of n cubed in BF16: the best of several.
func productRate(d model.Device, n int) (float64, error) {
	if n == 0 {
		return 0, nil
	}
	x, y, z := d.Alloc(model.Act, n, n), d.Alloc(model.Act, n, n), d.Alloc(model.Act, n, n)
	defer d.Free(x)
	defer d.Free(y)
	defer d.Free(z)
	first := min(n, 256)
	lines := make([]float64, first*n) // zeros, or one line again and again, cost a card less power than numbers do
	for i := range lines {
		lines[i] = math.Sin(float64(i) * float64(i%9973))
	}
	for _, b := range []model.Buffer{x, y} {
		d.Upload(b.View(0, first, 0, n), lines)
		for rows := first; rows < n; rows *= 2 {
			d.Copy(b.View(rows, min(rows, n-rows), 0, n), b.View(0, min(rows, n-rows), 0, n))
		}
	}
	best := math.Inf(1)
	const each = 5
	for range 6 {
		if err := d.Sync(); err != nil {
			return 0, err
		}
		begin := time.Now()
		for range each {
			d.MatMul(z, x, y, false, true, 1, false)
		}
		if err := d.Sync(); err != nil {
			return 0, err
		}
		best = min(best, time.Since(begin).Seconds()/each)
	}
	return 2 * math.Pow(float64(n), 3) / best / 1e12, nil
}

func (b *benched) show(w io.Writer, m *model.Model) {
	fmt.Fprintf(w, "%s on %s\n%s\n", b.Shape, b.Device, m.Plan().Message)
	fmt.Fprintf(w, "%d rows a step (%d tokens without shared prompts): forward %.0f rows/s, backward %.0f rows/s, with the update %.0f tokens/s\n", b.Rows, b.Tokens, b.Forward, b.Backward, b.Rate)
	fmt.Fprintf(w, "%.1f TFLOP/s, %.0f %% of the %.1f of a large product; peak memory %d MiB\n\n", b.TFLOPs, 100*b.Share, b.GEMM, b.Peak>>20)
	names := make([]string, 0, len(b.Kernels))
	var total float64
	for name, t := range b.Kernels {
		names, total = append(names, name), total+t
	}
	slices.SortFunc(names, func(x, y string) int { return int(1e9 * (b.Kernels[y] - b.Kernels[x])) })
	for _, name := range names {
		fmt.Fprintf(w, "%-20s %9.3f ms  %5.1f %%\n", name, 1000*b.Kernels[name], 100*b.Kernels[name]/total)
	}
}
