package main

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"

	"longhand/rl"
)

// openPrompts asks for a prompt file.
func (w *window) openPrompts() {
	d := dialog.NewFileOpen(func(f fyne.URIReadCloser, err error) {
		if err != nil {
			w.alert.show(err)
			return
		}
		if f != nil {
			f.Close()
			w.takePrompts(f.URI().Path())
		}
	}, w.win)
	d.SetFilter(storage.NewExtensionFileFilter([]string{".jsonl", ".json"}))
	w.place(d)
}

// takePrompts reads a prompt file.
func (w *window) takePrompts(path string) {
	follow(w.screen, readPrompts(path), func(p [][]rl.Prompt) { w.training.form.prompts.take(path, p[0]) }, func(err error) {
		if err != nil {
			w.alert.show(spoken(err))
		}
	})
}

// pickFolder asks where runs are to be kept.
func (w *window) pickFolder() {
	w.place(dialog.NewFolderOpen(func(l fyne.ListableURI, err error) {
		switch {
		case err != nil:
			w.alert.show(err)
		case l != nil:
			w.training.form.keep(l.Path())
		}
	}, w.win))
}

// place shows a file dialog in the size that the window has room for.
func (w *window) place(d *dialog.FileDialog) {
	d.Show()
	d.Resize(fyne.NewSize(min(860, w.win.Canvas().Size().Width-80), min(580, w.win.Canvas().Size().Height-80)))
}
