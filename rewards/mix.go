package rewards

import (
	"context"
	"math"
	"strings"
)

// Mix is several rewards as one: their weighted mean, of those that are known.
type Mix Set

// warning is the first of its rewards'.
func (m Mix) warning() string {
	for _, e := range m {
		if w := warningOf(e.Reward); w != "" {
			return w
		}
	}
	return ""
}

// Score implements Reward.
func (m Mix) Score(ctx context.Context, p Prompt, c Completion) (Score, error) {
	all, err := m.ScoreGroup(ctx, p, []Completion{c})
	if err != nil {
		return Score{}, err
	}
	return all[0], nil
}

// ScoreGroup implements GroupReward.
func (m Mix) ScoreGroup(ctx context.Context, p Prompt, group []Completion) ([]Score, error) {
	all, err := Set(m).ScoreGroup(ctx, p, group)
	if err != nil {
		return nil, err
	}
	scores := make([]Score, len(group))
	for i, s := range all {
		out := Score{Value: s.Total}
		var notes []string
		for _, r := range s.Rewards {
			out.Parts = append(out.Parts, Part{"writing." + r.Name, r.Value})
			out.Parts = append(out.Parts, r.Parts...)
			out.Spans = append(out.Spans, r.Spans...)
			out.Must = out.Must || r.Must
			if r.Note != "" {
				notes = append(notes, r.Note)
			}
		}
		if out.Note = strings.Join(notes, "; "); out.Note == "" && math.IsNaN(out.Value) {
			out.Note = "nothing could be computed"
		}
		scores[i] = out
	}
	return scores, nil
}
