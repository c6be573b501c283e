package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// only checks that a folder holds these names and nothing else.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range list {
		found = append(found, e.Name())
	}
	if fmt.Sprint(found) != fmt.Sprint(names) {
		t.Errorf("%s holds %q instead of %q", dir, found, names)
	}
}

func TestReplaceIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	text := func(s string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			io.WriteString(w, s)
			return err
		}
	}
	full := &os.PathError{Op: "write", Path: "elsewhere", Err: syscall.ENOSPC}
	for _, c := range []struct {
		write func(io.Writer) error
		after string
		err   string
	}{
		{text("one", nil), "one", ""},
		{text("half of t", errors.New("no more")), "one", "checkpoint: write " + path + ": no more"},
		{text("half", full), "one", "checkpoint: write " + path + ": the disk is full"},
		{text("two", nil), "two", ""},
	} {
		err := Replace(path, c.write)
		if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
			t.Errorf("%v, not %q", err, c.err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != c.after {
			t.Errorf("the file holds %q (%v) instead of %q", b, err, c.after)
		}
		only(t, dir, "x")
	}
	if err := Replace(dir, text("x", nil)); err == nil || !strings.Contains(err.Error(), "is not a file has this name") {
		t.Error(err)
	}
	if err := Replace(filepath.Join(dir, "none", "x"), text("x", nil)); err == nil || !strings.Contains(err.Error(), "no such file") || strings.Contains(err.Error(), ".x-") {
		t.Error(err)
	}
}
