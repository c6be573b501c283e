package main

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2/test"

	"longhand/rl"
)

// A gym is a theatre whose second page has a trainer that does what the test
// says. As the real one does, it ends after the step in hand when it is stopped.
type gym struct {
	*theatre
	asked  []rl.Job
	tells  chan any // rl.Event, or an error that ends the run
	folder string
	bases  []trainBase
	drafts []request
}

// workOut opens a gym in a bubble, on the training page.
func workOut(t *testing.T, act func(*testing.T, *gym)) {
	play(t, func(t *testing.T, th *theatre) {
		g := &gym{
			theatre: th, tells: make(chan any), folder: t.TempDir(),
			bases:  []trainBase{{title: "SmolLM2 135M", path: "/m/smol.gguf", bytes: 98e6, sample: true}, {title: "Qwen", path: "/m/qwen.gguf"}},
			drafts: []request{{prompt: "A story about the sea.", words: 1200}, {prompt: "An essay about bread, 100 words.", words: 100}},
		}
		th.ports.train = g.train
		th.ports.ground = func(yield func(ground, error) bool) {
			yield(ground{bases: g.bases, requests: g.drafts, folder: g.folder}, nil)
		}
		th.training.training.Tapped(nil)
		th.settle()
		act(t, g)
		if th.training.run != nil {
			th.stopTraining()
			th.settle()
		}
		if th.training.run != nil { // in the midst of a step
			g.say(rl.Finished{Stopped: true})
		}
	})
}

func (g *gym) train(ctx context.Context, j rl.Job) iter.Seq2[rl.Event, error] {
	g.asked = append(g.asked, j)
	return func(yield func(rl.Event, error) bool) {
		stopped := false
		for {
			done := ctx.Done()
			if stopped {
				done = nil
			}
			select {
			case <-done:
				stopped = true
				if len(g.training.desk.c.steps) == 0 { // no step is in hand
					return
				}
			case x, ok := <-g.tells:
				if !ok {
					return
				}
				if err, bad := x.(error); bad {
					yield(nil, err)
					return
				}
				if !yield(x.(rl.Event), nil) {
					return
				}
				if _, last := x.(rl.Finished); last {
					return
				}
			}
		}
	}
}

// say has the trainer yield events, and the window show them.
func (g *gym) say(events ...rl.Event) {
	for _, e := range events {
		g.tells <- e
	}
	g.settle()
}

// press presses the button of the run's page with that text.
func (g *gym) press(t *testing.T, text string) {
	t.Helper()
	for _, b := range g.training.desk.buttons {
		if b.Visible() && b.Text == text {
			if b.Disabled() {
				t.Fatalf("%s cannot be pressed", text)
			}
			test.Tap(b)
			g.settle()
			return
		}
	}
	t.Fatalf("there is no button %q but %v", text, g.offered())
}

func (g *gym) offered() []string {
	var texts []string
	for _, b := range g.training.desk.buttons {
		if b.Visible() {
			texts = append(texts, b.Text)
		}
	}
	return texts
}

func TestTrainingShowsARunAsItGoes(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		f, d := g.training.form, g.training.desk
		f.steps.SetText("40")
		f.rewards[2].Tapped(nil)
		test.Tap(f.check)
		g.settle()
		j := g.asked[0]
		if j.Seed == 0 || j.Base != "/m/smol.gguf" || j.Steps != 40 || j.Rewards != "length=1,format=1" || filepath.Dir(j.Out) != g.folder || j.Resume {
			t.Fatalf("the job is %+v", j)
		}
		events := recorded(t)
		g.say(events[:2]...)
		if d.phase != trainReady || d.c.status(d.phase) != d.progress.Text {
			t.Fatalf("after the preflight: phase %d, %s", d.phase, d.progress.Text)
		}
		all := markup(g.win)
		for _, want := range []string{"It can be done", "4.1 GB of the 20.7 GB that are free", "about 34 seconds, for 32 texts", "about 14 minutes", "0.062 nat apart", "4.88 million", "OpenBLAS"} {
			if !strings.Contains(all, want) {
				t.Errorf("the estimate does not say %q", want)
			}
		}
		if s := d.takes.detail.segment.Text; !strings.Contains(s, "micro-batches of up to 4096 rows") {
			t.Errorf("in small it says %s", s)
		}
		select {
		case g.tells <- events[2]:
			t.Fatal("the trainer is asked to go on before the writer has decided")
		default:
		}
		g.press(t, "Start training")
		g.say(events[2:]...)
		if d.phase != trainFinished || len(d.c.steps) != 24 {
			t.Fatalf("at the end: phase %d, %d steps", d.phase, len(d.c.steps))
		}
		if s := d.remark.Text; !strings.HasPrefix(s, "The texts got better: the reward went from 0.4") || !strings.Contains(s, "most of all in format") {
			t.Errorf("it says %s", s)
		}
		if s := d.progress.Text; s != "Finished  ·  24 steps" {
			t.Errorf("it says %s", s)
		}
		if s := d.note.segment.Text; !strings.Contains(s, g.folder) {
			t.Errorf("where it is kept is told as %s", s)
		}
		if strings.Contains(strings.ToLower(markup(g.win)), "loss") {
			t.Error("the loss is shown, which says nothing")
		}
	})
}

