package store

import "longhand/app/draft"

// all says that every part may have changed.
func (b *Book) all() {
	for name := range partsOf(b.p) {
		b.dirty[name] = true
	}
	b.changed = b.s.now()
}

// touch notes which parts a record changes. It is asked before and after the
// record is folded; parts that are new are written in any case.
func (b *Book) touch(r draft.Record) {
	b.dirty[partHead] = true
	index := func(i int) {
		if i >= 0 && i < len(b.p.Sections) {
			b.dirty[sectionPart(b.p.Sections[i].ID)] = true
		}
	}
	steps := func() {
		for i, s := range b.p.Steps {
			if i == 0 || i >= len(b.p.Steps)-b.p.Undone-1 {
				b.dirty[stepPart(s.N)] = true
			}
		}
	}
	switch r := r.(type) {
	case draft.Think:
		b.dirty[partMind] = true
	case draft.Started, draft.Snapshot, draft.Outline:
		b.all()
	case draft.SectionBegun:
		index(r.Index)
		steps()
	case draft.Text:
		index(r.Index)
	case draft.Rewind:
		index(r.Index)
	case draft.Stands:
		index(r.Index)
	case draft.TurnBegun:
		index(r.Index)
	case draft.TurnEnded:
		index(r.Index)
	case draft.SectionDone:
		index(r.Index)
	case draft.Compacted: // it ends turns that are open elsewhere
		b.dirty[partPlan] = true
		for i, s := range b.p.Sections {
			if n := len(s.Turns); n > 0 && s.Turns[n-1].Ended == "" {
				index(i)
			}
		}
	case draft.Edit:
		b.dirty[sectionPart(r.Section)] = true
		steps()
	case draft.Become:
		b.dirty[sectionPart(r.Section.ID)] = true
		steps()
	case draft.Undo:
		if i := len(b.p.Steps) - 1 - b.p.Undone; i >= 0 {
			b.touchOps(b.p.Steps[i])
		}
		steps()
	case draft.Redo:
		if i := len(b.p.Steps) - b.p.Undone; b.p.Undone > 0 {
			b.touchOps(b.p.Steps[i])
		}
		steps()
	case draft.Preference:
		b.dirty[choicePart(max(0, len(b.p.Choices)-1))] = true
	case draft.Place, draft.Remove, draft.Move, draft.Line, draft.Title:
		b.dirty[partPlan] = true
		steps()
	case draft.Note:
		steps()
	default:
		b.dirty[partPlan] = true
	}
}

func (b *Book) touchOps(s draft.Step) {
	b.dirty[partPlan] = true
	for _, op := range s.Ops() {
		switch op := op.(type) {
		case draft.Edit:
			b.dirty[sectionPart(op.Section)] = true
		case draft.Become:
			b.dirty[sectionPart(op.Section.ID)] = true
		case draft.Place:
			for _, w := range op.Sections {
				b.dirty[sectionPart(w.Section.ID)] = true
			}
		}
	}
}
