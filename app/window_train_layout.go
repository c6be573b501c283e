package main

import "fyne.io/fyne/v2"

// remarkLayout puts a text that wraps above, a line below, and gives the rest to
// what is between.
type remarkLayout struct{}

// Layout implements fyne.Layout.
func (remarkLayout) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Resize(fyne.NewSize(size.Width, o[0].Size().Height)) // the width decides the height
	above, below := o[0].MinSize().Height, o[2].MinSize().Height
	o[0].Resize(fyne.NewSize(size.Width, above))
	o[1].Move(fyne.NewPos(0, above+remarkGap))
	o[1].Resize(fyne.NewSize(size.Width, max(0, size.Height-above-below-remarkGap)))
	o[2].Move(fyne.NewPos(0, size.Height-below))
	o[2].Resize(fyne.NewSize(size.Width, below))
}

const remarkGap = 6

// MinSize implements fyne.Layout.
func (remarkLayout) MinSize(o []fyne.CanvasObject) fyne.Size {
	var s fyne.Size
	for _, x := range o {
		m := x.MinSize()
		s = fyne.NewSize(max(s.Width, m.Width), s.Height+m.Height)
	}
	return s.AddWidthHeight(0, remarkGap)
}

// chartsLayout puts the first chart across the whole width and the others two
// in a row below it. The first takes two parts of the height, a row one.
type chartsLayout struct{}

const chartGap = 12

func visible(objects []fyne.CanvasObject) []fyne.CanvasObject {
	var seen []fyne.CanvasObject
	for _, o := range objects {
		if o.Visible() {
			seen = append(seen, o)
		}
	}
	return seen
}

// Layout implements fyne.Layout.
func (chartsLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	objects = visible(objects)
	if len(objects) == 0 {
		return
	}
	rows := float32(len(objects) / 2)
	unit := max(0, size.Height-rows*chartGap) / (1.6 + rows)
	tall := max(objects[0].MinSize().Height, min(1.6*unit, size.Height-rows*chartGap))
	objects[0].Move(fyne.NewPos(0, 0))
	objects[0].Resize(fyne.NewSize(size.Width, tall))
	if rows == 0 {
		return
	}
	height := (size.Height - tall - rows*chartGap) / rows
	half := (size.Width - 2*chartGap) / 2
	for i, o := range objects[1:] {
		width := half
		x := float32(i%2) * (half + 2*chartGap)
		if i%2 == 0 && i == len(objects)-2 {
			width = size.Width
		}
		o.Move(fyne.NewPos(x, tall+chartGap+float32(i/2)*(height+chartGap)))
		o.Resize(fyne.NewSize(width, height))
	}
}

// MinSize implements fyne.Layout.
func (chartsLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	objects = visible(objects)
	if len(objects) == 0 {
		return fyne.NewSize(0, 0)
	}
	s := objects[0].MinSize()
	for i, o := range objects[1:] {
		m := o.MinSize()
		s.Width = max(s.Width, 2*m.Width+2*chartGap)
		if i%2 == 0 {
			s.Height += m.Height + chartGap
		}
	}
	return s
}
