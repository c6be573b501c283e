package main

import (
	"fmt"
	"image"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A chart draws one figure over the steps of a run: pale as each step had it,
// strong as it goes on the whole, and a band where there is one. The pointer
// reads off a step.
type chart struct {
	widget.BaseWidget
	series series
	steps  int // that the axis is for
	tall   bool
	at     int // the step under the pointer, or -1

	raster            *canvas.Raster
	image             *image.RGBA
	name, value, note *canvas.Text
	marks             [3]*canvas.Text // top, middle, bottom
	first, last       *canvas.Text    // steps
}

// A series is a figure, one value a step. Unknown values are NaN.
type series struct {
	name      string
	note      string // in small, beside the name
	values    []float64
	low, high []float64 // of the band; nil: none
	start     int       // the step of the first value
	least     float64   // that the axis spans
	ceiling   float64   // of the axis; 0: none
	format    func(float64) string
}

const (
	chartGutter = 38 // of the axis' figures
	chartHead   = 24 // of the name
	chartFoot   = 18 // of the steps' figures, where the chart is tall
	chartMargin = 4  // within the picture, on all sides
)

func newChart(tall bool) *chart {
	c := &chart{tall: tall, at: -1, steps: 10}
	text := func(align fyne.TextAlign) *canvas.Text {
		t := canvas.NewText("", nil)
		t.Alignment = align
		return t
	}
	c.name, c.note, c.value = text(fyne.TextAlignLeading), text(fyne.TextAlignLeading), text(fyne.TextAlignTrailing)
	for i := range c.marks {
		c.marks[i] = text(fyne.TextAlignTrailing)
	}
	c.first, c.last = text(fyne.TextAlignLeading), text(fyne.TextAlignTrailing)
	c.raster = canvas.NewRaster(c.draw)
	c.ExtendBaseWidget(c)
	return c
}

// show draws a series on an axis that has room for that many steps.
func (c *chart) show(s series, steps int) {
	c.series, c.steps = s, max(2, steps)
	if c.at >= len(s.values) {
		c.at = -1
	}
	c.Refresh()
}

// axis is the range of what the chart shows.
func (c *chart) axis() axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, values := range [][]float64{c.series.values, c.series.low, c.series.high} {
		for _, v := range values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	ceiling := c.series.ceiling
	if ceiling == 0 {
		ceiling = math.Inf(1)
	}
	return axisOf(low, high, max(c.series.least, 1e-6), 0, ceiling)
}

// draw makes the picture; w and h are in pixels.
func (c *chart) draw(w, h int) image.Image {
	if w < 1 || h < 1 {
		return image.NewRGBA(image.Rect(0, 0, 1, 1))
	}
	if c.image == nil || c.image.Rect.Dx() != w || c.image.Rect.Dy() != h {
		c.image = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	th, v := c.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	scale := float64(w) / float64(max(1, c.raster.Size().Width))
	clear(c.image.Pix)
	p := &pixels{RGBA: c.image, axis: c.axis(), margin: chartMargin * scale}
	for _, at := range []float64{p.axis.bottom, (p.axis.bottom + p.axis.top) / 2, p.axis.top} {
		p.line(at, th.Color(theme.ColorNameSeparator, v))
	}
	strong := th.Color(theme.ColorNamePrimary, v)
	through := func(values []float64) []stretch {
		return columns(values, c.series.start, c.steps, w, p.margin)
	}
	if c.series.low != nil {
		p.band(through(smoothed(c.series.low)), through(smoothed(c.series.high)), strong, 0.12)
	}
	p.curve(through(c.series.values), 0.6*scale, strong, 0.35)
	even := smoothed(c.series.values)
	p.curve(through(even), scale, strong, 1)
	if n := len(even) - 1; n >= 0 && !math.IsNaN(even[n]) {
		p.dot(place(n+c.series.start, c.steps, w, p.margin), p.axis.y(even[n], h, p.margin), 3*scale, strong)
	}
	if c.at >= 0 {
		x := int(place(c.at+c.series.start, c.steps, w, p.margin))
		p.bar(min(x, w-1), 0, float64(h), th.Color(theme.ColorNamePlaceHolder, v), 0.6)
	}
	return c.image
}

// reading is what the chart says beside its name: the value on the whole, or
// what the step under the pointer had.
func (c *chart) reading() string {
	values := c.series.values
	switch {
	case len(values) == 0:
		return ""
	case c.at >= 0:
		v := "unknown"
		if !math.IsNaN(values[c.at]) {
			v = c.series.format(values[c.at])
		}
		return fmt.Sprintf("step %s: %s", grouped(c.at+c.series.start+1), v)
	}
	if v := lately(values); !math.IsNaN(v) {
		return c.series.format(v)
	}
	return "unknown"
}

// lately is the mean of the last tenth, at most 20 values and at least 3.
func lately(values []float64) float64 {
	return mean(values[max(0, len(values)-recent(len(values))):])
}

func recent(n int) int { return min(n, min(max(n/10, 3), 20)) }

// mean leaves out what is unknown; of nothing it is NaN.
func mean(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(n)
}

// MouseIn implements desktop.Hoverable.
func (c *chart) MouseIn(e *desktop.MouseEvent) { c.MouseMoved(e) }

// MouseMoved implements desktop.Hoverable.
func (c *chart) MouseMoved(e *desktop.MouseEvent) {
	w := c.raster.Size().Width - 2*chartMargin
	x := float64(e.Position.X - c.raster.Position().X - chartMargin)
	at := int(math.Round(x/float64(max(1, w))*float64(c.steps-1))) - c.series.start
	if n := len(c.series.values); n > 0 {
		c.point(min(max(at, 0), n-1))
	}
}

// MouseOut implements desktop.Hoverable.
func (c *chart) MouseOut() { c.point(-1) }

func (c *chart) point(at int) {
	if at != c.at {
		c.at = at
		c.Refresh()
	}
}

// CreateRenderer implements fyne.Widget.
func (c *chart) CreateRenderer() fyne.WidgetRenderer {
	r := &chartRenderer{c}
	r.Refresh()
	return r
}

type chartRenderer struct{ *chart }

func (r *chartRenderer) Destroy() {}

func (r *chartRenderer) MinSize() fyne.Size {
	if r.tall {
		return fyne.NewSize(240, chartHead+chartFoot+84)
	}
	return fyne.NewSize(180, chartHead+58)
}

func (r *chartRenderer) Objects() []fyne.CanvasObject {
	o := []fyne.CanvasObject{r.raster, r.name, r.note, r.value, r.first, r.last}
	for _, m := range r.marks {
		o = append(o, m)
	}
	return o
}

func (r *chartRenderer) Layout(size fyne.Size) {
	foot := float32(8)
	if r.tall {
		foot = chartFoot
	}
	at, area := fyne.NewPos(chartGutter, chartHead), fyne.NewSize(max(1, size.Width-chartGutter), max(1, size.Height-chartHead-foot))
	r.raster.Move(at)
	r.raster.Resize(area)
	set := func(t *canvas.Text, x, y, width float32) {
		t.Move(fyne.NewPos(x, y))
		t.Resize(fyne.NewSize(width, t.MinSize().Height))
	}
	set(r.name, at.X, 0, r.name.MinSize().Width)
	set(r.value, at.X, 0, area.Width)
	below := r.name.MinSize().Height - r.note.MinSize().Height
	set(r.note, at.X+r.name.MinSize().Width+8, below-1, r.note.MinSize().Width)
	r.note.Hidden = r.note.Position().X+r.note.MinSize().Width+12 > at.X+area.Width-r.value.MinSize().Width
	for i, m := range r.marks {
		y := at.Y + chartMargin + float32(i)/2*(area.Height-2*chartMargin)
		set(m, 0, y-m.MinSize().Height/2, chartGutter-7)
	}
	r.marks[1].Hidden = area.Height < 4*r.marks[1].MinSize().Height
	set(r.first, at.X, at.Y+area.Height+1, area.Width)
	set(r.last, at.X, at.Y+area.Height+1, area.Width)
	r.first.Hidden, r.last.Hidden = !r.tall, !r.tall
}

func (r *chartRenderer) Refresh() {
	th, v := r.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	strong, muted := th.Color(theme.ColorNameForeground, v), th.Color(theme.ColorNamePlaceHolder, v)
	text, small := th.Size(theme.SizeNameText), th.Size(theme.SizeNameCaptionText)
	a := r.axis()
	r.name.Text, r.name.Color, r.name.TextSize, r.name.TextStyle.Bold = r.series.name, strong, text, r.tall
	r.value.Text, r.value.Color, r.value.TextSize, r.value.TextStyle.Bold = r.reading(), strong, text, r.tall
	r.note.Text, r.note.Color, r.note.TextSize = r.series.note, muted, small
	for i, at := range []float64{a.top, (a.top + a.bottom) / 2, a.bottom} {
		m := r.marks[i]
		m.Text, m.Color, m.TextSize = a.label(at), muted, small-1
	}
	r.first.Text, r.first.Color, r.first.TextSize = "step 1", muted, small-1
	r.last.Text, r.last.Color, r.last.TextSize = grouped(r.steps), muted, small-1
	r.Layout(r.Size())
	for _, o := range r.Objects() {
		if t, ok := o.(*canvas.Text); ok {
			t.Refresh()
		}
	}
	r.raster.Refresh()
	canvas.Refresh(r.chart)
}