func TestTrainingCurvesAreTheEvents(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		test.Tap(g.training.form.check)
		events := recorded(t)
		g.say(events[:2]...)
		g.press(t, "Start training")
		g.say(events[2:62]...)
		d := g.training.desk
		var names []string
		for _, c := range d.charts {
			if c.Visible() {
				names = append(names, c.series.name)
			}
		}
		if got, want := strings.Join(names, " "), "Reward Length Format Tokens"; got != want {
			t.Fatalf("the charts are %s, want %s", got, want)
		}
		i := 0
		for _, e := range events[2:62] {
			s, ok := e.(rl.Step)
			if !ok {
				continue
			}
			want := (float64(s.Rewards[0].Mean) + float64(s.Rewards[1].Mean)) / 2
			if got := d.charts[0].series.values[i]; got != want {
				t.Errorf("step %d: the reward is drawn at %v, want %v", i, got, want)
			}
			if got := d.charts[2].series.values[i]; got != float64(s.Rewards[1].Mean) {
				t.Errorf("step %d: the format is drawn at %v, want %v", i, got, s.Rewards[1].Mean)
			}
			if c := d.charts[3].series; c.values[i] != float64(s.Length) || c.low[i] != float64(s.LengthMin) || c.high[i] != float64(s.LengthMax) {
				t.Errorf("step %d: the length is drawn at %v from %v to %v", i, c.values[i], c.low[i], c.high[i])
			}
			i++
		}
		if n := len(d.charts[0].series.values); n != i || i == 0 {
			t.Errorf("%d of %d steps are drawn", n, i)
		}
		texts := strings.Join(rowTexts(d.texts.rows), "|")
		last := d.c.samples[0]
		if !strings.Contains(texts, last.Completion[:60]) || !strings.Contains(texts, firstLine(last.Prompt)) || !strings.Contains(texts, "length "+twoDigits(float64(last.Rewards["length"]))) {
			t.Errorf("the last texts are shown as %s", texts)
		}
	})
}

func rowTexts(rows []row) []string {
	var texts []string
	for _, r := range rows {
		texts = append(texts, r.text)
	}
	return texts
}

func TestTextsStayWhileTheyAreRead(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		test.Tap(g.training.form.check)
		events := recorded(t)
		g.say(events[:2]...)
		g.press(t, "Start training")
		g.say(events[2:8]...)
		d := g.training.desk
		before := d.texts.rows[0]
		d.texts.move(40)
		g.say(events[8:14]...)
		if d.texts.rows[0] != before || !strings.Contains(d.caption.segment.Text, "newer") {
			t.Errorf("the texts change under the reader: %s", d.caption.segment.Text)
		}
		d.texts.move(0)
		g.say(events[14:17]...)
		if d.texts.rows[0] == before {
			t.Error("back at the top there is nothing new")
		}
	})
}

func TestStopEndsAfterTheStepInHandAndKeepsTheCheckpoint(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		test.Tap(g.training.form.check)
		events := recorded(t)
		g.say(events[:2]...)
		g.press(t, "Start training")
		g.say(events[2:17]...)
		d := g.training.desk
		g.press(t, "Stop")
		if d.phase != trainStopping || !strings.HasPrefix(d.progress.Text, "Stopping after this step") {
			t.Fatalf("phase %d: %s", d.phase, d.progress.Text)
		}
		if !d.buttons[2].Disabled() {
			t.Error("it can be stopped twice")
		}
		done := len(d.c.steps)
		g.say(events[17], rl.Checkpoint{Step: done + 1, Dir: "out/step-0006"}, rl.Finished{Step: done + 1, Dir: "out/step-0006", Stopped: true})
		if d.phase != trainStopped || len(d.c.steps) != done+1 {
			t.Fatalf("stopped: phase %d, %d steps", d.phase, len(d.c.steps))
		}
		if o := g.win.Canvas().Overlays().Top(); o != nil {
			t.Error("stopping is shown as an error")
		}
		if got := strings.Join(g.offered(), ", "); got != "New training, Go on, Use this for drafting" {
			t.Errorf("after the stop there are the buttons %s", got)
		}
		g.press(t, "Go on")
		if j := g.asked[1]; !j.Resume || j.Out != g.asked[0].Out || j.Prompts != g.asked[0].Prompts {
			t.Errorf("going on is the job %+v", j)
		}
		if !d.runs.Visible() || d.takes.content.Visible() || !strings.HasPrefix(d.remark.Text, "Opening the model again") {
			t.Errorf("while it is opened again, the curves are gone: %s", d.remark.Text)
		}
		again := events[0].(rl.Started)
		again.Step, again.Resumed = done+1, "out/step-0006"
		g.say(again, events[1])
		if d.phase != trainChecking {
			t.Errorf("a run that goes on asks again: phase %d", d.phase)
		}
		next := events[2].(rl.Step)
		next.Step = done + 1
		g.say(next)
		if d.phase != trainRunning || len(d.c.steps) != done+2 {
			t.Errorf("gone on: phase %d, %d steps", d.phase, len(d.c.steps))
		}
	})
}

