package main

import (
	"fmt"
	"math"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"longhand/rl"
)

// trainPhase is what is being done about a training run.
type trainPhase uint8

const (
	trainNone     trainPhase = iota
	trainChecking            // the preflight looks what it takes
	trainReady               // and the writer decides
	trainRunning
	trainStopping // after the step in hand
	trainStopped
	trainFailed
	trainFinished
)

// A trainDesk shows one training run: what it takes, then its curves and last
// texts, how far it is, and what can be done about it.
type trainDesk struct {
	c     *course
	phase trainPhase
	began bool // past the preflight

	remark   *widget.Label
	charts   []*chart
	grid     *fyne.Container
	figures  *quietText
	curves   *fyne.Container // the three
	runs     *fyne.Container // remark, curves and figures beside the texts
	texts    *page           // the last ones
	caption  *quietText
	stepSeen int // whose texts show

	takes    *takes // what the preflight found out
	progress *widget.Label
	note     *quietText
	bar      *thinBar
	buttons  [3]*widget.Button // the last one is the likeliest
	do       trainActions
	content  fyne.CanvasObject
}

// trainActions is what the buttons ask for.
type trainActions struct{ start, leave, stop, goOn, use, again func() }

const samplesWidth = 372

func newTrainDesk(do trainActions) *trainDesk {
	d := &trainDesk{c: newCourse(rl.NewJob()), texts: newPage(), takes: newTakes(), bar: newThinBar(), stepSeen: -1, do: do}
	d.remark = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	d.remark.Wrapping = fyne.TextWrapWord
	d.figures, d.caption, d.note, d.progress = caption(""), caption(""), caption(""), widget.NewLabel("")
	for _, t := range []*quietText{d.figures, d.caption, d.note} {
		t.Truncation = fyne.TextTruncateEllipsis
	}
	d.progress.Truncation = fyne.TextTruncateEllipsis
	for i := range d.buttons {
		d.buttons[i] = widget.NewButton("", nil)
	}
	d.content = d.lay()
	return d
}

func (d *trainDesk) lay() fyne.CanvasObject {
	d.grid = container.New(chartsLayout{})
	d.curves = container.New(remarkLayout{}, d.remark, container.NewVScroll(d.grid), d.figures)
	curves := container.New(layout.NewCustomPaddedLayout(10, 2, 8, 18), d.curves)
	head := container.New(layout.NewCustomPaddedLayout(10, 0, pageMargin-8, 8), d.caption)
	texts := container.New(filled{rest: 1}, head, container.NewStack(spacer(samplesWidth, 120), calm(d.texts)))
	d.runs = container.New(filled{across: true, rest: 0}, curves, widget.NewSeparator(), texts)
	status := container.New(layout.NewCustomPaddedLayout(4, 4, 12, 14),
		container.NewBorder(nil, nil, spacer(0, 51), container.NewCenter(container.NewHBox(d.buttons[0], d.buttons[1], d.buttons[2])),
			container.New(layout.NewCustomPaddedVBoxLayout(-14), layout.NewSpacer(), d.progress, d.note, layout.NewSpacer())))
	return container.New(filled{rest: 0}, container.NewStack(spacer(700, 380), d.runs, d.takes.content), d.bar, status)
}

// open shows a run from its start.
func (d *trainDesk) open(j rl.Job) {
	d.c = newCourse(j)
	d.stepSeen, d.began = -1, false
	d.say("")
	d.texts.show(nil, -1)
	d.texts.move(0)
	d.enter(trainChecking)
}

// enter shows that the run is in another phase.
func (d *trainDesk) enter(ph trainPhase) {
	d.phase = ph
	d.update()
}

// say puts one line under the progress line.
func (d *trainDesk) say(text string) {
	d.note.say(text)
	showIf(d.note, text != "")
}

// update shows the run as it now is.
func (d *trainDesk) update() {
	d.began = d.began || d.phase == trainRunning
	before := len(d.c.steps) == 0 && (!d.began || d.phase > trainStopping)
	showIf(d.runs, !before)
	showIf(d.takes.content, before)
	if before {
		d.takes.show(d.c, d.phase)
	} else {
		d.showCurves()
		d.showTexts()
	}
	if text := d.c.remark(d.phase); text != d.remark.Text {
		d.remark.SetText(text)
		d.curves.Layout.Layout(d.curves.Objects, d.curves.Size()) // it may wrap now
	}
	setText(d.progress, d.c.status(d.phase))
	d.figures.say(d.c.figuresLine())
	d.bar.set(float32(d.c.done()) / float32(d.c.total()))
	d.offer()
}

