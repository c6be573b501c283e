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

// A quietText is text in the theme's muted colour, wrapped. (A label of low
// importance would be as pale as one that cannot be used.)
type quietText struct {
	*widget.RichText
	segment *widget.TextSegment
}

func newQuietText(text string, size fyne.ThemeSizeName) *quietText {
	s := &widget.TextSegment{Text: text, Style: widget.RichTextStyle{ColorName: theme.ColorNamePlaceHolder, SizeName: size}}
	t := &quietText{widget.NewRichText(s), s}
	t.ExtendBaseWidget(t) // else what is refreshed is not what is drawn, where the number of lines changes
	t.Wrapping = fyne.TextWrapWord
	return t
}

// caption is a small line that does not wrap.
func caption(text string) *quietText {
	t := newQuietText(text, theme.SizeNameCaptionText)
	t.Wrapping = fyne.TextWrapOff
	return t
}

func (t *quietText) say(text string) {
	if text != t.segment.Text {
		t.segment.Text = text
		t.Refresh()
	}
}

// A heading is large text in the theme's colour, in line with labels.
type heading struct {
	widget.BaseWidget
	text *canvas.Text
	size fyne.ThemeSizeName
}

func newHeading(text *canvas.Text, size fyne.ThemeSizeName) *heading {
	h := &heading{text: text, size: size}
	h.text.TextStyle = fyne.TextStyle{Bold: true}
	h.ExtendBaseWidget(h)
	h.tint()
	return h
}

func (h *heading) tint() {
	h.text.Color = h.Theme().Color(theme.ColorNameForeground, fyne.CurrentApp().Settings().ThemeVariant())
	h.text.TextSize = h.Theme().Size(h.size)
}

// CreateRenderer implements fyne.Widget.
func (h *heading) CreateRenderer() fyne.WidgetRenderer {
	pad := h.Theme().Size(theme.SizeNameInnerPadding)
	return widget.NewSimpleRenderer(container.New(layout.NewCustomPaddedLayout(0, 0, pad, pad), h.text))
}

// Refresh takes up the theme's colour.
func (h *heading) Refresh() {
	h.tint()
	h.BaseWidget.Refresh()
}

// A choice is a line of text that does something.
type choice struct {
	widget.BaseWidget
	title, detail *canvas.Text
	back          *canvas.Rectangle
	do            func()
	hovered       bool
	focused       bool
}

func newChoice(title, detail string, do func()) *choice {
	c := &choice{title: canvas.NewText(title, nil), detail: canvas.NewText(detail, nil), back: canvas.NewRectangle(nil), do: do}
	c.ExtendBaseWidget(c)
	c.tint()
	return c
}

// say changes what the choice says.
func (c *choice) say(title, detail string) {
	c.title.Text, c.detail.Text = title, detail
	c.Refresh()
}

func (c *choice) tint() {
	th, v := c.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	c.title.Color, c.title.TextSize = th.Color(theme.ColorNamePrimary, v), th.Size(theme.SizeNameText)
	c.detail.Color, c.detail.TextSize = th.Color(theme.ColorNamePlaceHolder, v), th.Size(theme.SizeNameCaptionText)
	c.back.CornerRadius = th.Size(theme.SizeNameButtonRadius)
	c.back.FillColor = th.Color(theme.ColorNameHover, v)
	if c.focused {
		c.back.FillColor = th.Color(theme.ColorNameFocus, v)
	}
	c.back.Hidden = !c.hovered && !c.focused
}

// CreateRenderer implements fyne.Widget.
func (c *choice) CreateRenderer() fyne.WidgetRenderer {
	line := container.NewHBox(c.title, layout.NewSpacer(), container.NewCenter(c.detail))
	return widget.NewSimpleRenderer(container.NewStack(c.back, container.New(layout.NewCustomPaddedLayout(8, 8, 8, 10), line)))
}

// Refresh takes up the theme's colours.
func (c *choice) Refresh() {
	c.tint()
	c.BaseWidget.Refresh()
}

// Tapped implements fyne.Tappable.
func (c *choice) Tapped(*fyne.PointEvent) { c.do() }

// MouseIn implements desktop.Hoverable.
func (c *choice) MouseIn(*desktop.MouseEvent) {
	c.hovered = true
	c.Refresh()
}

// MouseMoved implements desktop.Hoverable.
func (c *choice) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (c *choice) MouseOut() {
	c.hovered = false
	c.Refresh()
}

// Cursor implements desktop.Cursorable.
func (c *choice) Cursor() desktop.Cursor { return desktop.PointerCursor }

// FocusGained implements fyne.Focusable.
func (c *choice) FocusGained() {
	c.focused = true
	c.Refresh()
}

// FocusLost implements fyne.Focusable.
func (c *choice) FocusLost() {
	c.focused = false
	c.Refresh()
}

// TypedRune implements fyne.Focusable.
func (c *choice) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (c *choice) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter || k.Name == fyne.KeySpace {
		c.do()
	}
}

// paragraph is wrapped text of a fixed width, with the height that it needs.
func paragraph(kind rowKind, text string, width float32) fyne.CanvasObject {
	s := newStrip()
	s.show(row{kind: kind, text: text}, setRow(row{kind: kind, text: text}, width, theme.Current(), rulers{}))
	return container.New(layout.NewGridWrapLayout(fyne.NewSize(width, s.set.height())), s)
}

// columnLayout keeps its content in the middle and no wider than is easy to read.
type columnLayout struct{ width float32 }

// Layout implements fyne.Layout.
func (l columnLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	w := min(l.width, size.Width-2*pageMargin)
	for _, o := range objects {
		o.Resize(fyne.NewSize(w, max(size.Height, o.MinSize().Height)))
		o.Move(fyne.NewPos((size.Width-w)/2, 0))
	}
}

// MinSize implements fyne.Layout.
func (l columnLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, o := range objects {
		s = s.Max(o.MinSize())
	}
	return fyne.NewSize(min(s.Width, 320), s.Height)
}

// filled puts objects one below the other, or side by side, without gaps; one
// of them takes the room that the others leave.
type filled struct {
	across bool
	rest   int
}

func (l filled) along(s fyne.Size) (along, over float32) {
	if l.across {
		return s.Width, s.Height
	}
	return s.Height, s.Width
}

func (l filled) size(along, over float32) fyne.Size {
	if l.across {
		return fyne.NewSize(along, over)
	}
	return fyne.NewSize(over, along)
}

// Layout implements fyne.Layout.
func (l filled) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	room, over := l.along(size)
	least, _ := l.along(l.MinSize(objects))
	at := float32(0)
	for i, o := range objects {
		n, _ := l.along(o.MinSize())
		if i == l.rest {
			n += max(0, room-least)
		}
		o.Resize(l.size(n, over))
		place := l.size(at, 0)
		o.Move(fyne.NewPos(place.Width, place.Height))
		at += n
	}
}

// MinSize implements fyne.Layout.
func (l filled) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var along, over float32
	for _, o := range objects {
		a, b := l.along(o.MinSize())
		along, over = along+a, max(over, b)
	}
	return l.size(along, over)
}
