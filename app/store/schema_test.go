package store

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"longhand/app/draft"
)

// TestJournalsOfEarlierVersionsAreTakenIn opens a home folder that an earlier
// version of Longhand wrote: drafts that are a journal and nothing else
// (testdata/schema-0). The second was killed while
// it thought.
func TestJournalsOfEarlierVersionsAreTakenIn(t *testing.T) {
	home := t.TempDir()
	if err := os.CopyFS(filepath.Join(home, projectsFolder), os.DirFS("testdata/schema-0")); err != nil {
		t.Fatal(err)
	}
	want := map[string]*draft.Project{}
	for _, id := range []string{"20261128-115003-563d", "20261128-115134-136f"} {
		records, err := Read(filepath.Join(home, projectsFolder, id))
		if err != nil {
			t.Fatal(err)
		}
		want[id] = folded(t, records...)
	}
	s := opened(t, home)
	for id, p := range want {
		same(t, id, reopened(t, s, id).Project(), p)
	}
	if n := want["20261128-115003-563d"].Words(); n != 130 {
		t.Errorf("the finished draft has %d words", n)
	}
	if _, schema, err := s.index(); err != nil || schema != Schema {
		t.Errorf("the schema is %d: %v", schema, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if d := checked(t, home); len(d) > 0 {
		t.Errorf("damage: %v", d)
	}
}

// TestASchemaIsBackedUpBeforeItChanges migrates by a step that is made up, is
// cut off in it, and goes on.
func TestASchemaIsBackedUpBeforeItChanges(t *testing.T) {
	home := t.TempDir()
	s := opened(t, home)
	created(t, s, "d1", beginning()...)
	want := reopened(t, s, "d1").Project().Markdown()
	fails := errors.New("cut off")
	steps := append(migrations[:len(migrations):len(migrations)], func(s *Store) error {
		if fails != nil {
			return fails
		}
		b, err := s.Open("d1")
		if err != nil {
			return err
		}
		return b.Append(draft.Title{Title: "New"})
	})
	if err := s.migrateBy(steps); !errors.Is(err, fails) {
		t.Fatalf("the step: %v", err)
	}
	backup := filepath.Join(home, backupsFolder, "schema-1"+backupExt)
	if err := verifyBackup(backup); err != nil {
		t.Fatal(err)
	}
	if _, at, _ := s.index(); at != 1 {
		t.Fatalf("a step that failed counts: schema %d", at)
	}
	fails = nil
	if err := s.migrateBy(steps); err != nil {
		t.Fatal(err)
	}
	if _, at, _ := s.index(); at != 2 {
		t.Errorf("schema %d", at)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(home, nil); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "schema 2, this version knows 1") {
		t.Errorf("an older version opens it: %v", err)
	}
	if _, err := Restore(home, backup); err != nil {
		t.Fatal(err)
	}
	s = opened(t, home)
	if got := reopened(t, s, "d1").Project().Markdown(); got != want {
		t.Errorf("the backup holds\n%s\nwant\n%s", got, want)
	}
}

// TestAnotherBadgerKeepsTheFiles pretends that another version wrote the files.
func TestAnotherBadgerKeepsTheFiles(t *testing.T) {
	home := t.TempDir()
	s := opened(t, home)
	created(t, s, "d1", beginning()...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	g, err := readGlobalFile(home)
	if err != nil {
		t.Fatal(err)
	}
	g.Badger = "v4.9.6" // a test's build does not say which it has
	b, err := json.Marshal(g.sealed())
	if err == nil {
		err = os.WriteFile(filepath.Join(home, globalFile), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []string{g.Badger, "v9.9.9", "v9.9.9"} {
		if err := s.keepForNewBadger(now); err != nil {
			t.Fatal(err)
		}
		kept, _ := filepath.Glob(filepath.Join(home, backupsFolder, "badger-*", "MANIFEST"))
		if want := now != g.Badger; (len(kept) == 1) != want {
			t.Errorf("%s keeps %v", now, kept)
		}
	}
	// What is kept stays, whatever becomes of the tables.
	s = opened(t, home)
	want := reopened(t, s, "d1").Project().Markdown()
	if err := s.Compact(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.CopyFS(filepath.Join(other, databaseFolder), os.DirFS(filepath.Join(home, backupsFolder, "badger-4.9.6"))); err != nil {
		t.Fatal(err)
	}
	s = opened(t, other)
	if got := reopened(t, s, "d1").Project().Markdown(); got != want {
		t.Errorf("kept is %q, want %q", got, want)
	}
}

// TestALongJournalBeginsAnew after a backup, and is the same project.
func TestALongJournalBeginsAnew(t *testing.T) {
	home := t.TempDir()
	s := opened(t, home)
	b := created(t, s, "d1", beginning()...)
	if err := b.Name(b.Project().Sections[0].ID, "first"); err != nil {
		t.Fatal(err)
	}
	want := b.Project()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, s.folder("d1"))
	if err := s.shorten("d1"); err != nil {
		t.Fatal(err)
	}
	after := contents(t, s.folder("d1"))
	if !strings.HasPrefix(string(after), `{"event":"snapshot"`) || string(after) == string(before) {
		t.Errorf("the journal begins with %.60s", after)
	}
	b = reopened(t, s, "d1")
	same(t, "begun anew", b.Project(), want)
	if err := b.Append(draft.Text{Text: " On."}); err != nil {
		t.Fatal(err)
	}
	want = b.Project()
	abandon(t, s)
	s = opened(t, home)
	same(t, "killed then", reopened(t, s, "d1").Project(), want)
	if n := s.Notices(); len(n) > 0 {
		t.Errorf("noticed %v", n)
	}
}
