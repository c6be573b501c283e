package main

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// takes shows what a run will take, before it begins.
type takes struct {
	title   *heading
	said    *quietText
	detail  *quietText // in the trainer's words
	lines   *fyne.Container
	shown   []estimate
	content *container.Scroll
}

func newTakes() *takes {
	t := &takes{title: newHeading(canvas.NewText("", nil), sizeTitle), said: newQuietText("", theme.SizeNameText), detail: newQuietText("", theme.SizeNameCaptionText)}
	t.lines = container.New(layout.NewCustomPaddedVBoxLayout(-6))
	column := container.NewVBox(spacer(0, 24), t.title, t.said, spacer(0, 6), t.lines, spacer(0, 6), t.detail, spacer(0, 24))
	t.content = container.NewVScroll(container.New(columnLayout{measureWidth}, column))
	return t
}

// show says what the preflight found out, or that it is at it.
func (t *takes) show(c *course, ph trainPhase) {
	title, said, detail := "Looking what it takes", c.remark(ph), ""
	switch p := c.preflight; {
	case p != nil && !p.OK:
		title, said = "It cannot be done", sentenceOf(p.Message)
	case ph == trainReady:
		title, said, detail = "It can be done", "Start it when you like; the machine will be busy until it ends, and it can be stopped at any step.", sentenceOf(p.Message)
	case ph > trainStopping:
		title = "Nothing was trained"
	case ph == trainStopping:
		said = "Stopping…"
	}
	if t.title.text.Text != title {
		t.title.text.Text = title
		t.title.Refresh()
	}
	lines := c.estimates()
	if said == t.said.segment.Text && slices.Equal(lines, t.shown) {
		return
	}
	t.said.say(said)
	t.detail.say(detail)
	t.list(lines)
	t.content.Refresh() // what wraps may be higher now
}

func (t *takes) list(lines []estimate) {
	t.shown = lines
	t.lines.RemoveAll()
	for _, l := range lines {
		what := newQuietText(l.what, theme.SizeNameText)
		what.Wrapping = fyne.TextWrapOff
		figure := widget.NewLabel(l.figure)
		figure.Truncation = fyne.TextTruncateEllipsis
		t.lines.Add(container.New(filled{across: true, rest: 1},
			container.New(layout.NewGridWrapLayout(fyne.NewSize(trainFieldWidth, what.MinSize().Height)), what), figure))
	}
}
