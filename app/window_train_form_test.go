package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"longhand/app/draft"
	"longhand/app/store"
	"longhand/rl"
)

func TestTheFormSaysWhatIsMissing(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		f := g.training.form
		check := func(want string) {
			t.Helper()
			if got := f.lack(); got != want || f.check.Disabled() != (want != "") || f.missing.segment.Text != want {
				t.Errorf("it says %q and shows %q, want %q", got, f.missing.segment.Text, want)
			}
		}
		check("")
		f.prompts.all.Tapped(nil)
		check("Pick at least one prompt.")
		f.prompts.rows[1].Tapped(nil)
		check("")
		if !f.prompts.all.partly {
			t.Error("some of all is shown as none or all")
		}
		for text, good := range map[string]bool{"": false, "0": false, "x": false, "10,001": false, "1": true, "1,000": true} {
			f.steps.SetText(text)
			if good {
				check("")
			} else {
				check("Between 1 and 10,000 steps are possible.")
			}
		}
		f.steps.SetText("100")
		f.words.SetText("5")
		check("A text has between 20 and 2,000 words.")
		f.prompts.other.Tapped(nil)
		check("Choose a file with prompts.")
		f.prompts.take("p.jsonl", []rl.Prompt{{Text: "a"}})
		check("")
		for _, r := range f.rewards {
			r.Tapped(nil)
		}
		check("Turn on what makes a text worth more.")
		f.show(ground{})
		check("No model is installed yet.")
	})
}

