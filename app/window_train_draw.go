package main

import (
	"image"
	"image/color"
	"math"
	"strconv"
)

// A stretch is what a curve covers in one column of pixels, in values. A NaN low
// covers nothing.
type stretch struct{ low, high float64 }

// columns follows a curve through w columns of pixels. Value i is of step
// start + i and stands at its place; a straight line leads from each to the
// next, and values in one column become the stretch between least and greatest,
// so that thousands of steps cost no more than they show. NaN breaks the line; a
// value with none beside it is a dash as wide as a margin.
func columns(values []float64, start, steps, w int, margin float64) []stretch {
	covered := make([]stretch, w)
	for i := range covered {
		covered[i].low = math.NaN()
	}
	cover := func(column int, y float64) {
		if column < 0 || column >= w {
			return
		}
		if r := &covered[column]; math.IsNaN(r.low) {
			*r = stretch{y, y}
		} else {
			r.low, r.high = min(r.low, y), max(r.high, y)
		}
	}
	known := func(i int) bool { return i >= 0 && i < len(values) && !math.IsNaN(values[i]) }
	for i, y := range values {
		if !known(i) {
			continue
		}
		x := place(start+i, steps, w, margin)
		if !known(i + 1) {
			if !known(i - 1) {
				for c := int(x - margin/2); c < int(math.Ceil(x+margin/2)); c++ {
					cover(c, y)
				}
			}
			continue
		}
		next := place(start+i+1, steps, w, margin)
		slope := (values[i+1] - y) / (next - x)
		for c := int(x); c <= int(next) && c < w; c++ {
			cover(c, y+slope*(max(x, float64(c))-x))
			cover(c, y+slope*(min(next, float64(c+1))-x))
		}
	}
	return covered
}

// place is where step i stands, in pixels from the left:
// margin + i/(steps-1) (w - 2 margin).
func place(i, steps, w int, margin float64) float64 {
	return margin + float64(i)/float64(max(1, steps-1))*(float64(w)-2*margin)
}

// smoothed is the mean of the values around each one, over about a twelfth of
// all, so that the course shows in spite of the noise. At the ends there are
// neighbours on one side alone. NaN has no part in it and stays NaN.
func smoothed(values []float64) []float64 {
	reach := min(len(values)/24, 50)
	if reach == 0 && len(values) >= 8 {
		reach = 1
	}
	sums, counts := make([]float64, len(values)+1), make([]int, len(values)+1)
	for i, v := range values {
		sums[i+1], counts[i+1] = sums[i], counts[i]
		if !math.IsNaN(v) {
			sums[i+1], counts[i+1] = sums[i]+v, counts[i]+1
		}
	}
	out := make([]float64, len(values))
	for i, v := range values {
		from, to := max(0, i-reach), min(len(values), i+reach+1)
		if out[i] = v; !math.IsNaN(v) {
			out[i] = (sums[to] - sums[from]) / float64(counts[to]-counts[from])
		}
	}
	return out
}

// An axis is the range of values that a chart shows; a line stands at each
// third of it: bottom, middle and top.
type axis struct{ bottom, top float64 }

// axisOf is a range with round numbers that holds low to high and is least wide
// at the least. It stays within floor and ceiling.
func axisOf(low, high, least, floor, ceiling float64) axis {
	if math.IsNaN(low) || math.IsInf(low, 0) || math.IsInf(high, 0) {
		low, high = floor, floor+least
	}
	low, high = max(low, floor), min(high, ceiling)
	for unit := roundUp(max(high-low, least) / 2); ; unit = roundUp(unit * 1.01) {
		a := axis{bottom: math.Floor(low/unit+1e-9) * unit}
		a.top = a.bottom + 2*unit
		if a.top > ceiling+1e-9 {
			a = axis{max(floor, ceiling-2*unit), ceiling}
		}
		if a.top >= high-1e-9 && a.bottom <= low+1e-9 || math.IsInf(unit, 0) {
			return a
		}
	}
}

