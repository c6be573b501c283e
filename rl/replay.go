package rl

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"time"

	"longhand/rl/model"
)

// Array is a named array of a dump, row-major.
type Array struct {
	Name  string
	Shape []int
	F32   []float32
}

// Dump is what a replay has computed: arrays in order, and what they were computed with.
//
//	logps.i.j, ref_logps.i.j, entropy.i.j, weight.i.j  of line i, completion j, in the first step
//	loss, grad_norm                                    of each step
//	param.X, grad.X, after.X                           X a trained matrix: before the first step; its
//	                                                   gradient there, before the clip; after the last step
type Dump struct {
	Arrays []Array
	Meta   map[string]string
}

func (d *Dump) add(name string, values []float64, shape ...int) {
	a := Array{Name: name, Shape: shape, F32: make([]float32, len(values))}
	for i, x := range values {
		a.F32[i] = float32(x)
	}
	d.Arrays = append(d.Arrays, a)
}

// Replay takes gradients on given token ids in place of a run: job.Steps steps of AdamW
// on the same groups, with nothing added, cut or masked. It yields a Step for each; the dump is whole when
// the loop ends without an error. The old policy's log-probs, where none are given, are those of the first of every
// job.Iterations steps.
func Replay(ctx context.Context, p Policy, job Job, lines []Replayed, d *Dump) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r := replay{policy: p, job: job, lines: lines, dump: d}
		if err := r.run(ctx, yield); err != nil {
			yield(nil, err)
		}
	}
}

type replay struct {
	policy Policy
	job    Job
	lines  []Replayed
	dump   *Dump
	batch  batch
	loss   LossOptions
	losses []float64
	norms  []float64
}

func (r *replay) run(ctx context.Context, yield func(Event, error) bool) error {
	r.loss = r.job.loss()
	if err := r.fill(r.policy.Info().Vocabulary); err != nil {
		return err
	}
	for _, p := range r.policy.Params() {
		r.dump.add("param."+p.Name, p.Value(), p.Rows, p.Cols)
	}
	for step := range cmp.Or(r.job.Steps, 1) {
		if err := ctx.Err(); err != nil {
			return err
		}
		ev, err := r.step(step)
		if err != nil {
			return err
		}
		if !yield(ev, nil) {
			return nil
		}
	}
	r.dump.add("loss", r.losses, len(r.losses))
	r.dump.add("grad_norm", r.norms, len(r.norms))
	for _, p := range r.policy.Params() {
		r.dump.add("after."+p.Name, p.Value(), p.Rows, p.Cols)
	}
	return r.describe()
}

// fill makes the batch of the lines.
func (r *replay) fill(vocabulary int) error {
	for i, line := range r.lines {
		g := model.Group{Prompt: line.Prompt}
		var items []Item
		for j, c := range line.Completions {
			for _, ids := range [][]int32{line.Prompt, c.Tokens} {
				for _, id := range ids {
					if id < 0 || int(id) >= vocabulary {
						return fmt.Errorf("rl: replay, line %d, completion %d: token %d is not in the vocabulary of %d", i+1, j, id, vocabulary)
					}
				}
			}
			g.Completions = append(g.Completions, c.Tokens)
			items = append(items, Item{Advantage: *c.Advantage, Sampler: c.LogProbs, Old: c.Old})
		}
		r.batch.add(r.loss, g, items)
	}
	return nil
}

func (r *replay) step(step int) (Step, error) {
	begin := time.Now()
	if step%r.job.Iterations == 0 {
		r.batch.dropOld(func(g, i int) bool { return r.lines[g].Completions[i].Old != nil })
	}
	entropy := make([][][]float64, len(r.lines))
	for i, line := range r.lines {
		entropy[i] = make([][]float64, len(line.Completions))
	}
	s, err := pass(r.policy, r.loss, &r.batch, step == 0, func(micro []model.Part, h [][]float64) {
		for _, p := range micro {
			for j := p.From; j < p.To; j++ {
				entropy[p.Group][j], h = h[0], h[1:]
			}
		}
	})
	if err != nil {
		return Step{}, err
	}
	if step == 0 {
		r.dumpScores(entropy)
		for _, p := range r.policy.Params() {
			r.dump.add("grad."+p.Name, p.Grad(), p.Rows, p.Cols)
		}
	}
	r.batch.keepOld()
	rate := r.rate()
	norm, err := r.policy.Update(r.job.optimizer(rate))
	if err != nil {
		return Step{}, err
	}
	r.losses, r.norms = append(r.losses, s.loss), append(r.norms, norm)
	ev := unknownStep(step)
	ev.Loss, ev.GradNorm, ev.LearningRate = Number(s.loss), Number(norm), Number(rate)
	s.show(&ev)
	ev.TrainSec = Number(time.Since(begin).Seconds())
	ev.Seconds, ev.Train = ev.TrainSec, Number(float64(s.rows)/float64(ev.TrainSec))
	return ev, nil
}

// dumpScores dumps what the first step found of each token.
func (r *replay) dumpScores(entropy [][][]float64) {
	for i, items := range r.batch.items {
		for j, it := range items {
			at := "." + strconv.Itoa(i) + "." + strconv.Itoa(j)
			n := len(it.Logp)
			r.dump.add("logps"+at, it.Logp, n)
			if it.Ref != nil {
				r.dump.add("ref_logps"+at, it.Ref, n)
			}
			r.dump.add("entropy"+at, entropy[i][j], n)
			r.dump.add("weight"+at, it.Weights(r.loss), n)
		}
	}
}

func (r *replay) rate() float64 {
	if r.job.Rate != nil {
		return *r.job.Rate
	}
	return DefaultRate(uint64(r.policy.Info().Parameters))
}

// describe notes what the dump was computed with.
func (r *replay) describe() error {
	info := r.policy.Info()
	o := struct {
		LossOptions
		Optimizer  model.Step `json:"adamw"`
		Iterations int        `json:"num_iterations"`
		Steps      int        `json:"steps"`
		Seed       uint64     `json:"seed"`
		Adapter    string     `json:"adapter"`
	}{r.loss, r.job.optimizer(r.rate()), r.job.Iterations, cmp.Or(r.job.Steps, 1), r.job.Seed, r.job.Adapter}
	options, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("rl: replay: %w", err)
	}
	r.dump.Meta = map[string]string{
		"format": "longhand replay 1", "rank": strconv.Itoa(info.Rank), "alpha": strconv.FormatFloat(info.Alpha, 'g', -1, 64),
		"device": info.Device, "options": string(options),
	}
	return nil
}
