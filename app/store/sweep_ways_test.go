package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kindOfFile sorts the files of a home folder; "" is none that holds anything.
func kindOfFile(name string) string {
	base := filepath.Base(name)
	switch {
	case strings.HasSuffix(base, ".sst"):
		return "table"
	case strings.HasSuffix(base, ".mem"):
		return "write-ahead"
	case strings.HasSuffix(base, ".vlog"):
		return "value log"
	case base == "MANIFEST", base == "KEYREGISTRY", base == "DISCARD", base == "LOCK", base == lockFile, base == globalFile:
		return base
	case base == journalFile:
		return "journal"
	case base == mirrorList:
		return "mirror list"
	case strings.HasSuffix(base, ".md"):
		return "mirror text"
	case strings.HasSuffix(base, backupExt):
		return "backup"
	}
	return ""
}

// kinds of files, the more often the more hangs on them.
var kindsOfFiles = []string{"table", "journal", "mirror text", "write-ahead", "table", "MANIFEST", "mirror list", "journal", "store.json", "table", "backup", "mirror text",
	"write-ahead", "journal", "table", "MANIFEST", "KEYREGISTRY", "mirror text", "DISCARD", "value log", "table", "LOCK", "journal", "store.lock"}

// way is one way to damage a file. used is how many of its bytes hold anything.
type way struct {
	name string
	do   func(r *rand.Rand, path string, used int64) error
}

var ways = []way{
	{"flip 1", flip(1)},
	{"zero range", func(r *rand.Rand, path string, used int64) error {
		n := min(used, 1+r.Int64N(max(1, used/4)))
		return writeAt(path, make([]byte, n), r.Int64N(used-n+1))
	}},
	{"cut to half", func(_ *rand.Rand, path string, used int64) error { return os.Truncate(path, used/2) }},
	{"remove", func(_ *rand.Rand, path string, _ int64) error { return os.Remove(path) }},
	{"flip 8", flip(8)},
	{"cut by 100", func(_ *rand.Rand, path string, used int64) error { return os.Truncate(path, max(0, used-100)) }},
	{"random", func(r *rand.Rand, path string, used int64) error { return writeAt(path, garbage(r, used), 0) }},
	{"flip 64", flip(64)},
	{"cut to 0", func(_ *rand.Rand, path string, _ int64) error { return os.Truncate(path, 0) }},
	{"append", func(r *rand.Rand, path string, _ int64) error {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(garbage(r, 1+r.Int64N(300)))
		return errors.Join(err, f.Close())
	}},
	{"zero all", func(_ *rand.Rand, path string, used int64) error { return writeAt(path, make([]byte, used), 0) }},
	{"cut by 1", func(_ *rand.Rand, path string, used int64) error { return os.Truncate(path, max(0, used-1)) }},
	{"cut", func(r *rand.Rand, path string, used int64) error { return os.Truncate(path, r.Int64N(max(1, used))) }},
	{"append lines", func(r *rand.Rand, path string, _ int64) error { // as an editor or a torn copy would
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		from := r.IntN(max(1, len(b)))
		return os.WriteFile(path, append(b, b[from:min(len(b), from+500)]...), 0o644)
	}},
}

func flip(n int64) func(*rand.Rand, string, int64) error {
	return func(r *rand.Rand, path string, used int64) error {
		n := min(n, used)
		at := r.Int64N(used - n + 1)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		b := make([]byte, n)
		if _, err := f.ReadAt(b, at); err != nil {
			return err
		}
		for i := range b {
			b[i] ^= byte(1 + r.IntN(255))
		}
		_, err = f.WriteAt(b, at)
		return err
	}
}

func writeAt(path string, b []byte, at int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, at)
	return errors.Join(err, f.Close())
}

func garbage(r *rand.Rand, n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// usedBytes is where the last byte of a file stands that is not zero.
func usedBytes(t testing.TB, path string) int64 {
	t.Helper()
	end := int64(0)
	eachBlock(t, path, func(at int64, b []byte) {
		if b = bytes.TrimRight(b, "\x00"); len(b) > 0 {
			end = at + int64(len(b))
		}
	})
	return end
}

// eachBlock reads a file and passes over its holes.
func eachBlock(t testing.TB, path string, f func(at int64, b []byte)) {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	block := make([]byte, 1<<16)
	for at := int64(0); ; {
		if at, err = nextData(in, at); err != nil {
			t.Fatal(err)
		}
		n, err := in.ReadAt(block, at)
		f(at, block[:n])
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// sums are the sums of all files of a folder.
func sums(t testing.TB, home string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range filesOf(t, home) {
		h := sha256.New()
		st, err := os.Stat(filepath.Join(home, name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(h, st.Size())
		eachBlock(t, filepath.Join(home, name), func(at int64, b []byte) {
			if len(bytes.TrimLeft(b, "\x00")) > 0 {
				fmt.Fprintln(h, at)
				h.Write(b)
			}
		})
		out[name] = fmt.Sprintf("%x", h.Sum(nil))
	}
	return out
}

// filesOf are the files of a folder, in order.
func filesOf(t testing.TB, home string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(home, path)
			out = append(out, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
