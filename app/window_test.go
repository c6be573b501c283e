package main

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"longhand/app/draft"
	"longhand/assets"
)

// A theatre is a window in front of a pipeline that does what the test says.
type theatre struct {
	*window
	*queue
	jobs   []job
	say    chan any // draft.Event, or an error that ends the draft
	closed bool
}

// play opens a theatre in a bubble, where time passes only while all wait.
func play(t *testing.T, act func(*testing.T, *theatre)) {
	synctest.Test(t, func(t *testing.T) {
		th := newTheatre(t)
		act(t, th)
		if th.run != nil {
			th.stop()
			th.settle()
		}
	})
}

func newTheatre(t *testing.T) *theatre {
	th := &theatre{queue: newQueue(), say: make(chan any)}
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone) })
	th.window = newWindow(t.Context(), test.NewTempApp(t), screen{do: th.do, gone: gone}, ports{
		start:  th.draft,
		sample: func(string) bool { return true },
		shelf: func(yield func(shelf, error) bool) {
			yield(shelf{title: "SmolLM2 135M", sample: true, better: offer{"qwen2.5-3b", "Qwen2.5 3B Instruct", 2_100_000_000}}, nil)
		},
		fetch: th.fetch,
		last:  func(func(unfinished, error) bool) {},
		now:   time.Now,
	})
	th.win.SetOnClosed(func() { th.closed = true })
	th.win.Resize(fyne.NewSize(1100, 700))
	th.settle()
	return th
}

func (th *theatre) fetch(ctx context.Context, _ string) iter.Seq2[assets.Progress, error] {
	return func(yield func(assets.Progress, error) bool) {
		for {
			select {
			case <-ctx.Done():
				yield(assets.Progress{}, ctx.Err())
				return
			case x := <-th.say:
				if err, ok := x.(error); ok {
					yield(assets.Progress{}, err)
					return
				}
				if !yield(x.(assets.Progress), nil) {
					return
				}
			}
		}
	}
}

func (th *theatre) draft(ctx context.Context, j job) iter.Seq2[draft.Event, error] {
	th.jobs = append(th.jobs, j)
	return func(yield func(draft.Event, error) bool) {
		for {
			select {
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			case x, ok := <-th.say:
				switch x := x.(type) {
				case draft.Event:
					if !yield(x, nil) {
						return
					}
				case error:
					yield(nil, x)
					return
				}
				if !ok {
					return
				}
			}
		}
	}
}

// settle runs the window's turns until nothing more comes.
func (th *theatre) settle() {
	for quiet := 0; quiet < 2; quiet++ {
		synctest.Wait()
		if th.drain() > 0 {
			quiet = -1
		}
		time.Sleep(turnTime)
	}
}

// tell has the pipeline yield events, and the window show them.
func (th *theatre) tell(events ...draft.Event) {
	for i, e := range events {
		th.say <- e
		if i%1000 == 999 { // a window that shows nothing holds the pipeline back
			th.settle()
		}
	}
	th.settle()
}

// fail has the pipeline end with an error.
func (th *theatre) fail(err error) {
	th.say <- err
	th.settle()
}

// begin types a prompt and taps the button.
func (th *theatre) begin() {
	th.start.prompt.SetText("")
	test.Type(th.start.prompt, "A story about the sea.")
	th.start.words.SetText("")
	test.Type(th.start.words, "1,200")
	test.Tap(th.start.write)
	th.settle()
}

var opening = []draft.Event{
	draft.Started{ID: "20261122-1", Model: "m.gguf", Target: 1200},
	draft.Think{Text: "The sea. "},
	draft.Outline{Title: "The Sea", Sections: []draft.SectionPlan{{Title: "Low tide", Point: "Sand.", Words: 600}, {Index: 1, Title: "High tide", Point: "Water.", Words: 600}}},
	draft.SectionBegun{Title: "Low tide", Target: 600},
	draft.Text{Text: "The sand was wet. It was grey, grey."},
}

func (th *theatre) texts() string {
	var all []string
	for _, r := range th.desk.text.rows {
		all = append(all, r.text)
	}
	return strings.Join(all, "|")
}

