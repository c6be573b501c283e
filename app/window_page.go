package main

import (
	"slices"
	"sort"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

// A page shows rows of text of different heights in one scroll, in a column
// that is easy to read. It draws only the rows in sight. (The toolkit's List
// would do, but it refreshes itself with every height that is set, paints a
// bar under the pointer, and cannot put a given row at the top.)
type page struct {
	widget.BaseWidget
	scroll *container.Scroll
	sheet  *fyne.Container // of the height of all rows; holds those in sight
	words  rulers

	rows    []row
	tops    []float32 // of each row; the last is the end of all
	column  float32   // width that the rows were measured for
	heights map[row]float32
	shown   map[int]*strip // by row
	idle    []*strip

	tail      int  // the row being written, or -1
	following bool // the tail is kept in sight until the reader scrolls away
	onFollow  func(bool)
	moving    bool // the page scrolls itself
}

const (
	pageMargin = 28   // above the first row and beside the column
	tailAt     = 0.72 // of the height: there the tail is kept, with what comes next below it
	nearTail   = 48   // scrolling to this close takes up following again
)

func newPage() *page {
	p := &page{words: rulers{}, tops: []float32{pageMargin}, heights: map[row]float32{}, shown: map[int]*strip{},
		tail: -1, following: true, onFollow: func(bool) {}}
	p.sheet = container.New(sheetLayout{p})
	p.scroll = container.NewVScroll(p.sheet)
	p.scroll.OnScrolled = func(fyne.Position) {
		if !p.moving { // the reader did it
			p.follow(p.tail >= 0 && abs(p.scroll.Offset.Y-p.tailOffset()) < nearTail)
			p.place()
		}
	}
	p.ExtendBaseWidget(p)
	return p
}

// CreateRenderer implements fyne.Widget.
func (p *page) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(p.scroll) }

// Resize measures the rows again where the column changes.
func (p *page) Resize(size fyne.Size) {
	p.BaseWidget.Resize(size)
	p.itself(func() { p.scroll.Resize(size) })
	p.settle()
}

// Refresh measures the rows again where text sizes may have changed.
func (p *page) Refresh() {
	p.column = 0
	clear(p.words)
	p.settle()
	p.BaseWidget.Refresh()
}

func (p *page) settle() {
	if column := max(0, min(measureWidth, p.Size().Width-2*pageMargin)); column != p.column {
		p.column = column
		clear(p.heights)
		p.measure(0)
		for _, s := range p.shown {
			s.row = row{}
		}
	}
	p.stay()
	p.place()
}

// show makes rows the page's content. tail is the row being written, or -1.
// The page keeps rows; the slice it had before comes back for the next time.
func (p *page) show(rows []row, tail int) []row {
	same := 0
	for same < len(rows) && same < len(p.rows) && rows[same] == p.rows[same] {
		same++
	}
	changed := same < len(rows) || same < len(p.rows)
	old := p.rows
	p.rows, p.tail = rows, tail
	if changed {
		p.measure(same)
	}
	p.stay()
	p.place()
	return old[:0]
}

// measure sets the rows' places from row i on.
func (p *page) measure(i int) {
	if p.column == 0 {
		return
	}
	if len(p.heights) > 2*len(p.rows)+1000 {
		clear(p.heights)
	}
	end := p.tops[len(p.tops)-1]
	p.tops = append(p.tops[:min(i+1, len(p.tops))], make([]float32, len(p.rows)+1-min(i+1, len(p.tops)))...)
	for ; i < len(p.rows); i++ {
		r := p.rows[i]
		h, ok := p.heights[r]
		if !ok {
			s := setRow(r, p.column, p.Theme(), p.words)
			h = s.height()
			p.heights[r] = h
		}
		p.tops[i+1] = p.tops[i] + h
	}
	if p.tops[len(p.rows)] != end {
		p.itself(p.scroll.Refresh)
	}
}

// tailOffset is where the page scrolls to keep the tail in sight.
func (p *page) tailOffset() float32 {
	return max(0, p.tops[min(p.tail+1, len(p.tops)-1)]-p.scroll.Size().Height*tailAt)
}

// back goes back to the tail and follows it.
func (p *page) back() {
	p.follow(true)
	p.stay()
	p.place()
}

// stay scrolls to the tail while it is followed.
func (p *page) stay() {
	if p.following && p.tail >= 0 {
		p.move(p.tailOffset())
	}
}

// move scrolls to y.
func (p *page) move(y float32) {
	p.itself(func() { p.scroll.ScrollToOffset(fyne.NewPos(0, y)) })
}

// itself does what may scroll without the reader: a page that shrinks does.
func (p *page) itself(f func()) {
	p.moving = true
	f()
	p.moving = false
}

// follow takes up or leaves following the tail.
func (p *page) follow(on bool) {
	if on != p.following {
		p.following = on
		p.onFollow(on)
	}
}

// scrollTo puts row i at the top.
func (p *page) scrollTo(i int) {
	p.follow(false)
	p.move(max(0, p.tops[i]+looks[p.rows[i].kind].above-pageMargin))
	p.place()
}

// turn scrolls by screens; 0 goes to the start.
func (p *page) turn(screens float32) {
	p.follow(false)
	y := float32(0)
	if screens != 0 {
		y = max(0, p.scroll.Offset.Y+screens*(p.scroll.Size().Height-3*pageMargin))
	}
	p.move(y)
	p.place()
}

// place draws the rows in sight.
func (p *page) place() {
	if p.column == 0 || len(p.tops) != len(p.rows)+1 {
		return
	}
	top := p.scroll.Offset.Y
	bottom := top + p.scroll.Size().Height
	first := sort.Search(len(p.rows), func(i int) bool { return p.tops[i+1] > top })
	last := sort.Search(len(p.rows), func(i int) bool { return p.tops[i] >= bottom })
	for i, s := range p.shown {
		if i < first || i >= last {
			delete(p.shown, i)
			p.idle = append(p.idle, s)
		}
	}
	x := max(pageMargin, (p.scroll.Size().Width-p.column)/2)
	for i := first; i < last; i++ {
		s := p.shown[i]
		if s == nil {
			s = p.strip()
			p.shown[i] = s
		}
		if s.row != p.rows[i] {
			s.show(p.rows[i], setRow(p.rows[i], p.column, p.Theme(), p.words))
		}
		s.Resize(fyne.NewSize(p.column, p.tops[i+1]-p.tops[i]))
		s.Move(fyne.NewPos(x, p.tops[i]))
	}
	p.sheet.Objects = p.sheet.Objects[:0]
	for i := first; i < last; i++ {
		p.sheet.Objects = append(p.sheet.Objects, p.shown[i])
	}
	canvas.Refresh(p.sheet)
}

// strip takes an unused strip.
func (p *page) strip() *strip {
	n := len(p.idle)
	if n == 0 {
		return newStrip()
	}
	s := p.idle[n-1]
	p.idle = slices.Delete(p.idle, n-1, n)
	return s
}

// sheetLayout makes the sheet as high as all rows and leaves them where the
// page put them. Below the last one stays room to read it in mid-page.
type sheetLayout struct{ *page }

func (l sheetLayout) Layout([]fyne.CanvasObject, fyne.Size) {}

func (l sheetLayout) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(0, l.tops[len(l.tops)-1]+l.scroll.Size().Height*(1-tailAt))
}

func abs(x float32) float32 { return max(x, -x) }
