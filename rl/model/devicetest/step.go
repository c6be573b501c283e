package devicetest

import (
	"fmt"
	"math"

	"longhand/rl/model"
)

// Difference is how far a model's step on one device lies from the same step on another.
type Difference struct {
	Logp     float64 // mean absolute difference of the log-probabilities, in nat
	Cosine   float64 // of all gradients together
	Relative float64 // ||g - g'|| / ||g'|| of all together
	Worst    float64 // the largest of a tensor; of one under 1e-3 of all, against all
	In       string  // that tensor
}

func (d Difference) String() string {
	return fmt.Sprintf("log-probs %.2g nat, gradients: cosine %.6f, relative %.2g, worst tensor %.2g (%s)", d.Logp, d.Cosine, d.Relative, d.Worst, d.In)
}

// Within says whether the difference is within the bounds of another one.
func (d Difference) Within(b Difference) bool {
	return d.Logp <= b.Logp && d.Cosine >= b.Cosine && d.Relative <= b.Relative && d.Worst <= b.Worst
}

// CompareSteps takes the same step on two models of one base and adapter: the log-probabilities of all
// completions, and the gradient of a loss that weighs each token by its place, of either sign. Gradients that
// were there are added to.
func CompareSteps(got, want *model.Model, groups []model.Group) (d Difference, err error) {
	first, err := step(got, groups)
	if err != nil {
		return d, err
	}
	second, err := step(want, groups)
	if err != nil {
		return d, err
	}
	if len(first) != len(second) {
		return d, fmt.Errorf("devicetest: %d and %d tokens were scored", len(first), len(second))
	}
	for i := range first {
		d.Logp += math.Abs(first[i]-second[i]) / float64(len(first))
	}
	var whole, off, own, both float64
	mine, right := got.Params(), want.Params()
	squares := make([][2]float64, len(right))
	for i := range right {
		g, w := mine[i].Grad(), right[i].Grad()
		for j := range w {
			squares[i][0] += w[j] * w[j]
			squares[i][1] += (g[j] - w[j]) * (g[j] - w[j])
			own += g[j] * g[j]
			both += g[j] * w[j]
		}
		whole += squares[i][0]
		off += squares[i][1]
	}
	if !(whole > 0) || !(own > 0) {
		return d, fmt.Errorf("devicetest: the gradients' norms are %g and %g", math.Sqrt(own), math.Sqrt(whole))
	}
	d.Cosine, d.Relative = both/math.Sqrt(own*whole), math.Sqrt(off/whole)
	for i, s := range squares {
		against := s[0]
		if against < 1e-6*whole {
			against = whole
		}
		if r := math.Sqrt(s[1] / against); r > d.Worst || math.IsNaN(r) {
			d.Worst, d.In = r, right[i].Name
		}
	}
	return d, nil
}

// step returns the log-probabilities and adds up the gradients. Both models must cut the groups alike.
func step(m *model.Model, groups []model.Group) (logp []float64, err error) {
	micro, err := m.Split(groups)
	if err != nil {
		return nil, err
	}
	for _, parts := range micro {
		s, err := m.Forward(groups, parts)
		if err != nil {
			return nil, err
		}
		weights := make([][]float64, len(s.Logp))
		for i, c := range s.Logp {
			weights[i] = make([]float64, len(c))
			for t := range c {
				weights[i][t] = math.Cos(float64(3*len(logp)+7*t)) + 0.2
			}
			logp = append(logp, c...)
		}
		if err := m.Backward(weights); err != nil {
			return nil, err
		}
	}
	return logp, nil
}
