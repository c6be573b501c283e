package main

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"longhand/app/draft"
)

// An outline lists the plan: the thinking first, then parts and sections with
// how far each is.
type outline struct {
	list   *widget.List
	items  []item
	parts  map[int]bool // rows as high as a part's
	words  rulers
	onPick func(section int) // thinkingItem for the thinking
}

// An item is one line of the outline.
type item struct {
	section int // thinkingItem, or -1 for a part
	title   string
	caption string
	mark    mark
	shown   bool // beside the outline
}

const thinkingItem = -2

type mark uint8

const (
	markNone mark = iota
	markPlanned
	markWriting
	markWritten
	markFlagged
)

const (
	itemHeight = 46
	partHeight = 34
)

func newOutline(onPick func(int)) *outline {
	o := &outline{parts: map[int]bool{}, words: rulers{}, onPick: onPick}
	o.list = widget.NewList(
		func() int { return len(o.items) },
		func() fyne.CanvasObject { return newPlanRow(o.words) },
		func(i int, row fyne.CanvasObject) { row.(*planRow).show(o.items[i]) })
	o.list.HideSeparators = true
	o.list.OnSelected = func(i int) {
		if s := o.items[i].section; s != -1 {
			o.onPick(s)
		}
		o.list.Unselect(i) // so that a second tap on it works as well
	}
	return o
}

// show brings the list up to date and keeps the section being written in sight.
func (o *outline) show(m *manuscript, ph phase, thought bool) {
	items := planItems(m, ph)
	if len(items) > 0 && items[0].section == thinkingItem {
		items[0].shown = thought
	}
	if slices.Equal(items, o.items) {
		return
	}
	before := slices.IndexFunc(o.items, isWriting)
	o.items = items
	for i, it := range items {
		if part := it.section == -1; part != o.parts[i] { // each height set refreshes the list
			o.parts[i] = part
			h := float32(itemHeight)
			if part {
				h = partHeight
			}
			o.list.SetItemHeight(i, h)
		}
	}
	o.list.Refresh()
	if now := slices.IndexFunc(items, isWriting); now >= 0 && now != before {
		o.list.ScrollTo(now)
	}
}

func isWriting(it item) bool { return it.mark == markWriting }

func planItems(m *manuscript, ph phase) []item {
	var items []item
	if n := m.thinking.count(); n > 0 || len(m.sections) == 0 {
		it := item{section: thinkingItem, title: "Thinking", caption: plural(n, "word"), mark: markWritten}
		if len(m.sections) == 0 && (ph == phaseRunning || ph == phasePaused) {
			it.mark = markWriting
		}
		items = append(items, it)
	}
	part := ""
	for i := range m.sections {
		p := m.plan(i)
		if p.Part != part {
			part = p.Part
			items = append(items, item{section: -1, title: part})
		}
		items = append(items, sectionItem(i, p, &m.sections[i]))
	}
	return items
}

func sectionItem(i int, p draft.SectionPlan, s *section) item {
	it := item{section: i, title: p.Title, mark: markPlanned, caption: plural(s.target, "word")}
	words := s.count()
	switch s.state {
	case sectionWriting:
		it.mark = markWriting
	case sectionWritten:
		it.mark = markWritten
		if len(s.flags) > 0 {
			it.mark = markFlagged
		}
	}
	if s.state != sectionPlanned || words > 0 {
		it.caption = grouped(words) + " of " + plural(s.target, "word")
	}
	if flags := slices.Concat(p.Flags, s.flags); len(flags) > 0 {
		it.caption += "  ·  " + strings.Join(flags, ", ")
	}
	return it
}

// A planRow draws one item.
type planRow struct {
	widget.BaseWidget
	item    item
	words   rulers
	icon    *widget.Icon
	dot     *canvas.Circle
	back    *canvas.Rectangle
	title   *canvas.Text
	caption *canvas.Text
}

func newPlanRow(words rulers) *planRow {
	r := &planRow{words: words, icon: widget.NewIcon(nil), dot: &canvas.Circle{}, back: &canvas.Rectangle{}, title: &canvas.Text{}, caption: &canvas.Text{}}
	r.ExtendBaseWidget(r)
	return r
}

func (r *planRow) show(it item) {
	if it != r.item {
		r.item = it
		r.Refresh()
	}
}

// CreateRenderer implements fyne.Widget.
func (r *planRow) CreateRenderer() fyne.WidgetRenderer { return &planRowRenderer{r} }

type planRowRenderer struct{ *planRow }

func (r *planRowRenderer) Destroy()           {}
func (r *planRowRenderer) MinSize() fyne.Size { return fyne.NewSize(120, itemHeight) }
func (r *planRowRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.back, r.dot, r.icon, r.title, r.caption}
}

func (r *planRowRenderer) Layout(size fyne.Size) {
	const left, mark = 16, 16
	text := float32(left + mark + 10)
	y := float32(6)
	if r.item.section == -1 {
		text, y = left, 14
	}
	width := size.Width - text - 12
	r.back.Move(fyne.NewPos(left/2, 0))
	r.back.Resize(fyne.NewSize(size.Width-left, size.Height))
	r.title.Text = shortened(r.item.title, width, r.title.TextStyle, r.words.of(r.title.TextSize))
	r.caption.Text = shortened(r.item.caption, width, r.caption.TextStyle, r.words.of(r.caption.TextSize))
	r.title.Move(fyne.NewPos(text, y))
	r.title.Resize(r.title.MinSize())
	r.caption.Move(fyne.NewPos(text, y+r.title.MinSize().Height))
	r.caption.Resize(r.caption.MinSize())
	middle := y + r.title.MinSize().Height/2
	r.icon.Move(fyne.NewPos(left, middle-mark/2))
	r.icon.Resize(fyne.NewSquareSize(mark))
	r.dot.Move(fyne.NewPos(left+mark/2-4.5, middle-4.5))
	r.dot.Resize(fyne.NewSquareSize(9))
}

func (r *planRowRenderer) Refresh() {
	th, v := r.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	r.title.Color, r.title.TextSize = th.Color(theme.ColorNameForeground, v), th.Size(theme.SizeNameText)
	r.title.TextStyle = fyne.TextStyle{Bold: r.item.mark == markWriting}
	r.caption.Color, r.caption.TextSize = th.Color(theme.ColorNamePlaceHolder, v), th.Size(theme.SizeNameCaptionText)
	if r.item.section == -1 {
		r.title.Color, r.title.TextStyle = th.Color(theme.ColorNamePlaceHolder, v), fyne.TextStyle{Bold: true}
	}
	r.back.FillColor, r.back.CornerRadius, r.back.Hidden = th.Color(theme.ColorNameHover, v), th.Size(theme.SizeNameSelectionRadius), !r.item.shown
	r.dot.FillColor, r.dot.StrokeColor, r.dot.StrokeWidth = nil, th.Color(theme.ColorNamePlaceHolder, v), 1
	if r.item.mark == markWriting {
		r.dot.FillColor, r.dot.StrokeColor = th.Color(theme.ColorNamePrimary, v), th.Color(theme.ColorNamePrimary, v)
	}
	r.dot.Hidden = r.item.mark != markPlanned && r.item.mark != markWriting
	switch r.item.mark {
	case markWritten:
		r.icon.SetResource(theme.NewPrimaryThemedResource(theme.ConfirmIcon()))
	case markFlagged:
		r.icon.SetResource(theme.NewWarningThemedResource(theme.WarningIcon()))
	}
	r.icon.Hidden = r.item.mark != markWritten && r.item.mark != markFlagged
	r.Layout(r.Size())
	canvas.Refresh(r.planRow)
}
