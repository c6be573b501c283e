package main

import (
	"context"
	"fmt"
	"iter"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"longhand/assets"
)

// A shelf says what there is to write with.
type shelf struct {
	title  string // of the model that a new draft is written with; "": there is none
	sample bool
	better offer
}

// An offer is a model worth fetching: the best for this machine.
type offer struct {
	name, title string
	bytes       int64
}

// A shelfView shows the shelf on the first page, and fetches what it offers,
// which is never done unasked.
type shelfView struct {
	shelf   shelf
	about   *quietText
	better  *choice
	cancel  context.CancelFunc // of the fetch under way
	content fyne.CanvasObject
}

func newShelfView(fetch func()) *shelfView {
	v := &shelfView{about: caption(""), better: newChoice("", "", fetch)}
	v.better.Hide()
	v.content = container.NewVBox(v.about, v.better)
	return v
}

func (v *shelfView) show(s shelf) {
	v.shelf = s
	v.about.say(s.say())
	if v.cancel == nil {
		v.better.say("Fetch "+s.better.title+", the best for this machine", assets.Size(s.better.bytes))
		showIf(v.better, s.better.name != "")
	}
}

func (s shelf) say() string {
	switch {
	case s.title == "":
		return "No model is installed yet. A small sample comes with: longhand models pull sample"
	case s.sample:
		return s.title + ", the sample model: it shows how Longhand works, not how well it writes."
	}
	return "Written with " + s.title + "."
}

// lookUp finds out what is on the shelf. That may take a moment: the machine
// is asked for its memory.
func (w *window) lookUp() {
	follow(w.screen, w.ports.shelf, func(s []shelf) { w.shelf.show(s[len(s)-1]) }, func(error) {})
}

// fetch fetches the model that is offered; asked again, it stops. What came is
// kept.
func (w *window) fetch() {
	v := w.shelf
	if v.cancel != nil {
		v.cancel()
		return
	}
	ctx, cancel := context.WithCancel(w.ctx)
	v.cancel = cancel
	o := v.shelf.better
	v.better.say("Fetching "+o.title+" – click to stop", "")
	follow(w.screen, w.ports.fetch(ctx, o.name), func(ps []assets.Progress) {
		v.better.say(v.better.title.Text, fetched(ps[len(ps)-1]))
	}, func(err error) {
		stopped := ctx.Err() != nil
		cancel()
		v.cancel = nil
		v.show(v.shelf)
		w.lookUp()
		if err != nil && !stopped {
			w.alert.show(err)
		}
	})
}

func fetched(p assets.Progress) string {
	switch {
	case p.State == assets.Downloading && p.Total > 0:
		return fmt.Sprintf("%s of %s", assets.Size(p.Done), assets.Size(p.Total))
	case p.State == assets.Asking, p.State == assets.Downloading:
		return "asking for it…"
	}
	return string(p.State) + "…"
}

// shelf yields what there is to write with and what would be better.
func (e *env) shelf(yield func(shelf, error) bool) {
	var s shelf
	if _, m, err := e.model(""); err == nil {
		s.title, s.sample = m.Title, m.Sample
	}
	if s.title != "" && !s.sample {
		yield(s, nil)
		return
	}
	if !yield(s, nil) {
		return
	}
	if a, _, ok := assets.Probe(e.ctx).Recommend(); ok {
		s.better = offer{a.Name, a.Title, a.Bytes()}
		yield(s, nil)
	}
}

// fetch fetches a model of the catalogue.
func (e *env) fetch(ctx context.Context, name string) iter.Seq2[assets.Progress, error] {
	return func(yield func(assets.Progress, error) bool) {
		a, ok := assets.Find(name)
		if !ok {
			yield(assets.Progress{}, e.unknownModel(name))
			return
		}
		for p, err := range (assets.Fetcher{Home: e.home}).Fetch(ctx, a) {
			if err != nil {
				err = pullError(e, a, err)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}
