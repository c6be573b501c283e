package assets

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// member is one entry of a made archive; link makes it a symbolic link.
type member struct{ name, body, link string }

func tgz(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.body)), Typeflag: tar.TypeReg}
		if m.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, m.link
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(m.body))
	}
	w.Close()
	gz.Close()
	return b.Bytes()
}

func zipped(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.Create(m.name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(m.body))
	}
	w.Close()
	return b.Bytes()
}

func TestUnpack(t *testing.T) {
	good := []member{{name: "package/bins/libllama.so", body: "L"}, {name: "package/bins/addon.node", body: "N"}, {name: "package/other/libx.so", body: "X"}}
	cases := map[string]struct {
		archive string
		bytes   []byte
		want    string // names, or
		error   string
	}{
		"tar":               {"a.tgz", tgz(t, good...), "libllama.so", ""},
		"zip":               {"a.zip", zipped(t, good...), "libllama.so", ""},
		"link":              {"a.tgz", tgz(t, append(good, member{name: "package/bins/libllama.so.0", link: "libllama.so"})...), "libllama.so libllama.so.0", ""},
		"tar leads out":     {"a.tgz", tgz(t, member{name: "package/bins/../../../evil.so", body: "E"}), "", "leads out"},
		"zip leads out":     {"a.zip", zipped(t, member{name: "../evil.so", body: "E"}), "", "leads out"},
		"absolute":          {"a.tgz", tgz(t, member{name: "/etc/evil.so", body: "E"}), "", "leads out"},
		"backslash":         {"a.zip", zipped(t, member{name: `..\evil.dll`, body: "E"}), "", "leads out"},
		"drive":             {"a.zip", zipped(t, member{name: `C:evil.dll`, body: "E"}), "", "leads out"},
		"link leads out":    {"a.tgz", tgz(t, member{name: "package/bins/libllama.so", link: "../../etc/passwd"}), "", "leads to"},
		"through a link":    {"a.tgz", tgz(t, member{name: "package/bins/d.so", link: ".."}, member{name: "package/bins/d.so/evil.so", body: "E"}), "", "leads to"},
		"twice":             {"a.tgz", tgz(t, good[0], good[0]), "", "exists"},
		"nothing wanted":    {"a.tgz", tgz(t, good[1]), "", "none of the files"},
		"cut off":           {"a.tgz", tgz(t, good...)[:60], "", "unexpected EOF"},
		"not an archive":    {"a.zip", []byte("hello"), "", "not a valid zip"},
		"not an archive gz": {"a.tgz", []byte("hello there"), "", "invalid header"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "to")
			os.Mkdir(dir, 0o755)
			path := filepath.Join(root, c.archive)
			os.WriteFile(path, c.bytes, 0o644)
			names, err := unpack(context.Background(), path, "package/bins", dir, isLibrary)
			if got := strings.Join(names, " "); err == nil && got != c.want {
				t.Errorf("unpacked %q, want %q", got, c.want)
			}
			if c.error == "" && err != nil || c.error != "" && (err == nil || !strings.Contains(err.Error(), c.error)) {
				t.Errorf("error %v, want %q", err, c.error)
			}
			if found, _ := filepath.Glob(filepath.Join(root, "*evil*")); len(found) > 0 {
				t.Errorf("it wrote %v", found)
			}
		})
	}
}

func TestLibraryFiles(t *testing.T) {
	for name, want := range map[string]bool{"libllama.so": true, "libllama.so.0.5.0": true, "libggml-cpu-zen4.so": true, "llama.dll": true,
		"libggml-metal.dylib": true, "llama-addon.node": false, "llama-cli": false, "LICENSE": false, "llama-server.exe": false} {
		if isLibrary(name) != want {
			t.Errorf("%s is taken: %v", name, !want)
		}
	}
}

func TestPlainNames(t *testing.T) {
	for _, c := range []struct {
		files, links string
		error        bool
	}{
		{"libllama.v0.5.0.so libggml.v0.5.0.so libggml-base.so libllama-common.so", "libllama.v0.5.0.so libggml.v0.5.0.so", false},
		{"libllama.cuda.v0.5.0.so libggml.cuda.v0.5.0.so libggml-cuda.so", "libllama.cuda.v0.5.0.so libggml.cuda.v0.5.0.so", false},
		{"libllama.so libggml.so", "", false},
		{"libggml.so", "", true},
		{"libllama.so libggml.a.so libggml.b.so", "", true},
	} {
		dir := t.TempDir()
		for _, name := range strings.Fields(c.files) {
			os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644)
		}
		err := plainNames(dir, "linux")
		if (err != nil) != c.error {
			t.Errorf("%s: %v", c.files, err)
		}
		for i, target := range strings.Fields(c.links) {
			name := []string{"libllama.so", "libggml.so"}[i]
			if got, _ := os.Readlink(filepath.Join(dir, name)); got != target {
				t.Errorf("%s leads to %q, want %q", name, got, target)
			}
		}
	}
}
