package engine

import (
	"os"
	"strings"
	"testing"

	"longhand/engine/enginetest"
)

func TestLibraryIsTheBindingsVersion(t *testing.T) {
	library, _ := enginetest.Native(t)
	if version, err := Version(library); !strings.HasPrefix(version, libraryVersion) || err != nil {
		t.Errorf("version %q, %v", version, err)
	}
	found, err := Devices(library)
	if err != nil || len(found) == 0 {
		t.Fatalf("%v, %v", found, err)
	}
	for _, d := range found {
		t.Logf("%+v", d)
		if d.Name == "" || d.Kind == "" || d.Backend == "" || d.Kind == "cpu" && d.Total == 0 {
			t.Errorf("an incomplete device: %+v", d)
		}
	}
	if line, err := SystemInfo(library); line == "" || err != nil {
		t.Errorf("system info %q, %v", line, err)
	}
}

func TestMissingLibrariesAreNamed(t *testing.T) {
	folder := t.TempDir()
	for path, want := range map[string]string{"": "no folder was given", folder + "/none": "no such folder", folder: "is missing"} {
		if _, err := Devices(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
	library, _ := enginetest.Native(t)
	if err := loadLibrary(library); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(library)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Symlink(library+"/"+e.Name(), folder+"/"+e.Name()); err != nil {
			t.Fatal(err)
		}
	}
	if err := loadLibrary(folder); err == nil || !strings.Contains(err.Error(), "cannot change it") {
		t.Errorf("a second library: %v", err)
	}
}

func TestLogRingKeepsTheReason(t *testing.T) {
	var r logRing
	r.add(4, "an old error\n")
	mark := r.mark()
	r.add(3, "a warning\n")
	if got := r.since(mark); got != "a warning" {
		t.Errorf("%q", got)
	}
	r.add(4, "first ")
	r.add(5, "part\n")
	r.add(5, "of nothing\n")
	r.add(4, "second\n")
	if got := r.since(mark); got != "first part; second" {
		t.Errorf("%q", got)
	}
	for range 3 * logLines {
		r.add(4, "again\n")
	}
	if got := r.since(mark); got != "again; again; again; again" {
		t.Errorf("%q", got)
	}
	if got := r.since(r.mark()); got != "llama.cpp gave no reason" {
		t.Errorf("%q", got)
	}
}
