//nolint:misspell // the package is called color
package rl

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Plot draws the curves of a run's metrics as a PNG: what ReadMetrics returns. Each
// curve is drawn as it is, thin, and as the mean of the steps around; evaluations are dots.
func Plot(w io.Writer, metrics []Event, title string) error {
	charts := chartsOf(metrics)
	const wide, high, head = 460, 260, 34
	rows := (len(charts) + 2) / 3
	img := image.NewRGBA(image.Rect(0, 0, 3*wide, head+rows*high))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	text(img, 12, 21, title, black)
	for i, c := range charts {
		at := image.Pt(i%3*wide, head+i/3*high)
		c.draw(img, image.Rectangle{at, at.Add(image.Pt(wide, high))})
	}
	if err := png.Encode(w, img); err != nil {
		return fmt.Errorf("rl: plot: %w", err)
	}
	return nil
}

// A curve is values over steps; NaN is a gap.
type curve struct {
	name string
	x, y []float64
	dots bool
}

func (c *curve) add(x int, y Number) {
	c.x, c.y = append(c.x, float64(x)), append(c.y, float64(y))
}

type chart struct {
	title  string
	curves []*curve
}

// chartsOf sorts the metrics into charts, and leaves out those without a value.
func chartsOf(metrics []Event) (charts []*chart) {
	byTitle := map[string]*chart{}
	add := func(title, name string, x int, y Number, dots bool) {
		ch := byTitle[title]
		if ch == nil {
			ch = &chart{title: title}
			byTitle[title] = ch
			charts = append(charts, ch)
		}
		for _, c := range ch.curves {
			if c.name == name {
				c.add(x, y)
				return
			}
		}
		c := &curve{name: name, dots: dots}
		c.add(x, y)
		ch.curves = append(ch.curves, c)
	}
	for _, ev := range metrics {
		if e, ok := ev.(Warmup); ok {
			add("warm-up: loss", "loss", e.Step, e.Loss, false)
		}
	}
	for _, ev := range metrics {
		switch e := ev.(type) {
		case Step:
			add("reward", "reward", e.Step, e.Reward, false)
			byName := slices.SortedFunc(slices.Values(e.Rewards), func(a, b RewardStat) int { return strings.Compare(a.Name, b.Name) }) // in the colours of the evaluations
			for _, r := range byName {
				if len(e.Rewards) == 1 {
					break // it is the reward
				}
				add("rewards", r.Name, e.Step, r.Mean, false)
			}
			add("completion length, tokens", "mean", e.Step, e.Length, false)
			add("completion length, tokens", "most", e.Step, e.LengthMax, false)
			add("entropy, nat", "entropy", e.Step, e.Entropy, false)
			add("divergence from the base, nat", "kl", e.Step, e.KL, false)
			add("gradient norm", "norm", e.Step, e.GradNorm, false)
			add("sampler against trainer, nat", "mean", e.Step, e.Difference, false)
			add("shares", "not finished", e.Step, e.Clipped, false)
			add("shares", "dead groups", e.Step, e.Dead, false)
			add("tokens per second", "rollouts", e.Step, e.Rollout, false)
			add("tokens per second", "training", e.Step, e.Train, false)
		case Eval:
			if e.Phase == "base" && byTitle["warm-up: loss"] != nil {
				continue // of another model: a warm-up came between
			}
			for _, name := range slices.Sorted(maps.Keys(e.Rewards)) {
				add("held-out prompts", name, e.Step, e.Rewards[name], true)
			}
		}
	}
	return charts
}

var (
	black = color.RGBA{30, 30, 30, 255}
	grey  = color.RGBA{215, 215, 215, 255}
	inks  = []color.RGBA{{31, 105, 175, 255}, {205, 92, 30, 255}, {44, 140, 70, 255}, {140, 70, 160, 255}, {120, 100, 20, 255}}
)

