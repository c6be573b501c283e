package main

import (
	"errors"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"longhand/rl"
)

// A training is the window's second page: a run is set up, looked at and used.
type training struct {
	form    *trainForm
	desk    *trainDesk
	run     *trainRun // nil: none is under way
	content *fyne.Container

	drafting, training *tab // in the header

	skill skill // what drafts are written with
	told  *quietText
	kept  fyne.CanvasObject // says so on the first page, and undoes it
}

// newTraining makes the page and the tabs that lead to it.
func newTraining(w *window) *training {
	t := &training{skill: readSkill(w.app.Preferences().String(skillKey)), told: caption("")}
	t.form = newTrainForm(w.beginTraining, w.openPrompts, w.pickFolder)
	t.desk = newTrainDesk(trainActions{start: w.startTraining, leave: w.leaveTraining, stop: w.stopTraining, goOn: w.goOnTraining, use: w.useTraining, again: w.newTraining})
	t.content = container.NewStack(t.form.content, t.desk.content)
	t.content.Hide()
	t.desk.content.Hide()
	t.drafting = newTab("Drafting", w.showDrafting)
	t.training = newTab("Training", w.showTraining)
	t.drafting.say(t.drafting.text.Text, true)
	undo := newChoice("Write with the model as it came", "", func() { w.use(skill{}) })
	t.kept = container.New(layout.NewCustomPaddedVBoxLayout(0), t.told, undo)
	if w.ports.train == nil { // this build cannot train
		t.drafting.Hide()
		t.training.Hide()
	}
	return t
}

// showTraining shows the second page.
func (w *window) showTraining() {
	t := w.training
	showIf(w.body, false)
	showIf(w.desk.save, false)
	showIf(w.desk.copy, false)
	showIf(w.noted, false)
	showIf(t.content, true)
	w.tabs()
	w.win.Canvas().Unfocus()
	if w.ports.ground != nil && t.run == nil {
		follow(w.screen, w.ports.ground, func(g []ground) { t.form.show(g[len(g)-1]) }, func(err error) {
			if err != nil {
				w.alert.show(err)
			}
		})
	}
}

// showDrafting shows the first page as it was left.
func (w *window) showDrafting() {
	showIf(w.training.content, false)
	showIf(w.body, true)
	showIf(w.noted, true)
	showIf(w.desk.save, w.desk.content.Visible())
	showIf(w.desk.copy, w.desk.content.Visible())
	w.tabs()
}

// tabs says in the header which page shows, and from the other one how far the
// training is.
func (w *window) tabs() {
	t := w.training
	front := t.content.Visible()
	text := "Training"
	if t.run != nil && !front && len(t.desk.c.steps) > 0 {
		text += "  ·  " + grouped(t.desk.c.done()) + " of " + grouped(t.desk.c.total())
	}
	t.training.say(text, front)
	t.drafting.say(t.drafting.text.Text, !front)
}

var (
	errDraftRuns = errors.New("a draft is being written: the training can begin once it has ended or been stopped")
	errTrains    = errors.New("a training is under way: the draft can begin once it has ended or been stopped")
)

// beginTraining begins the run that the form asks for.
func (w *window) beginTraining() {
	if w.run != nil {
		w.alert.show(errDraftRuns)
		return
	}
	j, err := w.training.form.job(newID(), uint64(w.ports.now().UnixNano())%1_000_000+1)
	if err != nil {
		w.alert.show(spoken(err))
		return
	}
	w.training.desk.open(j)
	w.train(j)
}

// train runs a job and shows it. Where it is a new one the writer decides after
// the preflight.
func (w *window) train(j rl.Job) {
	t := w.training
	if t.run != nil {
		return
	}
	r := newTrainRun(w.ctx, !j.Resume)
	t.run = r
	showIf(t.form.content, false)
	showIf(t.desk.content, true)
	follow(w.screen, r.events(w.ports.train(r.ctx, j)), func(events []rl.Event) { w.trained(r, events) }, func(err error) { w.trainingEnded(r, err) })
}

// trained shows what the run did.
func (w *window) trained(r *trainRun, events []rl.Event) {
	d := w.training.desk
	for _, e := range events {
		d.c.apply(e)
		switch e := e.(type) {
		case rl.Preflight:
			if e.OK && r.fresh && d.phase == trainChecking {
				d.phase = trainReady
			}
		case rl.Step, rl.Warmup:
			if d.phase == trainChecking {
				d.phase = trainRunning
			}
		case rl.Checkpoint:
			d.say("The checkpoint of step " + grouped(e.Step) + " is kept.")
		}
	}
	d.update()
	w.tabs()
}

// trainingEnded shows how the run ended.
func (w *window) trainingEnded(r *trainRun, err error) {
	t := w.training
	d := t.desk
	t.run = nil
	byHand := r.ctx.Err() != nil
	r.cancel()
	if r.left.Load() {
		w.newTraining()
		err = discard(d.c.job)
	} else {
		var ph trainPhase
		ph, err = d.c.ended(byHand, err)
		d.enter(ph)
	}
	if err != nil {
		w.alert.show(spoken(err))
	}
	if d.phase > trainStopping && d.c.checkpoint.Dir != "" {
		d.say("Kept in " + d.c.job.Out)
		w.renew(d.c.checkpoint)
	}
	w.tabs()
	if w.closing {
		w.win.Close()
	}
}

// startTraining goes on behind the preflight.
func (w *window) startTraining() {
	w.training.desk.enter(trainRunning)
	w.training.run.gate.open()
}

// leaveTraining gives up a run that has not begun: nothing of it is kept.
func (w *window) leaveTraining() {
	if r := w.training.run; r != nil {
		r.left.Store(r.fresh && !w.training.desk.began)
	}
	w.stopTraining()
}

// stopTraining ends the run after the step in hand.
func (w *window) stopTraining() {
	if r := w.training.run; r != nil {
		w.training.desk.enter(trainStopping)
		r.cancel()
	}
}

// goOnTraining takes a stopped run up again.
func (w *window) goOnTraining() {
	if w.run != nil {
		w.alert.show(errDraftRuns)
		return
	}
	d := w.training.desk
	j := d.c.job
	j.Resume = true
	d.say("")
	d.enter(trainChecking)
	w.train(j)
}

// newTraining goes back to the form.
func (w *window) newTraining() {
	t := w.training
	t.desk.phase = trainNone
	showIf(t.desk.content, false)
	showIf(t.form.content, true)
	if t.content.Visible() {
		w.showTraining()
	}
}

// spoken is an error without the package's name in front.
func spoken(err error) error {
	text := strings.TrimPrefix(plain(err), "rl: ")
	var h hinted
	if errors.As(err, &h) {
		return hinted{errors.New(text), h.hint}
	}
	return errors.New(text)
}

// sentenceOf is a message as a sentence.
func sentenceOf(message string) string { return sentence(spoken(errors.New(message))) }