func TestWindowShowsADraftAsItIsWritten(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		if !th.start.write.Disabled() {
			t.Error("an empty prompt can be sent")
		}
		if s := th.shelf.about.segment.Text; !strings.Contains(s, "not how well it writes") {
			t.Errorf("of the sample model is said: %s", s)
		}
		th.begin()
		if j := th.jobs[0]; j.Prompt != "A story about the sea." || j.Words != 1200 || !j.Window {
			t.Errorf("the job is %+v", j)
		}
		th.tell(opening[:2]...)
		if !th.desk.thought || !strings.Contains(th.desk.thinking.rows[1].text, "The sea.") {
			t.Error("the thinking does not show")
		}
		th.tell(opening[2:]...)
		if got, want := th.texts(), "The Sea|Low tide|The sand was wet. It was grey, grey.|High tide|Water."; got != want {
			t.Errorf("the page shows %s\nwant           %s", got, want)
		}
		th.tell(draft.Rewind{Chars: 17}, draft.Text{Text: " It shone."}, draft.SectionDone{Words: 6, Target: 600, Flags: []string{"short"}}, draft.SectionBegun{Index: 1, Title: "High tide", Target: 600})
		if got, want := th.texts(), "The Sea|Low tide|The sand was wet. It shone.|High tide"; got != want {
			t.Errorf("after a rewind the page shows %s\nwant                         %s", got, want)
		}
		it := th.desk.outline.items
		if len(it) != 3 || it[1].mark != markFlagged || it[1].caption != "6 of 600 words  ·  short" || it[2].mark != markWriting {
			t.Errorf("the outline is %+v", it)
		}
		if th.noted.segment.Text == "" {
			t.Error("beside the draft nothing is said of the sample model")
		}
		th.tell(draft.Text{Index: 1, Text: "Water."}, draft.SectionDone{Index: 1, Words: 1, Target: 600}, draft.Finished{Words: 7})
		close(th.say)
		th.settle()
		if th.desk.phase != phaseFinished || th.desk.second.Text != "New draft" || th.desk.first.Visible() {
			t.Errorf("after the end: phase %d, %s", th.desk.phase, th.desk.second.Text)
		}
		if th.win.Title() != "The Sea – Longhand" {
			t.Errorf("the title is %s", th.win.Title())
		}
		test.Tap(th.desk.second)
		if !th.start.content.Visible() || th.desk.content.Visible() {
			t.Error("New draft does not show the first page")
		}
	})
}

func TestPauseStopsPullingAndResumeGoesOn(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		th.begin()
		th.tell(opening...)
		test.Tap(th.desk.first)
		if th.desk.phase != phasePaused || th.desk.first.Text != "Resume" {
			t.Fatal("not paused")
		}
		th.tell(draft.Text{Text: " One event is under way."})
		synctest.Wait()
		select {
		case th.say <- draft.Text{Text: "no"}:
			t.Error("a paused draft is pulled from")
		default:
		}
		test.Tap(th.desk.first)
		th.tell(draft.Text{Text: " And on."})
		if !strings.Contains(th.texts(), "under way. And on.") {
			t.Errorf("after the pause: %s", th.texts())
		}
	})
}

