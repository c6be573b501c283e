package store

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"longhand/app/draft"
)

// disk is a small disk of its own.
func disk(t *testing.T, megabytes string) string {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Mount("longhand", folder, "tmpfs", 0, "size="+megabytes+"m"); err != nil {
		t.Skipf("skipped: this system lets no disk be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// fill writes to a disk until so many bytes are left.
func fill(t *testing.T, folder string, left int64) (name string) {
	t.Helper()
	f, err := os.CreateTemp(folder, "filler")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for free(folder) > left {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return f.Name()
}

// sentence says that an error is one that a person can read, of this kind.
func sentence(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.HasPrefix(err.Error(), "store: ") {
		t.Errorf("%s: %v, want one with %v", what, err, kind)
	}
}

// TestAFullDisk fills the disk under an open store in two steps: so far that the
// database must not be written any more, then up to the last byte. What was
// acknowledged is there when there is room again, whether the program could close
// the store or was killed.
func TestAFullDisk(t *testing.T) {
	home := filepath.Join(disk(t, "200"), "home")
	s := opened(t, home)
	a := newAuthor(t, s, rand.New(rand.NewPCG(5, 5)))
	b := a.write("p1", 4, 3, 5, false)
	a.must(b.Save())

	nearly := fill(t, filepath.Dir(home), leastFree-1<<20)
	a.edit(b, false) // the journal has room
	sentence(t, "save", b.Save(), ErrFull)
	sentence(t, "back up", s.Backup(filepath.Join(home, "b"+backupExt)), ErrFull)
	for _, err := range Check(home, false) {
		sentence(t, "check", err, ErrFull)
	}

	full := fill(t, filepath.Dir(home), 0)
	var err error
	for range 2000 {
		if err = b.Append(draft.Note{Notes: a.prose(50, false)}); err != nil {
			break
		}
	}
	for errors.Is(err, ErrFull) { // of a save in the background, told once
		err = b.Append(draft.Note{Notes: a.prose(2000, false)})
	}
	sentence(t, "append", err, syscall.ENOSPC)
	want := b.Project()
	if p, err := Beside(home).Peek("p1"); err != nil {
		t.Errorf("look at it: %v", err)
	} else {
		same(t, "on the full disk", p, want)
	}
	killed := filepath.Join(t.TempDir(), "killed")
	snapshot(t, s, killed)
	sentence(t, "close", s.Close(), ErrFull)
	_, err = Open(filepath.Join(filepath.Dir(home), "other"), nil)
	sentence(t, "open", err, ErrFull)

	a.must(os.Remove(full))
	a.must(os.Remove(nearly))
	a.must(s.Close())
	for _, home := range []string{home, killed} {
		s := opened(t, home)
		same(t, home, reopened(t, s, "p1").Project(), want)
		if n := s.Notices(); len(n) > 0 {
			t.Errorf("told %v", n)
		}
		a.must(s.Close())
		if d := checked(t, home); len(d) > 0 {
			t.Errorf("damage: %v", d)
		}
	}
}

func TestAReadOnlyDisk(t *testing.T) {
	root := disk(t, "300")
	home := filepath.Join(root, "home")
	s := opened(t, home)
	a := newAuthor(t, s, rand.New(rand.NewPCG(6, 6)))
	want := a.write("p1", 4, 3, 5, true).Project()
	a.must(s.Close())
	if err := unix.Mount("longhand", root, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("skipped: this system lets no disk be mounted read-only: %v", err)
	}
	before := sums(t, home)
	_, err := Open(home, nil)
	sentence(t, "open", err, ErrReadOnly)
	sentence(t, "open", err, syscall.EROFS)
	for _, err := range Check(home, true) {
		sentence(t, "check", err, syscall.EROFS)
	}
	s = Beside(home)
	cards, err := s.Projects()
	if err != nil || len(cards) != 1 || cards[0].ID != "p1" || cards[0].Words != want.Words() {
		t.Errorf("listed are %+v: %v", cards, err)
	}
	p, err := s.Peek("p1")
	a.must(err)
	same(t, "read-only", p, want)
	if n := s.Notices(); len(n) > 0 {
		t.Errorf("told %v", n)
	}
	_, err = s.Open("p1")
	sentence(t, "write", err, syscall.EROFS)
	for name, sum := range sums(t, home) {
		if before[name] != sum {
			t.Errorf("%s changed", name)
		}
	}
}
