//go:build ci

package main

import (
	"errors"

	"fyne.io/fyne/v2"
)

// This build has Fyne's software driver, which draws into memory: everything
// but the window works, and the window's code can be tested anywhere.

func openApp() (fyne.App, error) {
	return nil, hinted{errors.New("this program was built without a window"), "start longhand, which lies beside it, or see longhand-cli --help"}
}

func runApp(fyne.App, fyne.Window) error { return nil }
