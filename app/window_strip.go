package main

import (
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A look is how rows of one kind are set. Spaces are in points.
type look struct {
	size    fyne.ThemeSizeName
	color   fyne.ThemeColorName
	style   fyne.TextStyle
	above   float32 // space above, beside what the row's gap asks for
	leading float32 // line height, in sizes
}

var looks = [...]look{
	rowTitle:   {size: sizeTitle, color: theme.ColorNameForeground, style: fyne.TextStyle{Bold: true}, above: 20, leading: 1.3},
	rowPart:    {size: theme.SizeNameSubHeadingText, color: theme.ColorNamePlaceHolder, above: 48, leading: 1.35},
	rowHeading: {size: theme.SizeNameSubHeadingText, color: theme.ColorNameForeground, style: fyne.TextStyle{Bold: true}, above: 40, leading: 1.35},
	rowPlan:    {size: theme.SizeNameText, color: theme.ColorNamePlaceHolder, style: fyne.TextStyle{Italic: true}, above: 8, leading: 1.6},
	rowText:    {size: sizeReading, color: theme.ColorNameForeground, leading: 1.62},
	rowThink:   {size: theme.SizeNameText, color: theme.ColorNamePlaceHolder, leading: 1.65},
	rowSay:     {size: theme.SizeNameText, color: theme.ColorNameForeground, leading: 1.5},
	rowHint:    {size: theme.SizeNameText, color: theme.ColorNamePlaceHolder, above: 8, leading: 1.5},
}

var gaps = [...]float32{gapNone: 0, gapLine: 4, gapParagraph: 13}

// A setting is a row broken into lines.
type setting struct {
	lines  [][]piece
	marker string  // before the first line: a bullet, a number
	indent float32 // of all lines
	above  float32
	line   float32 // height of one
	size   float32 // of the text
}

func (s *setting) height() float32 { return s.above + s.line*float32(len(s.lines)) }

// setRow breaks a row into lines for a column of the given width.
func setRow(r row, width float32, th fyne.Theme, words rulers) setting {
	l := looks[r.kind]
	size := th.Size(l.size)
	s := setting{size: size, line: size * l.leading, above: l.above + gaps[r.gap]}
	text, style := r.text, l.style
	if r.kind == rowText || r.kind == rowThink {
		s.marker, text = listMarker(text)
		if s.marker != "" {
			s.indent = 1.5 * size
		}
		if head := strings.TrimLeft(text, "#"); head != text && strings.HasPrefix(head, " ") {
			text, style = strings.TrimSpace(head), fyne.TextStyle{Bold: true}
		}
	}
	s.lines = setLines(emphasis(text, style), width-s.indent, words.of(size))
	return s
}

// listMarker takes the bullet or the number off a list's line.
func listMarker(text string) (marker, rest string) {
	t := strings.TrimLeft(text, " ")
	for _, m := range []string{"- ", "* ", "• "} {
		if strings.HasPrefix(t, m) {
			return "•", t[len(m):]
		}
	}
	digits := len(t) - len(strings.TrimLeftFunc(t, unicode.IsDigit))
	if digits > 0 && digits < 3 && strings.HasPrefix(t[digits:], ". ") {
		return t[:digits+1], t[digits+2:]
	}
	return "", text
}

// A strip draws one row of the page. Strips are used again for other rows.
type strip struct {
	widget.BaseWidget
	row   row
	set   setting
	texts []fyne.CanvasObject // *canvas.Text, one a piece
}

func newStrip() *strip {
	s := &strip{}
	s.ExtendBaseWidget(s)
	return s
}

// show makes the strip draw another row, or the same one grown.
func (s *strip) show(r row, set setting) {
	s.row, s.set = r, set
	s.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (s *strip) CreateRenderer() fyne.WidgetRenderer { return &stripRenderer{s} }

type stripRenderer struct{ *strip }

func (r *stripRenderer) Destroy()                     {}
func (r *stripRenderer) Layout(fyne.Size)             {}
func (r *stripRenderer) MinSize() fyne.Size           { return fyne.NewSize(0, r.set.height()) }
func (r *stripRenderer) Objects() []fyne.CanvasObject { return r.texts }

// Refresh places the pieces. Those that did not change are left alone, so that
// a token costs one line.
func (r *stripRenderer) Refresh() {
	color := theme.CurrentForWidget(r.strip).Color(looks[r.row.kind].color, fyne.CurrentApp().Settings().ThemeVariant())
	n := 0
	put := func(p piece, x, y float32) {
		if n == len(r.texts) {
			r.texts = append(r.texts, canvas.NewText("", color))
		}
		t := r.texts[n].(*canvas.Text)
		n++
		text := strings.TrimRight(p.text, " ")
		if t.Text != text || t.TextSize != r.set.size || t.TextStyle != p.style || t.Color != color {
			t.Text, t.TextSize, t.TextStyle, t.Color = text, r.set.size, p.style, color
			t.Resize(t.MinSize())
			t.Refresh()
		}
		t.Move(fyne.NewPos(x, y+(r.set.line-t.Size().Height)/2))
	}
	if r.set.marker != "" {
		put(piece{span: span{text: r.set.marker}}, r.set.size*0.2, r.set.above)
	}
	for i, line := range r.set.lines {
		for _, p := range line {
			put(p, r.set.indent+p.x, r.set.above+float32(i)*r.set.line)
		}
	}
	clear(r.texts[n:])
	r.texts = r.texts[:n]
	canvas.Refresh(r.strip)
}
