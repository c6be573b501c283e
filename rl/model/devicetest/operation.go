package devicetest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
)

// role says what an operation does with an operand.
type role int

const (
	reads   role = iota
	writes       // whatever it held: NaN, to begin with
	changes      // reads and writes
)

// operand is a buffer that an operation gets.
type operand struct {
	name       string
	rows, cols int
	role       role
	f32        bool    // of this kind always: statistics, gains, the adapter
	spread     float64 // standard deviation of its values; 0 stands for 1
	size       float64 // errors are measured against this, if it is more than the largest value
	loose      bool    // no shape of it is wrong
}

// kinds are those of what is only read, and of what is written.
type kinds struct{ in, out model.Kind }

func (o operand) kind(k kinds) model.Kind {
	switch {
	case o.f32:
		return model.F32
	case o.role == reads:
		return k.in
	}
	return k.out
}

// operation is a call of a method, with what it needs.
type operation struct {
	method, about string
	operands      []operand
	weight        []*checkpoint.Tensor
	ints          []int32
	pos           []int32 // of the layout
	segments      []model.Segment
	slack         float64 // so many times the tolerance, where numbers are large; 0 stands for 1
	large         bool    // done once, not in each arrangement
	whole         bool    // takes no views
	sameKind      bool    // takes no mixture
	// settle makes operands that follow from others; the values of each are at hand.
	settle func(values map[string][]float64)
	call   func(d model.Device, a *arguments)
}

func (op *operation) String() string { return op.method + " " + op.about }

// arguments are an operation's, on a device.
type arguments struct {
	buffers map[string]model.Buffer
	w       model.Weight
	ints    model.Ints
	layout  model.Layout
}

func (a *arguments) b(name string) model.Buffer { return a.buffers[name] }

// prepare makes what is not a buffer. The caller calls what it returns in the end.
func (op *operation) prepare(d model.Device) (*arguments, func(), error) {
	a := &arguments{}
	var err error
	if op.weight != nil {
		if a.w, err = d.Weight(op.weight...); err != nil {
			return nil, nil, fmt.Errorf("%s: Weight: %w", op, err)
		}
	}
	if op.ints != nil {
		a.ints = d.Ints(op.ints)
	}
	if op.pos != nil {
		a.layout = d.Layout(op.pos, op.segments)
	}
	return a, func() {
		if a.w != nil {
			d.FreeWeight(a.w)
		}
		if a.ints != nil {
			d.FreeInts(a.ints)
		}
		if a.layout != nil {
			d.FreeLayout(a.layout)
		}
	}, nil
}

// check compares a device with the oracle in every variation, up to the first
// that is wrong.
func (op *operation) check(d model.Device, tol Tolerance) (most float64, err error) {
	got, done, err := op.prepare(d)
	if err != nil {
		return 0, err
	}
	defer done()
	oracle := NewOracle()
	oracle.bf16 = tol.BF16
	want, doneToo, err := op.prepare(oracle)
	if err != nil {
		return 0, err
	}
	defer doneToo()
	for _, v := range op.variations() {
		v.bf16 = tol.BF16 && op.weight != nil
		v.tol = tol.of(op.weight != nil, v.kinds) * max(1, op.slack)
		off, err := v.compare(d, oracle, got, want)
		if err != nil {
			return most, fmt.Errorf("%s, %s: %w", op, v, err)
		}
		most = max(most, off)
	}
	if op.large {
		return most, nil
	}
	return most, op.refuses(d, got)
}

// variations are the ways to lay out the operands and to choose their kinds.
func (op *operation) variations() []*variation {
	all := []kinds{{model.F32, model.F32}, {model.Act, model.Act}, {model.F32, model.Act}, {model.Act, model.F32}}
	if op.sameKind {
		all = all[:2]
	}
	var free bool // whether any operand may be of either kind
	for _, o := range op.operands {
		free = free || !o.f32
	}
	if !free {
		all = all[:1]
	}
	if op.large {
		return []*variation{{op: op, kinds: all[len(all)-1], place: whole}}
	}
	var list []*variation
	for _, k := range all {
		for _, p := range []placing{whole, inside, beside} {
			if p == whole || !op.whole {
				list = append(list, &variation{op: op, kinds: k, place: p})
			}
		}
	}
	return list
}

// refuses calls the operation with each operand a row or a column too large.
func (op *operation) refuses(d model.Device, a *arguments) error {
	var errs []error
	for i, o := range op.operands {
		for _, larger := range []operand{{rows: 1}, {cols: 1}} {
			if o.loose {
				continue
			}
			wrong := *op
			wrong.operands = append([]operand(nil), op.operands...)
			wrong.operands[i].rows += larger.rows
			wrong.operands[i].cols += larger.cols
			v := &variation{op: &wrong, place: whole}
			if !v.panics(d, a) {
				w := wrong.operands[i]
				errs = append(errs, fmt.Errorf("%s: takes %s of %d x %d, where %d x %d is right", op, o.name, w.rows, w.cols, o.rows, o.cols))
			}
		}
	}
	return errors.Join(errs...)
}

// values are random, the same ones for the same names.
func (op *operation) values(o operand, n int) []float64 {
	h := fnv.New64a()
	fmt.Fprint(h, op.method, op.about, o.name)
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
		if o.spread != 0 {
			v[i] *= o.spread
		}
		if o.role == writes {
			v[i] = math.NaN()
		}
	}
	return v
}
