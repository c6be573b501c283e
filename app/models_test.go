package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longhand/assets"
)

// command runs one command line on a home folder.
func command(t *testing.T, home string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	t.Setenv("LONGHAND_HOME", home)
	var out, problems bytes.Buffer
	status = run(args, strings.NewReader(""), &out, &problems)
	return status, out.String(), problems.String()
}

// events parses JSON lines: the first key of each is "event".
func events(t *testing.T, stdout string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(stdout) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil || !strings.HasPrefix(line, `{"event":"`) {
			t.Fatalf("not an event: %q: %v", line, err)
		}
		list = append(list, v)
	}
	return list
}

// weights is a GGUF file that says little more than that it is one.
func weights(t *testing.T, path string, n int) string {
	t.Helper()
	b := append([]byte("GGUF\x03\x00\x00\x00"), make([]byte, 16+n)...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// record installs a model without fetching it.
func record(t *testing.T, home, name string, sample bool, n int) string {
	t.Helper()
	path := weights(t, filepath.Join(home, "models", name+".gguf"), n)
	sum, err := assets.SHA256(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	st, _ := os.Stat(path)
	b, _ := json.Marshal(assets.Model{Name: name, Title: name, Sample: sample, HashFrom: "catalogue",
		Files: []assets.Installed{{Path: filepath.Base(path), Bytes: st.Size(), SHA256: sum}}})
	if err := os.WriteFile(filepath.Join(home, "models", name+".json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestModelsList(t *testing.T) {
	home := t.TempDir()
	record(t, home, "sample", true, 10)
	status, out, _ := command(t, home, "models", "list", "--json")
	list := events(t, out)
	if status != 0 || len(list) < 10 {
		t.Fatalf("status %d, %d models", status, len(list))
	}
	recommended := 0
	for _, m := range list {
		for _, key := range []string{"name", "files", "bytes", "sha256", "licence", "installed", "memory_bytes", "fits", "recommended", "sample", "untested", "source", "path", "hash_from"} {
			if _, ok := m[key]; !ok {
				t.Errorf("%v: %s is left out", m["name"], key)
			}
		}
		if m["event"] != "model" || (m["name"] == "sample") != m["sample"].(bool) || m["installed"].(bool) != (m["name"] == "sample") {
			t.Errorf("%v", m)
		}
		if m["recommended"].(bool) {
			recommended++
		}
	}
	if recommended > 1 {
		t.Errorf("%d models are recommended", recommended)
	}
	if _, out, _ := command(t, home, "models", "list"); !strings.Contains(out, "installed, sample") || !strings.Contains(out, "not how well it writes") {
		t.Errorf("the table does not say what the sample is:\n%s", out)
	}
}

func TestModelsImportVerifyRemove(t *testing.T) {
	home := t.TempDir()
	path := weights(t, filepath.Join(t.TempDir(), "mine.gguf"), 100)
	status, out, problems := command(t, home, "models", "import", path, "--json")
	list := events(t, out)
	if status != 0 || len(list) != 1 || list[0]["path"] != path || list[0]["hash_from"] != "computed" || list[0]["licence"] != nil || list[0]["memory_bytes"] != nil {
		t.Fatalf("status %d: %s%s", status, out, problems)
	}
	if status, out, _ := command(t, home, "models", "verify"); status != 0 || out != "mine: whole\n" {
		t.Errorf("verify: %d %q", status, out)
	}
	b, _ := os.ReadFile(path)
	b[30]++
	os.WriteFile(path, b, 0o644)
	status, out, _ = command(t, home, "models", "verify", "mine", "--json")
	list = events(t, out)
	if status != 1 || len(list) != 2 || list[0]["verified"] != false || list[1]["event"] != "error" || list[1]["hint"] == nil {
		t.Errorf("verify of a changed file: %d %s", status, out)
	}
	if status, out, _ := command(t, home, "models", "remove", "mine"); status != 0 || !strings.Contains(out, "its file stays at "+path) {
		t.Errorf("remove: %d %q", status, out)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("a person's own file was deleted")
	}
}

func TestModelsRefusals(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct{ args, error, hint string }{
		{"models pull nonsense", `the catalogue has no "nonsense"`, "models list"},
		{"models verify nonsense", `no model named "nonsense"`, "models list"},
		{"models remove qwen3-8b", "qwen3-8b is not installed", "models pull qwen3-8b (5.0 GB)"},
		{"models import none.gguf", "no such file", ""},
		{"models verify llama.cpp-cpu", "is not installed", ""},
		{"models remove llama.cpp-cuda", "is not installed", ""},
	} {
		status, _, problems := command(t, home, strings.Fields(c.args)...)
		if status != 1 || !strings.Contains(problems, c.error) || c.hint != "" && !strings.Contains(problems, "hint: ") || !strings.Contains(problems, c.hint) {
			t.Errorf("%s: %d %q", c.args, status, problems)
		}
	}
	if status, _, _ := command(t, home, "models", "pull"); status != 2 {
		t.Errorf("pull without a name ends with %d", status)
	}
}

func TestModelChoice(t *testing.T) {
	home := t.TempDir()
	e := &env{ctx: t.Context(), home: home, stdout: io.Discard, stderr: io.Discard}
	hint := func(name, want string) {
		t.Helper()
		_, _, err := e.model(name)
		var h hinted
		if !errors.As(err, &h) || !strings.Contains(h.hint, want) {
			t.Errorf("model %q: %v, hint %q", name, err, h.hint)
		}
	}
	is := func(name, want string) entry {
		t.Helper()
		path, m, err := e.model(name)
		if err != nil || path != want {
			t.Errorf("model %q is %q, want %q: %v", name, path, want, err)
		}
		return m
	}
	hint("", "models pull sample")
	sample := record(t, home, "sample", true, 10)
	if m := is("", sample); !m.Sample {
		t.Error("the sample does not say that it is one")
	}
	small := record(t, home, "qwen2.5-0.5b", false, 100)
	is("", small)
	large := record(t, home, "qwen3-4b", false, 1000)
	is("", large)
	is("sample", sample)
	is("QWEN3-4b", large)
	is("qwen3-4b.gguf", large)
	is(small, small)
	own := weights(t, filepath.Join(t.TempDir(), "own.gguf"), 1)
	if m := is(own, own); m.Name != "own" || m.SHA256 != nil {
		t.Errorf("a file by its path: %+v", m)
	}
	hint("qwen3-8b", "models pull qwen3-8b")
	hint("nonsense", "models list")
	hint("/nowhere/x.gguf", "models list")
	os.Truncate(large, 5)
	is("", small)
	hint("qwen3-4b", "models remove qwen3-4b")
}

func TestLibraryChoice(t *testing.T) {
	t.Setenv("LONGHAND_LIBRARY", "")
	home := t.TempDir()
	install := func(kind string) {
		dir := assets.LibraryFolder(home, kind)
		os.MkdirAll(dir, 0o755)
		for _, name := range []string{"libllama.so", "libllama.dylib", "llama.dll"} {
			os.WriteFile(filepath.Join(dir, name), nil, 0o644)
		}
	}
	gpu := assets.Machine{OS: "linux", Arch: "amd64", Driver: "580.65.06", GPUs: []assets.GPU{{Name: "X", Free: 1 << 33, Capability: 9}}}
	if _, _, _, err := libraryFor(home, gpu); err == nil || *hintOf(err) != "longhand models pull llama.cpp" {
		t.Errorf("nothing installed: %v", err)
	}
	install("cpu")
	if _, kind, why, err := libraryFor(home, gpu); err != nil || kind != "cpu" || !strings.Contains(why, "models pull llama.cpp-cuda") {
		t.Errorf("chose %s: %s: %v", kind, why, err)
	}
	install("cuda")
	if folder, kind, why, err := libraryFor(home, gpu); err != nil || kind != "cuda" || why != "X, driver 580.65.06" || folder != assets.LibraryFolder(home, "cuda") {
		t.Errorf("chose %s: %s: %v", kind, why, err)
	}
	if _, kind, why, _ := libraryFor(home, assets.Machine{OS: "linux", Arch: "amd64"}); kind != "cpu" || !strings.Contains(why, "no NVIDIA driver") {
		t.Errorf("without a GPU: %s: %s", kind, why)
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out, false)
	for _, p := range []assets.Progress{
		{State: assets.Asking, File: "x.gguf", Source: "https://host/a/long/way/x.gguf"},
		{State: assets.Downloading, File: "x.gguf", Done: 0, Total: 1e9},
		{State: assets.Downloading, File: "x.gguf", Done: 5e7, Total: 1e9},
		{State: assets.Downloading, File: "x.gguf", Done: 5e8, Total: 1e9},
		{State: assets.Failed, Problem: errors.New("it broke")},
		{State: assets.Done},
	} {
		b.progress(p)
	}
	want := "fetching x.gguf from host\nx.gguf  0 kB of 1.0 GB  0 %\nx.gguf  500 MB of 1.0 GB  50 %\nit broke; trying the next source\n"
	if out.String() != want {
		t.Errorf("shown:\n%s\nwant:\n%s", out.String(), want)
	}
	b.live, b.begun, b.from = true, time.Now().Add(-10*time.Second), 0
	if got := b.rate(assets.Progress{Done: 5e8, Total: 1e9}); got != "[██████████··········] 500 MB of 1.0 GB  50 %  50.0 MB/s  10s left" {
		t.Errorf("on a terminal: %q", got)
	}
	quiet := newBar(&out, true)
	out.Reset()
	if quiet.progress(assets.Progress{State: assets.Asking}); out.Len() > 0 {
		t.Errorf("with --json: %q", out.String())
	}
}
