package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"longhand/rewards"
)

// measuredJudge is what was measured of a model as a judge, by "longhand bench
// judge"; judges.json keeps it by the model's hash.
type measuredJudge struct {
	Name     string           `json:"name"`
	Accuracy rewards.Accuracy `json:"accuracy"` // of the checklist, over all kinds of damage
	Likeness rewards.Likeness `json:"likeness"` // of its embeddings
}

func (e *env) judgesFile() string { return filepath.Join(e.home, "judges.json") }

// judges reads what was measured. A file that cannot be read is as good as none:
// what it holds can be measured again.
func (e *env) judges() map[string]measuredJudge {
	all := map[string]measuredJudge{}
	b, err := os.ReadFile(e.judgesFile())
	if err != nil || json.Unmarshal(b, &all) != nil {
		return map[string]measuredJudge{}
	}
	return all
}

// keepJudge adds what was measured of the model at path.
func (e *env) keepJudge(path string, change func(*measuredJudge)) error {
	sum, err := e.sha256(path)
	if err != nil {
		return err
	}
	all := e.judges()
	j := all[sum]
	j.Name = base(path)
	change(&j)
	all[sum] = j
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(e.judgesFile(), append(b, '\n'))
}

// likeness is how the model's embeddings are compared, nil where nobody has
// measured it yet.
func (e *env) likeness(path string) rewards.Likeness {
	sum, err := e.sha256(path)
	if err != nil {
		return nil
	}
	return e.judges()[sum].Likeness
}

// weakJudge warns of a judge whose word counts for little: by what was measured,
// else by its size.
func (e *env) weakJudge(path string, m interface{ About() (string, int, uint64) }) string {
	if sum, err := e.sha256(path); err == nil {
		if a := e.judges()[sum].Accuracy; a.Of > 0 {
			if low, _ := a.Interval(); low <= 0.6 {
				return fmt.Sprintf("%s is a weak judge: of two texts it names the better one in %v", base(path), a)
			}
			return ""
		}
	}
	return rewards.Weak(m)
}
