package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"longhand/rl"
)

// A skill is a checkpoint that drafts are written with.
type skill struct {
	Dir   string `json:"dir"`
	Base  string `json:"base"`
	Title string `json:"title"` // of the base
	Steps int    `json:"steps"`
}

func (s skill) say() string {
	if s.Dir == "" {
		return ""
	}
	return fmt.Sprintf("Written with %s as you trained it, in %s.", s.Title, plural(s.Steps, "step"))
}

const skillKey = "skill"

// readSkill is the checkpoint that was in use last time, if it is still there.
func readSkill(kept string) skill {
	var s skill
	if json.Unmarshal([]byte(kept), &s) != nil {
		return skill{}
	}
	if _, err := os.Stat(s.Dir); s.Dir == "" || err != nil {
		return skill{}
	}
	return s
}

func (s skill) String() string {
	if s.Dir == "" {
		return ""
	}
	b, err := json.Marshal(s)
	if err != nil { // strings and a number: it cannot be
		panic("app: skill: " + err.Error())
	}
	return string(b)
}

// useTraining has the next draft written with the checkpoint.
func (w *window) useTraining() {
	c := w.training.desk.c
	s := skill{Dir: c.checkpoint.Dir, Base: c.job.Base, Steps: c.checkpoint.Step}
	for _, b := range w.training.form.bases {
		if b.path == s.Base {
			s.Title = b.title
		}
	}
	w.use(s)
	w.showDrafting()
	if w.run == nil {
		w.showStart()
	}
}

// use has drafts written with a checkpoint, also the next time; the zero value
// with the model as it came.
func (w *window) use(s skill) {
	t := w.training
	t.skill = s
	w.app.Preferences().SetString(skillKey, s.String())
	t.told.say(s.say())
	showIf(t.kept, s.Dir != "")
	showIf(w.shelf.about, s.Dir == "")
}

// renew takes the last checkpoint of the run whose checkpoint is in use, where
// that one made room for later ones.
func (w *window) renew(last rl.Checkpoint) {
	s := w.training.skill
	if s.Dir == "" || filepath.Dir(s.Dir) != filepath.Dir(last.Dir) {
		return
	}
	if _, err := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		s.Dir, s.Steps = last.Dir, last.Step
		w.use(s)
	}
}
