package main

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
)

// Sizes of our own, beside the toolkit's.
const (
	sizeReading fyne.ThemeSizeName = "reading" // the text of a draft
	sizeTitle   fyne.ThemeSizeName = "title"   // its title
)

const (
	measureWidth = 620 // of the text column: about 70 letters of sizeReading
	planWidth    = 312 // of the outline
)

// quiet is the window's theme: ink on paper by day, the same turned down by
// night. One colour stands out, and only for what can be done or is being done.
type quiet struct {
	fyne.Theme
	variant *fyne.ThemeVariant // nil: as the system has it
}

func newQuiet() *quiet { return &quiet{Theme: theme.DefaultTheme()} }

// dark says which variant shows.
func (q *quiet) dark() bool {
	if q.variant != nil {
		return *q.variant == theme.VariantDark
	}
	return fyne.CurrentApp().Settings().ThemeVariant() == theme.VariantDark
}

// pick makes the theme light or dark, whatever the system says.
func (q *quiet) pick(dark bool) {
	v := theme.VariantLight
	if dark {
		v = theme.VariantDark
	}
	q.variant = &v
}

// Color implements fyne.Theme.
func (q *quiet) Color(name fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	if q.variant != nil {
		v = *q.variant
	}
	palette := dayColors
	if v == theme.VariantDark {
		palette = nightColors
	}
	if c, ok := palette[name]; ok {
		return c
	}
	return q.Theme.Color(name, v)
}

// Size implements fyne.Theme.
func (q *quiet) Size(name fyne.ThemeSizeName) float32 {
	switch name {
	case sizeReading:
		return 17
	case sizeTitle:
		return 30
	case theme.SizeNameHeadingText:
		return 27
	case theme.SizeNameSubHeadingText:
		return 20
	case theme.SizeNameCaptionText:
		return 12
	case theme.SizeNameInlineIcon:
		return 18
	case theme.SizeNameInputRadius, theme.SizeNameButtonRadius, theme.SizeNameSelectionRadius:
		return 6
	case theme.SizeNameScrollBar:
		return 10
	}
	return q.Theme.Size(name)
}

// calm shows an object without the shadows that scrolling casts.
func calm(o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewThemeOverride(o, noShadows{fyne.CurrentApp().Settings().Theme()})
}

type noShadows struct{ fyne.Theme }

func (t noShadows) Color(name fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	if name == theme.ColorNameShadow {
		return color.Transparent
	}
	return t.Theme.Color(name, v)
}

func rgb(hex uint32) color.Color {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

func rgba(hex uint32, alpha uint8) color.Color {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: alpha}
}

// Text on its background has a contrast of at least 4.5 in both palettes; a
// test holds them to it.
var dayColors = map[fyne.ThemeColorName]color.Color{
	theme.ColorNameBackground:          rgb(0xFAF8F4),
	theme.ColorNameForeground:          rgb(0x2A2722),
	theme.ColorNamePlaceHolder:         rgb(0x6F695F),
	theme.ColorNameDisabled:            rgb(0xA39C90),
	theme.ColorNameSeparator:           rgb(0xE6E1D7),
	theme.ColorNameInputBackground:     rgb(0xFFFFFF),
	theme.ColorNameInputBorder:         rgb(0xD8D2C5),
	theme.ColorNameButton:              rgb(0xEFEBE2),
	theme.ColorNameDisabledButton:      rgb(0xF1EEE7),
	theme.ColorNameHover:               rgba(0x2A2722, 14),
	theme.ColorNamePressed:             rgba(0x2A2722, 28),
	theme.ColorNameFocus:               rgba(0x2B6657, 40),
	theme.ColorNameSelection:           rgba(0x2B6657, 34),
	theme.ColorNamePrimary:             rgb(0x2B6657),
	theme.ColorNameForegroundOnPrimary: rgb(0xFFFFFF),
	theme.ColorNameHyperlink:           rgb(0x2B6657),
	theme.ColorNameSuccess:             rgb(0x2B6657),
	theme.ColorNameWarning:             rgb(0x8A5A00),
	theme.ColorNameError:               rgb(0xA3352B),
	theme.ColorNameOverlayBackground:   rgb(0xFFFFFF),
	theme.ColorNameMenuBackground:      rgb(0xFFFFFF),
	theme.ColorNameHeaderBackground:    rgb(0xF3F0E9),
	theme.ColorNameScrollBar:           rgba(0x2A2722, 60),
	theme.ColorNameScrollBarBackground: rgba(0, 0),
	theme.ColorNameShadow:              rgba(0x2A2722, 40),
}

var nightColors = map[fyne.ThemeColorName]color.Color{
	theme.ColorNameBackground:          rgb(0x1B1A18),
	theme.ColorNameForeground:          rgb(0xE2DDD2),
	theme.ColorNamePlaceHolder:         rgb(0x9D968A),
	theme.ColorNameDisabled:            rgb(0x6B665D),
	theme.ColorNameSeparator:           rgb(0x33302B),
	theme.ColorNameInputBackground:     rgb(0x242220),
	theme.ColorNameInputBorder:         rgb(0x423E38),
	theme.ColorNameButton:              rgb(0x2F2C28),
	theme.ColorNameDisabledButton:      rgb(0x262421),
	theme.ColorNameHover:               rgba(0xFFFFFF, 14),
	theme.ColorNamePressed:             rgba(0xFFFFFF, 28),
	theme.ColorNameFocus:               rgba(0x84BBA9, 48),
	theme.ColorNameSelection:           rgba(0x84BBA9, 40),
	theme.ColorNamePrimary:             rgb(0x84BBA9),
	theme.ColorNameForegroundOnPrimary: rgb(0x12201B),
	theme.ColorNameHyperlink:           rgb(0x84BBA9),
	theme.ColorNameSuccess:             rgb(0x84BBA9),
	theme.ColorNameWarning:             rgb(0xD9AC57),
	theme.ColorNameError:               rgb(0xE48B80),
	theme.ColorNameOverlayBackground:   rgb(0x262421),
	theme.ColorNameMenuBackground:      rgb(0x262421),
	theme.ColorNameHeaderBackground:    rgb(0x22201E),
	theme.ColorNameScrollBar:           rgba(0xE2DDD2, 60),
	theme.ColorNameScrollBarBackground: rgba(0, 0),
	theme.ColorNameShadow:              rgba(0, 110),
}
