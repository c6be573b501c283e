package rl

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"longhand/rl/model"
)

// step is one step of GRPO: rollouts, rewards, advantages, and the updates that they
// lead to.
func (t *training) step(ctx context.Context) error {
	begin, n := time.Now(), t.state.Step
	ev := unknownStep(n)
	groups, err := t.rollouts(ctx, &ev)
	if err != nil {
		return err
	}
	if err := t.judge(ctx, groups, &ev); err != nil {
		return err
	}
	if err := t.learn(ctx, groups, &ev); err != nil {
		return fmt.Errorf("%w, in step %d", err, n)
	}
	ev.Seconds = since(begin)
	t.state.Step++
	if err := t.note(ev); err != nil {
		return err
	}
	for _, s := range t.samples(groups) {
		if err := t.emit(s); err != nil {
			return err
		}
	}
	return nil
}

// rollouts draws the step's completions.
func (t *training) rollouts(ctx context.Context, ev *Step) ([]group, error) {
	begin, j := time.Now(), t.job
	var asked []*question
	for _, i := range pick(j.Seed, streamOrder, len(t.prompts), t.state.Step, j.PromptsPerStep) {
		asked = append(asked, t.prompts[i])
	}
	groups, err := t.sample(ctx, asked, j.Group, j.MaxTokens, func(place int) uint64 {
		return mix(j.Seed, streamRollout, uint64(t.state.Step), uint64(place), uint64(asked[place].index))
	})
	if err != nil {
		return nil, err
	}
	ev.RolloutSec = since(begin)
	var lengths []float64
	unfinished := 0
	for _, g := range groups {
		for _, c := range g.completions {
			lengths = append(lengths, float64(len(c.Tokens)))
			t.state.NumTokens += len(g.ids) + len(c.Tokens)
			if !c.Finished {
				unfinished++
			}
		}
	}
	mean, count := meanKnown(lengths)
	ev.Length, ev.LengthMin, ev.LengthMax = Number(mean), Number(slices.Min(lengths)), Number(slices.Max(lengths))
	ev.Clipped = Number(float64(unfinished) / float64(count))
	ev.Rollout = Number(mean * float64(count) / float64(ev.RolloutSec))
	ev.NumTokens = t.state.NumTokens
	return groups, nil
}

// judge scores the groups and finds their advantages.
func (t *training) judge(ctx context.Context, groups []group, ev *Step) error {
	begin := time.Now()
	all := make([][][]float64, len(groups))
	broken := make([][]bool, len(groups))
	for i := range groups {
		g := &groups[i]
		if err := t.score(ctx, g, mix(t.job.Seed, streamReward, uint64(t.state.Step), uint64(i), uint64(g.index))); err != nil {
			return err
		}
		for _, s := range g.scores {
			all[i] = append(all[i], values(s))
			broken[i] = append(broken[i], s.Broken())
		}
	}
	advantages, dead := Advantages(t.advantages, all, broken)
	for i := range groups {
		groups[i].advantages, groups[i].dead = advantages[i], dead[i]
	}
	t.showRewards(all, dead, ev)
	ev.RewardSec = since(begin)
	return nil
}

// showRewards fills in what the rewards were, as TRL counts it.
func (t *training) showRewards(all [][][]float64, dead []bool, ev *Step) {
	for k, name := range t.parts.Rewards.Names() {
		c := column(all, k)
		mean, _ := meanKnown(c)
		ev.Rewards = append(ev.Rewards, RewardStat{name, Number(mean), Number(deviation(c))})
	}
	sums := summed(all, t.advantages.Weights)
	mean, _ := meanKnown(column(sums, 0))
	var stds []float64
	zero, nothing := 0, 0
	for g := range sums {
		s := deviation(column(sums[g:g+1], 0))
		stds = append(stds, s)
		if s < 1e-8 {
			zero++
		}
		if dead[g] {
			nothing++
		}
	}
	std, _ := meanKnown(stds)
	ev.Reward, ev.RewardStd = Number(mean), Number(std)
	ev.ZeroStd, ev.Dead = Number(float64(zero)/float64(len(all))), Number(float64(nothing)/float64(len(all)))
	unknown, total := 0, 0
	for _, r := range slices.Concat(slices.Concat(all...)...) {
		total++
		if math.IsNaN(r) {
			unknown++
		}
	}
	ev.Unknown = Number(float64(unknown) / float64(total))
}

