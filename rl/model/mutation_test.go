package model_test

import (
	"testing"

	"longhand/rl"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// fault is a Device that is right but for one method.
type fault struct {
	name  string
	found string // the case of devicetest that finds it too
	on    func(d oracle) model.Device
}

// faults are mistakes that let a run begin and its loss fall. Each has been made somewhere.
var faults = []fault{
	{"RoPE of the other form", "RoPE", func(d oracle) model.Device { return otherRoPE{d} }},
	{"RoPE is not turned back", "RoPE", func(d oracle) model.Device { return oneWayRoPE{d} }},
	{"positions restart behind a shared prompt", "RoPE", func(d oracle) model.Device { return restart{d} }},
	{"a shared prompt is not seen", "Attention", func(d oracle) model.Device { return blind{d} }},
	{"the prompt's last token is not seen", "Attention", func(d oracle) model.Device { return shortSighted{d} }},
	{"completions see those before them", "Attention", func(d oracle) model.Device { return indiscreet{d} }},
	{"keys lie one row off", "Attention", func(d oracle) model.Device { return oneOff{d} }},
	{"scores over the head size, not its root", "Attention", func(d oracle) model.Device { return flat{d} }},
	{"queries share keys in turn", "Attention", func(d oracle) model.Device { return inTurn{d} }},
	{"no gradient between a prompt and its completions", "AttentionBackward", func(d oracle) model.Device { return blindBack{d, map[model.Layout]model.Layout{}} }},
	{"softmax's gradient lacks its mean", "AttentionBackward", func(d oracle) model.Device { return meanless{d} }},
	{"0.1 % in dq", "AttentionBackward", func(d oracle) model.Device { return attentionError{d, 0} }},
	{"0.1 % in dk", "AttentionBackward", func(d oracle) model.Device { return attentionError{d, 1} }},
	{"0.1 % in dv", "AttentionBackward", func(d oracle) model.Device { return attentionError{d, 2} }},
	{"the norm lacks epsilon", "RMSNorm", func(d oracle) model.Device { return noEpsilon{d} }},
	{"the norm's gradient lacks its mean", "RMSNormBackward", func(d oracle) model.Device { return droppedTerm{d} }},
	{"the norm's gradient lacks the gain", "RMSNormBackward", func(d oracle) model.Device { return gainless{d} }},
	{"0.1 % in the norm's gradient", "RMSNormBackward", func(d oracle) model.Device { return normError{d} }},
	{"silu's slope lacks its second term", "SwiGLUBackward", func(d oracle) model.Device { return shallow{d} }},
	{"0.1 % in the gate's gradient", "SwiGLUBackward", func(d oracle) model.Device { return gateError{d} }},
	{"the bias is left out", "Linear", func(d oracle) model.Device { return biasless{d} }},
	{"0.1 % in the gradient through a matrix", "LinearT", func(d oracle) model.Device { return linearError{d} }},
	{"of tokens scored from one row the last counts", "ScatterAddRows", func(d oracle) model.Device { return lastRow{d, map[model.Ints][]int32{}} }},
	{"the adapter's scale is 1", "MatMul", func(d oracle) model.Device { return unscaled{d} }},
	{"0.1 % in the adapter's gradient", "MatMul", func(d oracle) model.Device { return productError{d} }},
	{"micro-batches do not add up", "MatMul", func(d oracle) model.Device { return forgetful{d} }},
	{"the head's gradient lacks the target", "Head", func(d oracle) model.Device { return aimless{d} }},
	{"0.1 % in the head's gradient", "Head", func(d oracle) model.Device { return headError{d} }},
	{"0.1 % in the entropy", "Head", func(d oracle) model.Device { return entropyError{d} }},
	{"the norm is the last tensor's", "SumSquares", func(d oracle) model.Device { return lastSquares{d} }},
	{"AdamW's epsilon inside the root", "AdamW", func(d oracle) model.Device { return innerEpsilon{d} }},
	{"bias correction of the next step", "AdamW", func(d oracle) model.Device { return adamWith{d, nextStep} }},
	{"no bias correction", "AdamW", func(d oracle) model.Device { return adamWith{d, uncorrected} }},
	{"no weight decay", "AdamW", func(d oracle) model.Device { return adamWith{d, func(o *model.AdamW) { o.Decay = 0 }} }},
	{"weight decay through the moments", "AdamW", func(d oracle) model.Device { return coupled{d} }},
	{"the gradient is not clipped", "AdamW", func(d oracle) model.Device { return adamWith{d, func(o *model.AdamW) { o.Scale = 1 }} }},
	{"beta2 as beta1", "AdamW", func(d oracle) model.Device { return adamWith{d, func(o *model.AdamW) { o.Beta2 = o.Beta1 }} }},
}

type oracle = *devicetest.Oracle

func nextStep(o *model.AdamW) {
	o.Correction1, o.Correction2 = 1-(1-o.Correction1)*o.Beta1, 1-(1-o.Correction2)*o.Beta2
}

func uncorrected(o *model.AdamW) { o.Correction1, o.Correction2 = 1, 1 }

// TestDeviceFaults makes each fault and asks for the goldens at the bounds of a device in
// float32, the loosest there are, and for devicetest's case: both must fail.
func TestDeviceFaults(t *testing.T) {
	goldens := readGoldens(t)
	cases := map[string]devicetest.Case{}
	for _, c := range devicetest.Cases() {
		cases[c.Name] = c
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			// In two micro-batches, of which each has a shared prompt.
			if !anyFails(goldens, func(g *golden) error {
				_, err := g.compare(f.on(devicetest.NewOracle()), model.Options{MaxRows: 24}, inFloat32, rl.Loss)
				return err
			}) {
				t.Error("the goldens do not show it")
			}
			if _, err := cases[f.found].Check(f.on(devicetest.NewOracle()), devicetest.Tolerance{F32: 1e-5, Act: 1e-5}); err == nil {
				t.Errorf("devicetest's %s does not show it", f.found)
			}
		})
	}
}

func readGoldens(t testing.TB) (all []*golden) {
	for _, name := range goldenNames {
		all = append(all, readGolden(t, name))
	}
	return all
}

func anyFails(goldens []*golden, check func(*golden) error) bool {
	for _, g := range goldens {
		if check(g) != nil {
			return true
		}
	}
	return false
}

// TestLossFaults puts mistakes in the place of rl.Loss; the goldens must show each, at the
// bounds of a device in float32.
func TestLossFaults(t *testing.T) {
	goldens := readGoldens(t)
	for name, f := range lossFaults {
		if !anyFails(goldens, func(g *golden) error {
			for _, c := range g.Cases {
				if err := g.compareLoss(c, f, 1e-5); err != nil {
					return err
				}
			}
			return nil
		}) {
			t.Errorf("%s: the goldens do not show it", name)
		}
	}
}
