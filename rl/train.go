package rl

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"longhand/rewards"
)

// Parts are what a run works with; the training process puts them together.
type Parts struct {
	Policy  Policy
	Sampler Sampler
	Rewards rewards.Set
	SHA256  string       // of the base's file
	Held    int64        // bytes that the process holds beside the policy's plan: samplers, judges
	Peak    func() int64 // the most that the process has held, 0: not known; nil: nobody can say
}

// Train runs a job: preflight, warm-up, GRPO, with evaluations and checkpoints. It
// yields what happens; the last thing yielded is an error if there is one. Cancelling ctx stops
// after the step in hand, or within an evaluation, with a checkpoint and a Finished that says Stopped; breaking off the
// loop stops where it is, and what came after the last checkpoint is lost.
//
// The same job and parts give the same bits, also when the run is killed at any moment and
// goes on with job.Resume.
func Train(ctx context.Context, job Job, parts Parts) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		t := &training{job: job, parts: parts, yield: yield, begin: time.Now()}
		defer t.close()
		if err := t.run(ctx); err != nil && !errors.Is(err, errBroken) {
			yield(nil, err)
		}
	}
}

// errBroken says that the caller broke off the loop.
var errBroken = errors.New("broken off")

// defaultSteps is how many steps a job has that does not say.
const defaultSteps = 100

type training struct {
	job   Job
	parts Parts
	yield func(Event, error) bool
	begin time.Time

	loss       LossOptions
	advantages AdvantageOptions
	prompts    []*question
	heldOut    []*question
	examples   []example
	state      State
	saved      string // the last checkpoint's folder
	savedAt    State
	planned    string // the plan that the checkpoint was made with
	log        *metricsLog
}

// emit yields an event.
func (t *training) emit(ev Event) error {
	if !t.yield(ev, nil) {
		return errBroken
	}
	return nil
}

// note writes an event into the metrics file, then yields it.
func (t *training) note(ev Event) error {
	if err := t.log.add(ev); err != nil {
		return err
	}
	return t.emit(ev)
}

func (t *training) close() {
	if t.log != nil {
		t.log.close()
	}
}

func (t *training) run(ctx context.Context) error {
	work := context.WithoutCancel(ctx) // the step in hand is finished
	if err := t.prepare(work); err != nil {
		return err
	}
	if err := t.start(work); err != nil {
		return err
	}
	stopped := false
	err := t.preflight(ctx)
	if err == nil {
		err = t.restore(work)
	}
	if err == nil {
		stopped, err = t.phases(ctx, work)
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		stopped, err = true, nil // a probe or an evaluation was left, which is made anew
	}
	if err != nil {
		return t.because(err)
	}
	return t.emit(Finished{Step: t.state.Step, Dir: t.saved, Seconds: since(t.begin), Stopped: stopped, PeakBytes: t.peak()})
}

func (t *training) peak() int64 {
	if t.parts.Peak == nil {
		return 0
	}
	return t.parts.Peak()
}

// because adds to an error what is left to go on from.
func (t *training) because(err error) error {
	if errors.Is(err, errBroken) || t.saved == "" {
		return err
	}
	return fmt.Errorf("%w; the checkpoint %s is kept", err, t.saved)
}

// phases are the warm-up and then GRPO, with the evaluations between them.
func (t *training) phases(ctx, work context.Context) (stopped bool, err error) {
	if t.state.Step == 0 && (t.state.Phase == phaseWarmup || t.job.WarmupSteps == 0) {
		if err := t.evaluate(ctx, "base"); err != nil {
			return false, err
		}
	}
	if t.state.Phase == phaseWarmup {
		if stopped, err = t.steps(ctx, t.job.WarmupSteps, func() error { return t.warmup() }); stopped || err != nil {
			return stopped, err
		}
		if err := t.endWarmup(work); err != nil {
			return false, err
		}
	}
	if t.state.Step == 0 && t.job.WarmupSteps > 0 {
		if err := t.evaluate(ctx, "warmup"); err != nil {
			return false, err
		}
	}
	if err := t.evaluateIfDue(ctx); err != nil { // the run was killed before it could
		return false, err
	}
	stopped, err = t.steps(ctx, t.job.Steps, func() error {
		if err := t.step(work); err != nil {
			return err
		}
		return t.evaluateIfDue(ctx)
	})
	if err != nil {
		return false, err
	}
	return stopped, t.save()
}

