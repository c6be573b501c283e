package rewards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Preference is a choice of the writer's: of two texts for one prompt the one
// that was kept. One made from a reduced prompt (Reductions) is a preference, too.
type Preference struct {
	Prompt   string `json:"prompt"`
	Kept     string `json:"kept"`
	Rejected string `json:"rejected"`
}

// Head is a writer's taste: a Bradley-Terry model on the features of a text,
//
//	P(a is preferred to b) = 1 / (1 + exp(-(w·a - w·b)))
//
// learnt from preferences with an L2 penalty. It judges its own accuracy on
// preferences that it was not trained on, and keeps silent below Enough. It is
// plain data: JSON keeps it.
type Head struct {
	Embedder string    `json:"embedder"` // the model that its features come from
	Weights  []float64 `json:"weights"`
	Middle   []float64 `json:"middle"` // of the features
	Scale    []float64 `json:"scale"`  // of the features
	Known    []float64 `json:"known"`  // scores of the texts it was trained on, sorted
	Pairs    int       `json:"pairs"`
	Penalty  float64   `json:"penalty"`  // of the L2 term, chosen by cross-validation
	HeldOut  Accuracy  `json:"held_out"` // by cross-validation: prompts it was not trained on
}

// Accuracy is how often a judge was right. A tie is half right.
type Accuracy struct {
	Right float64 `json:"right"`
	Of    int     `json:"of"`
}

// Share is the share that was right, NaN of none.
func (a Accuracy) Share() float64 { return a.Right / float64(a.Of) }

// Interval is the 95 % interval of the share (Wilson).
func (a Accuracy) Interval() (low, high float64) {
	if a.Of == 0 {
		return 0, 1
	}
	const z = 1.959964
	n, p := float64(a.Of), a.Share()
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return clamp(middle - half), clamp(middle + half)
}

func (a Accuracy) String() string {
	low, high := a.Interval()
	return fmt.Sprintf("%.0f %% of %d (%.0f to %.0f)", 100*a.Share(), a.Of, 100*low, 100*high)
}

// leastPairs is how many preferences a head needs to say anything.
const leastPairs = 16

// Enough says whether the head knows more than chance: "" or why not.
func (h *Head) Enough() string {
	if h == nil || h.Pairs == 0 {
		return "not enough data: no preferences yet"
	}
	switch low, _ := h.HeldOut.Interval(); {
	case h.Pairs < leastPairs:
		return fmt.Sprintf("not enough data: %d preferences, %d are needed", h.Pairs, leastPairs)
	case low <= 0.5:
		return fmt.Sprintf("not enough data: on preferences it has not seen it is right in %v", h.HeldOut)
	}
	return ""
}

// Personal scores a text by a writer's taste: the mean probability that it is
// preferred to one of the texts that the head was trained on.
type Personal struct {
	Head     *Head
	Embedder Embedder
}

// Score implements Reward.
func (r Personal) Score(ctx context.Context, p Prompt, c Completion) (Score, error) {
	if why := r.Head.Enough(); why != "" {
		return unknown("%s", why), nil
	}
	x, err := Features(ctx, r.Embedder, bodyOf(p, c.Text).text)
	if err != nil {
		return Score{}, err
	}
	if len(x) != len(r.Head.Weights) {
		return unknown("the personal head was trained with another model: train it again"), nil
	}
	utility := r.Head.utility(x)
	return Score{
		Value: r.Head.place(utility),
		Parts: []Part{{"writing.utility", utility}, {"writing.held_out", r.Head.HeldOut.Share()}, {"writing.pairs", float64(r.Head.Pairs)}},
		Note:  "trained on this writer's choices: right in " + r.Head.HeldOut.String(),
	}, nil
}

// utility is w·x of standardised features.
func (h *Head) utility(x []float64) float64 {
	sum := 0.0
	for k, w := range h.Weights {
		sum += w * (x[k] - h.Middle[k]) / h.Scale[k]
	}
	return sum
}

// place is the mean probability of winning against the known texts.
func (h *Head) place(utility float64) float64 {
	sum := 0.0
	for _, k := range h.Known {
		sum += sigmoid(utility - k)
	}
	return clamp(sum / float64(max(1, len(h.Known))))
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// UnmarshalJSON reads a head and refuses one that does not fit together.
func (h *Head) UnmarshalJSON(b []byte) error {
	type plain Head
	var p plain
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("rewards: read a personal head: %w", err)
	}
	if len(p.Middle) != len(p.Weights) || len(p.Scale) != len(p.Weights) || p.Pairs > 0 && len(p.Known) == 0 {
		return errors.New("rewards: read a personal head: its parts do not fit together")
	}
	for k := range p.Scale {
		if !(p.Scale[k] > 0) || math.IsNaN(p.Weights[k]+p.Middle[k]) || math.IsInf(p.Weights[k]+p.Middle[k], 0) {
			return errors.New("rewards: read a personal head: a number is out of range")
		}
	}
	*h = Head(p)
	return nil
}
