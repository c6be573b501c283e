package rl

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"longhand/rl/model"
)

func number(x float64) *float64 { return &x }

// Two groups; the sampler's log-probs are known in one, the old policy's in one completion.
func replayLines() []Replayed {
	return []Replayed{
		{Prompt: []int32{1, 2, 3}, Completions: []ReplayedCompletion{
			{Tokens: []int32{4, 5, tinyEnd}, Advantage: number(1.2), LogProbs: []float64{-3, -2.5, -3.5}},
			{Tokens: []int32{6, 7}, Advantage: number(-0.7), LogProbs: []float64{-3, -9}, Old: []float64{-3.2, -3.3}},
		}},
		{Prompt: []int32{9}, Completions: []ReplayedCompletion{{Tokens: []int32{8, 8, 8, 1}, Advantage: number(0.4)}}},
	}
}

func replayJob() Job {
	j := NewJob()
	j.Base, j.Replay, j.Dump, j.Rate = "m", "r", "d", number(1e-2)
	return j
}

func runReplay(t *testing.T, p Policy, j Job, lines []Replayed) (d Dump, steps []Step) {
	t.Helper()
	if err := j.Check(); err != nil {
		t.Fatal(err)
	}
	for ev, err := range Replay(context.Background(), p, j, lines, &d) {
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, ev.(Step))
	}
	return d, steps
}

func (d Dump) get(t *testing.T, name string) Array {
	t.Helper()
	i := slices.IndexFunc(d.Arrays, func(a Array) bool { return a.Name == name })
	if i < 0 {
		t.Fatalf("the dump has no %s", name)
	}
	return d.Arrays[i]
}