// roundUp is the next of 1, 2, 2.5 and 5 times a power of ten.
func roundUp(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*power >= x*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// label writes a value of the axis, with the digits that tell its lines apart.
func (a axis) label(v float64) string {
	unit := (a.top - a.bottom) / 2
	for digits := range 4 {
		p := math.Pow(10, float64(digits))
		if math.Abs(unit*p-math.Round(unit*p)) < 1e-6 {
			return strconv.FormatFloat(v, 'f', digits, 64)
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// y is where a value stands in an image of h rows, in pixels from the top.
func (a axis) y(v float64, h int, margin float64) float64 {
	return margin + (a.top-v)/(a.top-a.bottom)*(float64(h)-2*margin)
}

// A sheet of pixels that curves are drawn on: clear, so that the window's own
// colour shows through.
type pixels struct {
	*image.RGBA
	axis   axis
	margin float64 // left free on all sides, for the stroke and the dot
}

// curve draws what is covered, thicker by half a stroke above and below.
func (p *pixels) curve(covered []stretch, half float64, c color.Color, strength float64) {
	h := p.Rect.Dy()
	for x, r := range covered {
		if !math.IsNaN(r.low) {
			p.bar(x, p.axis.y(r.high, h, p.margin)-half, p.axis.y(r.low, h, p.margin)+half, c, strength)
		}
	}
}

// band fills what lies between two curves.
func (p *pixels) band(low, high []stretch, c color.Color, strength float64) {
	h := p.Rect.Dy()
	for x := range low {
		if !math.IsNaN(low[x].low) && !math.IsNaN(high[x].low) {
			p.bar(x, p.axis.y(high[x].high, h, p.margin), p.axis.y(low[x].low, h, p.margin), c, strength)
		}
	}
}

// bar colours column x from top to bottom; pixels that it covers in part take
// that part of the colour.
func (p *pixels) bar(x int, top, bottom float64, c color.Color, strength float64) {
	h := p.Rect.Dy()
	if !(bottom > 0) || !(top < float64(h)) {
		return
	}
	mix := inkOf(c)
	for y := max(0, int(top)); y < min(h, int(math.Ceil(bottom))); y++ {
		mix.over(p.Pix[p.PixOffset(x, y):], strength*(min(bottom, float64(y+1))-max(top, float64(y))))
	}
}

// An ink is a colour, premultiplied as the image is: red, green, blue, alpha up
// to 255.
type ink [4]float32

func inkOf(c color.Color) ink {
	red, green, blue, alpha := c.RGBA()
	return ink{float32(red) / 0x101, float32(green) / 0x101, float32(blue) / 0x101, float32(alpha) / 0x101}
}

// over lays a part of the ink over a pixel.
func (c *ink) over(pixel []uint8, part float64) {
	share := float32(part)
	rest := 1 - share*c[3]/255
	for k := range c {
		pixel[k] = uint8(float32(pixel[k])*rest + share*c[k] + 0.5)
	}
}

// dot draws a disc around a place.
func (p *pixels) dot(x, y, radius float64, c color.Color) {
	area := image.Rect(int(x-radius-1), int(y-radius-1), int(x+radius+2), int(y+radius+2)).Intersect(p.Rect)
	mix := inkOf(c)
	for py := area.Min.Y; py < area.Max.Y; py++ {
		for px := area.Min.X; px < area.Max.X; px++ {
			away := math.Hypot(float64(px)+0.5-x, float64(py)+0.5-y)
			mix.over(p.Pix[p.PixOffset(px, py):], min(1, max(0, radius+0.5-away)))
		}
	}
}

// line draws a line across at a value, one pixel high.
func (p *pixels) line(v float64, c color.Color) {
	y := math.Round(p.axis.y(v, p.Rect.Dy(), p.margin) - 0.5)
	for x := range p.Rect.Dx() {
		p.bar(x, y, y+1, c, 1)
	}
}
