package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"longhand/app/draft"
)

// book0 is a store with one drafted project, and its author.
func book0(t *testing.T) (home string, s *Store, b *Book, a *author) {
	t.Helper()
	home = filepath.Join(t.TempDir(), "home")
	s = opened(t, home)
	a = newAuthor(t, s, rand.New(rand.NewPCG(7, 7)))
	return home, s, a.write("p1", 4, 3, 6, false), a
}

// killedCopy is what a kill would leave now.
func killedCopy(t *testing.T, s *Store) (home string) {
	t.Helper()
	home = filepath.Join(t.TempDir(), "killed")
	snapshot(t, s, home)
	return home
}

func journalOf(home, id string) string { return filepath.Join(home, projectsFolder, id, journalFile) }

func textFile(t *testing.T, home, id string, k int) string {
	t.Helper()
	list, err := readList(filepath.Join(home, projectsFolder, id))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(home, projectsFolder, id, mirrorFolder, list.Sections[k].File)
}

func contentsOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func putFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestACheckCompactsNothing(t *testing.T) {
	if o := inspected(t.TempDir(), &badgerLog{}); o.NumCompactors != 0 || o.CompactL0OnClose {
		t.Error("Badger cuts the tables that it compacts to nothing, and the copy's are the store's own")
	}
}

// TestRecordsBehindADamagedMark damages the very record that the database knows
// the journal by: what was written since is in the journal alone.
func TestRecordsBehindADamagedMark(t *testing.T) {
	_, s, b, a := book0(t)
	a.must(b.Save())
	at := b.log.end().Bytes
	for range 3 {
		a.edit(b, false)
	}
	home := killedCopy(t, s)
	want := b.Project()
	raw := contentsOf(t, journalOf(home, "p1"))
	raw[at-30] ^= 1
	putFile(t, journalOf(home, "p1"), raw)
	s = opened(t, home)
	same(t, "behind the damage", reopened(t, s, "p1").Project(), want)
	if told := s.Notices(); len(told) != 1 || told[0].Project != "p1" || told[0].Kind != "damaged" {
		t.Errorf("told %v", told)
	}
	if kept := contentsOf(t, journalOf(home, "p1")+".damaged"); !bytes.Equal(kept, raw) {
		t.Error("the damaged journal was not kept as it was")
	}
	a.must(s.Close())
	if d := checked(t, home); len(d) > 0 {
		t.Errorf("left: %v", d)
	}
}

// TestADamagedJournalIsMended damages a record that the database has: the next
// time there must be two copies again.
func TestADamagedJournalIsMended(t *testing.T) {
	home, s, b, a := book0(t)
	want := b.Project()
	a.must(s.Close())
	raw := contentsOf(t, journalOf(home, "p1"))
	raw[len(raw)/2] ^= 1
	putFile(t, journalOf(home, "p1"), raw)
	s = opened(t, home)
	same(t, "mended", reopened(t, s, "p1").Project(), want)
	if told := s.Notices(); len(told) != 1 || told[0].File != journalFile {
		t.Errorf("told %v", told)
	}
	a.must(s.Close())
	if p, err := Beside(home).Peek("p1"); err != nil {
		t.Error(err)
	} else {
		same(t, "from the journal alone", p, want)
	}
}

func TestATornRecordIsTold(t *testing.T) {
	home, s, _, a := book0(t)
	a.must(s.Close())
	f, err := os.OpenFile(journalOf(home, "p1"), os.O_APPEND|os.O_WRONLY, 0)
	a.must(err)
	_, err = f.WriteString(`{"event":"text","index":0,"te`)
	a.must(errors.Join(err, f.Close()))
	if d := checked(t, home); len(d) != 1 || d[0].Project != "p1" || d[0].Grave {
		t.Errorf("the check tells %v", d)
	}
	s = opened(t, home)
	reopened(t, s, "p1")
	if told := s.Notices(); len(told) != 1 || told[0].Project != "p1" {
		t.Errorf("told %v", told)
	}
}

