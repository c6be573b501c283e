//go:build !ci

package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/driver"
)

const needsNoWindow = "longhand draft needs no window; longhand --help lists the rest"

// openApp starts the toolkit. Where there is nothing to open a window on it
// says so, since the toolkit itself would panic or wait for ever.
func openApp() (fyne.App, error) {
	if runtime.GOOS == "linux" && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, hinted{errors.New("there is no display to open a window on"), needsNoWindow}
	}
	// The toolkit logs what it cannot do, and goes on; on a terminal that is
	// noise, but the reason of a failure stands nowhere else.
	log.SetOutput(&logCause{})
	return app.NewWithID(appID), nil
}

// runApp shows the window and returns when it is closed.
func runApp(a fyne.App, w fyne.Window) error {
	defer log.SetOutput(os.Stderr)
	if err := openWindow(w); err != nil {
		if said, ok := log.Writer().(*logCause); ok && said.first != "" {
			err = fmt.Errorf("%w (%s)", err, said.first)
		}
		return hinted{err, needsNoWindow}
	}
	a.Run()
	return nil
}

// openWindow shows the window and makes sure that there is one.
func openWindow(w fyne.Window) (err error) {
	failed := errors.New("no window can be opened here")
	defer func() {
		if recover() != nil {
			err = failed
		}
	}()
	w.Show()
	n, ok := w.(driver.NativeWindow)
	if !ok {
		return nil
	}
	there := true
	n.RunNative(func(c any) {
		switch c := c.(type) {
		case driver.X11WindowContext:
			there = c.WindowHandle != 0
		case driver.WaylandWindowContext:
			there = c.WaylandSurface != 0
		case driver.WindowsWindowContext:
			there = c.HWND != 0
		case driver.MacWindowContext:
			there = c.NSWindow != 0
		}
	})
	if !there {
		return failed
	}
	return nil
}

// A logCause keeps the first cause that was logged.
type logCause struct{ first string }

func (l *logCause) Write(b []byte) (int, error) {
	if _, cause, ok := strings.Cut(string(b), "Cause: "); ok && l.first == "" {
		l.first = strings.TrimSpace(cause)
	}
	return len(b), nil
}
