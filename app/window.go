package main

import (
	"context"
	"errors"
	"iter"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"longhand/app/draft"
	"longhand/assets"
	"longhand/rl"
)

const appID = "io.github.longhand"

// A window is Longhand's one window. Everything in it runs on the window's
// goroutine; what comes from elsewhere comes through follow.
type window struct {
	ctx    context.Context
	app    fyne.App
	win    fyne.Window
	screen screen
	ports  ports
	theme  *quiet
	alert  *alert

	start *start
	desk  *desk
	body  *fyne.Container
	shelf *shelfView
	noted *quietText // that it is the sample, beside the draft
	run   *draftRun  // nil: no draft is under way
	job   job        // the last one

	training *training // the second page

	closing bool // once the draft has stopped
}

// ports are what the window needs of the rest of the program.
type ports struct {
	start  func(context.Context, job) iter.Seq2[draft.Event, error]
	sample func(model string) bool // whether that is the sample model
	shelf  iter.Seq2[shelf, error]
	fetch  func(ctx context.Context, model string) iter.Seq2[assets.Progress, error]
	last   iter.Seq2[unfinished, error] // the draft left unfinished last time, if any
	now    func() time.Time

	ground iter.Seq2[ground, error]                                       // what there is to train with
	cure   func(ctx context.Context, how string) iter.Seq2[string, error] // repairs the store and says what is there now
	train  func(context.Context, rl.Job) iter.Seq2[rl.Event, error]       // a cancelled context ends it after the step in hand, and what still happens is yielded; nil: there is no trainer
}

// unfinished is a draft that can go on.
type unfinished struct {
	id, title     string
	words, target int
}

func newWindow(ctx context.Context, a fyne.App, s screen, p ports) *window {
	w := &window{ctx: ctx, app: a, win: a.NewWindow("Longhand"), screen: s, ports: p, theme: newQuiet()}
	if a.Preferences().String(themeKey) != "" {
		w.theme.pick(a.Preferences().String(themeKey) == "dark")
	}
	a.Settings().SetTheme(w.theme)
	w.alert = newAlert(w.win)
	w.shelf, w.noted = newShelfView(w.fetch), caption("")
	w.start = newStart(func(prompt string, words int) {
		w.begin(job{Prompt: prompt, Words: words, Language: language(prompt), Window: true, Model: w.training.skill.Base, Adapter: w.training.skill.Dir})
	}, w.goOnLast)
	w.desk = newDesk(&pace{now: p.now}, deskActions{pause: w.pause, resume: w.resume, stop: w.stop,
		goOn: w.goOn, newDraft: w.showStart, save: w.saveAs, copy: w.copyAll})
	w.training = newTraining(w)
	w.body = container.NewStack(w.start.lay(container.NewVBox(w.training.kept, w.shelf.content)), w.desk.content)
	w.use(w.training.skill)
	w.win.SetContent(container.New(filled{rest: 1}, w.header(), container.NewStack(w.body, w.training.content)))
	w.win.SetPadded(false)
	w.win.Resize(fyne.NewSize(1180, 780))
	w.win.CenterOnScreen()
	w.win.SetMaster()
	w.win.SetCloseIntercept(w.close)
	w.keys()
	w.showStart()
	return w
}

