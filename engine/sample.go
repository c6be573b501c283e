package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// A sampler draws the tokens of one request. Its buffers live as long as the
// model.
type sampler struct {
	s        Sampling
	logProbs bool
	grammar  llama.Sampler
	banned   []int32 // never drawn
	repeats  repetitions

	best []candidate       // what is drawn from
	all  blocks            // for a draw from everything
	rows []llama.TokenData // for the grammar
}

// A candidate is a token that may be drawn.
type candidate struct {
	id    int32
	logit float32
}

// above orders candidates: the higher logit first, of equals the lower id.
func above(a, b candidate) int {
	if c := cmp.Compare(b.logit, a.logit); c != 0 {
		return c
	}
	return cmp.Compare(a.id, b.id)
}

var (
	errNaN    = errors.New("the model's logits are not numbers")
	errNobody = errors.New("no token is allowed here")
)

func (s Sampling) check() error {
	finite := func(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
	switch {
	case !finite(s.Temperature) || s.Temperature < 0:
		return fmt.Errorf("a temperature of %g", s.Temperature)
	case s.TopK < 0:
		return fmt.Errorf("a top-k of %d", s.TopK)
	case !finite(s.TopP) || s.TopP < 0 || s.TopP > 1:
		return fmt.Errorf("a top-p of %g", s.TopP)
	case !finite(s.MinP) || s.MinP < 0 || s.MinP > 1:
		return fmt.Errorf("a min-p of %g", s.MinP)
	}
	return s.DRY.check()
}

// prepare sets the sampler up for a request, with the grammar brought to where
// the completion so far has left it.
func (s *sampler) prepare(m *Model, r Request) error {
	s.s, s.logProbs = r.Sampling, r.LogProbs
	s.banned = append(s.banned[:0], r.Sampling.Ban...)
	for id, control := range m.control {
		// A grammar knows how to end, but would take the text of any other
		// control token for text.
		if control && (r.Sampling.NoEnd || r.Grammar != "" && !m.eog[id]) {
			s.banned = append(s.banned, int32(id))
		}
	}
	s.repeats.prepare(m, r.Sampling.DRY)
	if r.Grammar == "" {
		return nil
	}
	return s.openGrammar(m, r.Grammar, r.Completion)
}

func (s *sampler) release() {
	llama.SamplerFree(s.grammar)
	s.grammar = 0
}

// next draws the i-th token of a completion after ids. It works in logits.
func (s *sampler) next(ids []int32, logits []float32, i int) (id int32, logProb float32, err error) {
	var sum float64
	weighed := s.logProbs // what is drawn from
	if s.logProbs {
		if err := s.all.weigh(logits, 1); err != nil {
			return 0, 0, err
		}
		sum = s.all.logSum()
	}
	for _, id := range s.banned {
		if weighed {
			weighed = s.all.take(logits, id)
		}
		logits[id] = float32(math.Inf(-1))
	}
	before := s.repeats.lower(ids, logits)
	u := random(s.s.Seed, i, 0)
	if weighed && s.untruncated() && len(before) == 0 {
		id = s.all.draw(logits, 1, u)
	} else if id, err = s.choose(logits, u); err != nil {
		return 0, 0, err
	}
	if s.grammar != 0 {
		if id, err = s.obey(id, logits, i); err != nil {
			return 0, 0, err
		}
	}
	if s.logProbs {
		logit := logits[id]
		if at := slices.IndexFunc(before, func(c candidate) bool { return c.id == id }); at >= 0 {
			logit = before[at].logit
		}
		logProb = float32(float64(logit) - sum)
	}
	return id, logProb, nil
}

// untruncated says that tokens are drawn at temperature 1 from all that there are.
func (s *sampler) untruncated() bool {
	return s.s.Temperature == 1 && s.s.TopK == 0 && (s.s.TopP == 0 || s.s.TopP == 1) && s.s.MinP == 0
}

// choose draws one token with the random number u in [0, 1).
func (s *sampler) choose(logits []float32, u float64) (id int32, err error) {
	switch {
	case s.s.Temperature == 0:
		return greatest(logits)
	case s.s.TopK > 0:
		s.best, err = topK(s.best[:0], logits, s.s.TopK)
	case s.s.TopP > 0 && s.s.TopP < 1:
		s.best, err = topP(s.best[:0], logits, float64(s.s.TopP))
	case s.s.MinP > 0:
		s.best, err = topMin(s.best[:0], logits, float64(s.s.MinP))
	default:
		t := float64(s.s.Temperature)
		if err := s.all.weigh(logits, t); err != nil {
			return 0, err
		}
		return s.all.draw(logits, t, u), nil
	}
	if err != nil {
		return 0, err
	}
	return s.draw(u)
}

// draw takes one of the best, which stand in order, after top-p and min-p.
func (s *sampler) draw(u float64) (int32, error) {
	if len(s.best) == 0 {
		return 0, errNobody
	}
	best := s.best
	if s.s.TopK > 0 && s.s.TopP > 0 && s.s.TopP < 1 {
		best = best[:reach(best, float64(s.s.TopP)*mass(best, best[0].logit, 1))]
	}
	if s.s.MinP > 0 {
		floor := float64(best[0].logit) + math.Log(float64(s.s.MinP))
		for len(best) > 1 && float64(best[len(best)-1].logit) < floor {
			best = best[:len(best)-1]
		}
	}
	t := float64(s.s.Temperature)
	target := u * mass(best, best[0].logit, t)
	for _, c := range best {
		if target -= math.Exp(float64(c.logit-best[0].logit) / t); target < 0 {
			return c.id, nil
		}
	}
	return best[len(best)-1].id, nil
}

// random is the number in [0, 1) for the i-th token of a completion:
//
//	mix(mix(seed) + (2i + lane + 1) 0x9e3779b97f4a7c15) >> 11 / 2^53
//
// with the mixing function of SplitMix64. Lane 1 is for the second draw of a
// token whose first a grammar refused.
func random(seed uint64, i, lane int) float64 {
	x := mix(mix(seed) + (2*uint64(i)+uint64(lane)+1)*0x9e3779b97f4a7c15)
	return float64(x>>11) / (1 << 53)
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
