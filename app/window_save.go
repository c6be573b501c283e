package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"
)

const folderKey = "save.folder"

// saveAs asks where to, and saves the draft there.
func (w *window) saveAs() {
	if w.desk.save.Disabled() || w.win.Canvas().Overlays().Top() != nil {
		return
	}
	d := dialog.NewFileSave(w.saveTo, w.win)
	d.SetFilter(storage.NewExtensionFileFilter([]string{".md"}))
	d.SetFileName(fileName(w.desk.m.outline.Title))
	if dir := w.app.Preferences().String(folderKey); dir != "" {
		if l, err := storage.ListerForURI(storage.NewFileURI(dir)); err == nil {
			d.SetLocation(l)
		}
	}
	d.Show()
	d.Resize(fyne.NewSize(min(860, w.win.Canvas().Size().Width-80), min(580, w.win.Canvas().Size().Height-80)))
}

// saveTo saves to the file that the dialog opened. The dialog knows no default
// extension, so this may turn out to be another file.
func (w *window) saveTo(f fyne.URIWriteCloser, err error) {
	if err != nil {
		w.alert.show(fmt.Errorf("the draft could not be saved: %w", err))
		return
	}
	if f == nil { // the person thought better of it
		return
	}
	chosen := f.URI().Path()
	f.Close()
	path := withExtension(chosen)
	if path == chosen {
		w.write(path)
		return
	}
	if st, err := os.Stat(chosen); err == nil && st.Size() == 0 {
		os.Remove(chosen) // the dialog made it
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		w.write(path)
		return
	}
	dialog.ShowConfirm("Replace the file?", filepath.Base(path)+" is there already.", func(yes bool) {
		if yes {
			w.write(path)
		}
	}, w.win)
}

func (w *window) write(path string) {
	if err := replaceFile(path, []byte(w.desk.m.markdown())); err != nil {
		w.alert.show(err)
		return
	}
	w.app.Preferences().SetString(folderKey, filepath.Dir(path))
	w.desk.say("Saved as " + path)
}

func (w *window) copyAll() {
	w.app.Clipboard().SetContent(w.desk.m.markdown())
	w.desk.say("The whole draft is on the clipboard, as Markdown.")
}

func withExtension(path string) string {
	if strings.EqualFold(filepath.Ext(path), ".md") {
		return path
	}
	return path + ".md"
}

// fileName makes a file's name of a title.
func fileName(title string) string {
	var b strings.Builder
	for _, r := range title {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), strings.ContainsRune("-_,'()", r):
			b.WriteRune(r)
		case r == ' ' && b.Len() > 0:
			b.WriteRune(r)
		}
		if b.Len() > 60 {
			break
		}
	}
	name := strings.TrimSpace(b.String())
	if name == "" {
		name = "Draft"
	}
	return name + ".md"
}