// draw draws a chart into its part of the image.
func (ch *chart) draw(img draw.Image, box image.Rectangle) {
	text(img, box.Min.X+56, box.Min.Y+16, ch.title, black)
	lowX, highX, lowY, highY := ch.range2()
	plot := image.Rect(box.Min.X+56, box.Min.Y+26, box.Max.X-16, box.Max.Y-26)
	at := func(x, y float64) image.Point {
		return image.Pt(
			plot.Min.X+int(math.Round((x-lowX)/(highX-lowX)*float64(plot.Dx()))),
			plot.Max.Y-int(math.Round((y-lowY)/(highY-lowY)*float64(plot.Dy()))))
	}
	for _, y := range ticks(lowY, highY) {
		p, q := at(lowX, y), at(highX, y)
		line(img, p, q, grey)
		label := short(y)
		text(img, plot.Min.X-7*len(label)-6, p.Y+4, label, black)
	}
	for _, x := range ticks(lowX, highX) {
		label := short(x)
		text(img, at(x, lowY).X-7*len(label)/2, plot.Max.Y+16, label, black)
	}
	names := plot.Max.X
	for i, c := range ch.curves {
		ink := inks[i%len(inks)]
		names -= 7*len(c.name) + 10
		text(img, names, box.Min.Y+16, c.name, ink)
		if c.dots {
			c.drawDots(img, at, ink)
			continue
		}
		c.drawLine(img, at, c.y, pale(ink), 0)
		c.drawLine(img, at, smooth(c.y), ink, 1)
	}
}

func (c *curve) drawDots(img draw.Image, at func(x, y float64) image.Point, ink color.RGBA) {
	c.drawLine(img, at, c.y, pale(ink), 0)
	for i, y := range c.y {
		if !math.IsNaN(y) {
			p := at(c.x[i], y)
			draw.Draw(img, image.Rect(p.X-3, p.Y-3, p.X+4, p.Y+4), image.NewUniform(ink), image.Point{}, draw.Src)
		}
	}
}

// drawLine joins the points of y, with so much more thickness.
func (c *curve) drawLine(img draw.Image, at func(x, y float64) image.Point, y []float64, ink color.RGBA, thick int) {
	for i := 1; i < len(y); i++ {
		if math.IsNaN(y[i-1]) || math.IsNaN(y[i]) {
			continue
		}
		for d := range thick + 1 {
			line(img, at(c.x[i-1], y[i-1]).Add(image.Pt(0, d)), at(c.x[i], y[i]).Add(image.Pt(0, d)), ink)
		}
	}
}

// range2 are the bounds of all curves, a little wider than the values.
func (ch *chart) range2() (lowX, highX, lowY, highY float64) {
	lowX, lowY, highX, highY = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, c := range ch.curves {
		for i, y := range c.y {
			lowX, highX = min(lowX, c.x[i]), max(highX, c.x[i])
			if !math.IsNaN(y) && !math.IsInf(y, 0) {
				lowY, highY = min(lowY, y), max(highY, y)
			}
		}
	}
	if lowY > highY {
		lowY, highY = 0, 1
	}
	if lowX == highX {
		highX++
	}
	if margin := max(1e-9, 1e-3*math.Abs(highY)); highY-lowY < margin { // a flat line lies in the middle
		lowY, highY = lowY-margin, highY+margin
	}
	t := ticks(lowY, highY)
	step := t[1] - t[0]
	return lowX, highX, step * math.Floor(lowY/step+1e-6), step * math.Ceil(highY/step-1e-6)
}

// ticks are the round numbers from low to high, a few of them: multiples of 1, 2 or 5
// times a power of ten.
func ticks(low, high float64) (all []float64) {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/2)))
	for _, times := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*times) <= 5 {
			step *= times
			break
		}
	}
	for i := math.Ceil(low/step - 1e-6); i <= high/step+1e-6 || len(all) < 2; i++ {
		all = append(all, i*step)
	}
	return all
}

// smooth is the mean of the known values among the ten steps up to each, and as many behind.
func smooth(y []float64) []float64 {
	const reach = 5
	out := make([]float64, len(y))
	for i := range y {
		out[i], _ = meanKnown(y[max(0, i-reach):min(len(y), i+reach+1)])
	}
	return out
}

func pale(c color.RGBA) color.RGBA {
	return color.RGBA{c.R/2 + 127, c.G/2 + 127, c.B/2 + 127, 255}
}

// line draws a straight line, pixel by pixel along its longer side.
func line(img draw.Image, p, q image.Point, c color.Color) {
	d := q.Sub(p)
	n := max(d.X, -d.X, d.Y, -d.Y, 1)
	for i := range n + 1 {
		img.Set(p.X+(d.X*i+sign(d.X)*n/2)/n, p.Y+(d.Y*i+sign(d.Y)*n/2)/n, c)
	}
}

func sign(x int) int {
	switch {
	case x < 0:
		return -1
	case x > 0:
		return 1
	}
	return 0
}

func text(img draw.Image, x, y int, s string, c color.Color) {
	d := font.Drawer{Dst: img, Src: image.NewUniform(c), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

// short is a number with three digits.
func short(x float64) string {
	if math.Abs(x) < 1e-12 {
		return "0"
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
