package main

import (
	"path/filepath"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"longhand/assets"
	"longhand/rl"
)

// A ground is what there is to train with.
type ground struct {
	bases    []trainBase // the models that are installed, the best first
	requests []request   // of earlier drafts, the newest first
	folder   string      // where runs are kept
}

// A trainBase is a model that can be trained.
type trainBase struct {
	title, path string
	bytes       int64
	sample      bool
}

// A trainForm is the page where a training run begins.
type trainForm struct {
	bases   []trainBase
	folder  string
	chosen  bool // the folder was, by the writer
	prompts *promptPicker
	base    *widget.Select
	steps   *promptEntry
	words   *promptEntry
	rewards []*toggle
	where   *choice
	missing *quietText // what is still to be said
	check   *widget.Button
	texts   *widget.Label     // of a step
	scroll  *container.Scroll // all but the button
	lengths *fyne.Container   // hidden where the file says how long
	content fyne.CanvasObject
	begin   func()
}

// What the texts are rewarded for, as the job names it.
var rewardKinds = []struct{ name, title, detail string }{
	{"length", "Length", "has the number of words that was asked for"},
	{"format", "Format", "ends by itself, is whole, does not repeat itself"},
	{"writing", "Writing", "does what was asked, as the untrained model judges; slow"},
}

const (
	stepsDefault    = 100
	stepsMost       = 10_000
	attemptDefault  = 150 // words
	attemptMost     = 2000
	trainFieldWidth = 150 // of a field's name
)

func newTrainForm(begin, openFile, pickFolder func()) *trainForm {
	f := &trainForm{begin: begin, missing: newQuietText("", theme.SizeNameText), texts: widget.NewLabel("")}
	f.missing.Wrapping, f.missing.Truncation = fyne.TextWrapOff, fyne.TextTruncateEllipsis
	send := func() {
		if !f.check.Disabled() {
			f.begin()
		}
	}
	number := func(n int) *promptEntry {
		e := newPromptEntry(send)
		e.SetText(strconv.Itoa(n))
		e.OnChanged = func(string) { f.update() }
		return e
	}
	f.steps, f.words = number(stepsDefault), number(attemptDefault)
	f.base = widget.NewSelect(nil, func(string) { f.update() })
	f.base.PlaceHolder = "No model is installed"
	f.check = widget.NewButton("See what it takes", begin)
	f.check.Importance = widget.HighImportance
	f.where = newChoice("", "change…", pickFolder)
	f.prompts = newPromptPicker(func() { f.update() }, openFile)
	for _, k := range rewardKinds {
		t := newToggle(k.title, k.detail, f.prompts.words, func(bool) { f.update() })
		t.set(true)
		t.column = trainFieldWidth - 4
		f.rewards = append(f.rewards, t)
	}
	f.content = f.lay()
	f.update()
	return f
}

func (f *trainForm) lay() fyne.CanvasObject {
	head := newHeading(canvas.NewText("Train the model on your prompts", nil), sizeTitle)
	how := newQuietText("The model writes several texts for each prompt. They are scored, and the model is moved a little towards the better ones, "+
		"step by step. What it learns is kept beside the model, which stays as it is. Nothing leaves this machine.", theme.SizeNameText)
	small := func(e *promptEntry, unit *widget.Label) fyne.CanvasObject {
		return container.NewHBox(container.New(layout.NewGridWrapLayout(fyne.NewSize(84, e.MinSize().Height)), e), unit)
	}
	f.lengths = container.NewStack(field("A text has about", small(f.words, widget.NewLabel("words"))))
	rewards := container.New(layout.NewCustomPaddedVBoxLayout(0), caption("A text is worth more if it"))
	for _, t := range f.rewards {
		rewards.Add(t)
	}
	column := container.NewVBox(spacer(0, 24), head, how, spacer(0, 6),
		f.prompts.content, spacer(0, 10),
		field("Model", f.base), f.lengths, field("Steps", small(f.steps, f.texts)), spacer(0, 10),
		rewards, spacer(0, 10), f.where, spacer(0, 24))
	f.scroll = container.NewVScroll(container.New(columnLayout{measureWidth}, column))
	bar := container.New(layout.NewCustomPaddedLayout(4, 4, 12, 14),
		container.NewBorder(nil, nil, spacer(0, 51), container.NewCenter(f.check), container.NewVBox(layout.NewSpacer(), f.missing, layout.NewSpacer())))
	return container.New(filled{rest: 0}, f.scroll, widget.NewSeparator(), bar)
}

