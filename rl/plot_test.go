//nolint:misspell // the package is called color
package rl

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"testing"
)

// A rising reward is a line from the lower left to the upper right, over the steps it is known.
func TestPlot(t *testing.T) {
	var metrics []Event
	for i := range 50 {
		s := unknownStep(i)
		s.Reward = Number(float64(i) / 50)
		if i == 20 {
			s.Reward = Number(math.NaN())
		}
		metrics = append(metrics, s)
	}
	metrics = append(metrics, Eval{Phase: "train", Step: 49, Rewards: map[string]Number{"length": 0.5}})
	var b bytes.Buffer
	if err := Plot(&b, metrics, "a run"); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	// The first chart's thick line, column by column.
	rows := map[int]int{}
	for x := range 460 {
		for y := 60; y < 290; y++ {
			if r, g, bl, _ := img.At(x, y).RGBA(); (color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8), 255}) == inks[0] {
				rows[x] = y
			}
		}
	}
	left, right := rows[70], rows[380]
	if left == 0 || right == 0 || left-right < 100 {
		t.Errorf("the line goes from row %d to row %d", left, right)
	}
	if err := Plot(&b, nil, "nothing"); err != nil {
		t.Error(err)
	}
}

func TestLineReachesItsEnds(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 20, 20))
	for _, q := range []image.Point{{15, 10}, {10, 15}, {5, 3}, {3, 12}, {10, 10}, {10, 2}} {
		line(img, image.Pt(10, 10), q, color.RGBA{uint8(q.X), 1, 1, 255})
		if img.RGBAAt(q.X, q.Y).R != uint8(q.X) || img.RGBAAt(10, 10).R != uint8(q.X) {
			t.Error(q)
		}
	}
}

func TestSmooth(t *testing.T) {
	y := smooth([]float64{1, math.NaN(), 3, 5})
	for _, v := range y {
		near(t, "a mean", v, 3, 1e-15)
	}
}