// The gradient in the dump is the loss's: moving a parameter moves the loss as much.
func TestReplayGradient(t *testing.T) {
	path := writeTiny(t)
	for _, set := range []string{"", "loss_type=cispo", "loss_type=gspo epsilon=0.1 epsilon_high=0.1", "beta=0.1", "loss_type=grpo", "loss_type=dr_grpo max_completion_length=7"} {
		p := openTiny(t, path, model.Options{})
		stir(t, p)
		j := replayJob()
		j.Rate = number(0)
		for _, one := range strings.Fields(set) {
			name, value, _ := strings.Cut(one, "=")
			if err := j.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		lines := replayLines()
		d, _ := runReplay(t, p, j, lines)
		// lpo = lp has no gradient, and cispo's ratio has none: both are held where they were.
		held := j.loss()
		at := func(params []float64, i int) float64 {
			if err := p.Params()[i].Set(params); err != nil {
				t.Fatal(err)
			}
			b := replay{loss: held, lines: lines}
			if err := b.fill(tinyVocabulary); err != nil {
				t.Fatal(err)
			}
			var loss float64
			for g := range b.batch.items {
				for c := range b.batch.items[g] {
					it := &b.batch.items[g][c]
					s, err := p.Score(b.batch.groups, []model.Part{{Group: g, From: c, To: c + 1}})
					if err != nil {
						t.Fatal(err)
					}
					ref, err := p.Reference(b.batch.groups, []model.Part{{Group: g, From: c, To: c + 1}})
					if err != nil {
						t.Fatal(err)
					}
					first := wide(d.get(t, "logps."+string(rune('0'+g))+"."+string(rune('0'+c))).F32)
					it.Logp, it.Ref = s.Logp[0], ref.Logp[0]
					if it.Old == nil {
						it.Old = first
					}
					if held.Type != CISPO {
						continue
					}
					w := Item{Logp: first, Old: it.Old, Sampler: it.Sampler}
					for k, lp := range it.Logp {
						loss -= w.weight(held, k) * min(w.ratio(k), held.EpsilonHigh) * it.Advantage * lp / float64(b.batch.size.Tokens)
					}
				}
			}
			if held.Type == CISPO {
				return loss
			}
			loss, _, _ = Loss(held, b.batch.size, slices.Concat(b.batch.items...))
			return loss
		}
		for i, q := range p.Params() {
			value, grad := wide(d.get(t, "param."+q.Name).F32), d.get(t, "grad."+q.Name).F32
			const h = 1e-4
			for k := 0; k < len(value); k += 3 {
				up, down := slices.Clone(value), slices.Clone(value)
				up[k], down[k] = float64(float32(value[k]+h)), float64(float32(value[k]-h)) // the device holds float32
				want := (at(up, i) - at(down, i)) / (up[k] - down[k])
				if math.Abs(float64(grad[k])-want) > 2e-5*max(1, math.Abs(want)) {
					t.Errorf("%s: %s[%d] is %g, not %g", set, q.Name, k, grad[k], want)
				}
			}
			if err := p.Params()[i].Set(value); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func wide(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

// What the dump holds, and the shapes.
func TestReplayDump(t *testing.T) {
	path := writeTiny(t)
	p := openTiny(t, path, model.Options{})
	stir(t, p)
	j := replayJob()
	j.Beta, j.Steps, j.Decay, j.MaxNorm = 0.1, 3, 0.1, 0.01
	d, steps := runReplay(t, p, j, replayLines())
	for name, n := range map[string]int{"logps.0.0": 3, "logps.0.1": 2, "logps.1.0": 4, "ref_logps.1.0": 4, "entropy.0.1": 2, "weight.0.0": 3, "loss": 3, "grad_norm": 3} {
		if a := d.get(t, name); len(a.F32) != n || !slices.Equal(a.Shape, []int{n}) {
			t.Errorf("%s: %v", name, a)
		}
	}
	if a := d.get(t, "param.blk.0.attn_k.weight.lora_b"); !slices.Equal(a.Shape, []int{4, 2}) {
		t.Error(a.Shape)
	}
	// weight is w: capped at 2, 1 without a sampler.
	first, w := d.get(t, "logps.0.0").F32, d.get(t, "weight.0.0").F32
	for k, ls := range []float64{-3, -2.5, -3.5} {
		near(t, "w", float64(w[k]), min(2, math.Exp(float64(first[k])-ls)), 1e-6)
	}
	if w := d.get(t, "weight.0.1").F32; w[1] != 2 {
		t.Error("w of exp(-3.3+9) is", w[1])
	}
	if w := d.get(t, "weight.1.0").F32; w[0] != 1 {
		t.Error("w without a sampler is", w[0])
	}
	for _, q := range p.Params() {
		before, after := d.get(t, "param."+q.Name).F32, d.get(t, "after."+q.Name).F32
		if slices.Equal(before, after) {
			t.Errorf("%s has not moved", q.Name)
		}
		// Three steps of AdamW move nothing further than about three rates.
		for k := range before {
			if math.Abs(float64(after[k]-before[k])) > 3.2e-2 {
				t.Errorf("%s moved from %g to %g", q.Name, before[k], after[k])
			}
		}
	}
	var square float64
	for _, q := range p.Params() {
		n := norm(wide(d.get(t, "grad."+q.Name).F32))
		square += n * n
	}
	near(t, "the norm", float64(d.get(t, "grad_norm").F32[0]), math.Sqrt(square), 1e-5)
	if steps[2].Step != 2 || float32(steps[1].Loss) != d.get(t, "loss").F32[1] || float64(steps[0].GradNorm) < 0.01 {
		t.Errorf("%+v", steps)
	}
	if d.Meta["rank"] != "2" || d.Meta["alpha"] != "5" || !strings.Contains(d.Meta["options"], `"beta":0.1`) || d.Meta["device"] == "" {
		t.Errorf("%v", d.Meta)
	}
}

// At a rate of 0 the adapter stays; without old log-probs every step is on policy, and with
// num_iterations the first one's log-probs stay the old policy's.
func TestReplaySteps(t *testing.T) {
	path := writeTiny(t)
	lines := []Replayed{{Prompt: []int32{1}, Completions: []ReplayedCompletion{{Tokens: []int32{2, 3}, Advantage: number(1)}, {Tokens: []int32{4}, Advantage: number(-1)}}}}
	run := func(rate float64, iterations, steps int) (Dump, []Step) {
		p := openTiny(t, path, model.Options{})
		stir(t, p)
		j := replayJob()
		j.Rate, j.Iterations, j.Steps = &rate, iterations, steps
		return runReplay(t, p, j, lines)
	}
	d, _ := run(0, 1, 2)
	for _, a := range d.Arrays {
		if name, ok := strings.CutPrefix(a.Name, "param."); ok && !slices.Equal(a.F32, d.get(t, "after."+name).F32) {
			t.Errorf("%s moved at a rate of 0", name)
		}
	}
	// On policy L = -(1/3)(A0 + A0 + A1) = -1/3 at every step.
	_, steps := run(1e-2, 1, 4)
	for _, s := range steps {
		near(t, "the loss on policy", float64(s.Loss), -1./3, 1e-12)
	}
	_, steps = run(1e-2, 2, 4)
	for i, s := range steps {
		if on := math.Abs(float64(s.Loss)+1./3) < 1e-12; on != (i%2 == 0) {
			t.Errorf("step %d of two a batch: loss %g", i, s.Loss)
		}
	}
	if !(steps[1].Loss < steps[0].Loss) {
		t.Errorf("a step does not lower the loss: %g, then %g", steps[0].Loss, steps[1].Loss)
	}
}

func TestReplayRefusesTokens(t *testing.T) {
	p := openTiny(t, writeTiny(t), model.Options{})
	var d Dump
	lines := []Replayed{{Prompt: []int32{1}, Completions: []ReplayedCompletion{{Tokens: []int32{tinyVocabulary}, Advantage: number(1)}}}}
	for _, err := range Replay(context.Background(), p, replayJob(), lines, &d) {
		if err == nil || !strings.Contains(err.Error(), "line 1, completion 0: token 30 is not in the vocabulary of 30") {
			t.Error(err)
		}
	}
}
