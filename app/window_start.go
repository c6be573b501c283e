package main

import (
	"runtime"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A start is the page where a draft begins.
type start struct {
	prompt  *promptEntry
	words   *promptEntry
	write   *widget.Button
	goOn    *choice // with the draft left unfinished last time
	left    unfinished
	content fyne.CanvasObject
	begin   func(prompt string, words int)
}

// An example is a prompt to try.
type example struct {
	title  string
	prompt string
	words  int
}

var examples = []example{
	{"A lighthouse keeper finds a letter in a bottle", "A quiet short story about a lighthouse keeper who finds a letter in a bottle, addressed to her by name and dated tomorrow.", 1200},
	{"How bread is made, from field to table", "An essay for curious readers on how bread is made, from the field to the table: the grain, the mill, the dough, the oven, and why a good loaf takes a day.", 1500},
	{"A handbook for a small neighbourhood garden", "A practical handbook for people who want to start a neighbourhood garden: finding land, soil, water, what to plant first, sharing the work, and the first harvest.", 3000},
}

const wordsDefault = 3000

func newStart(begin func(string, int), goOn func()) *start {
	s := &start{begin: begin}
	s.prompt = newPromptEntry(s.send)
	s.prompt.MultiLine = true
	s.prompt.Wrapping = fyne.TextWrapWord
	s.prompt.SetMinRowsVisible(5)
	s.prompt.SetPlaceHolder("Say it in your own words: what it is about, who will read it, how it should sound, what must be in it.")
	s.words = newPromptEntry(s.send)
	s.words.SetText(strconv.Itoa(wordsDefault))
	s.write = widget.NewButton("Write", s.send)
	s.write.Importance = widget.HighImportance
	s.goOn = newChoice("", "", goOn)
	s.goOn.Hide()
	s.prompt.OnChanged = func(string) { s.check() }
	s.words.OnChanged = func(string) { s.check() }
	s.check()
	return s
}

// lay puts the page together; model is the line about the model.
func (s *start) lay(model fyne.CanvasObject) fyne.CanvasObject {
	title := canvas.NewText("What would you like to write?", nil)
	head := newHeading(title, sizeTitle)
	length := container.NewHBox(
		widget.NewLabel("About"), container.New(layout.NewGridWrapLayout(fyne.NewSize(84, s.words.MinSize().Height)), s.words), widget.NewLabel("words"),
		layout.NewSpacer(), caption(shortcutName("Enter")), spacer(4, 0),
		container.New(layout.NewGridWrapLayout(fyne.NewSize(104, s.write.MinSize().Height)), s.write))
	tries := container.New(layout.NewCustomPaddedVBoxLayout(0), caption("Or try one of these. It starts at once, and you can stop it at any time."))
	for _, e := range examples {
		tries.Add(newChoice(e.title, plural(e.words, "word"), func() { s.try(e) }))
	}
	how := newQuietText("Longhand first thinks, then shows its plan, then writes it section by section while you watch. "+
		"What is written is kept, also when you stop. Nothing leaves this machine.", theme.SizeNameText)
	column := container.NewVBox(
		spacer(0, 24), head, how, spacer(0, 6), s.prompt, spacer(0, 2), length, model, spacer(0, 6), s.goOn, spacer(0, 14), tries, spacer(0, 24))
	s.content = container.NewVScroll(container.New(columnLayout{measureWidth}, column))
	return s.content
}

func (s *start) wanted() int {
	n, err := strconv.Atoi(strings.NewReplacer(",", "", ".", "", " ", "").Replace(s.words.Text))
	if err != nil || n < 1 || n > 1_000_000 {
		return 0
	}
	return n
}

// check lets writing begin once it is clear what and how much.
func (s *start) check() {
	able(s.write, strings.TrimSpace(s.prompt.Text) != "" && s.wanted() > 0)
}

func (s *start) send() {
	if !s.write.Disabled() {
		s.begin(strings.TrimSpace(s.prompt.Text), s.wanted())
	}
}

func (s *start) try(e example) {
	s.prompt.SetText(e.prompt)
	s.words.SetText(strconv.Itoa(e.words))
	s.send()
}

// A promptEntry is an entry that passes on the keys of the window.
type promptEntry struct {
	widget.Entry
	send func()
}

func newPromptEntry(send func()) *promptEntry {
	e := &promptEntry{send: send}
	e.ExtendBaseWidget(e)
	return e
}

// TypedShortcut implements fyne.Shortcutable: an Entry keeps all shortcuts to itself.
func (e *promptEntry) TypedShortcut(s fyne.Shortcut) {
	if s.ShortcutName() == sendKey.ShortcutName() {
		e.send()
		return
	}
	e.Entry.TypedShortcut(s)
}

var (
	sendKey = &desktop.CustomShortcut{KeyName: fyne.KeyReturn, Modifier: fyne.KeyModifierShortcutDefault}
	saveKey = &desktop.CustomShortcut{KeyName: fyne.KeyS, Modifier: fyne.KeyModifierShortcutDefault}
)

func shortcutName(key string) string {
	if runtime.GOOS == "darwin" {
		return "⌘ " + key
	}
	return "Ctrl + " + key
}

// offer shows the draft that was left unfinished.
func (s *start) offer(u unfinished) {
	s.left = u
	s.goOn.say("Go on with “"+u.title+"”", grouped(u.words)+" of "+plural(u.target, "word"))
	showIf(s.goOn, u.id != "")
}