// field is a line of the form.
func field(name string, o fyne.CanvasObject) fyne.CanvasObject {
	label := container.New(layout.NewGridWrapLayout(fyne.NewSize(trainFieldWidth, widget.NewLabel(name).MinSize().Height)), widget.NewLabel(name))
	return container.New(filled{across: true, rest: 1}, container.NewCenter(label), o)
}

// show takes up what there is to train with.
func (f *trainForm) show(g ground) {
	if !f.chosen {
		f.folder = g.folder
	}
	selected := ""
	if i := f.base.SelectedIndex(); i >= 0 && i < len(f.bases) {
		selected = f.bases[i].path
	}
	f.bases = g.bases
	names, at := make([]string, len(g.bases)), 0
	for i, b := range g.bases {
		names[i] = b.name(names[:i])
		if b.path == selected {
			at = i
		}
	}
	f.base.SetOptions(names)
	if len(names) > 0 {
		f.base.SetSelectedIndex(at)
	}
	f.prompts.showRequests(g.requests)
}

// name is what the model is called among others, each name once.
func (b trainBase) name(others []string) string {
	const most = 56
	name := b.title
	if r := []rune(name); len(r) > most {
		name = string(r[:most/2]) + "…" + string(r[len(r)-most/2:])
	}
	if b.bytes > 0 {
		name += "  ·  " + assets.Size(b.bytes)
	}
	for i := range others {
		if others[i] == name {
			return name + "  ·  " + filepath.Base(b.path)
		}
	}
	return name
}

// keep has runs kept in a folder of the writer's choice.
func (f *trainForm) keep(folder string) {
	f.folder, f.chosen = folder, true
	f.update()
}

func (f *trainForm) update() {
	if f.content == nil {
		return // it is being put together
	}
	f.where.say("Kept in "+ending(f.folder, 58), "change…")
	showIf(f.lengths, !f.prompts.fromFile)
	j := rl.NewJob()
	setText(f.texts, "of "+plural(j.Group*perStep(j, f.lines()), "text")+" each")
	text := f.lack()
	f.missing.say(text)
	able(f.check, text == "")
}

// lack says what is missing before anything can begin, or nothing.
func (f *trainForm) lack() string {
	switch {
	case len(f.bases) == 0:
		return "No model is installed yet."
	case f.prompts.count() == 0 && f.prompts.fromFile:
		return "Choose a file with prompts."
	case f.prompts.count() == 0:
		return "Pick at least one prompt."
	case !f.prompts.fromFile && f.attempt() == 0:
		return "A text has between 20 and " + grouped(attemptMost) + " words."
	case f.count() == 0:
		return "Between 1 and " + grouped(stepsMost) + " steps are possible."
	case len(f.wanted()) == 0:
		return "Turn on what makes a text worth more."
	}
	return ""
}

// perStep is how many prompts a step has: no more than there are, if any are
// picked yet.
func perStep(j rl.Job, lines int) int {
	if lines == 0 {
		return j.PromptsPerStep
	}
	return min(j.PromptsPerStep, lines)
}

// lines is how many prompts the run will have: each request at two lengths.
func (f *trainForm) lines() int {
	if f.prompts.fromFile {
		return len(f.prompts.lines)
	}
	return 2 * len(f.prompts.picked())
}

// count is the number of steps, 0 where it is none.
func (f *trainForm) count() int { return whole(f.steps.Text, 1, stepsMost) }

// attempt is how many words a text is to have, 0 where it is none.
func (f *trainForm) attempt() int { return whole(f.words.Text, 20, attemptMost) }

// whole reads a number; 0 is not one within least and most.
func whole(text string, least, most int) int {
	n, err := strconv.Atoi(strings.NewReplacer(",", "", ".", "", " ", "").Replace(text))
	if err != nil || n < least || n > most {
		return 0
	}
	return n
}

// wanted are the rewards that are on.
func (f *trainForm) wanted() []string {
	var names []string
	for i, t := range f.rewards {
		if t.on {
			names = append(names, rewardKinds[i].name)
		}
	}
	return names
}

// model is the base that is chosen.
func (f *trainForm) model() trainBase {
	if i := f.base.SelectedIndex(); i >= 0 && i < len(f.bases) {
		return f.bases[i]
	}
	return trainBase{}
}

// ending is the end of a long path, which tells most.
func ending(path string, most int) string {
	if r := []rune(path); len(r) > most {
		return "…" + string(r[len(r)-most+1:])
	}
	return path
}