// TestAKilledStoreKeepsOutsideChanges changes a file while nothing runs: the
// journal's tail is taken in first, and the mirror must not be written over.
func TestAKilledStoreKeepsOutsideChanges(t *testing.T) {
	_, s, b, a := book0(t)
	a.must(b.Mirror())
	a.must(b.Save())
	p := b.Project()
	a.do(b, draft.Note{Notes: "In the journal alone."})
	home := killedCopy(t, s)
	path := textFile(t, home, "p1", 0)
	putFile(t, path, append(contentsOf(t, path), "\nWritten elsewhere.\n"...))
	s = opened(t, home)
	q := reopened(t, s, "p1").Project()
	if q.Notes != "In the journal alone." || !strings.Contains(q.Sections[0].Text, "Written elsewhere.") || q.Sections[1].Text != p.Sections[1].Text {
		t.Errorf("notes %q, section %q", q.Notes, q.Sections[0].Text)
	}
	if told := s.Notices(); len(told) != 1 || told[0].Section != p.Sections[0].ID {
		t.Errorf("told %v", told)
	}
}

// TestOutsideChangesOfAnOpenProjectAreKept changes a file while the project is
// open and changed here too.
func TestOutsideChangesOfAnOpenProjectAreKept(t *testing.T) {
	home, s, b, a := book0(t)
	a.must(b.Mirror())
	id := b.Project().Sections[0].ID
	putFile(t, textFile(t, home, "p1", 0), []byte("# Another\n\nWritten elsewhere.\n"))
	a.do(b, draft.Note{Notes: "Here."})
	want := b.Project().Sections[0].Text
	a.must(b.Mirror())
	all, err := b.Versions(id)
	a.must(err)
	was, err := b.Version(id, all[len(all)-1].N)
	a.must(err)
	if last := all[len(all)-1]; last.Kind != Outside || was.Text != "Written elsewhere." || b.Project().Sections[0].Text != want {
		t.Errorf("kept %+v %q; the text is %q", last, was.Text, b.Project().Sections[0].Text)
	}
	if told := s.Notices(); len(told) != 1 || told[0].Section != id {
		t.Errorf("told %v", told)
	}
	putFile(t, textFile(t, home, "p1", 1), []byte{0xff, 0, 1})
	a.do(b, draft.Note{Notes: "Again."})
	a.must(s.Close())
	if kept, _ := filepath.Glob(filepath.Join(home, projectsFolder, "p1", mirrorFolder, "*.damaged")); len(kept) != 1 {
		t.Errorf("kept aside: %v", kept)
	}
}

// TestTheMirrorAloneMakesTheProject loses database and journal.
func TestTheMirrorAloneMakesTheProject(t *testing.T) {
	for _, harm := range []func(string) error{os.Remove, func(path string) error { return os.WriteFile(path, []byte("no journal\nat all\n"), 0o644) }} {
		home, s, b, a := book0(t)
		want := b.Project()
		a.must(s.Close())
		a.must(os.RemoveAll(filepath.Join(home, databaseFolder)))
		a.must(os.Remove(filepath.Join(home, globalFile)))
		a.must(harm(journalOf(home, "p1")))
		path := textFile(t, home, "p1", 1)
		putFile(t, path, bytes.Replace(contentsOf(t, path), []byte("\n\n"), []byte("\n\nNew here.\n\n"), 1))
		s = opened(t, home)
		q := reopened(t, s, "p1").Project()
		if len(q.Sections) != len(want.Sections) || q.Outline.Title != want.Outline.Title {
			t.Fatalf("%d sections of %q", len(q.Sections), q.Outline.Title)
		}
		ids := map[int]bool{}
		for i, sec := range q.Sections {
			if sec.ID != want.Sections[i].ID || i != 1 && strings.TrimSpace(sec.Text) != strings.TrimSpace(want.Sections[i].Text) {
				t.Errorf("section %d is %d %q, want %d %q", i, sec.ID, sec.Text, want.Sections[i].ID, want.Sections[i].Text)
			}
			for _, par := range sec.Paragraphs {
				if par.ID == 0 || ids[par.ID] {
					t.Errorf("paragraph %q has the id %d", par.Text, par.ID)
				}
				ids[par.ID] = true
			}
		}
		if told := s.Notices(); !slices.ContainsFunc(told, func(d Damage) bool { return d.Section == want.Sections[0].ID && d.Mended == "from the mirror" }) {
			t.Errorf("told %v", told)
		}
		a.must(s.Close())
		if d := checked(t, home); len(d) > 0 {
			t.Errorf("left: %v", d)
		}
	}
}

