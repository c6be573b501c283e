package main

import (
	"strings"

	"longhand/app/draft"
)

// A manuscript is a draft as the window knows it: what the events said, added
// up. It is changed by apply alone.
type manuscript struct {
	started  draft.Started
	thinking passage
	outline  draft.Outline
	sections []section
	current  int // the section being written, or -1
	finished *draft.Finished
}

type section struct {
	passage
	state  sectionState
	title  string
	target int // words
	flags  []string
}

type sectionState uint8

const (
	sectionPlanned sectionState = iota
	sectionWriting
	sectionWritten
)

// thinkingBlocks bounds what is kept of the thinking; all of it is on disk.
const thinkingBlocks = 2000

func newManuscript() *manuscript { return &manuscript{current: -1} }

func (m *manuscript) apply(e draft.Event) {
	switch e := e.(type) {
	case draft.Started:
		*m = *newManuscript() // a draft that goes on tells what it holds
		m.started = e
	case draft.Think:
		m.thinking.append(e.Text)
		m.thinking.forget(thinkingBlocks)
	case draft.Outline:
		m.outline = e
		for i, s := range e.Sections {
			if t := m.at(i); t.state == sectionPlanned {
				t.title, t.target = s.Title, s.Words
			}
		}
	case draft.SectionBegun:
		s := m.at(e.Index)
		m.current = e.Index
		s.state, s.title, s.target = sectionWriting, e.Title, e.Target
	case draft.Text:
		m.at(e.Index).append(e.Text)
	case draft.Rewind:
		m.at(e.Index).keep(e.Chars)
	case draft.SectionDone:
		s := m.at(e.Index)
		s.state, s.target, s.flags = sectionWritten, e.Target, e.Flags
	case draft.Finished:
		m.finished, m.current = &e, -1
	}
}

// at is section i, which is made if it is new. An index from nowhere gets a
// section that is not shown.
func (m *manuscript) at(i int) *section {
	if i < 0 || i > 100_000 {
		return &section{}
	}
	for len(m.sections) <= i {
		m.sections = append(m.sections, section{})
	}
	return &m.sections[i]
}

// words counts what is written.
func (m *manuscript) words() int {
	n := 0
	for i := range m.sections {
		n += m.sections[i].count()
	}
	return n
}

// target is the wanted length: the writer's, or what the plan adds up to.
func (m *manuscript) target() int {
	if m.started.Target > 0 {
		return m.started.Target
	}
	n := 0
	for _, s := range m.outline.Sections {
		n += s.Words
	}
	return n
}

// done counts the sections that are written.
func (m *manuscript) done() int {
	n := 0
	for i := range m.sections {
		if m.sections[i].state == sectionWritten {
			n++
		}
	}
	return n
}

func (m *manuscript) texts() []string {
	out := make([]string, len(m.sections))
	for i := range m.sections {
		out[i] = m.sections[i].String()
	}
	return out
}

// markdown is the draft as it is saved.
func (m *manuscript) markdown() string { return draft.Markdown(m.outline, m.texts()) }

// plan is section i of the outline.
func (m *manuscript) plan(i int) draft.SectionPlan {
	if i < len(m.outline.Sections) {
		return m.outline.Sections[i]
	}
	return draft.SectionPlan{Index: i, Title: m.sections[i].title}
}

// A row is one row of the page: a heading, or a block of text.
type row struct {
	kind    rowKind
	text    string
	section int // -1: none
	gap     rowGap
}

type rowKind uint8

const (
	rowTitle rowKind = iota
	rowPart
	rowHeading
	rowPlan  // what a section is going to say
	rowText  // what it says
	rowThink // what the model thought
	rowSay   // what Longhand says
	rowHint  // and what can be done about it
)

// rowGap is the space above a row.
type rowGap uint8

const (
	gapNone rowGap = iota
	gapLine        // a line of its own in the same paragraph
	gapParagraph
)

// rows lays the draft out from title to end. Where a section is not yet
// written stands what it is going to say.
func (m *manuscript) rows(to []row) []row {
	if m.outline.Title != "" {
		to = append(to, row{kind: rowTitle, text: m.outline.Title, section: -1})
	}
	part := ""
	for i := range m.sections {
		p := m.plan(i)
		if p.Part != part {
			part = p.Part
			to = append(to, row{kind: rowPart, text: part, section: i})
		}
		if p.Title != "" {
			to = append(to, row{kind: rowHeading, text: p.Title, section: i})
		}
		s := &m.sections[i]
		n := len(to)
		to = s.rows(to, rowText, i)
		if len(to) == n && s.state == sectionPlanned && p.Point != "" {
			to = append(to, row{kind: rowPlan, text: p.Point, section: i})
		}
	}
	return to
}

// rows lays a passage out, blank lines as space.
func (p *passage) rows(to []row, kind rowKind, section int) []row {
	gap := gapParagraph
	for i := range p.blocks {
		line := p.blocks[i].line()
		if strings.TrimSpace(line) == "" {
			gap = gapParagraph
			continue
		}
		to = append(to, row{kind: kind, text: line, section: section, gap: gap})
		gap = gapNone
		if strings.HasSuffix(p.blocks[i].text, "\n") {
			gap = gapLine
		}
	}
	return to
}
