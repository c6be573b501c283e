package draft

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Step is one thing that can be undone, or redone once it was.
type Step struct {
	N     int    // it is the project's N-th
	Label string // "typed", "write", ...

	ops []Record        // what takes it back, or does it again
	raw json.RawMessage // the same as it was read; most steps are never asked for
}

// Ops are the records that take the step back, or do it again.
func (s Step) Ops() []Record {
	if s.raw == nil {
		return s.ops
	}
	var lines []json.RawMessage
	json.Unmarshal(s.raw, &lines) // UnmarshalJSON looked at it
	for _, l := range lines {
		if r, err := Unmarshal(l); err == nil {
			s.ops = append(s.ops, r)
		}
	}
	return s.ops
}

// Undo takes the last step back; Redo does it again.
type (
	Undo struct{}
	Redo struct{}
)

func (Undo) event() string { return "undo" }
func (Redo) event() string { return "redo" }

// A project remembers so many steps.
const mostSteps = 400

// CanUndo and CanRedo name the step that would be undone or redone, or "".
func (p *Project) CanUndo() string {
	if p.Undone == len(p.Steps) {
		return ""
	}
	return p.Steps[len(p.Steps)-1-p.Undone].Label
}

// CanRedo names the step that would be redone, or "".
func (p *Project) CanRedo() string {
	if p.Undone == 0 {
		return ""
	}
	return p.Steps[len(p.Steps)-p.Undone].Label
}

// push remembers how to take back what was just done.
func (p *Project) push(label string, back Record) {
	n := p.LastStep + 1
	p.LastStep = n
	p.Steps = append(p.Steps[:len(p.Steps)-p.Undone:len(p.Steps)-p.Undone], Step{N: n, Label: label, ops: []Record{back}})
	p.Undone = 0
	if over := len(p.Steps) - mostSteps; over > 0 {
		p.Steps = slices.Clone(p.Steps[over:])
	}
}

// turn does the step at i the other way round than it was done last.
func (p *Project) turn(i int) {
	s := Step{N: p.Steps[i].N, Label: p.Steps[i].Label}
	for _, op := range slices.Backward(p.Steps[i].Ops()) {
		if p.fits(op) != nil { // what it changed is not there any more
			continue
		}
		s.ops = append(s.ops, p.alter(op))
	}
	p.Steps[i] = s
}

// undoable folds the records that edit or undo; false: r is none of these.
func (p *Project) undoable(r Record) bool {
	switch r := r.(type) {
	case Undo:
		if p.Undone < len(p.Steps) {
			p.turn(len(p.Steps) - 1 - p.Undone)
			p.Undone++
		}
		return true
	case Redo:
		if p.Undone > 0 {
			p.turn(len(p.Steps) - p.Undone)
			p.Undone--
		}
		return true
	case Edit:
		joined := r.Join && p.goesOn(r)
		back := p.alter(r)
		if !joined {
			p.push(r.Why, back)
		}
		return true
	}
	back := p.alter(r)
	if placed, ok := r.(Place); back != nil && !(ok && placed.Final) {
		p.push(r.event(), back)
	}
	return back != nil
}

// goesOn says that an edit changes the one paragraph that the step before
// changed: what takes that back takes this back too.
func (p *Project) goesOn(r Edit) bool {
	if len(p.Steps) == 0 || p.Undone > 0 || r.Cut != 1 || len(r.Put) != 1 || strings.TrimSpace(r.Put[0].Text) == "" || len(starts(r.Put[0].Text, 0)) > 0 {
		return false
	}
	ops := p.Steps[len(p.Steps)-1].Ops()
	if len(ops) != 1 {
		return false
	}
	before, ok := ops[0].(Edit)
	return ok && before.Section == r.Section && before.At == r.At && before.Cut == 1 && before.Why == r.Why
}

type stepJSON struct {
	N     int             `json:"n"`
	Label string          `json:"label"`
	Ops   json.RawMessage `json:"ops"`
}

// MarshalJSON writes the step's records as a log has them.
func (s Step) MarshalJSON() ([]byte, error) {
	out := stepJSON{s.N, s.Label, s.raw}
	if out.Ops == nil {
		lines := []json.RawMessage{}
		for _, op := range s.ops {
			b, err := Marshal(op)
			if err != nil {
				return nil, err
			}
			lines = append(lines, b)
		}
		var err error
		if out.Ops, err = json.Marshal(lines); err != nil {
			return nil, err
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads a step; its records are read when they are asked for.
func (s *Step) UnmarshalJSON(b []byte) error {
	var in stepJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if len(in.Ops) == 0 || in.Ops[0] != '[' {
		return errors.New("draft: read a step: it has no records")
	}
	*s = Step{N: in.N, Label: in.Label, raw: in.Ops}
	return nil
}
