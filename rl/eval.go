package rl

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"longhand/rewards"
)

// EvalSample is one line of an evaluation's file. The same prompt and sample have the
// same random stream in every evaluation of a seed, so that two of them can be compared pair by pair.
type EvalSample struct {
	PromptIndex int               `json:"prompt_index"`
	Sample      int               `json:"sample"`
	Prompt      string            `json:"prompt"`
	Min         int               `json:"min_words"`
	Max         int               `json:"max_words"`
	Completion  string            `json:"completion"`
	Finished    bool              `json:"finished"`
	Tokens      int               `json:"tokens"`
	Words       int               `json:"words"` // of the answer
	Rewards     map[string]Number `json:"rewards"`
	Parts       map[string]Number `json:"parts"` // what the rewards are made of
	Distinct2   Number            `json:"distinct_2"`
	Repetition  Number            `json:"repetition"`
}

// evaluate draws raw samples on the held-out prompts: temperature 1, nothing banned, cut
// back or asked again. Every one of them is written to a file.
func (t *training) evaluate(ctx context.Context, phase string) error {
	if len(t.heldOut) == 0 || t.log.evaluated(phase, t.state.Step) {
		return nil
	}
	begin := time.Now()
	groups, err := t.sample(ctx, t.heldOut, t.job.EvalSamples, t.job.MaxTokens, func(place int) uint64 {
		return mix(t.job.Seed, streamEval, uint64(place))
	})
	if err != nil {
		return err
	}
	var file bytes.Buffer
	var all []EvalSample
	for i := range groups {
		g := &groups[i]
		if err := t.score(ctx, g, mix(t.job.Seed, streamEval, streamReward, uint64(i))); err != nil {
			return err
		}
		for k := range g.completions {
			s := t.evalSample(g, k)
			line, err := encode(s)
			if err != nil {
				return fmt.Errorf("rl: write an evaluation: %w", err)
			}
			file.Write(append(line, '\n'))
			all = append(all, s)
		}
	}
	path := filepath.Join(t.job.Out, fmt.Sprintf("eval-%s-%06d.jsonl", phase, t.state.Step))
	if err := replaceFile(path, file.Bytes()); err != nil {
		return err
	}
	ev := t.evalMeans(all)
	ev.Step, ev.Phase, ev.Samples, ev.Seconds = t.state.Step, phase, path, since(begin)
	return t.note(ev)
}

func (t *training) evalSample(g *group, k int) EvalSample {
	c := g.completions[k]
	s := EvalSample{
		PromptIndex: g.index, Sample: k, Prompt: g.Text, Min: g.Min, Max: g.Max, Completion: c.Text, Finished: c.Finished, Tokens: len(c.Tokens),
		Rewards: map[string]Number{}, Parts: map[string]Number{},
	}
	s.Words = rewards.Words(c.Text, rewards.Plain)
	if t.job.Form == FormOnePass {
		s.Words = rewards.Words(opened+c.Text, rewards.OnePass)
	}
	for _, r := range g.scores[k].Rewards {
		s.Rewards[r.Name] = Number(r.Value)
		for _, p := range r.Parts {
			s.Parts[p.Name] = Number(p.Value)
		}
	}
	words := splitWords(c.Text)
	s.Distinct2, s.Repetition = Number(distinct(words, 2)), Number(1-distinct(words, 4))
	return s
}

func (t *training) evalMeans(all []EvalSample) Eval {
	ev := Eval{Rewards: map[string]Number{}, Count: len(all)}
	mean := func(of func(EvalSample) float64) Number {
		v := make([]float64, len(all))
		for i, s := range all {
			v[i] = of(s)
		}
		m, _ := meanKnown(v)
		return Number(m)
	}
	for _, name := range t.parts.Rewards.Names() {
		ev.Rewards[name] = mean(func(s EvalSample) float64 { return float64(s.Rewards[name]) })
	}
	ev.LengthMean = mean(func(s EvalSample) float64 { return float64(s.Words) })
	ev.TokensMean = mean(func(s EvalSample) float64 { return float64(s.Tokens) })
	ev.Distinct2 = mean(func(s EvalSample) float64 { return float64(s.Distinct2) })
	ev.Repetition = mean(func(s EvalSample) float64 { return float64(s.Repetition) })
	ev.Finished = mean(func(s EvalSample) float64 { return truth(s.Finished) })
	return ev
}

// splitWords are the runs of letters and digits of a text in lower case; a Han or Kana
// character is one.
func splitWords(text string) (words []string) {
	var run strings.Builder
	end := func() {
		if run.Len() > 0 {
			words = append(words, run.String())
			run.Reset()
		}
	}
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			end()
			words = append(words, string(r))
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), r == '\'' && run.Len() > 0:
			run.WriteRune(unicode.ToLower(r))
		default:
			end()
		}
	}
	end()
	return words
}

// distinct is the number of different runs of n words against all of them; 1 for a
// text that has none.
func distinct(words []string, n int) float64 {
	if len(words) < n {
		return 1
	}
	seen := map[string]bool{}
	for i := range len(words) - n + 1 {
		seen[strings.Join(words[i:i+n], " ")] = true
	}
	return float64(len(seen)) / float64(len(words)-n+1)
}
