package store

import (
	"os"
	"path/filepath"
	"testing"

	"longhand/app/draft"
)

// TestASwapMayBeCutOffAnywhere breaks off the replacing of a store behind each of
// its steps: the next start completes it.
func TestASwapMayBeCutOffAnywhere(t *testing.T) {
	home, s, b, a := book0(t)
	backup := filepath.Join(t.TempDir(), "b"+backupExt)
	a.must(s.Backup(backup))
	want := b.Project()
	a.do(b, draft.Note{Notes: "Since the backup."})
	later := b.Project()
	a.must(s.Close())
	aside, err := prepareSwap(home, backup, true)
	a.must(err)
	in := func(home string, names ...string) string {
		return filepath.Join(append([]string{home}, names...)...)
	}
	to := filepath.Base(aside)
	steps := []func(home string) error{
		func(home string) error { return os.Mkdir(in(home, to), 0o755) },
		func(home string) error { return os.Rename(in(home, projectsFolder), in(home, to, projectsFolder)) },
		func(home string) error {
			return os.Rename(in(home, swapFolder, projectsFolder), in(home, projectsFolder))
		},
		func(home string) error { return os.Rename(in(home, databaseFolder), in(home, to, databaseFolder)) },
		func(home string) error {
			return os.Rename(in(home, swapFolder, databaseFolder), in(home, databaseFolder))
		},
		func(home string) error { return os.Rename(in(home, globalFile), in(home, to, globalFile)) },
		func(home string) error { return os.Remove(in(home, swapFolder, swapReady)) },
	}
	for n := range len(steps) + 1 {
		other := filepath.Join(t.TempDir(), "home")
		copied(t, home, other)
		for _, step := range steps[:n] {
			a.must(step(other))
		}
		s := opened(t, other)
		same(t, "swapped", reopened(t, s, "p1").Project(), want)
		a.must(s.Close())
		p, err := Beside(in(other, to)).Peek("p1")
		a.must(err)
		same(t, "what was there", p, later)
		if d := checked(t, other); len(d) > 0 {
			t.Errorf("cut off behind step %d: %v", n, d)
		}
	}
	// What says that the new store is ready may be cut itself.
	for _, ready := range []string{"", "repl", to, to + "\n", to + "\ndata", "\nall"} {
		putFile(t, in(home, swapFolder, swapReady), []byte(ready))
		a.must((&Store{home: home}).finishSwap())
		if _, err := os.Stat(in(home, swapFolder)); err == nil {
			t.Errorf("with %q as the mark the new store is left", ready)
		}
		a.must(os.MkdirAll(in(home, swapFolder, databaseFolder), 0o755))
	}
	s = opened(t, home)
	same(t, "not swapped", reopened(t, s, "p1").Project(), later)
}
