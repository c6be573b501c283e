package main

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"longhand/rl"
)

// finely is what columns does, by looking at the line in a thousand places a
// column.
func finely(values []float64, steps, w int, margin float64) []stretch {
	out := make([]stretch, w)
	for c := range out {
		out[c].low = math.NaN()
		for k := range 1000 {
			x := float64(c) + float64(k)/1000
			at := (x - margin) / (float64(w) - 2*margin) * float64(steps-1)
			i := int(math.Floor(at))
			if at < 0 || i >= len(values) || i == len(values)-1 && at > float64(i) {
				continue
			}
			y := values[i]
			if at > float64(i) {
				y += (values[i+1] - y) * (at - float64(i))
			}
			if math.IsNaN(y) {
				continue
			}
			if math.IsNaN(out[c].low) {
				out[c] = stretch{y, y}
			} else {
				out[c] = stretch{min(out[c].low, y), max(out[c].high, y)}
			}
		}
	}
	return out
}

func TestColumnsFollowTheLine(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		n, w := 2+r.IntN(400), 20+r.IntN(120)
		steps := n + r.IntN(n)
		values := make([]float64, n)
		for i := range values {
			if values[i] = r.Float64(); r.IntN(40) == 0 && i > 1 && i+2 < n && !math.IsNaN(values[i-1]) && !math.IsNaN(values[i-2]) {
				values[i] = math.NaN()
			}
		}
		const margin = 2
		got, want := columns(values, 0, steps, w, margin), finely(values, steps, w, margin)
		for c := range got {
			if math.IsNaN(want[c].low) {
				continue // a point between two looks, or a dash
			}
			if slack := 0.02 + 4*float64(steps)/float64(w)/1000; math.Abs(got[c].low-want[c].low) > slack || math.Abs(got[c].high-want[c].high) > slack {
				t.Fatalf("seed %d: %d values in %d of %d columns: column %d is %v, want %v", seed, n, c, w, c, got[c], want[c])
			}
		}
	}
}

func TestColumnsOfLittle(t *testing.T) {
	nan := math.NaN()
	for _, values := range [][]float64{nil, {nan}, {nan, nan, nan}} {
		for c, s := range columns(values, 0, 10, 50, 4) {
			if !math.IsNaN(s.low) {
				t.Errorf("%v covers column %d", values, c)
			}
		}
	}
	for _, values := range [][]float64{{0.5}, {nan, 0.5, nan}} {
		n := 0
		for _, s := range columns(values, 0, 10, 50, 4) {
			if s == (stretch{0.5, 0.5}) {
				n++
			}
		}
		if n < 3 || n > 6 {
			t.Errorf("a value alone covers %d columns", n)
		}
	}
}

func TestSmoothed(t *testing.T) {
	level := make([]float64, 100)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range level {
		level[i] = 0.5 + 0.1*r.NormFloat64()
	}
	level[40] = math.NaN()
	even := smoothed(level)
	if !math.IsNaN(even[40]) || math.IsNaN(even[39]) {
		t.Error("what is unknown spreads, or is made up")
	}
	if a, b := variance(even), variance(level); a > b/4 {
		t.Errorf("a variance of %v is left of %v", a, b)
	}
	for i, v := range smoothed([]float64{1, 2, 3}) {
		if v != float64(i+1) {
			t.Error("three values are smoothed")
		}
	}
	slope := make([]float64, 240)
	for i := range slope {
		slope[i] = float64(i)
	}
	for i, v := range smoothed(slope)[10:230] {
		if math.Abs(v-slope[i+10]) > 1e-9 {
			t.Fatalf("a straight line is bent: %v at %d", v, i+10)
		}
	}
}

