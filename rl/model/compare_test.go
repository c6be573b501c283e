package model_test

import (
	"fmt"
	"math"
	"slices"

	"longhand/rl"
	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// lossFunc is rl.Loss, or what a test of faults puts in its place.
type lossFunc func(rl.LossOptions, rl.Size, []rl.Item) (float64, [][]float64, rl.LossStats)

// compare computes all that a golden has on a device. What differs first is the error; off
// is how large the largest differences were up to there.
func (g *golden) compare(d model.Device, o model.Options, tol bounds, loss lossFunc) (off bounds, err error) {
	err = g.compareFile(g.path(), d, o, func(m *model.Model) error {
		r := run{golden: g, m: m, tol: tol, loss: loss, off: &off}
		var err error
		if r.micro, err = m.Split(g.Groups); err != nil {
			return err
		}
		if err := r.scores(); err != nil {
			return err
		}
		for _, name := range g.Grads {
			if err := r.gradient(name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		m.ResetMoments()
		return r.steps()
	})
	return off, err
}

// compareFile opens a model's file with the golden's adapter.
func (g *golden) compareFile(path string, d model.Device, o model.Options, do func(*model.Model) error) error {
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	o.Adapter = g.adapter()
	m, err := model.Open(f, d, o)
	if err != nil {
		return err
	}
	defer m.Close()
	return do(m)
}

// run is a golden on a device.
type run struct {
	*golden
	m     *model.Model
	micro [][]model.Part
	tol   bounds
	loss  lossFunc
	off   *bounds
}

// within notes a difference, and says whether it is within its bound.
func within(most float64, largest *float64, off float64) bool {
	*largest = max(*largest, off)
	return off <= most
}

// relative is how far x is from y, in parts of y.
func relative(x, y float64) float64 { return math.Abs(x-y) / math.Abs(y) }

// indices of the completions of a micro-batch, among those of all groups.
func (g *golden) indices(parts []model.Part) (list []int) {
	for _, p := range parts {
		before := 0
		for _, other := range g.Groups[:p.Group] {
			before += len(other.Completions)
		}
		for c := p.From; c < p.To; c++ {
			list = append(list, before+c)
		}
	}
	return list
}

// scores compares log-probs and entropies, with the adapter on and off.
func (r *run) scores() error {
	for _, parts := range r.micro {
		on, err := r.m.Forward(r.Groups, parts)
		if err != nil {
			return err
		}
		same, err := r.m.Score(r.Groups, parts)
		if err != nil {
			return err
		}
		off, err := r.m.Reference(r.Groups, parts)
		if err != nil {
			return err
		}
		for i, c := range r.indices(parts) {
			for what, pair := range map[string][2][]float64{
				"log-prob": {on.Logp[i], r.Logps[c]}, "entropy": {on.Entropy[i], r.Entropies[c]},
				"log-prob of Score": {same.Logp[i], r.Logps[c]}, "log-prob of the base": {off.Logp[i], r.Refs[c]},
			} {
				if err := near(pair[0], pair[1], r.tol.logp, &r.off.logp); err != nil {
					return fmt.Errorf("completion %d, %s: %w", c, what, err)
				}
			}
		}
	}
	return nil
}

// near compares numbers, with an absolute bound, and notes the largest difference.
func near(got, want []float64, most float64, largest *float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d numbers instead of %d", len(got), len(want))
	}
	for i := range want {
		if !within(most, largest, math.Abs(got[i]-want[i])) {
			return fmt.Errorf("token %d: %.15g instead of %.15g, off by %.2g", i, got[i], want[i], math.Abs(got[i]-want[i]))
		}
	}
	return nil
}

// step runs forward, loss and backward of every micro-batch, and gives the loss.
func (r *run) step(c goldenCase) (float64, error) {
	var sum float64
	for _, parts := range r.micro {
		refs, err := r.m.Reference(r.Groups, parts)
		if err != nil {
			return 0, err
		}
		s, err := r.m.Forward(r.Groups, parts)
		if err != nil {
			return 0, err
		}
		items := make([]rl.Item, 0, len(s.Logp))
		for i, k := range r.indices(parts) {
			it := r.item(c, k)
			it.Logp, it.Ref = s.Logp[i], refs.Logp[i]
			items = append(items, it)
		}
		loss, g, _ := r.loss(r.options(c), r.size(c), items)
		sum += loss
		if err := r.m.Backward(g); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// gradient compares loss, gradient and its norm of one case.
func (r *run) gradient(name string) error {
	c := r.Cases[name]
	loss, err := r.step(c)
	if err != nil {
		return err
	}
	if !within(r.tol.loss, &r.off.loss, relative(loss, c.Loss)) {
		return fmt.Errorf("loss %.15g instead of %.15g", loss, c.Loss)
	}
	if err := r.gradients(name + "/grad."); err != nil {
		return err
	}
	norm, err := r.m.Update(model.Step{})
	if err != nil {
		return err
	}
	if !within(r.tol.grad, &r.off.grad, relative(norm, c.Norm)) {
		return fmt.Errorf("norm %.15g instead of %.15g", norm, c.Norm)
	}
	for _, p := range r.m.Params() {
		if length(p.Grad()) != 0 {
			return fmt.Errorf("the gradient of %s is left after an update", p.Name)
		}
	}
	return nil
}

// gradients compares every tensor's.
func (r *run) gradients(prefix string) error {
	var all []float64
	params := r.m.Params()
	for _, p := range params {
		all = append(all, length(r.arrays[prefix+p.Name]))
	}
	total := length(all)
	for i, p := range params {
		want := r.arrays[prefix+p.Name]
		got := p.Grad()
		if len(want) == 0 || len(got) != len(want) || !slices.Equal(r.shapes[prefix+p.Name], []int{p.Rows, p.Cols}) {
			return fmt.Errorf("%s is %d x %d, the golden's %v", p.Name, p.Rows, p.Cols, r.shapes[prefix+p.Name])
		}
		scale := all[i]
		if scale < 1e-3*total {
			scale = total
		}
		if off := length(minus(got, want)) / scale; !within(r.tol.grad, &r.off.grad, off) {
			return fmt.Errorf("the gradient of %s is off by %.2g of %.3g", p.Name, off, scale)
		}
	}
	return nil
}

// steps compares ten steps of AdamW: every loss and norm, and where the adapter is then.
func (r *run) steps() error {
	s := r.Steps
	for i := range s.Loss {
		loss, err := r.step(r.Cases[s.Case])
		if err != nil {
			return err
		}
		norm, err := r.m.Update(model.Step{Rate: s.Rate, Beta1: s.Beta1, Beta2: s.Beta2, Eps: s.Eps, Decay: s.Decay, MaxNorm: s.MaxNorm})
		if err != nil {
			return err
		}
		if !within(r.tol.loss, &r.off.loss, relative(loss, s.Loss[i])) {
			return fmt.Errorf("step %d: loss %.15g instead of %.15g", i, loss, s.Loss[i])
		}
		if !(relative(norm, s.Norm[i]) <= 100*r.tol.loss) { // the clip acts on it: what counts is where the adapter goes
			return fmt.Errorf("step %d: norm %.15g instead of %.15g", i, norm, s.Norm[i])
		}
	}
	var moved, off []float64
	for _, p := range r.m.Params() {
		before, after := r.arrays["param."+p.Name], r.arrays["after."+p.Name]
		moved = append(moved, minus(after, before)...)
		off = append(off, minus(p.Value(), after)...)
	}
	if e := length(off) / length(moved); !within(r.tol.moved, &r.off.moved, e) {
		return fmt.Errorf("the adapter is off by %.2g of what it moved", e)
	}
	return nil
}

// length is the root of the sum of squares.
func length(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}

func minus(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// items are all completions as the loss of a case sees them, with these scores.
func (g *golden) items(c goldenCase, logps, refs [][]float64) []rl.Item {
	items := make([]rl.Item, len(logps))
	for i := range items {
		items[i] = g.item(c, i)
		items[i].Logp, items[i].Ref = logps[i], refs[i]
	}
	return items
}

// compareLoss compares a loss at the golden's log-probs, as one batch and as two
// halves of it that add up.
func (g *golden) compareLoss(c goldenCase, f lossFunc, most float64) error {
	items := g.items(c, g.Logps, g.Refs)
	var loss, off float64
	var grad [][]float64
	for _, part := range [][]rl.Item{items[:4], items[4:]} {
		l, d, _ := f(g.options(c), g.size(c), part)
		loss, grad = loss+l, append(grad, d...)
	}
	whole, same, _ := f(g.options(c), g.size(c), items)
	if !(math.Abs(whole-c.Loss) <= most*max(1, math.Abs(c.Loss))) || !(math.Abs(loss-whole) <= most*max(1, math.Abs(c.Loss))) {
		return fmt.Errorf("loss %.15g, in halves %.15g, instead of %.15g", whole, loss, c.Loss)
	}
	for i, want := range c.Dlogp {
		if err := near(grad[i], want, most, &off); err != nil {
			return fmt.Errorf("dL/dlogp of completion %d: %w", i, err)
		}
		if err := near(same[i], want, most, &off); err != nil {
			return fmt.Errorf("dL/dlogp of completion %d in one batch: %w", i, err)
		}
	}
	return nil
}
