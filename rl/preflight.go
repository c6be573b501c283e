package rl

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"longhand/rl/model"
)

// capFactor is how many tokens a completion must be allowed for each word of the
// longest range: with fewer, good completions are cut off and scored 0.
const capFactor = 1.5

// Limits of the probe: it may take about as long as a short step.
const (
	probeFirst   = 12   // tokens of a completion, to learn how fast it goes
	probeSeconds = 45.0 // of rollouts, for the probe that is measured
)

// preflight looks, before the first step, whether the job can be done and what it
// will take: a few completions are drawn, scored, and taken forward and backward. The policy is as it
// was after it. What it finds wrong is told as an event and returned.
func (t *training) preflight(ctx context.Context) error {
	ev := t.plan()
	err := t.checkPrompts()
	if err == nil {
		err = t.probe(ctx, &ev)
	}
	if err == nil && float64(ev.Mismatch) > mismatchLimit {
		err = fmt.Errorf("rl: sampler and trainer do not compute the same: their log-probabilities differ by %.2f nat a token", ev.Mismatch)
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		ev.Message = err.Error()
		if told := t.emit(ev); told != nil {
			return told
		}
		return err
	}
	ev.OK = true
	ev.Message = t.sentence(ev)
	return t.emit(ev)
}

// Refused is the preflight of a job whose parts could not be opened.
func Refused(err error, free int64) Preflight {
	unknown := Number(math.NaN())
	return Preflight{Message: err.Error(), MemoryFree: free, SecondsPerStep: unknown, Mismatch: unknown, Rollout: unknown, Train: unknown, Score: unknown, LearningRate: unknown}
}

// plan is what is known without computing.
func (t *training) plan() Preflight {
	info, plan := t.parts.Policy.Info(), t.parts.Policy.Plan()
	ev := Refused(errors.New(""), plan.Free)
	ev.Architecture, ev.MemoryBytes, ev.Parameters, ev.Trained = info.Architecture, plan.Bytes+t.parts.Held, uint64(info.Parameters), int(info.AdapterParameters)
	ev.Prompts, ev.LearningRate = len(t.prompts), Number(*t.job.Rate)
	return ev
}

// checkPrompts refuses prompts that cannot be answered within the job's limits.
func (t *training) checkPrompts() error {
	room := t.parts.Sampler.Info().Context
	for _, file := range []struct {
		name string
		all  []*question
	}{{t.job.Prompts, t.prompts}, {t.job.Eval, t.heldOut}} {
		for _, q := range file.all {
			err := t.fits(len(q.ids), t.job.MaxTokens)
			if n := len(q.ids) + t.job.MaxTokens; err == nil && n > room {
				err = fmt.Errorf("its prompt of %d tokens and completion of up to %d do not fit the sampler's context of %d", len(q.ids), t.job.MaxTokens, room)
			}
			if most := q.upper(); err == nil && t.hasLength() && float64(t.job.MaxTokens) < capFactor*float64(most) {
				err = fmt.Errorf("it asks for up to %d words, which needs completions of at least %d tokens and not %d", most, int(math.Ceil(capFactor*float64(most))), t.job.MaxTokens)
			}
			if err != nil {
				return fmt.Errorf("rl: %s, prompt %d: %w", file.name, q.index+1, err)
			}
		}
	}
	return nil
}

