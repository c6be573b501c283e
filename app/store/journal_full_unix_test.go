//go:build unix

package store

import (
	"errors"
	"os/signal"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"longhand/app/draft"
)

// TestAFullDiskLosesNothing stands for a full disk with a limit on the size of
// files: like a disk, it takes the part of a write that fits and refuses the
// rest.
func TestAFullDiskLosesNothing(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	folder := t.TempDir()
	want := beginning()
	write(t, folder, want...)
	j, _ := open(t, folder)
	size := len(contents(t, folder))
	next := draft.Text{Text: " And on it goes.", Tokens: []int32{50}}
	other := t.TempDir()
	write(t, other, next)
	length := len(contents(t, other))

	// Room for nothing, for a part of a record, for all but its line end.
	for _, room := range []int{0, 1, length / 2, length - 1} {
		var err error
		limited(t, size+room, func() { err = j.Append(next) })
		if err == nil || !errors.Is(err, syscall.EFBIG) || !strings.HasPrefix(err.Error(), "store: write the journal:") {
			t.Fatalf("room for %d of %d bytes: %v", room, length, err)
		}
		if b := contents(t, folder); len(b) != size || b[len(b)-1] != '\n' {
			t.Fatalf("room for %d of %d bytes: the file has %d, want %d", room, length, len(b), size)
		}
	}
	limited(t, size+length, func() { appendAll(t, j, next) })
	appendAll(t, j, next)
	got, err := Read(folder)
	if err != nil || !reflect.DeepEqual(got, append(want, next, next)) {
		t.Errorf("after room was made: %d records, want %d: %v", len(got), len(want)+2, err)
	}
}

// limited runs f while no file may grow over size.
func limited(t *testing.T, size int, f func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	now := before
	now.Cur = uint64(size)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		t.Skipf("skipped: this system sets no limit on the size of files: %v", err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)
	f()
}