func TestStopKeepsTheTextAndItCanGoOn(t *testing.T) {
	for _, paused := range []bool{false, true} {
		play(t, func(t *testing.T, th *theatre) {
			th.begin()
			th.tell(opening...)
			if paused {
				test.Tap(th.desk.first)
				th.tell(draft.Text{Text: " More."})
			}
			test.Tap(th.desk.second)
			th.settle()
			if th.desk.phase != phaseStopped || !strings.Contains(th.texts(), "The sand was wet.") {
				t.Errorf("stopped: phase %d, %s", th.desk.phase, th.texts())
			}
			if o := th.win.Canvas().Overlays().Top(); o != nil {
				t.Error("stopping is shown as an error")
			}
			test.Tap(th.desk.first)
			if j := th.jobs[1]; j.Resume != "20261122-1" || !j.Retell {
				t.Errorf("going on is the job %+v", j)
			}
			again := opening[0].(draft.Started)
			again.Resumed = true
			th.tell(append([]draft.Event{again}, opening[1:]...)...)
			if !strings.HasPrefix(th.desk.note.segment.Text, "Reading again") {
				t.Errorf("while the draft is read again, it says %q", th.desk.note.segment.Text)
			}
			time.Sleep(2 * time.Second)
			th.tell(draft.Text{Text: " New."})
			if th.desk.note.segment.Text != "" {
				t.Errorf("when it goes on, it says %q", th.desk.note.segment.Text)
			}
			if got := strings.Count(th.texts(), "The sand was wet."); got != 1 {
				t.Errorf("the text is there %d times", got)
			}
		})
	}
}

func TestErrorsShowOnce(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		th.begin()
		th.tell(opening...)
		broken := hinted{errors.New("engine: the model file is cut short"), "fetch it again"}
		th.fail(broken)
		th.alert.show(broken)
		if n := len(th.win.Canvas().Overlays().List()); n != 1 {
			t.Fatalf("%d dialogs", n)
		}
		text := markup(th.win)
		for _, want := range []string{"Engine: the model file is cut short.", "Fetch it again", "The sand was wet."} {
			if !strings.Contains(text, want) {
				t.Errorf("%q does not show", want)
			}
		}
		tapText(t, th.win, "Close")
		if n := len(th.win.Canvas().Overlays().List()); n != 0 {
			t.Error("the dialog does not close")
		}
		if th.desk.phase != phaseFailed || th.desk.first.Text != "Go on" {
			t.Error("a broken draft cannot go on")
		}
	})
}

func TestADraftThatCannotBeginLeavesThePrompt(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		th.begin()
		th.fail(errors.New("no model is installed"))
		if !th.start.content.Visible() || th.start.prompt.Text != "A story about the sea." {
			t.Error("the prompt is lost")
		}
	})
}

func TestSaveWritesTheFile(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		dir := t.TempDir()
		th.app.Preferences().SetString(folderKey, dir)
		th.begin()
		if !th.desk.save.Disabled() {
			t.Error("an empty draft can be saved")
		}
		th.tell(opening...)
		test.Tap(th.desk.save)
		for _, o := range test.LaidOutObjects(th.win.Canvas().Overlays().Top()) {
			if e, ok := o.(*widget.Entry); ok {
				if e.Text != "The Sea.md" {
					t.Errorf("the name is %s", e.Text)
				}
				e.SetText("sea") // no extension
			}
		}
		tapText(t, th.win, "Save")
		b, err := os.ReadFile(filepath.Join(dir, "sea.md"))
		if err != nil {
			t.Fatal(err)
		}
		if want := "# The Sea\n\n## Low tide\n\nThe sand was wet. It was grey, grey.\n"; string(b) != want {
			t.Errorf("saved is %q", b)
		}
		if files, _ := os.ReadDir(dir); len(files) != 1 {
			t.Errorf("%d files are left", len(files))
		}
		if s := th.desk.note.segment.Text; s != "Saved as "+filepath.Join(dir, "sea.md") {
			t.Errorf("says %s", s)
		}
	})
}

func TestSaveSaysWhatWentWrong(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		th.begin()
		th.tell(opening...)
		th.write(filepath.Join(t.TempDir(), "gone", "sea.md"))
		if th.win.Canvas().Overlays().Top() == nil {
			t.Error("a file that cannot be written is no error")
		}
	})
}

func TestClosingAsksAndThenStops(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		th.begin()
		th.tell(opening...)
		th.close()
		tapText(t, th.win, "Keep writing")
		if th.closed || th.run == nil {
			t.Fatal("the window closed against the writer's word")
		}
		th.close()
		if !strings.Contains(markup(th.win), "What is written is kept.") {
			t.Error("closing does not say that the text is kept")
		}
		tapText(t, th.win, "Stop and close")
		th.settle()
		if th.run != nil {
			t.Error("closed before the draft had stopped")
		}
	})
}