// What was trained outlives every way to stop a run that goes on.
func TestGoingOnCanBeStoppedAndLosesNothing(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		test.Tap(g.training.form.check)
		events := recorded(t)
		g.say(events[:2]...)
		g.press(t, "Start training")
		g.say(events[2:5]...)
		dir := filepath.Join(g.asked[0].Out, "checkpoint-000001")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			g.press(t, "Stop")
			g.say(rl.Finished{Step: 1, Dir: dir, Stopped: true})
			if _, err := os.Stat(dir); err != nil || g.training.desk.phase != trainStopped {
				t.Fatalf("stopped %d times: phase %d, %v", i+1, g.training.desk.phase, err)
			}
			g.press(t, "Go on")
		}
		g.leaveTraining() // no button does
		g.say(rl.Finished{Step: 1, Dir: dir, Stopped: true})
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("a run that goes on is thrown away: %v", err)
		}
	})
}

func TestACheckpointIsUsedForTheNextDrafts(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		test.Tap(g.training.form.check)
		dir := t.TempDir()
		events := recorded(t)
		g.say(events[:2]...)
		g.press(t, "Start training")
		g.say(events[2:20]...)
		g.say(rl.Finished{Step: 6, Dir: dir})
		g.press(t, "Use this for drafting")
		if !g.body.Visible() || !g.start.content.Visible() {
			t.Fatal("the drafting page does not show")
		}
		if s := g.training.told.segment.Text; s != "Written with SmolLM2 135M as you trained it, in 6 steps." || !g.training.kept.Visible() || g.shelf.about.Visible() {
			t.Errorf("of the model is said: %s", s)
		}
		g.theatre.begin()
		if j := g.jobs[0]; j.Adapter != dir || j.Model != "/m/smol.gguf" {
			t.Errorf("the draft's job is %+v", j)
		}
		g.theatre.fail(errors.New("enough"))
		tapText(t, g.win, "Close")
		if again := readSkill(g.app.Preferences().String(skillKey)); again.Dir != dir || again.Steps != 6 {
			t.Errorf("the next time it is %+v", again)
		}
		g.use(skill{})
		g.showStart()
		g.theatre.begin()
		if j := g.jobs[1]; j.Adapter != "" || j.Model != "" {
			t.Errorf("as it came, the draft's job is %+v", j)
		}
		if s := g.app.Preferences().String(skillKey); s != "" {
			t.Errorf("what was undone is remembered: %s", s)
		}
	})
}

func TestACheckpointThatMadeRoomIsReplaced(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		out := t.TempDir()
		first, last := filepath.Join(out, "a"), filepath.Join(out, "b")
		if err := os.Mkdir(first, 0o755); err != nil {
			t.Fatal(err)
		}
		g.use(skill{Dir: first, Base: "/m/smol.gguf", Title: "S", Steps: 10})
		g.renew(rl.Checkpoint{Step: 50, Dir: last})
		if g.training.skill.Dir != first {
			t.Error("a checkpoint that is there is replaced")
		}
		os.Remove(first)
		g.renew(rl.Checkpoint{Step: 90, Dir: filepath.Join(t.TempDir(), "b")})
		if g.training.skill.Dir != first {
			t.Error("it is replaced by another run's")
		}
		g.renew(rl.Checkpoint{Step: 50, Dir: last})
		if s := g.training.skill; s.Dir != last || s.Steps != 50 {
			t.Errorf("it is %+v", s)
		}
	})
}

