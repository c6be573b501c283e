package store

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// FuzzEnvelope opens anything: without a panic, and without more memory than a
// value can need. What was wrapped opens, and with a byte changed it does not, or,
// as where zstd has a bit to spare, it is the same still.
func FuzzEnvelope(f *testing.F) {
	for _, plain := range []string{"", "null", `{"id":1}`, strings.Repeat("so it goes ", 1000)} {
		value, _ := wrap("q/p/s1/1", kindPart, []byte(plain))
		f.Add([]byte(plain), value, uint(5), byte(1))
	}
	f.Fuzz(func(t *testing.T, plain, value []byte, at uint, bits byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, _, err := unwrap("q/p/s1/1", kindPart, value)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; err != nil && n > 64<<20 {
			t.Errorf("%d MB for a value of %d bytes that is none", n>>20, len(value))
		}
		if again, sum := wrap("q/p/s1/1", kindPart, got); err == nil {
			if back, sum2, err := unwrap("q/p/s1/1", kindPart, again); err != nil || sum2 != sum || !bytes.Equal(back, got) {
				t.Errorf("wrapped again: %v", err)
			}
		}
		wrapped(t, plain, at, bits)
	})
}

// wrapped wraps a value and opens it again, and as another, and changed.
func wrapped(t *testing.T, plain []byte, at uint, bits byte) {
	t.Helper()
	value, sum := wrap("k", kindVersion, plain)
	got, sum2, err := unwrap("k", kindVersion, value)
	if err != nil || sum != sum2 || !bytes.Equal(got, plain) {
		t.Fatalf("%q is %q: %v", plain, got, err)
	}
	if _, _, err := unwrap("l", kindVersion, value); err == nil {
		t.Error("it opens under another key")
	}
	if _, _, err := unwrap("k", kindPart, value); err == nil {
		t.Error("it opens as another kind")
	}
	if bits != 0 {
		value[at%uint(len(value))] ^= bits
		if got, _, err := unwrap("k", kindVersion, value); err == nil && !bytes.Equal(got, plain) {
			t.Errorf("with byte %d changed it is %q", at%uint(len(value)), got)
		}
	}
}

// FuzzManifest puts projects together from any manifest and any parts.
func FuzzManifest(f *testing.F) {
	p := folded(f, beginning()...)
	parts := map[string][]byte{}
	m := &manifest{Rev: 1, Seq: p.Seq, Parts: map[string]part{}}
	for name, get := range partsOf(p) {
		parts[name], _ = json.Marshal(get())
		m.Parts[name] = part{1, "s"}
	}
	plain, _ := json.Marshal(m)
	f.Add(plain, parts[partHead], parts[partPlan], parts[sectionPart(1)], []byte(`[{"n":1,"label":"typed","ops":[{"event":"undo"}]}]`))
	f.Add([]byte(`{"parts":{"":{},"u-1":{},"s":{},"c9":{},"h1":{},"head":{}}}`), []byte(`{"sections":[{}]}`), []byte(`{"ids":[1,1,2]}`), []byte(`null`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, list, head, plan, section, rest []byte) {
		m := &manifest{}
		if json.Unmarshal(list, m) != nil {
			return
		}
		p, err := projectOf(m, func(name string) ([]byte, error) {
			switch {
			case name == partHead:
				return head, nil
			case name == partPlan:
				return plan, nil
			case strings.HasPrefix(name, "s"):
				return section, nil
			}
			return rest, nil
		})
		for name := range m.Parts {
			_, _ = describe(name), sectionOf(name)
		}
		if err != nil {
			return
		}
		p.Clone()
		for _, get := range partsOf(p) {
			if _, err := json.Marshal(get()); err != nil {
				t.Errorf("it cannot be written again: %v", err)
			}
		}
		if len(p.Sections) == len(p.Outline.Sections) {
			p.Markdown()
			listOf(p)
		}
	})
}

// FuzzMirror reads any list and any file of a mirror. What Longhand writes is read
// as it was.
func FuzzMirror(f *testing.F) {
	folder := f.TempDir()
	if err := writeList(folder, listOf(folded(f, beginning()...))); err != nil {
		f.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(folder, mirrorList))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(list, "Rain", "It rains.\n\nUn été.", "# Rain\r\n\r\nIt rains.")
	f.Add([]byte("{}"), "", "# not a title\n\nText", "\uFEFF# \n\n")
	f.Fuzz(func(t *testing.T, list []byte, title, text, file string) {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, mirrorList), list, 0o644); err != nil {
			t.Fatal(err)
		}
		readList(folder)
		var m mirror
		if json.Unmarshal(list, &m) == nil {
			listed(t, folder, m, file)
		}
		parse(file)
		written := render(title, text)
		if fileSum(written) != fileSum(canonical(written)) {
			t.Error("the sum is another after an editor")
		}
		want := strings.Trim(canonical(text), "\n")
		if strings.HasPrefix(text, "\uFEFF") { // the mark of the encoding, which is no text at a file's beginning
			return
		}
		now, body, headed := parseAs(title, text, written)
		if body != want || headed != (heading(title) != "") || now != heading(title) {
			t.Errorf("%q under %q is read as %q under %q", text, title, body, now)
		}
	})
}

// listed writes a list and reads it again.
func listed(t *testing.T, folder string, m mirror, file string) {
	t.Helper()
	if err := writeList(folder, m); err != nil {
		t.Fatal(err)
	}
	again, err := readList(folder)
	if again.Sum = m.Sum; err == nil && asJSON(again) != asJSON(m) {
		t.Errorf("read again it is %s, was %s", asJSON(again), asJSON(m))
	}
	for _, l := range m.Sections {
		if err == nil && l.File != filepath.Base(l.File) {
			t.Errorf("it names the file %q", l.File)
		}
		l.section(file)
	}
}

// FuzzTable reads any bytes as a table of the database.
func FuzzTable(f *testing.F) {
	home := f.TempDir()
	s := opened(f, home)
	newAuthor(f, s, rand.New(rand.NewPCG(1, 1))).write("p1", 3, 2, 3, false)
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	tables, _ := filepath.Glob(filepath.Join(home, databaseFolder, "*.sst"))
	for _, path := range tables {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint(0), byte(0))
		f.Add(b, uint(100), byte(3))
		f.Add(b[:len(b)-7], uint(9), byte(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint, bits byte) {
		if len(b) > 0 {
			b = bytes.Clone(b)
			b[at%uint(len(b))] ^= bits
		}
		path := filepath.Join(t.TempDir(), "000001.sst")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if is, whole := readTable(path); !whole && is.why == "" {
			t.Error("it says no reason")
		}
	})
}