func TestAxisHoldsTheValuesBetweenRoundNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 20_000 {
		ceiling, size := 1.0, 1.0
		if r.IntN(2) == 0 {
			ceiling, size = math.Inf(1), math.Pow(10, 6*r.Float64()-2)
		}
		low := size * r.Float64()
		high := low + (size-low)*r.Float64()
		least := 0.2 * size
		a := axisOf(low, high, least, 0, ceiling)
		if a.bottom > low+1e-9 || a.top < high-1e-9 || a.bottom < 0 || a.top > ceiling+1e-9 {
			t.Fatalf("%v to %v (at most %v) is shown from %v to %v", low, high, ceiling, a.bottom, a.top)
		}
		if wide := a.top - a.bottom; wide < least-1e-9 || wide > 5.1*max(least, high-low) {
			t.Fatalf("%v to %v is shown from %v to %v", low, high, a.bottom, a.top)
		}
	}
	for _, c := range []struct {
		low, high, least, ceiling float64
		want                      string
	}{
		{0.50, 0.58, 0.2, 1, "0.5 0.6 0.7"},
		{0.44, 0.58, 0.2, 1, "0.4 0.5 0.6"},
		{0.97, 1, 0.2, 1, "0.8 0.9 1.0"},
		{0, 0, 0.2, 1, "0.0 0.1 0.2"},
		{0.3, 0.62, 0.2, 1, "0.25 0.50 0.75"},
		{96, 318, 20, math.Inf(1), "0 200 400"},
		{math.Inf(1), math.Inf(-1), 0.2, 1, "0.0 0.1 0.2"},
		{0.45, 0.7, 0.2, 1, "0.4 0.6 0.8"},
		{0.26, 0.74, 0.2, 1, "0.25 0.50 0.75"},
	} {
		a := axisOf(c.low, c.high, c.least, 0, c.ceiling)
		got := fmt.Sprintf("%s %s %s", a.label(a.bottom), a.label((a.bottom+a.top)/2), a.label(a.top))
		if got != c.want {
			t.Errorf("%v to %v is shown as %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

func TestRoundUp(t *testing.T) {
	for _, c := range [][2]float64{{1, 1}, {1.01, 2}, {2.1, 2.5}, {3, 5}, {6, 10}, {0.1, 0.1}, {0.03, 0.05}, {51, 100}, {200, 200}} {
		if got := roundUp(c[0]); math.Abs(got-c[1]) > 1e-12 {
			t.Errorf("roundUp(%v) = %v, want %v", c[0], got, c[1])
		}
	}
}

// drawn opens a chart of that many steps in a window.
func drawn(t testing.TB, steps int) *chart {
	test.NewTempApp(t).Settings().SetTheme(newQuiet())
	run := newCourse(trainJob(steps))
	for _, e := range madeRun(steps) {
		run.apply(e)
	}
	c := newChart(true)
	w := test.NewTempWindow(t, c)
	w.SetPadded(false)
	w.Resize(fyne.NewSize(600, 240))
	c.show(run.series()[0], run.span())
	return c
}

// The picture has the curve where the values are, in the theme's colour, and
// nothing but grid lines where there are none.
func TestChartDrawsTheCurveWhereTheValuesAre(t *testing.T) {
	c := drawn(t, 500)
	img := c.draw(1200, 400).(*image.RGBA)
	a := c.axis()
	want := fyne.CurrentApp().Settings().Theme().Color(theme.ColorNamePrimary, theme.VariantLight)
	r0, g0, b0, _ := want.RGBA()
	even := smoothed(c.series.values)
	for i := 3; i < len(even)-3; i++ {
		x := int(place(i, c.steps, 1200, 2*chartMargin))
		y := int(a.y(even[i], 400, 2*chartMargin))
		r, g, b, alpha := img.At(x, y).RGBA()
		if alpha < 0xF000 || r>>10 != r0>>10 || g>>10 != g0>>10 || b>>10 != b0>>10 {
			t.Fatalf("step %d: at %d, %d is %v", i, x, y, img.At(x, y))
		}
	}
	c.show(series{name: "nothing"}, 500)
	img = c.draw(1200, 400).(*image.RGBA)
	rows := 0
	for y := range 400 {
		if _, _, _, alpha := img.At(600, y).RGBA(); alpha > 0 {
			rows++
		}
	}
	if rows != 3 {
		t.Errorf("an empty chart has %d lines", rows)
	}
}

func TestChartReadsOffAStep(t *testing.T) {
	c := drawn(t, 500)
	if got, want := c.value.Text, twoDigits(lately(c.series.values)); got != want {
		t.Errorf("it says %s, want %s", got, want)
	}
	left, right := c.raster.Position().X+chartMargin, c.raster.Position().X+c.raster.Size().Width-chartMargin
	for share, step := range map[float32]int{-1: 0, 0: 0, 0.5: 250, 1: 499, 2: 499} {
		x := left + share*(right-left)
		c.MouseMoved(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, 50)}})
		at := c.at
		if at < step-1 || at > step+1 {
			t.Errorf("at %v it reads step %d, want %d", share, at, step)
		}
		if want := fmt.Sprintf("step %d: %s", at+1, twoDigits(c.series.values[at])); c.value.Text != want {
			t.Errorf("it says %s, want %s", c.value.Text, want)
		}
	}
	c.point(499)
	c.show(series{name: "another", values: []float64{math.NaN()}, format: twoDigits}, 10)
	if c.at != -1 || c.value.Text != "unknown" {
		t.Errorf("of another run it says %s", c.value.Text)
	}
	c.MouseOut()
}

func TestChartStandsStrangeValues(t *testing.T) {
	test.NewTempApp(t)
	c := newChart(false)
	for _, values := range [][]float64{{math.Inf(1)}, {-5, 7}, {1e300, -1e300, math.NaN()}, {0, 0, 0}} {
		run := newCourse(rl.NewJob())
		run.apply(rl.Started{Step: 1 << 40, Steps: 1 << 50})
		for i, v := range values {
			run.apply(rl.Step{Step: 1<<40 + i, Reward: rl.Number(v), Length: rl.Number(v), LengthMin: rl.Number(-v), LengthMax: rl.Number(v)})
		}
		for _, s := range run.series() {
			for _, size := range []fyne.Size{{}, {Width: 1, Height: 1}, {Width: 300, Height: 90}} {
				c.Resize(size)
				c.show(s, run.span())
				c.draw(int(size.Width), int(size.Height))
			}
		}
	}
}

// BenchmarkChart draws 10,000 steps, which is what a step costs at the end of a
// very long run, for each chart.
func BenchmarkChart(b *testing.B) {
	c := drawn(b, 10_000)
	s := c.series
	for b.Loop() {
		c.show(s, 10_000)
		c.draw(800, 200)
	}
}
