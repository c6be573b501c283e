package main

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A touch is what tabs and toggles share: something drawn that can be tapped,
// by pointer or key, and shows that it can.
type touch struct {
	widget.BaseWidget
	back             *canvas.Rectangle
	do               func()
	hovered, focused bool
	disabled         bool
	redraw           func()
}

func (t *touch) tint() {
	th, v := t.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	t.back.CornerRadius = th.Size(theme.SizeNameButtonRadius)
	t.back.FillColor = th.Color(theme.ColorNameHover, v)
	if t.focused {
		t.back.FillColor = th.Color(theme.ColorNameFocus, v)
	}
	t.back.Hidden = t.disabled || !t.hovered && !t.focused
}

func (t *touch) set(flag *bool, on bool) {
	*flag = on
	t.redraw()
}

// Tapped implements fyne.Tappable.
func (t *touch) Tapped(*fyne.PointEvent) {
	if !t.disabled {
		t.do()
	}
}

// MouseIn implements desktop.Hoverable.
func (t *touch) MouseIn(*desktop.MouseEvent) { t.set(&t.hovered, true) }

// MouseMoved implements desktop.Hoverable.
func (t *touch) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (t *touch) MouseOut() { t.set(&t.hovered, false) }

// Cursor implements desktop.Cursorable.
func (t *touch) Cursor() desktop.Cursor {
	if t.disabled {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// FocusGained implements fyne.Focusable.
func (t *touch) FocusGained() { t.set(&t.focused, true) }

// FocusLost implements fyne.Focusable.
func (t *touch) FocusLost() { t.set(&t.focused, false) }

// TypedRune implements fyne.Focusable.
func (t *touch) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (t *touch) TypedKey(k *fyne.KeyEvent) {
	if !t.disabled && (k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter || k.Name == fyne.KeySpace) {
		t.do()
	}
}

// A tab is one of a few pages; the one in front is underlined.
type tab struct {
	touch
	text  *canvas.Text
	under *canvas.Rectangle
	front bool
}

func newTab(text string, do func()) *tab {
	t := &tab{text: canvas.NewText(text, nil), under: canvas.NewRectangle(nil)}
	t.touch = touch{back: canvas.NewRectangle(nil), do: do, redraw: t.Refresh}
	t.ExtendBaseWidget(t)
	t.tint()
	return t
}

// say changes the text; front says whether its page is the one that shows.
func (t *tab) say(text string, front bool) {
	if text != t.text.Text || front != t.front {
		t.text.Text, t.front = text, front
		t.Refresh()
	}
}

func (t *tab) tint() {
	t.touch.tint()
	th, v := t.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	t.text.TextSize, t.text.Color = th.Size(theme.SizeNameText), th.Color(theme.ColorNamePlaceHolder, v)
	if t.front {
		t.text.Color = th.Color(theme.ColorNameForeground, v)
	}
	t.under.FillColor, t.under.Hidden = th.Color(theme.ColorNamePrimary, v), !t.front
}

// CreateRenderer implements fyne.Widget.
func (t *tab) CreateRenderer() fyne.WidgetRenderer {
	t.under.SetMinSize(fyne.NewSize(1, 2))
	line := container.New(layout.NewCustomPaddedLayout(0, 1, 8, 8), container.NewVBox(layout.NewSpacer(), t.under))
	return widget.NewSimpleRenderer(container.NewStack(t.back, container.New(layout.NewCustomPaddedLayout(6, 7, 8, 8), t.text), line))
}

// Refresh takes up the theme's colours.
func (t *tab) Refresh() {
	t.tint()
	t.BaseWidget.Refresh()
}

// A toggle is a box to check, with a line of text and in small what it means.
type toggle struct {
	touch
	title, detail *canvas.Text
	box           *widget.Icon
	say           string // the title, which is shortened to fit
	on, partly    bool
	column        float32 // where the detail stands; 0: at the right
	words         rulers
}

const toggleBox = 18

func newToggle(title, detail string, words rulers, changed func(on bool)) *toggle {
	t := &toggle{title: canvas.NewText(title, nil), detail: canvas.NewText(detail, nil), box: widget.NewIcon(nil), say: title, words: words}
	t.touch = touch{back: canvas.NewRectangle(nil), redraw: t.Refresh, do: func() {
		t.set(!t.on)
		changed(t.on)
	}}
	t.ExtendBaseWidget(t)
	t.tint()
	return t
}

func (t *toggle) set(on bool) {
	if on != t.on || t.partly {
		t.on, t.partly = on, false
		t.Refresh()
	}
}

func (t *toggle) tint() {
	t.touch.tint()
	th, v := t.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	t.title.Color, t.title.TextSize = th.Color(theme.ColorNameForeground, v), th.Size(theme.SizeNameText)
	t.detail.Color, t.detail.TextSize = th.Color(theme.ColorNamePlaceHolder, v), th.Size(theme.SizeNameCaptionText)
	switch {
	case t.partly:
		t.box.Resource = theme.NewPrimaryThemedResource(th.Icon(theme.IconNameCheckButtonPartial))
	case t.on:
		t.box.Resource = theme.NewPrimaryThemedResource(theme.CheckButtonCheckedIcon())
	default:
		t.box.Resource = theme.NewThemedResource(theme.CheckButtonIcon())
	}
}

// CreateRenderer implements fyne.Widget.
func (t *toggle) CreateRenderer() fyne.WidgetRenderer { return &toggleRenderer{t} }

// Refresh takes up the theme's colours.
func (t *toggle) Refresh() {
	t.tint()
	t.BaseWidget.Refresh()
}

type toggleRenderer struct{ *toggle }

func (r *toggleRenderer) Destroy() {}

func (r *toggleRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.back, r.box, r.title, r.detail}
}

func (r *toggleRenderer) MinSize() fyne.Size { return fyne.NewSize(160, 34) }

func (r *toggleRenderer) Layout(size fyne.Size) {
	const left, gap = 8, 10
	r.back.Resize(size)
	middle := func(o fyne.CanvasObject, x float32, s fyne.Size) {
		o.Resize(s)
		o.Move(fyne.NewPos(x, (size.Height-s.Height)/2))
	}
	middle(r.box, left, fyne.NewSquareSize(toggleBox))
	detail := r.detail.MinSize()
	at := size.Width - detail.Width - gap
	if r.column > 0 {
		at = r.column
	}
	middle(r.detail, at, detail)
	room := size.Width - left - toggleBox - gap - gap
	if detail.Width > 0 {
		room = at - left - toggleBox - 3*gap
	}
	r.title.Text = shortened(r.say, room, r.title.TextStyle, r.words.of(r.title.TextSize))
	middle(r.title, left+toggleBox+gap, r.title.MinSize())
}

func (r *toggleRenderer) Refresh() {
	r.Layout(r.Size())
	r.box.Refresh()
	canvas.Refresh(r.toggle)
}
