package main

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// The toolkit redraws whatever is set, changed or not; these do not.

func showIf(o fyne.CanvasObject, on bool) {
	switch {
	case on && !o.Visible():
		o.Show()
	case !on && o.Visible():
		o.Hide()
	}
}

func able(b *widget.Button, on bool) {
	switch {
	case on && b.Disabled():
		b.Enable()
	case !on && !b.Disabled():
		b.Disable()
	}
}

func relabel(b *widget.Button, text string) {
	if b.Text != text {
		b.SetText(text)
	}
}

func setText(l *widget.Label, text string) {
	if l.Text != text {
		l.SetText(text)
	}
}

// spacer takes up room.
func spacer(width, height float32) fyne.CanvasObject {
	r := canvas.NewRectangle(nil)
	r.SetMinSize(fyne.NewSize(width, height))
	return r
}

// A thinBar shows a share as a line, which is all a quiet window needs.
type thinBar struct {
	widget.BaseWidget
	share      float32
	rail, done *canvas.Rectangle
}

func newThinBar() *thinBar {
	b := &thinBar{rail: canvas.NewRectangle(nil), done: canvas.NewRectangle(nil)}
	b.ExtendBaseWidget(b)
	return b
}

func (b *thinBar) set(share float32) {
	if share = max(0, min(1, share)); share != b.share {
		b.share = share
		b.Refresh()
	}
}

// CreateRenderer implements fyne.Widget.
func (b *thinBar) CreateRenderer() fyne.WidgetRenderer {
	r := &thinBarRenderer{b}
	r.Refresh()
	return r
}

type thinBarRenderer struct{ *thinBar }

func (r *thinBarRenderer) Destroy()           {}
func (r *thinBarRenderer) MinSize() fyne.Size { return fyne.NewSize(0, 2) }
func (r *thinBarRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.rail, r.done}
}

func (r *thinBarRenderer) Layout(size fyne.Size) {
	r.rail.Resize(size)
	r.done.Resize(fyne.NewSize(size.Width*r.share, size.Height))
}

func (r *thinBarRenderer) Refresh() {
	th, v := r.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	r.rail.FillColor, r.done.FillColor = th.Color(theme.ColorNameSeparator, v), th.Color(theme.ColorNamePrimary, v)
	r.Layout(r.Size())
	canvas.Refresh(r.thinBar)
}
