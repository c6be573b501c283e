package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"longhand/app/draft"
)

// TestOthersEditWhileADraftIsWritten has a hand write section 1 while a person
// changes section 0, and refuses what would move the ground under the hand.
func TestOthersEditWhileADraftIsWritten(t *testing.T) {
	home := t.TempDir()
	s := opened(t, home)
	b := created(t, s, "d1", draft.Started{ID: "d1"}, draft.Request{Prompt: "p"}, draft.Outline{Title: "T", Sections: []draft.SectionPlan{{Title: "A"}, {Index: 1, Title: "B"}}}, draft.PlanDone{},
		draft.SectionBegun{}, draft.Text{Text: "It rains.", Tokens: []int32{1}}, draft.SectionDone{})
	hand, err := b.Hand()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Hand(); !errors.Is(err, ErrWriting) {
		t.Errorf("a second hand: %v", err)
	}
	mine := b.Project()
	write := func(records ...draft.Record) {
		t.Helper()
		for _, r := range records {
			if err := hand.Append(r); err != nil {
				t.Fatal(err)
			}
			if mine, err = draft.Extend(mine, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(draft.SectionBegun{Index: 1}, draft.TurnBegun{Index: 1, Kind: "beat", Tokens: []int32{2}}, draft.Text{Index: 1, Text: "It stops", Tokens: []int32{3}})
	a, open := mine.Sections[0].ID, mine.Sections[1].ID
	for _, r := range []draft.Record{draft.Remove{N: 1}, draft.Move{To: 1}, draft.Place{}, draft.Undo{}, draft.Edit{Section: open}, draft.Line{Section: open}} {
		if err := b.Append(r); !errors.Is(err, ErrWriting) {
			t.Errorf("%T beside the hand: %v", r, err)
		}
	}
	if err := b.Append(draft.Edit{Section: a, Cut: 1, Put: []draft.Paragraph{{Text: "It snows."}}, Why: "typed"}); err != nil {
		t.Fatal(err)
	}
	write(draft.Text{Index: 1, Text: " now.", Tokens: []int32{4}})
	others := hand.Others()
	if len(others) != 1 || len(hand.Others()) != 0 {
		t.Fatalf("the others did %v", others)
	}
	if mine, err = draft.Extend(mine, others...); err != nil {
		t.Fatal(err)
	}
	write(draft.TurnEnded{Index: 1, Why: "end", Chars: 13, Keep: 4}, draft.SectionDone{Index: 1})
	hand.Close()
	got := b.Project()
	if !got.Stale || !mine.Stale || got.Markdown() != mine.Markdown() || got.Markdown() != "# T\n\n## A\n\nIt snows.\n\n## B\n\nIt stops now.\n" {
		t.Errorf("the book is\n%s\nthe hand's\n%s", got.Markdown(), mine.Markdown())
	}
	if err := b.Append(draft.Undo{}); err != nil {
		t.Errorf("after the hand: %v", err)
	}
}

// TestWhatCannotBeMirroredIsToldAndKept makes the mirror's folder a file: what is
// appended is kept all the same.
func TestWhatCannotBeMirroredIsToldAndKept(t *testing.T) {
	home := t.TempDir()
	s := opened(t, home)
	b := created(t, s, "d1", beginning()...)
	if err := os.WriteFile(filepath.Join(s.folder("d1"), mirrorFolder), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b.background(mirrorFolder, b.Mirror())
	if err := b.Append(draft.Text{Text: " More."}); err != nil {
		t.Errorf("after a mirror that failed: %v", err)
	}
	if n := s.Notices(); len(n) != 1 || !strings.HasPrefix(n[0].Kind, "not written: ") {
		t.Errorf("told: %v", n)
	}
	want := b.Project()
	abandon(t, s)
	if err := os.Remove(filepath.Join(home, projectsFolder, "d1", mirrorFolder)); err != nil {
		t.Fatal(err)
	}
	same(t, "afterwards", reopened(t, opened(t, home), "d1").Project(), want)
}

// TestNothingIsTakenAwayForGood undoes what a person or the model wrote, writes
// on, so that redo is gone, and finds the text in the history.
func TestNothingIsTakenAwayForGood(t *testing.T) {
	s := opened(t, t.TempDir())
	b := created(t, s, "d1", draft.Started{ID: "d1"}, draft.Request{Prompt: "p"}, draft.Outline{Title: "T", Sections: []draft.SectionPlan{{Title: "A"}}}, draft.PlanDone{},
		draft.SectionBegun{}, draft.Text{Text: "It rains."}, draft.SectionDone{})
	id := b.Project().Sections[0].ID
	for _, r := range []draft.Record{draft.Undo{}, draft.Title{Title: "Other"}} {
		if err := b.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if b.Project().Sections[0].Text != "" || b.Project().CanRedo() != "" {
		t.Fatal("it was not undone")
	}
	restore := func() {
		t.Helper()
		all, err := b.Versions(id)
		if err != nil || len(all) == 0 {
			t.Fatalf("versions %v, %v", all, err)
		}
		if err := b.Restore(id, all[len(all)-1].N); err != nil {
			t.Fatal(err)
		}
		if p := b.Project(); p.Sections[p.Find(id)].Text != "It rains." {
			t.Errorf("it came back as %q", p.Sections[0].Text)
		}
	}
	restore()
	if err := b.Append(draft.Remove{N: 1}); err != nil {
		t.Fatal(err)
	}
	restore() // of a section that is gone
}

// TestManyHandsOnOneStore opens, edits, lists, backs up and closes from many
// goroutines; run it with -race.
func TestManyHandsOnOneStore(t *testing.T) {
	home := t.TempDir()
	s := opened(t, home)
	for _, id := range []string{"a", "b"} {
		if err := created(t, s, id, beginning()...).Close(); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	do := func(f func() error) {
		all.Go(func() {
			for range 12 {
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, id := range []string{"a", "b", "a"} {
		do(func() error {
			b, err := s.Open(id)
			if err != nil {
				return err
			}
			return errors.Join(b.Append(draft.Note{Notes: time.Now().String()}), b.Append(draft.Undo{}), b.Save(), b.Mirror(), b.Close())
		})
	}
	do(func() error { _, err := s.Projects(); return err })
	do(func() error { _, err := s.Peek("a"); return err })
	do(func() error { return s.PutRun(Run{ID: "r", Job: []byte("{}"), Status: Finished}) })
	do(func() error { return s.Set("theme", "dark") })
	all.Go(func() {
		for range 3 {
			if err := s.BackupDue(true); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if d := checked(t, home); len(d) > 0 {
		t.Errorf("damage: %v", d)
	}
	theme := ""
	if s = opened(t, home); !s.Setting("theme", &theme) || theme != "dark" || len(s.Runs()) != 1 {
		t.Errorf("theme %q, runs %v", theme, s.Runs())
	}
}
