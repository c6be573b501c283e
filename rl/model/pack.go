package model

import "fmt"

// packed is a micro-batch as rows: prompts and completions behind one another, without
// padding. The last token of a completion takes no row, since nothing comes after it; its
// first is scored from the prompt's last row.
type packed struct {
	ids, pos []int32
	segments []Segment
	scored   []int32 // row that each completion token is scored from, in the order of Scores
	targets  []int32 // and the token itself
	lengths  []int   // tokens of each completion
}

// pack lays out the parts of a micro-batch. Unless own is set, completions of a part share
// the rows of their prompt.
func pack(groups []Group, micro []Part, own bool) packed {
	var p packed
	for _, part := range micro {
		g := groups[part.Group]
		if own || part.To-part.From == 1 {
			for _, c := range g.Completions[part.From:part.To] {
				p.alone(g.Prompt, c)
			}
			continue
		}
		start := len(p.ids)
		p.add(g.Prompt, 0)
		p.segments = append(p.segments, Segment{Start: start, Rows: len(g.Prompt)})
		for _, c := range g.Completions[part.From:part.To] {
			at := len(p.ids)
			p.add(c[:len(c)-1], len(g.Prompt))
			if len(c) > 1 {
				p.segments = append(p.segments, Segment{Start: at, Rows: len(c) - 1, Prefix: start, PrefixRows: len(g.Prompt)})
			}
			p.score(c, start+len(g.Prompt)-1, at)
		}
	}
	return p
}

// alone lays out a prompt and one completion as a segment.
func (p *packed) alone(prompt, completion []int32) {
	start := len(p.ids)
	p.add(prompt, 0)
	p.add(completion[:len(completion)-1], len(prompt))
	p.segments = append(p.segments, Segment{Start: start, Rows: len(p.ids) - start})
	p.score(completion, start+len(prompt)-1, start+len(prompt))
}

// add appends tokens at positions from first on.
func (p *packed) add(ids []int32, first int) {
	for i, id := range ids {
		p.ids = append(p.ids, id)
		p.pos = append(p.pos, int32(first+i))
	}
}

// score notes where a completion's tokens are scored: the first from row before, the rest
// from the rows from at on.
func (p *packed) score(completion []int32, before, at int) {
	p.lengths = append(p.lengths, len(completion))
	for i, id := range completion {
		row := before
		if i > 0 {
			row = at + i - 1
		}
		p.scored = append(p.scored, int32(row))
		p.targets = append(p.targets, id)
	}
}

// batch is a micro-batch on the device.
type batch struct {
	rows, scores int
	lengths      []int
	ids          Ints
	layout       Layout
	scored       Ints
	targets      Ints
}

// send checks a micro-batch, packs it, and brings its row numbers to the device.
func (m *Model) send(groups []Group, micro []Part) (*batch, error) {
	if len(micro) == 0 {
		return nil, fmt.Errorf("model: the micro-batch is empty")
	}
	for _, part := range micro {
		if part.Group < 0 || part.Group >= len(groups) || part.From < 0 || part.From >= part.To || part.To > len(groups[part.Group].Completions) {
			return nil, fmt.Errorf("model: part %+v is not one of %d groups", part, len(groups))
		}
		if err := m.checkGroup(groups, part.Group); err != nil {
			return nil, err
		}
	}
	p := pack(groups, micro, m.opts.NoShare)
	if most := m.plan.MaxRows; len(p.ids) > most || len(p.scored) > most {
		return nil, fmt.Errorf("model: the micro-batch has %d rows and scores %d tokens, the plan holds %d", len(p.ids), len(p.scored), most)
	}
	return &batch{
		rows: len(p.ids), scores: len(p.scored), lengths: p.lengths,
		ids: m.d.Ints(p.ids), layout: m.d.Layout(p.pos, p.segments),
		scored: m.d.Ints(p.scored), targets: m.d.Ints(p.targets),
	}, nil
}

// drop frees what a batch holds on the device.
func (m *Model) drop(b *batch) {
	m.d.FreeInts(b.ids)
	m.d.FreeInts(b.scored)
	m.d.FreeInts(b.targets)
	m.d.FreeLayout(b.layout)
}

// checkGroup refuses what cannot be computed: an empty prompt or completion, and a token
// that the vocabulary does not have.
func (m *Model) checkGroup(groups []Group, i int) error {
	check := func(what string, ids []int32) error {
		if len(ids) == 0 {
			return fmt.Errorf("model: %s of group %d is empty", what, i)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= m.cfg.vocabulary {
				return fmt.Errorf("model: %s of group %d has token %d, the vocabulary %d", what, i, id, m.cfg.vocabulary)
			}
		}
		return nil
	}
	if err := check("the prompt", groups[i].Prompt); err != nil {
		return err
	}
	for j, c := range groups[i].Completions {
		if err := check(fmt.Sprintf("completion %d", j), c); err != nil {
			return err
		}
	}
	return nil
}
