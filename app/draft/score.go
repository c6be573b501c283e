package draft

import (
	"math"

	"longhand/rewards"
)

// plainRewards need no model: they take a millisecond for a section and some
// 50 ms for 100,000 words, so that scoring does not slow the writing.
var plainRewards = rewards.Set{{Name: "length", Reward: rewards.Length{}, Weight: 1}, {Name: "format", Reward: rewards.Format{}, Weight: 1}}

// scored adds scores to the records that have them.
func (r *run) scored(rec Record) (Record, error) {
	switch rec := rec.(type) {
	case SectionDone:
		if rec.Scores == nil {
			var err error
			rec.Scores, err = r.score(r.sectionPrompt(rec), r.p.Sections[rec.Index].Text)
			return rec, err
		}
	case Finished:
		if rec.Scores == nil {
			var err error
			rec.Scores, err = r.score(r.wholePrompt(), r.p.Markdown())
			return rec, err
		}
	}
	return rec, nil
}

// sectionPrompt asks for a section within a tenth of its target.
func (r *run) sectionPrompt(done SectionDone) rewards.Prompt {
	return withTarget(rewards.Prompt{Text: r.p.Request.Prompt}, done.Target)
}

// wholePrompt asks for the whole: its length, and its outline where it has one.
func (r *run) wholePrompt() rewards.Prompt {
	p := withTarget(rewards.Prompt{Text: r.p.Request.Prompt}, r.p.Target)
	if r.p.Request.OnePass {
		return p
	}
	p.Form = rewards.Planned
	for _, s := range r.p.Outline.Sections {
		p.Outline = append(p.Outline, rewards.Heading{Title: s.Title, Words: s.Words})
	}
	return p
}

// withTarget asks for a tenth more or less than the target.
func withTarget(p rewards.Prompt, target int) rewards.Prompt {
	if target > 0 {
		p.Min, p.Max = int(math.Ceil(0.9*float64(target))), int(math.Floor(1.1*float64(target)))
	} else {
		p.Text = "" // a length that it names is the whole's
	}
	return p
}

func (r *run) score(p rewards.Prompt, text string) (*Scores, error) {
	set := r.Rewards
	if set == nil {
		set = plainRewards
	}
	s, err := set.Score(r.ctx, p, rewards.Completion{Text: text, Finished: true})
	if err != nil {
		return nil, err
	}
	known := func(x float64) *float64 {
		if math.IsNaN(x) {
			return nil
		}
		return &x
	}
	return &Scores{Total: known(s.Total), Length: known(s.Value("length")), Format: known(s.Value("format")), Writing: known(s.Value("writing"))}, nil
}