func TestACheckpointThatIsGoneIsForgotten(t *testing.T) {
	dir := t.TempDir()
	s := skill{Dir: dir, Base: "/m/a.gguf", Title: "A", Steps: 3}
	if got := readSkill(s.String()); got != s {
		t.Errorf("read back as %+v", got)
	}
	os.Remove(dir)
	for _, kept := range []string{s.String(), "", "{", `{"dir":""}`} {
		if got := readSkill(kept); got != (skill{}) {
			t.Errorf("%q is %+v", kept, got)
		}
	}
}

func TestWhatCannotBeTrainedSaysWhy(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		d := g.training.desk
		test.Tap(g.training.form.check)
		g.settle()
		g.say(recorded(t)[0], rl.Preflight{Message: "rl: the training needs 11.2 GB and 9.1 GB are free", MemoryBytes: 11e9, MemoryFree: 9e9})
		close(g.tells)
		g.settle()
		all := markup(g.win)
		if d.phase != trainFailed || !strings.Contains(all, "It cannot be done") || !strings.Contains(all, "The training needs 11.2 GB and 9.1 GB are free.") {
			t.Errorf("phase %d, it shows %s", d.phase, all)
		}
		if n := len(g.win.Canvas().Overlays().List()); n != 1 {
			t.Errorf("%d dialogs", n)
		}
		tapText(t, g.win, "Close")
		g.tells = make(chan any)
		g.press(t, "New training")
		if !g.training.form.content.Visible() {
			t.Fatal("the form does not come back")
		}
		test.Tap(g.training.form.check)
		g.settle()
		g.say(recorded(t)[:2]...)
		g.press(t, "Start training")
		g.say(recorded(t)[2:5]...)
		g.tells <- hinted{errors.New("rl: the trainer died: signal: killed"), "close other programs"}
		g.settle()
		if all := markup(g.win); d.phase != trainFailed || !strings.Contains(all, "The trainer died: signal: killed.") || !strings.Contains(all, "Close other programs") {
			t.Errorf("a broken run shows %s", all)
		}
		tapText(t, g.win, "Close")
	})
}

func TestThinkingBetterOfIt(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		for _, at := range []int{0, 1, 2} { // before anything, while it looks, when it has found out
			test.Tap(g.training.form.check)
			g.settle()
			g.say(recorded(t)[:at]...)
			if !g.training.desk.takes.content.Visible() || g.training.desk.runs.Visible() {
				t.Errorf("after %d events there are curves already", at)
			}
			g.press(t, map[bool]string{true: "Back", false: "Cancel"}[at == 2])
			if g.training.run != nil || !g.training.form.content.Visible() || g.win.Canvas().Overlays().Top() != nil {
				t.Errorf("after %d events it does not go back", at)
			}
			if files, _ := os.ReadDir(g.folder); len(files) > 0 {
				t.Errorf("%s is left of a run that was given up", files[0].Name())
			}
		}
	})
}

func TestDraftingAndTrainingTakeTurns(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		test.Tap(g.training.form.check)
		g.settle()
		g.say(recorded(t)[:2]...)
		g.press(t, "Start training")
		g.say(recorded(t)[2:6]...)
		g.training.drafting.Tapped(nil)
		if s := g.training.training.text.Text; s != "Training  ·  2 of 24" {
			t.Errorf("the tab says %s", s)
		}
		g.theatre.begin()
		if len(g.jobs) != 0 || !strings.Contains(markup(g.win), "A training is under way") {
			t.Error("a draft begins beside a training")
		}
		tapText(t, g.win, "Close")
		g.close()
		tapText(t, g.win, "Keep training")
		if g.closed || g.training.run == nil {
			t.Fatal("the window closed against the writer's word")
		}
		g.showTraining()
		g.press(t, "Stop")
		g.say(rl.Finished{Step: 3, Dir: "out", Stopped: true})
		g.showDrafting()
		g.theatre.begin()
		g.showTraining()
		g.newTraining()
		g.settle()
		test.Tap(g.training.form.check)
		if len(g.asked) != 1 || !strings.Contains(markup(g.win), "A draft is being written") {
			t.Error("a training begins beside a draft")
		}
		tapText(t, g.win, "Close")
	})
}

func TestClosingStopsTheTraining(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		test.Tap(g.training.form.check)
		g.settle()
		g.say(recorded(t)[:2]...)
		g.press(t, "Start training")
		g.say(recorded(t)[2:6]...)
		g.close()
		tapText(t, g.win, "Stop and close")
		if g.closed {
			t.Fatal("it closes in the midst of a step")
		}
		g.say(rl.Finished{Step: 3, Dir: "out", Stopped: true})
		if g.training.run != nil || !g.closed {
			t.Error("it does not close once the training has ended")
		}
	})
}
