package rewards

import (
	"context"
	"hash/fnv"
	"iter"
	"math"
	"strings"
)

// Seen is a pair as a reward saw it.
type Seen struct {
	Pair
	GoodValue, BadValue float64
	Right               float64 // 1: the good text has more; 0.5: a tie, or the reward says nothing; 0
}

// Discriminate shows pairs to a reward. A text that stands in several of them is
// scored once. One that judges groups sees each pair as a group.
func Discriminate(ctx context.Context, r Reward, pairs []Pair) iter.Seq2[Seen, error] {
	return func(yield func(Seen, error) bool) {
		known := map[string]float64{}
		score := func(p Pair, text string) (float64, error) {
			if v, ok := known[p.Name+text]; ok {
				return v, nil
			}
			s, err := r.Score(ctx, p.Prompt, Completion{text, true})
			known[p.Name+text] = s.Value
			return s.Value, err
		}
		for i, p := range pairs {
			s := Seen{Pair: p, Right: 0.5}
			var err error
			if g, ok := r.(GroupReward); ok {
				prompt := p.Prompt
				prompt.Seed = uint64(i)
				var both []Score
				if both, err = g.ScoreGroup(ctx, prompt, []Completion{{p.Good, true}, {p.Bad, true}}); err == nil {
					s.GoodValue, s.BadValue = both[0].Value, both[1].Value
				}
			} else if s.GoodValue, err = score(p, p.Good); err == nil {
				s.BadValue, err = score(p, p.Bad)
			}
			if err != nil {
				yield(Seen{}, err)
				return
			}
			switch {
			case s.GoodValue > s.BadValue:
				s.Right = 1
			case s.GoodValue < s.BadValue:
				s.Right = 0
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// Coin is a judge that knows nothing: numbers made from the texts and the seed.
// What a judge is worth shows beside it.
type Coin struct{}

// Score implements Reward.
func (Coin) Score(_ context.Context, p Prompt, c Completion) (Score, error) {
	h := fnv.New64a()
	h.Write([]byte(p.Text))
	h.Write([]byte(c.Text))
	return Score{Value: float64(mix(h.Sum64()+mix(p.Seed+1))>>11) / (1 << 53)}, nil
}

// ScoreGroup implements GroupReward, so that each pair has its own seed.
func (j Coin) ScoreGroup(ctx context.Context, p Prompt, group []Completion) ([]Score, error) {
	scores := make([]Score, len(group))
	for i, c := range group {
		scores[i], _ = j.Score(ctx, p, c)
	}
	return scores, nil
}

// Cut keeps of each sample the first paragraphs, up to about so many words, with
// the range that was asked for cut alike.
func Cut(samples []Sample, words int) []Sample {
	var all []Sample
	for _, s := range samples {
		n := CountWords(s.Text)
		blocks := strings.Split(strings.TrimSpace(s.Text), "\n\n")
		kept, have := 0, 0
		for kept < len(blocks) && (kept < 3 || have < words) {
			have += CountWords(blocks[kept])
			kept++
		}
		s.Text = strings.Join(blocks[:kept], "\n\n") + "\n"
		share := float64(CountWords(s.Text)) / math.Max(float64(n), 1)
		s.Prompt.Min, s.Prompt.Max = round(share*float64(s.Prompt.Min)), round(share*float64(s.Prompt.Max))
		all = append(all, s)
	}
	return all
}