func TestExampleDraftsAtOnce(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		for _, o := range test.LaidOutObjects(th.win.Content()) {
			if c, ok := o.(*choice); ok && c.title.Text == examples[1].title {
				test.Tap(c)
			}
		}
		if len(th.jobs) != 1 || th.jobs[0].Prompt != examples[1].prompt || th.jobs[0].Words != examples[1].words {
			t.Errorf("the jobs are %+v", th.jobs)
		}
	})
}

func TestShortcuts(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		th.start.prompt.SetText("A story.")
		th.start.prompt.TypedShortcut(sendKey)
		if th.run == nil {
			t.Fatal("Ctrl+Enter in the prompt does not begin")
		}
		th.tell(opening...)
		for _, k := range []fyne.KeyName{fyne.KeyEscape, fyne.KeySpace, fyne.KeyPageDown, fyne.KeyPageUp, fyne.KeyHome, fyne.KeyEnd} {
			th.win.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: k})
		}
		if th.desk.phase != phaseRunning || !strings.Contains(th.texts(), "The sand") {
			t.Error("a key lost something")
		}
	})
}

func TestABetterModelIsFetchedWhenAsked(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		b := th.shelf.better
		if !b.Visible() || b.detail.Text != "2.1 GB" {
			t.Fatalf("the better model is not offered: %s", b.detail.Text)
		}
		test.Tap(b)
		th.say <- assets.Progress{State: assets.Downloading, Done: 500e6, Total: 2100e6}
		th.settle()
		if b.detail.Text != "500 MB of 2.1 GB" {
			t.Errorf("while fetching it says %s", b.detail.Text)
		}
		test.Tap(b)
		th.settle()
		if th.shelf.cancel != nil || b.detail.Text != "2.1 GB" || th.win.Canvas().Overlays().Top() != nil {
			t.Errorf("a second tap does not stop it: %s", b.detail.Text)
		}
		test.Tap(b)
		th.fail(errors.New("the disk is full"))
		if !strings.Contains(markup(th.win), "The disk is full.") {
			t.Error("what went wrong does not show")
		}
	})
}

func TestUnfinishedDraftIsOffered(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		th.ports.last = func(yield func(unfinished, error) bool) {
			yield(unfinished{id: "20261122-7", title: "The Sea", words: 40, target: 1200}, nil)
		}
		th.showStart()
		th.settle()
		test.Tap(th.start.goOn)
		if len(th.jobs) != 1 || th.jobs[0].Resume != "20261122-7" {
			t.Errorf("the jobs are %+v", th.jobs)
		}
	})
}

func TestWithoutAWindowLonghandSaysSo(t *testing.T) {
	var stderr bytes.Buffer
	e := &env{ctx: t.Context(), home: t.TempDir(), stderr: &stderr}
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	status := e.fail((windowCmd{}).Run(e))
	if lines := strings.Split(strings.TrimSpace(stderr.String()), "\n"); status != 1 || len(lines) != 2 || !strings.HasPrefix(lines[1], "hint: ") {
		t.Errorf("status %d: %s", status, &stderr)
	}
}

// markup is all text in the window, with what lies over it.
func markup(w fyne.Window) string {
	return test.RenderObjectToMarkup(w.Content()) + textsOf(w.Canvas().Overlays().Top())
}

func textsOf(o fyne.CanvasObject) string {
	var b strings.Builder
	for _, o := range test.LaidOutObjects(o) {
		switch o := o.(type) {
		case *strip:
			b.WriteString(o.row.text + "\n")
		case *widget.Label:
			b.WriteString(o.Text + "\n")
		}
	}
	return b.String()
}

// tapText taps the button with that text in the topmost dialog.
func tapText(t *testing.T, w fyne.Window, text string) {
	t.Helper()
	for _, o := range test.LaidOutObjects(w.Canvas().Overlays().Top()) {
		if b, ok := o.(*widget.Button); ok && b.Text == text {
			test.Tap(b)
			return
		}
	}
	t.Fatalf("there is no button %q", text)
}