func (d *trainDesk) showCurves() {
	all := d.c.series()
	for len(d.charts) < len(all) {
		d.charts = append(d.charts, newChart(len(d.charts) == 0))
		d.grid.Add(d.charts[len(d.charts)-1])
	}
	for i, c := range d.charts {
		showIf(c, i < len(all))
		if i < len(all) {
			c.show(all[i], d.c.span())
		}
	}
}

// showTexts shows what the model wrote last, unless the reader is in the midst
// of what it wrote before.
func (d *trainDesk) showTexts() {
	if len(d.c.samples) == 0 {
		d.caption.say("")
		if d.stepSeen != -1 {
			d.stepSeen = -1
			d.texts.show(nil, -1)
		}
		return
	}
	last := d.c.samples[0].Step
	if d.texts.scroll.Offset.Y > 4 && d.stepSeen >= 0 {
		if d.stepSeen != last {
			d.caption.say(fmt.Sprintf("Texts of step %s  ·  newer ones when you are back at the top", grouped(d.stepSeen+1)))
		}
		return
	}
	d.stepSeen = last
	d.caption.say(fmt.Sprintf("Step %s  ·  %d of its texts", grouped(last+1), len(d.c.samples)))
	d.texts.show(sampleRows(d.c.samples), -1)
}

// sampleRows lays texts out: what each was worth, what was asked, what was written.
func sampleRows(samples []rl.Sample) []row {
	var rows []row
	for i, s := range samples {
		gap := gapNone
		if i > 0 {
			gap = gapParagraph
			rows = append(rows, row{kind: rowHint, section: -1, text: " "})
		}
		rows = append(rows, row{kind: rowSay, section: i, gap: gap, text: "**" + worth(s) + "**  ·  " + length(s)},
			row{kind: rowHint, section: i, text: earned(s)},
			row{kind: rowPlan, section: i, text: brief(firstLine(s.Prompt), 280)})
		var p passage
		p.append(brief(s.Completion, 6000))
		rows = p.rows(rows, rowSay, i)
	}
	return rows
}

// worth says what a text was worth beside the others for the same prompt.
func worth(s rl.Sample) string {
	switch a := number(s.Advantage); {
	case math.IsNaN(a):
		return "Not compared"
	case a > 0.25:
		return "Better than the others"
	case a < -0.25:
		return "Worse than the others"
	}
	return "Much like the others"
}

// earned lists a text's rewards.
func earned(s rl.Sample) string {
	var say []string
	for _, k := range rewardKinds {
		if v, ok := s.Rewards[k.name]; ok {
			figure := "unknown"
			if x := number(v); !math.IsNaN(x) {
				figure = twoDigits(x)
			}
			say = append(say, k.name+" "+figure)
		}
	}
	return strings.Join(say, "  ·  ")
}

func length(s rl.Sample) string {
	if s.Finished {
		return plural(s.Tokens, "token")
	}
	return plural(s.Tokens, "token") + ", cut off"
}

// brief keeps the beginning of what is too long to show.
func brief(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// A trainButton is something that can be done about the run.
type trainButton struct {
	text string
	do   func()
}

// choices are what can be done now, the likeliest last.
func (d *trainDesk) choices() []trainButton {
	switch d.phase {
	case trainChecking:
		if d.began { // before, and goes on now
			return []trainButton{{"Stop", d.do.stop}}
		}
		return []trainButton{{"Cancel", d.do.leave}}
	case trainReady:
		return []trainButton{{"Back", d.do.leave}, {"Start training", d.do.start}}
	case trainRunning, trainStopping:
		return []trainButton{{"Stop", d.do.stop}}
	}
	list := []trainButton{{"New training", d.do.again}}
	if d.c.checkpoint.Dir == "" {
		return list
	}
	if d.phase != trainFinished {
		list = append(list, trainButton{"Go on", d.do.goOn})
	}
	return append(list, trainButton{"Use this for drafting", d.do.use})
}

// offer shows them.
func (d *trainDesk) offer() {
	list := d.choices()
	for i, b := range d.buttons {
		k := i - len(d.buttons) + len(list)
		showIf(b, k >= 0)
		if k < 0 {
			continue
		}
		b.OnTapped = list[k].do
		relabel(b, list[k].text)
		able(b, d.phase != trainStopping)
		weight := widget.MediumImportance
		if i == len(d.buttons)-1 && len(list) > 1 {
			weight = widget.HighImportance
		}
		if b.Importance != weight {
			b.Importance = weight
			b.Refresh()
		}
	}
}
