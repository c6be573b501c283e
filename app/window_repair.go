package main

import (
	"context"
	"errors"
	"iter"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/widget"

	"longhand/app/store"
)

// A wound is a store that cannot be opened as it is.
type wound struct {
	err    error          // why; nil: it is sound
	found  []store.Damage // if it is damaged
	backup bool           // there is a backup to go back to
}

// wound opens the store for the window and says what keeps it from that.
func (e *env) wound() wound {
	_, err := e.books()
	u := wound{err: err}
	if errors.Is(err, store.ErrDamaged) {
		u.found, _ = e.checked(false) // it was damaged a moment ago
		u.backup = len(store.Beside(e.home).Backups()) > 0
	}
	return u
}

// hurt shows that the store cannot be opened as it is.
func (w *window) hurt(u wound) {
	if len(u.found) == 0 {
		w.alert.show(u.err)
		return
	}
	w.ask(u)
}

// mended says what was found damaged, or changed by another program, and was set
// right.
func (w *window) mended(all []store.Damage) {
	title, text := "Nothing is lost", "Some files were not as Longhand had left them."
	for _, d := range all {
		if d.Mended == "" {
			title = "Some files were damaged"
		}
		text += "\n" + capital(d.String()) + "."
	}
	w.alert.say(title, text)
}

// ask tells the writer what is damaged and asks what to do. Whatever is chosen,
// the damaged files are kept.
func (w *window) ask(u wound) {
	const width = 560
	box := container.NewVBox(paragraph(rowSay, "Some of what Longhand keeps on the disk was damaged. Nothing was written over it, and whatever you choose, the damaged files are kept.", width), spacer(width, 4))
	const most = 6
	for i, d := range u.found {
		if i == most {
			box.Add(paragraph(rowHint, "… and "+plural(len(u.found)-most, "more place"), width))
			break
		}
		box.Add(paragraph(rowHint, shortly(d), width))
	}
	box.Add(spacer(width, 8))
	var d *dialog.CustomDialog
	choose := func(how string) func() {
		return func() {
			d.Hide()
			follow(w.screen, w.ports.cure(w.ctx, how), func(said []string) {
				w.alert.say("The library is open again", said[len(said)-1])
				w.showStart()
			}, func(err error) {
				if err != nil {
					w.alert.show(err)
				}
			})
		}
	}
	rebuild := widget.NewButton("Rebuild", choose(store.Rebuild))
	rebuild.Importance = widget.HighImportance
	buttons := []fyne.CanvasObject{widget.NewButton("Only look", choose(""))}
	explain := "Rebuild makes a new library of the last backup, the journals and the text files: everything that can be had."
	if u.backup {
		buttons = append(buttons, widget.NewButton("Last backup", choose(store.FromBackup)))
		explain += " Last backup goes back to how it was then."
	}
	box.Add(paragraph(rowSay, explain, width))
	box.Add(spacer(width, 4))
	d = dialog.NewCustomWithoutButtons("The library is damaged", box, w.win)
	d.SetButtons(append(buttons, rebuild))
	d.Show()
}

// shortly is a damage in a line, without what a writer does not know it by.
func shortly(d store.Damage) string {
	if d.Title == "" {
		return capital(d.String())
	}
	text := "“" + shortTitle(d.Title) + "”: " + d.Kind
	if d.File != "" {
		text += " (" + d.File + ")"
	}
	return text
}

// cure repairs the store, or has it looked at without the database, and yields
// one sentence about what is there now.
func (e *env) cure(_ context.Context, how string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if how == "" {
			e.besides()
			yield("The texts are read from their journals. What you write now is taken into the library once it is repaired.", nil)
			return
		}
		aside, err := store.Repair(e.home, how)
		if err != nil {
			yield("", storeHint(err))
			return
		}
		cards, found, err := e.renewed(aside, how == store.FromBackup)
		if err != nil {
			yield("", err)
			return
		}
		said := []string{there(len(cards)) + ". The damaged files are in " + aside + "."}
		for _, d := range found {
			said = append(said, capital(d.String())+".")
		}
		yield(strings.Join(said, "\n"), nil)
	}
}