func TestARunIsTrainedOnTheRequests(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		g.training.form.words.SetText("150")
		test.Tap(g.training.form.check)
		g.settle()
		j := g.asked[0]
		if j.Prompts != j.Out+"-prompts.jsonl" || j.PromptsPerStep != 4 || j.MaxTokens != 384 {
			t.Errorf("the job is %+v", j)
		}
		got, err := rl.ReadPrompts(j.Prompts)
		if err != nil {
			t.Fatal(err)
		}
		want := []rl.Prompt{
			{Text: "A story about the sea.\n\nWrite only its beginning, about 150 words.", Min: 120, Max: 180},
			{Text: "An essay about bread, 100 words.\n\nWrite about 150 words.", Min: 120, Max: 180},
			{Text: "A story about the sea.\n\nWrite only its beginning, about 75 words.", Min: 60, Max: 90},
			{Text: "An essay about bread, 100 words.\n\nWrite about 75 words.", Min: 60, Max: 90},
		}
		if len(got) != len(want) {
			t.Fatalf("%d prompts", len(got))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("prompt %d is %+v, want %+v", i, got[i], want[i])
			}
		}
		if err := j.Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestARunIsTrainedOnAFile(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		file := filepath.Join(t.TempDir(), "p.jsonl")
		if err := os.WriteFile(file, []byte(`{"prompt":"A","min_words":200,"max_words":400}`+"\n"+`{"prompt":"B"}`+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		g.takePrompts(file)
		g.settle()
		f := g.training.form
		if f.prompts.count() != 2 || f.lengths.Visible() || !strings.Contains(f.prompts.pick.detail.Text, "2 prompts") {
			t.Fatalf("%d prompts, %s", f.prompts.count(), f.prompts.pick.detail.Text)
		}
		test.Tap(f.check)
		g.settle()
		if j := g.asked[0]; j.Prompts != file || j.PromptsPerStep != 2 || j.MaxTokens != 896 {
			t.Errorf("the job is %+v", j)
		}
		g.press(t, "Cancel")
		if err := os.WriteFile(file, []byte("{}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		g.takePrompts(file)
		g.settle()
		if all := markup(g.win); !strings.Contains(all, "line 1") || f.prompts.count() != 2 {
			t.Errorf("a bad file shows %s", all)
		}
		tapText(t, g.win, "Close")
	})
}

func TestWithoutATrainerThereIsNoTab(t *testing.T) {
	play(t, func(t *testing.T, th *theatre) {
		if th.training.training.Visible() || th.training.drafting.Visible() {
			t.Error("a tab leads nowhere")
		}
	})
}

func TestGroundIsWhatIsThere(t *testing.T) {
	e := &env{ctx: t.Context(), home: t.TempDir(), stderr: io.Discard}
	t.Cleanup(func() { e.closeBooks(false) })
	write := func(id string, lines ...string) {
		t.Helper()
		dir := e.projectFolder(id)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "journal.jsonl"), []byte(strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, prompt := range []string{"A tale.", "An essay of 500 words.", "A tale."} {
		id := "p" + string(rune('0'+i))
		writeJournal(t, e.projectFolder(id), prompt)
		when := time.Date(2026, 11, i+1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(e.projectFolder(id), "journal.jsonl"), when, when); err != nil {
			t.Fatal(err)
		}
	}
	write("broken", "not a record\n")
	write("empty")
	var last ground
	for g, err := range e.ground {
		if err != nil {
			t.Fatal(err)
		}
		last = g
	}
	if len(last.requests) != 2 || last.requests[0].prompt != "A tale." || last.requests[1].prompt != "An essay of 500 words." || last.requests[1].words != 500 {
		t.Errorf("the requests are %+v", last.requests)
	}
	if last.folder != filepath.Join(e.home, "training") || len(last.bases) != 0 {
		t.Errorf("the ground is %+v", last)
	}
}

func TestModelsHaveNamesOfTheirOwn(t *testing.T) {
	long := strings.Repeat("Very-Long-Name-", 12)
	f := func(title, path string, others ...string) string {
		return trainBase{title: title, path: path, bytes: 2e9}.name(others)
	}
	first := f("Qwen", "/a/q4.gguf")
	if second := f("Qwen", "/b/q8.gguf", first); second == first || !strings.Contains(second, "q8.gguf") {
		t.Errorf("two models are called %s and %s", first, second)
	}
	if n := len([]rune(f(long, "/a.gguf"))); n > 80 {
		t.Errorf("a name has %d characters", n)
	}
}

// The page fits the smallest window that is promised, and shows text alone that
// fits its place.
func TestTrainingFitsASmallWindow(t *testing.T) {
	workOut(t, func(t *testing.T, g *gym) {
		g.drafts = nil
		for _, p := range madePrompts {
			g.drafts = append(g.drafts, request{prompt: p, words: 12345, when: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)})
		}
		g.bases[0].title = strings.Repeat("A-Long-Name-", 20)
		g.showTraining()
		g.settle()
		small := fyne.NewSize(900, 600)
		fits := func(what string) {
			t.Helper()
			g.win.Resize(small)
			if m := g.win.Content().MinSize(); m.Width > small.Width || m.Height > small.Height {
				t.Errorf("%s needs %v", what, m)
			}
		}
		fits("the form")
		for _, r := range g.training.form.prompts.rows {
			if right := r.title.Position().X + r.title.MinSize().Width; right > r.detail.Position().X {
				t.Errorf("%s runs into %s", r.title.Text, r.detail.Text)
			}
		}
		test.Tap(g.training.form.check)
		g.settle()
		if said := g.training.desk.takes.said; said.MinSize().Height < 50 || said.Size().Height < said.MinSize().Height {
			t.Errorf("what is said needs %v and has %v", said.MinSize(), said.Size())
		}
		g.say(recorded(t)[:2]...)
		fits("the estimate")
		g.press(t, "Start training")
		g.say(madeRun(40)[2:80]...)
		fits("the run")
		d := g.training.desk
		if bottom, top := d.remark.MinSize().Height, d.curves.Objects[1].Position().Y; bottom < 40 || bottom > top {
			t.Errorf("the remark ends at %v, the curves begin at %v", bottom, top)
		}
		for _, c := range d.charts {
			if c.Visible() && (c.Size().Width < 150 || c.Size().Height < 70) {
				t.Errorf("%s has %v", c.series.name, c.Size())
			}
		}
	})
}

// writeJournal begins a draft on disk.
func writeJournal(t *testing.T, folder, prompt string) {
	t.Helper()
	log, err := store.Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []draft.Record{draft.Started{ID: filepath.Base(folder), Target: 300}, draft.Request{Prompt: prompt}} {
		if err := log.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}