// lesson makes a batch of what there is to learn from: no completion that is masked, and
// without a KL term no dead group.
func (t *training) lesson(groups []group) (b batch) {
	mask := !t.hasLength()
	if t.job.MaskTruncated != nil {
		mask = *t.job.MaskTruncated
	}
	for _, g := range groups {
		if g.dead && t.loss.Beta == 0 {
			continue
		}
		with := model.Group{Prompt: g.ids}
		var items []Item
		for i, c := range g.completions {
			if mask && !c.Finished {
				continue
			}
			with.Completions = append(with.Completions, c.Tokens)
			items = append(items, Item{Sampler: widen(c.LogProbs), Advantage: g.advantages[i], Dead: g.dead})
		}
		if len(items) > 0 {
			b.add(t.loss, with, items)
		}
	}
	return b
}

func widen(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

// learn updates the adapter and hands it to the sampler. A step that taught nothing
// changes nothing.
func (t *training) learn(ctx context.Context, groups []group, ev *Step) error {
	begin := time.Now()
	b := t.lesson(groups)
	rate := ramp(*t.job.Rate, t.state.Step, t.job.RateWarmup)
	ev.LearningRate = Number(rate)
	if len(b.groups) == 0 {
		ev.TrainSec = since(begin)
		return nil
	}
	var all sums
	var norms float64
	for i := range t.job.Iterations {
		s, err := pass(t.parts.Policy, t.loss, &b, i == 0, nil)
		if err != nil {
			return err
		}
		if i == 0 {
			if err := t.compare(&b, &s, ev); err != nil {
				return err
			}
			b.keepOld()
		}
		norm, err := t.parts.Policy.Update(t.job.optimizer(rate))
		if err != nil {
			return err
		}
		norms += norm
		all.merge(s, i == 0)
	}
	all.show(ev)
	ev.Loss, ev.GradNorm = Number(all.loss/float64(t.job.Iterations)), Number(norms/float64(t.job.Iterations))
	ev.TrainSec = since(begin)
	ev.Train = Number(float64(all.rows) / float64(ev.TrainSec))
	return t.handOver(ctx)
}

// compare looks at the sampler: how far its log-probs lie from the trainer's, and, on
// two completions, whether they move with the adapter.
func (t *training) compare(b *batch, s *sums, ev *Step) error {
	mean := s.mismatch.Mean()
	if mean > mismatchLimit {
		return fmt.Errorf("rl: sampler and trainer do not compute the same: their log-probabilities differ by %.2f nat a token", mean)
	}
	if math.IsNaN(float64(t.state.Mismatch)) {
		t.state.Mismatch = Number(mean)
	}
	ev.Relative = Number(mean / float64(t.state.Mismatch))
	var slope Slope
	g := t.state.Step % len(b.groups)
	for i := range min(2, len(b.items[g])) {
		it := b.items[g][i]
		if it.Ref == nil {
			ref, err := t.parts.Policy.Reference(b.groups, []model.Part{{Group: g, From: i, To: i + 1}})
			if err != nil {
				return err
			}
			it.Ref = ref.Logp[0] // of this copy: the loss has no use for it
			s.addKL(it)
		}
		slope.Add(it)
	}
	t.state.Slope.Merge(slope)
	x, e := slope.Value()
	ev.Slope, ev.SlopeError = Number(x), Number(e)
	if err := t.state.Slope.check(); err != nil {
		return fmt.Errorf("rl: %w", err)
	}
	return nil
}

// samples are the completions that a step shows: of one group, in turn, spread from the
// best to the worst; or all.
func (t *training) samples(groups []group) (shown []Sample) {
	if t.job.Samples < 0 {
		for place := range groups {
			for i := range groups[place].completions {
				shown = append(shown, t.sampleOf(groups, place, i))
			}
		}
		return shown
	}
	place := (t.state.Step - 1) % len(groups)
	g := groups[place]
	best := make([]int, len(g.completions))
	for i := range best {
		best[i] = i
	}
	slices.SortStableFunc(best, func(a, b int) int { return cmp.Compare(g.advantages[b], g.advantages[a]) })
	n := min(t.job.Samples, len(best))
	for i := range n {
		shown = append(shown, t.sampleOf(groups, place, best[i*(len(best)-1)/max(1, n-1)]))
	}
	return shown
}

func (t *training) sampleOf(groups []group, place, i int) Sample {
	g := groups[place]
	c := g.completions[i]
	s := Sample{
		Step: t.state.Step - 1, Prompt: g.Text, Completion: c.Text, Rewards: map[string]Number{}, Advantage: Number(g.advantages[i]),
		Group: place, Index: i, Finished: c.Finished, Tokens: len(c.Tokens),
	}
	for _, r := range g.scores[i].Rewards {
		s.Rewards[r.Name] = Number(r.Value)
	}
	return s
}