// TestAnOlderMirrorIsNotTakenTwice takes a newer mirror in, goes on, and is killed
// before the mirror is written: the second time it is older.
func TestAnOlderMirrorIsNotTakenTwice(t *testing.T) {
	home, s, b, a := book0(t)
	a.must(s.Close())
	old := filepath.Join(t.TempDir(), "old")
	copied(t, home, old)
	s = opened(t, home)
	a.goOn(s)
	b = reopened(t, s, "p1")
	for range 12 {
		a.edit(b, false)
	}
	newer := b.Project()
	a.must(s.Close())
	for _, name := range []string{databaseFolder, globalFile, filepath.Join(projectsFolder, "p1", journalFile)} { // these fall back
		a.must(os.RemoveAll(filepath.Join(home, name)))
		a.must(os.Rename(filepath.Join(old, name), filepath.Join(home, name)))
	}
	s = opened(t, home)
	b = reopened(t, s, "p1")
	k := slices.IndexFunc(newer.Sections, func(sec draft.Section) bool { return sec.Text != "" })
	id := newer.Sections[k].ID
	now := func(b *Book) string {
		p := b.Project()
		return strings.TrimSpace(p.Sections[p.Find(id)].Text)
	}
	if got := now(b); got != strings.TrimSpace(newer.Sections[k].Text) {
		t.Fatalf("from the mirror: %q, want %q", got, newer.Sections[k].Text)
	}
	a.do(b, draft.Edit{Section: id, At: 0, Cut: 1, Put: []draft.Paragraph{{Text: "Typed since."}}, By: draft.Human, Why: "typed"})
	a.must(b.Save())
	want := now(b)
	s = opened(t, killedCopy(t, s))
	if got := now(reopened(t, s, "p1")); got != want {
		t.Errorf("the text is %q, want %q", got, want)
	}
}

// TestVersionsLostWithTheWriteAheadFileAreTold loses commits that a journal which
// has begun anew does not tell again: the text is there, versions may not be.
func TestVersionsLostWithTheWriteAheadFileAreTold(t *testing.T) {
	home, s, b, a := book0(t)
	a.must(s.Close())
	s = opened(t, home)
	a.goOn(s)
	b = reopened(t, s, "p1")
	id := b.Project().Sections[0].ID
	a.must(b.Name(id, "lost"))
	a.must(b.beginAnew())
	a.must(b.Save())
	a.edit(b, false)
	want := b.Project()
	home = killedCopy(t, s)
	logs, _ := filepath.Glob(filepath.Join(home, databaseFolder, "*.mem"))
	for _, name := range logs {
		a.must(os.Truncate(name, 20))
	}
	s = opened(t, home)
	same(t, "from the journal", reopened(t, s, "p1").Project(), want)
	if told := s.Notices(); len(told) != 1 || told[0].Project != "p1" || !strings.HasPrefix(told[0].Kind, "older") {
		t.Errorf("told %v", told)
	}
}

// TestAMirrorThatWasCutOffIsFinished stops the writing of a mirror after each of
// its steps, opens the project and closes it, and finds nothing but its files.
func TestAMirrorThatWasCutOffIsFinished(t *testing.T) {
	home := t.TempDir()
	s := opened(t, home)
	b := created(t, s, "d1", beginning()...)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	folder := s.folder("d1")
	was, err := readList(folder)
	if err != nil {
		t.Fatal(err)
	}
	b = reopened(t, s, "d1")
	if err := b.Append(draft.Line{Section: was.Sections[0].ID, Plan: draft.SectionPlan{Title: "Another"}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	now, err := readList(folder)
	if err != nil || now.Sections[0].File == was.Sections[0].File {
		t.Fatalf("%v, %+v", err, now)
	}
	// As if it had been killed before the old file went.
	both, _ := between(was, now, filepath.Join(folder, mirrorFolder), b.p)
	if err := errors.Join(writeList(folder, both), os.WriteFile(filepath.Join(folder, mirrorFolder, was.Sections[0].File), []byte(render(was.Sections[0].Plan.Title, b.p.Sections[0].Text)), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := reopened(t, s, "d1").Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(folder, mirrorFolder, "*"))
	if list, err := readList(folder); err != nil || list.Seq != now.Seq || len(files) != len(now.Sections) {
		t.Errorf("the folder has %v, the list is of %d, want %d: %v", files, list.Seq, now.Seq, err)
	}
	if n := s.Notices(); len(n) > 0 {
		t.Errorf("noticed %v", n)
	}
}
