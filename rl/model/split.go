package model

import "fmt"

// Split cuts groups into micro-batches that fit the plan: a function of the lengths alone. A
// group stays whole where one micro-batch holds it, so that its prompt is computed once; a larger
// one is filled completion by completion into micro-batches of its own. Each group goes to the
// first micro-batch with room.
func (m *Model) Split(groups []Group) ([][]Part, error) {
	var micro [][]Part
	var loads []load
	place := func(p Part, l load) {
		for i := range micro {
			if loads[i].plus(l).fits(m.plan.MaxRows) {
				micro[i], loads[i] = append(micro[i], p), loads[i].plus(l)
				return
			}
		}
		micro, loads = append(micro, []Part{p}), append(loads, l)
	}
	for i, g := range groups {
		if err := m.checkGroup(groups, i); err != nil {
			return nil, err
		}
		for from := 0; from < len(g.Completions); {
			p := Part{Group: i, From: from, To: len(g.Completions)}
			if !m.load1(g, p).fits(m.plan.MaxRows) {
				p.To = from + 1
				for m.load1(g, p).fits(m.plan.MaxRows) {
					p.To++ // ends: the whole rest does not fit
				}
				p.To--
			}
			if p.To == from {
				return nil, fmt.Errorf("model: completion %d of group %d takes %d rows with its prompt of %d tokens, the memory plan holds %d: allow fewer tokens or more rows",
					from, i, m.load1(g, Part{i, from, from + 1}).rows, len(g.Prompt), m.plan.MaxRows)
			}
			place(p, m.load1(g, p))
			from = p.To
		}
	}
	return micro, nil
}

// load is what a part takes of a micro-batch.
type load struct{ rows, scores int }

func (l load) plus(o load) load   { return load{l.rows + o.rows, l.scores + o.scores} }
func (l load) fits(most int) bool { return l.rows <= most && l.scores <= most }

// load1 is what one part takes.
func (m *Model) load1(g Group, p Part) load {
	l := load{rows: len(g.Prompt)}
	if m.opts.NoShare {
		l.rows *= p.To - p.From
	}
	for _, c := range g.Completions[p.From:p.To] {
		l.rows += len(c) - 1
		l.scores += len(c)
	}
	return l
}