func (w *window) header() fyne.CanvasObject {
	name := widget.NewLabelWithStyle("Longhand", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	light := widget.NewButtonWithIcon("", theme.NewThemedResource(contrastIcon), func() {
		w.theme.pick(!w.theme.dark())
		w.app.Preferences().SetString(themeKey, map[bool]string{true: "dark", false: "light"}[w.theme.dark()])
		w.app.Settings().SetTheme(w.theme)
	})
	light.Importance = widget.LowImportance
	return container.New(filled{rest: 0}, container.New(layout.NewCustomPaddedLayout(4, 4, 8, 8),
		container.NewHBox(name, w.training.drafting, w.training.training, w.noted, layout.NewSpacer(), w.desk.copy, w.desk.save, light)), widget.NewSeparator())
}

func (w *window) keys() {
	c := w.win.Canvas()
	c.AddShortcut(sendKey, func(fyne.Shortcut) {
		if w.body.Visible() && w.start.content.Visible() {
			w.start.send()
		}
	})
	c.AddShortcut(saveKey, func(fyne.Shortcut) { w.saveAs() })
	c.SetOnTypedKey(func(k *fyne.KeyEvent) {
		if w.body.Visible() && w.desk.content.Visible() {
			w.desk.key(k.Name)
		}
	})
}

func (w *window) showStart() {
	w.lookUp()
	showIf(w.desk.content, false)
	showIf(w.start.content, true)
	w.noted.say("")
	showIf(w.desk.save, false)
	showIf(w.desk.copy, false)
	w.win.SetTitle("Longhand")
	w.win.Canvas().Focus(w.start.prompt)
	follow(w.screen, w.ports.last, func(u []unfinished) { w.start.offer(u[0]) }, func(error) {})
}

func (w *window) showDesk() {
	showIf(w.start.content, false)
	showIf(w.desk.content, true)
	showIf(w.desk.save, true)
	showIf(w.desk.copy, true)
	w.win.Canvas().Unfocus()
}

// begin runs a job and shows it.
func (w *window) begin(j job) {
	if w.run != nil {
		return
	}
	if w.training.run != nil {
		w.alert.show(errTrains)
		return
	}
	w.job = j
	r := newDraftRun(w.ctx, j)
	w.run = r
	w.noted.say("")
	w.desk.open()
	w.showDesk()
	follow(w.screen, r.events(w.ports.start(r.ctx, j)), w.happened, func(err error) { w.ended(r, err) })
}

// happened shows what the draft did.
func (w *window) happened(events []draft.Event) {
	for _, e := range joined(events) {
		w.desk.happened(e)
		if s, ok := e.(draft.Started); ok {
			if w.ports.sample(s.Model) {
				w.noted.say("Sample model: shows how Longhand works, not how well it writes")
			}
		}
	}
	if t := w.desk.m.outline.Title; t != "" {
		if title := t + " – Longhand"; title != w.win.Title() {
			w.win.SetTitle(title)
		}
	}
	w.desk.update()
}

// ended shows how the draft ended.
func (w *window) ended(r *draftRun, err error) {
	w.run = nil
	stoppedByHand := r.ctx.Err() != nil
	r.cancel()
	switch {
	case err == nil && !stoppedByHand:
		w.desk.enter(phaseFinished)
	case stoppedByHand || errors.Is(err, context.Canceled):
		w.desk.enter(phaseStopped)
		w.desk.say("What is written is kept. You can go on with it now, or another day.")
	default:
		w.desk.enter(phaseFailed)
		if w.desk.m.started.ID == "" { // nothing was begun: back to the prompt
			w.showStart()
		} else {
			w.desk.say("What is written is kept.")
		}
		w.alert.show(err)
	}
	if w.closing {
		w.win.Close()
	}
}

func (w *window) pause() {
	w.run.gate.shut()
	w.desk.enter(phasePaused)
}

func (w *window) resume() {
	w.run.gate.open()
	w.desk.enter(phaseRunning)
}

func (w *window) stop() {
	if w.run != nil {
		w.desk.enter(phaseStopping)
		w.run.cancel()
	}
}

// goOn takes the draft up again that was stopped or broken off.
func (w *window) goOn() {
	w.begin(job{Resume: w.desk.m.started.ID, Retell: true, Window: true})
}

func (w *window) goOnLast() {
	w.begin(job{Resume: w.start.left.id, Retell: true, Window: true})
}

// close closes the window, after the draft or the training has stopped.
func (w *window) close() {
	if w.run == nil && w.training.run == nil || w.closing { // asked twice: at once
		w.win.Close()
		return
	}
	title, text, keep := "Stop writing and close?", "What is written is kept. You can go on with it when you open Longhand again.", "Keep writing"
	if w.training.run != nil {
		title, text, keep = "Stop training and close?", "It ends after the step in hand, which may take a while. What was learned until then is kept.", "Keep training"
	}
	d := dialog.NewConfirm(title, text, func(yes bool) {
		if !yes {
			return
		}
		if w.run == nil && w.training.run == nil {
			w.win.Close()
			return
		}
		w.closing = true
		w.stop()
		w.stopTraining()
	}, w.win)
	d.SetConfirmText("Stop and close")
	d.SetDismissText(keep)
	d.Show()
}

const themeKey = "theme"

var contrastIcon = fyne.NewStaticResource("contrast.svg", []byte(
	`<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><path fill="#000" d="M12 4a8 8 0 0 1 0 16z"/><path fill="#000" d="M12 4a8 8 0 0 0 0 16v-1.6a6.4 6.4 0 0 1 0-12.8z"/></svg>`))