// probe measures the phases on the first step's prompts.
func (t *training) probe(ctx context.Context, ev *Preflight) error {
	if err := t.handOver(ctx); err != nil {
		return err
	}
	groups, rollout, err := t.probeRollouts(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	judged := t.worthJudging(groups[0])
	if err := t.score(ctx, &judged, mix(t.job.Seed, streamProbe)); err != nil {
		return err
	}
	scoring := time.Since(begin).Seconds()
	tokens, first, expected := 0, 0, 0
	for i, g := range groups {
		for _, c := range g.completions {
			tokens += len(c.Tokens)
			expected += len(c.Tokens)
			if !c.Finished { // the probe cut it: it may end anywhere from here to the cap
				expected += (t.job.MaxTokens - len(c.Tokens)) / 2
			}
			if i == 0 {
				first += len(c.Tokens)
			}
		}
	}
	rows, training, err := t.probeTraining(groups, ev)
	if err != nil {
		return err
	}
	ev.ProbeTokens, ev.TokensPerStep = tokens, expected
	ev.Rollout, ev.Score, ev.Train = Number(1000*rollout/float64(tokens)), Number(1000*scoring/float64(first)), Number(1000*training/float64(rows))
	n := float64(expected)
	all := n
	for _, g := range groups {
		all += float64(len(g.ids))
	}
	ev.SecondsPerStep = Number((n*float64(ev.Rollout) + n*float64(ev.Score) + float64(t.job.Iterations)*all*float64(ev.Train)) / 1000)
	return nil
}

// worthJudging are a group's completions as if each were whole and in its form: a judge
// does not read the others, and the time for these is what is asked.
func (t *training) worthJudging(g group) group {
	g.completions = slices.Clone(g.completions)
	for i := range g.completions {
		c := &g.completions[i]
		c.Finished = true
		if t.job.Form == FormOnePass && !strings.Contains(c.Text, "</think>") {
			c.Text = "</think>\n<answer>" + c.Text + "</answer>"
		}
	}
	return g
}

// probeRollouts draws a step's completions: to the end where that takes less than a
// minute, else as far as it goes.
func (t *training) probeRollouts(ctx context.Context) (groups []group, seconds float64, err error) {
	var asked []*question
	for _, i := range pick(t.job.Seed, streamOrder, len(t.prompts), 0, t.job.PromptsPerStep) {
		asked = append(asked, t.prompts[i])
	}
	seed := func(place int) uint64 { return mix(t.job.Seed, streamProbe, uint64(place)) }
	draw := func(limit int) (tokens int, err error) {
		begin := time.Now()
		groups, err = t.sample(ctx, asked, t.job.Group, limit, seed)
		seconds = time.Since(begin).Seconds()
		for _, g := range groups {
			for _, c := range g.completions {
				tokens += len(c.Tokens)
			}
		}
		return tokens, err
	}
	limit := min(probeFirst, t.job.MaxTokens)
	tokens, err := draw(limit)
	if err != nil || t.saved != "" { // a run that goes on has been measured
		return groups, seconds, err
	}
	most := probeSeconds / seconds * float64(tokens) / float64(t.job.Group*len(asked))
	if limit = min(t.job.MaxTokens, max(limit, int(most))); limit > probeFirst {
		_, err = draw(limit)
	}
	return groups, seconds, err
}

// probeTraining takes the largest micro-batch forward and backward, the second time with a clock,
// and compares the sampler's log-probs. An update at a rate of 0 and fresh moments leave nothing behind.
func (t *training) probeTraining(groups []group, ev *Preflight) (rows int, seconds float64, err error) {
	var b batch
	p, o := t.parts.Policy, NewLoss(DAPO)
	o.Beta = t.loss.Beta
	for _, g := range groups {
		with := model.Group{Prompt: g.ids}
		var items []Item
		for i, c := range g.completions {
			with.Completions = append(with.Completions, c.Tokens)
			items = append(items, Item{Sampler: widen(c.LogProbs), Advantage: float64(1 - 2*(i%2))})
		}
		b.add(o, with, items)
	}
	split, err := p.Split(b.groups)
	if err != nil {
		return 0, 0, err
	}
	micro := split[0]
	for _, m := range split {
		if b.rows(m) > b.rows(micro) {
			micro = m
		}
	}
	only := onePart{p, micro}
	for range 2 {
		begin := time.Now()
		s, err := pass(only, o, &b, true, nil)
		if err != nil {
			return 0, 0, err
		}
		if _, err := p.Update(t.job.optimizer(0)); err != nil {
			return 0, 0, err
		}
		seconds, rows = time.Since(begin).Seconds(), s.rows
		ev.Mismatch = Number(s.mismatch.Mean())
	}
	p.ResetMoments()
	return rows, seconds, nil
}

// onePart is a policy that takes one micro-batch of a batch alone.
type onePart struct {
	Policy
	micro []model.Part
}

func (p onePart) Split([]model.Group) ([][]model.Part, error) { return [][]model.Part{p.micro}, nil }

// sentence says for a person what was found.
func (t *training) sentence(ev Preflight) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %.0f million parameters, an adapter of %.1f million; %s. ", ev.Architecture, float64(ev.Parameters)/1e6, float64(ev.Trained)/1e6, t.parts.Policy.Plan().Message)
	left := t.job.Steps
	if t.state.Phase == phaseTrain {
		left -= t.state.Step
	}
	fmt.Fprintf(&b, "About %.3g s a step, %s for %d steps; sampler and trainer differ by %.3f nat a token.", ev.SecondsPerStep, span(float64(ev.SecondsPerStep)*float64(left)), left, ev.Mismatch)
	for _, w := range t.parts.Rewards.Warnings() {
		fmt.Fprintf(&b, " %s.", w)
	}
	if t.planned != "" && t.planned != t.state.Plan {
		fmt.Fprintf(&b, " The checkpoint was made with other micro-batches or on another device (%s): the run goes on, but not with the bits it would have had.", t.planned)
	}
	return b.String()
}

// span is seconds for a person.
func span(seconds float64) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 7200:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}
