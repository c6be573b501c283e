package rewards

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// With is what rewards may need beside the text.
type With struct {
	Judge    Model       // nil: none
	Embedder Embedder    // nil: none
	Likeness Likeness    // of the embedder; nil: measured when it is first needed
	Head     *Head       // nil: none
	Lists    *Checklists // nil: new ones
}

// usualMust is the value that "format=1!" asks for.
const usualMust = 0.5

// Parse reads rewards and their weights: "length=1,format=1,writing=1". With an
// exclamation mark a reward is a must, below 0.5 or what follows the mark:
// "format=1!", "length=2!0.8". The rewards are
//
//	length, format       pure; a judge guesses lengths that prompts do not name,
//	                     an embedder finds paragraphs that say the same in other words
//	checklist, pairwise  need a judge
//	personal             needs a head that knows enough, and an embedder
//	writing              the checklist, mixed with the personal head where that knows enough
func Parse(spec string, with With) (Set, error) {
	if with.Lists == nil {
		with.Lists = &Checklists{}
	}
	var set Set
	for _, entry := range strings.Split(spec, ",") {
		e, err := parseEntry(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("rewards: %q: %w", spec, err)
		}
		if e.Reward, err = with.reward(e.Name); err != nil {
			return nil, fmt.Errorf("rewards: %s: %w", e.Name, err)
		}
		for _, other := range set {
			if other.Name == e.Name {
				return nil, fmt.Errorf("rewards: %q: %s is there twice", spec, e.Name)
			}
		}
		set = append(set, e)
	}
	return set, nil
}

func parseEntry(entry string) (Entry, error) {
	name, value, ok := strings.Cut(entry, "=")
	e := Entry{Name: name, Weight: 1}
	if !ok {
		name, value = entry, "1"
		if cut, must := strings.CutSuffix(name, "!"); must {
			name, value = cut, "1!"
		}
		e.Name = name
	}
	weight, must, isMust := strings.Cut(value, "!")
	var err error
	if e.Weight, err = strconv.ParseFloat(weight, 64); err != nil || !(e.Weight > 0) || math.IsInf(e.Weight, 0) {
		return e, fmt.Errorf("the weight %q is not a number above 0", weight)
	}
	if isMust {
		e.Must = usualMust
		if must != "" {
			if e.Must, err = strconv.ParseFloat(must, 64); err != nil || !(e.Must > 0 && e.Must <= 1) {
				return e, fmt.Errorf("the must %q is not a number above 0 and up to 1", must)
			}
		}
	}
	return e, nil
}

// reward makes a reward of what there is.
func (w With) reward(name string) (Reward, error) {
	switch name {
	case "length":
		return w.length(), nil
	case "format":
		return w.format(), nil
	case "checklist", "writing":
		if w.Judge == nil {
			return nil, errors.New("a judge is needed: a model other than the one that writes")
		}
		checklist := Checklist{Model: w.Judge, Lists: w.Lists}
		if name == "writing" && w.Head != nil && w.Embedder != nil && w.Head.Enough() == "" {
			return Mix{{"checklist", checklist, 1, 0}, {"personal", Personal{w.Head, w.Embedder}, 1, 0}}, nil
		}
		return checklist, nil
	case "pairwise":
		if w.Judge == nil {
			return nil, errors.New("a judge is needed: a model other than the one that writes")
		}
		return Pairwise{w.Judge}, nil
	case "personal":
		if w.Embedder == nil {
			return nil, errors.New("a model is needed whose embeddings the head was trained on")
		}
		if why := w.Head.Enough(); why != "" {
			return nil, errors.New(why)
		}
		return Personal{w.Head, w.Embedder}, nil
	}
	return nil, fmt.Errorf("there is no such reward; there are length, format, writing, checklist, pairwise and personal")
}

func (w With) length() Length {
	if w.Judge == nil {
		return Length{}
	}
	return Length{Range: Predict(w.Judge, w.Lists)}
}

func (w With) format() Format {
	if w.Embedder == nil {
		return Format{}
	}
	return Format{Overlap: &Overlap{Embedder: w.Embedder, Likeness: w.Likeness}}
}
