package main

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"longhand/app/draft"
)

// A desk shows one draft: the outline, the text, how far it is, and what can
// be done about it.
type desk struct {
	m     *manuscript
	pace  *pace
	phase phase

	outline  *outline
	text     *page // the draft
	thinking *page // what came before it
	thought  bool  // the thinking shows
	picked   bool  // the reader chose which
	rows     [2][]row
	reread   time.Time // when a draft was taken up that is being read again; zero: it goes on

	progress *widget.Label
	note     *quietText // one line about what just happened
	bar      *thinBar
	jump     *widget.Button // back to what is being written
	first    *widget.Button // pause, resume, go on
	second   *widget.Button // stop, new draft
	save     *widget.Button
	copy     *widget.Button
	content  fyne.CanvasObject
}

// deskActions is what the desk's buttons ask for.
type deskActions struct{ pause, resume, stop, goOn, newDraft, save, copy func() }

func newDesk(p *pace, do deskActions) *desk {
	d := &desk{m: newManuscript(), pace: p, text: newPage(), thinking: newPage(), bar: newThinBar()}
	d.outline = newOutline(d.pick)
	d.progress, d.note = widget.NewLabel(""), caption("")
	d.progress.Truncation, d.note.Truncation = fyne.TextTruncateEllipsis, fyne.TextTruncateEllipsis
	d.note.Hide()
	d.jump = widget.NewButtonWithIcon("Back to the writing", theme.MoveDownIcon(), func() { d.page().back() })
	d.first = widget.NewButton("Pause", func() {
		switch d.phase {
		case phaseRunning:
			do.pause()
		case phasePaused:
			do.resume()
		default:
			do.goOn()
		}
	})
	d.second = widget.NewButton("Stop", func() {
		if d.phase == phaseRunning || d.phase == phasePaused {
			do.stop()
		} else {
			do.newDraft()
		}
	})
	d.save = widget.NewButtonWithIcon("Save…", theme.DocumentSaveIcon(), do.save)
	d.copy = widget.NewButtonWithIcon("Copy", theme.ContentCopyIcon(), do.copy)
	d.save.Importance, d.copy.Importance = widget.LowImportance, widget.LowImportance
	for _, p := range []*page{d.text, d.thinking} {
		p.onFollow = func(bool) { d.buttons() }
	}
	d.content = d.lay()
	return d
}

func (d *desk) lay() fyne.CanvasObject {
	jump := container.NewBorder(nil, container.NewVBox(container.NewHBox(layout.NewSpacer(), d.jump, layout.NewSpacer()), spacer(0, 12)), nil, nil)
	pages := calm(container.NewStack(spacer(400, 300), d.text, d.thinking, jump))
	plan := container.New(filled{rest: 1}, spacer(planWidth, 10), calm(d.outline.list))
	status := container.New(layout.NewCustomPaddedLayout(4, 4, 12, 14),
		container.NewBorder(nil, nil, spacer(0, 51), container.NewCenter(container.NewHBox(d.first, d.second)),
			container.New(layout.NewCustomPaddedVBoxLayout(-14), layout.NewSpacer(), d.progress, d.note, layout.NewSpacer())))
	above := container.New(filled{across: true, rest: 2}, plan, widget.NewSeparator(), pages)
	return container.New(filled{rest: 0}, above, d.bar, status)
}

// open shows a manuscript from its start.
func (d *desk) open() {
	d.m = newManuscript()
	d.picked, d.thought, d.reread = false, true, time.Time{}
	d.pace.marks, d.pace.words, d.pace.last = nil, 0, 0
	d.say("")
	for _, p := range []*page{d.text, d.thinking} {
		p.following = true
		p.show(nil, -1)
		p.move(0)
	}
	d.enter(phaseRunning)
}

// enter shows that the draft is in another phase.
func (d *desk) enter(ph phase) {
	switch {
	case ph == phasePaused:
		d.pace.pause()
	case d.phase == phasePaused:
		d.pace.resume()
	}
	d.phase = ph
	d.update()
}

// happened takes in what the draft did.
func (d *desk) happened(e draft.Event) {
	d.m.apply(e)
	switch e := e.(type) {
	case draft.Started:
		if e.Resumed {
			d.reread = d.pace.now()
			d.say("Reading again what is written. Then it goes on.")
		}
	case draft.Text: // what it holds was told at once; this is new
		if !d.reread.IsZero() && d.pace.now().Sub(d.reread) > time.Second {
			d.reread = time.Time{}
			d.say("")
		}
	case draft.Engine:
		if e.State == "restarted" {
			d.say("The engine had to be started again. Nothing was lost.")
		}
	}
}

// update shows the manuscript as it now is.
func (d *desk) update() {
	if !d.picked && len(d.m.outline.Sections) > 0 {
		d.thought = false
	}
	d.outline.show(d.m, d.phase, d.thought)
	rows := d.m.rows(d.rows[0])
	d.rows[0] = d.text.show(rows, d.tail(rows))
	rows = append(d.rows[1], row{kind: rowTitle, text: "Thinking", section: -1})
	rows = d.m.thinking.rows(rows, rowThink, -1)
	d.rows[1] = d.thinking.show(rows, len(rows)-1)
	showIf(d.text, !d.thought)
	showIf(d.thinking, d.thought)
	if d.phase == phaseRunning && d.m.current >= 0 {
		d.pace.add(d.m.words())
	}
	if target := d.m.target(); target > 0 {
		d.bar.set(float32(d.m.words()) / float32(target))
	}
	setText(d.progress, statusLine(d.m, d.phase, d.pace.rate()))
	d.buttons()
}

// say puts one line under the progress line.
func (d *desk) say(text string) {
	d.note.say(text)
	showIf(d.note, text != "")
}

// tail is the last row of the section being written, or -1.
func (d *desk) tail(rows []row) int {
	if d.phase != phaseRunning && d.phase != phasePaused || d.m.current < 0 {
		return -1
	}
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].section == d.m.current {
			return i
		}
	}
	return -1
}

func (d *desk) page() *page {
	if d.thought {
		return d.thinking
	}
	return d.text
}

func (d *desk) buttons() {
	first, second := "Pause", "Stop"
	switch d.phase {
	case phasePaused:
		first = "Resume"
	case phaseStopped, phaseFailed:
		first, second = "Go on", "New draft"
	case phaseFinished:
		second = "New draft"
	}
	relabel(d.first, first)
	relabel(d.second, second)
	showIf(d.first, d.phase != phaseFinished)
	able(d.first, d.phase != phaseStopping)
	able(d.second, d.phase != phaseStopping)
	able(d.save, d.m.words() > 0)
	able(d.copy, d.m.words() > 0)
	p := d.page()
	showIf(d.jump, !p.following && p.tail >= 0 && (d.phase == phaseRunning || d.phase == phasePaused))
}

// pick shows what was chosen in the outline.
func (d *desk) pick(section int) {
	d.picked, d.thought = true, section == thinkingItem
	d.update()
	if d.thought {
		return
	}
	if section == d.m.current {
		d.text.back()
		return
	}
	for i, r := range d.text.rows {
		if r.section == section && r.kind != rowPart {
			d.text.scrollTo(i)
			return
		}
	}
}

// key scrolls the page.
func (d *desk) key(k fyne.KeyName) {
	switch k {
	case fyne.KeyPageDown:
		d.page().turn(1)
	case fyne.KeyPageUp:
		d.page().turn(-1)
	case fyne.KeyHome:
		d.page().turn(0)
	case fyne.KeyEnd:
		d.page().turn(1e6)
	}
}