// steps does one step after another, and saves where it is time to.
func (t *training) steps(ctx context.Context, all int, one func() error) (stopped bool, err error) {
	for t.state.Step < all {
		if ctx.Err() != nil {
			return true, t.save()
		}
		if err := one(); err != nil {
			return false, err
		}
		if t.state.Step < all && t.state.Step%t.job.SaveEvery == 0 {
			if err := t.save(); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// evaluateIfDue evaluates after the steps that the job says, a checkpoint of which is
// written first.
func (t *training) evaluateIfDue(ctx context.Context) error {
	n, every := t.state.Step, t.job.EvalEvery
	if n == 0 || len(t.heldOut) == 0 || n != t.job.Steps && (every == 0 || n%every != 0) {
		return nil
	}
	if err := t.save(); err != nil {
		return err
	}
	return t.evaluate(ctx, "train")
}

// prepare checks the job and reads its files.
func (t *training) prepare(ctx context.Context) error {
	j := &t.job
	if j.Steps == 0 {
		j.Steps = defaultSteps
	}
	if err := j.Check(); err != nil {
		return err
	}
	if j.Rate == nil {
		rate := DefaultRate(uint64(t.parts.Policy.Info().Parameters))
		j.Rate = &rate
	}
	t.loss = j.loss()
	t.advantages = AdvantageOptions{Aggregation: j.Aggregation, Scale: j.Scale, Weights: t.parts.Rewards.Weights()}
	prompts, err := ReadPrompts(j.Prompts)
	if err != nil {
		return err
	}
	if t.prompts, err = t.questions(ctx, prompts); err != nil {
		return err
	}
	if j.Eval != "" {
		if prompts, err = ReadPrompts(j.Eval); err != nil {
			return err
		}
		if t.heldOut, err = t.questions(ctx, prompts); err != nil {
			return err
		}
	}
	if j.Warmup != "" {
		if err := t.readExamples(ctx); err != nil {
			return err
		}
	}
	return os.MkdirAll(j.Out, 0o755)
}

// start finds where the run begins, and tells.
func (t *training) start(ctx context.Context) error {
	t.state = State{Version: stateVersion, Phase: phaseTrain, Base: t.parts.SHA256, Plan: t.parts.Policy.Plan().Identity, Mismatch: Number(math.NaN())}
	if t.job.WarmupSteps > 0 {
		t.state.Phase = phaseWarmup
	}
	var err error
	if t.state.Prompts, err = fileHash(t.job.Prompts); err != nil {
		return err
	}
	if t.state.Examples, err = fileHash(t.job.Warmup); err != nil {
		return err
	}
	if err := t.enter(); err != nil {
		return err
	}
	return t.emit(Started{
		Dir: t.job.Out, Seed: t.job.Seed, Device: t.parts.Policy.Info().Device, Model: t.job.Base, ModelSHA256: OrNull(t.parts.SHA256),
		Resumed: OrNull(t.saved), Step: t.state.Step, Steps: t.job.Steps,
	})
}

// restore loads the checkpoint that the run goes on from, and hands its adapter to
// the sampler.
func (t *training) restore(ctx context.Context) error {
	if t.saved != "" {
		if err := t.parts.Policy.Load(t.saved); err != nil {
			return err
		}
	}
	return t.handOver(ctx)
}

// handOver gives the sampler the adapter as it is now.
func (t *training) handOver(ctx context.Context) error {
	path := filepath.Join(t.job.Out, "rollout.gguf")
	if err := t.parts.Policy.WriteAdapter(path); err != nil {
		return err
	}
	return t.parts.Sampler.SetAdapter(ctx, path)
}

// hasLength says whether a reward is for the length.
func (t *training) hasLength() bool { return slices.Contains(t.parts.Rewards.Names(), "length") }

func since(begin time.Time) Number { return Number(time.Since(begin).Seconds()) }
