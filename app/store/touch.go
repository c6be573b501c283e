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
	if i, ok := draft.Index(r); ok {
		if i >= 0 && i < len(b.p.Sections) {
			b.dirty[sectionPart(b.p.Sections[i].ID)] = true
		}
		if _, begun := r.(draft.SectionBegun); begun {
			b.touchSteps()
		}
		return
	}
	switch r := r.(type) {
	case draft.Think:
		b.dirty[partMind] = true
	case draft.Started, draft.Snapshot, draft.Outline:
		b.all()
	case draft.Compacted: // it ends turns that are open elsewhere
		for _, s := range b.p.Sections {
			if n := len(s.Turns); n > 0 && s.Turns[n-1].Ended == "" {
				b.dirty[sectionPart(s.ID)] = true
			}
		}
	case draft.Edit:
		b.dirty[sectionPart(r.Section)] = true
		b.touchSteps()
	case draft.Become:
		b.dirty[sectionPart(r.Section.ID)] = true
		b.touchSteps()
	case draft.Undo:
		if i := len(b.p.Steps) - 1 - b.p.Undone; i >= 0 {
			b.touchOps(b.p.Steps[i])
		}
		b.touchSteps()
	case draft.Redo:
		if i := len(b.p.Steps) - b.p.Undone; b.p.Undone > 0 {
			b.touchOps(b.p.Steps[i])
		}
		b.touchSteps()
	case draft.Preference:
		b.dirty[choicePart(max(0, len(b.p.Choices)-1))] = true
	case draft.Place, draft.Remove, draft.Move, draft.Line, draft.Title:
		b.dirty[partPlan] = true
		b.touchSteps()
	case draft.Note:
		b.touchSteps()
	default:
		b.dirty[partPlan] = true
	}
}

// touchSteps notes the steps that can be undone or redone next, and the oldest,
// which may go.
func (b *Book) touchSteps() {
	for i, s := range b.p.Steps {
		if i == 0 || i >= len(b.p.Steps)-b.p.Undone-1 {
			b.dirty[stepPart(s.N)] = true
		}
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
