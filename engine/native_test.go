package engine

import (
	"os"
	"path/filepath"
	"testing"
)

// native finds the libraries and the sample model, or skips the test; with
// REQUIRE_NATIVE=1 it fails instead.
func native(t testing.TB) (library, model string) {
	t.Helper()
	home := os.Getenv("LONGHAND_HOME")
	if home == "" {
		if h, err := os.UserHomeDir(); err == nil {
			home = filepath.Join(h, ".local", "share", "longhand")
		}
	}
	library, model = os.Getenv("LONGHAND_LIBRARY"), os.Getenv("LONGHAND_SAMPLE_MODEL")
	if library == "" {
		library = filepath.Join(home, "lib", "llama-v0.5.0", "cpu")
	}
	if model == "" {
		model = filepath.Join(home, "models", "SmolLM2-135M-Instruct.Q4_1.gguf")
	}
	for _, path := range []string{library, model} {
		if _, err := os.Stat(path); err != nil {
			if os.Getenv("REQUIRE_NATIVE") == "1" {
				t.Fatalf("REQUIRE_NATIVE is set, but %s is missing", path)
			}
			t.Skipf("skipped: %s is missing; set LONGHAND_LIBRARY and LONGHAND_SAMPLE_MODEL", path)
		}
	}
	return library, model
}

// openSample opens the sample model with a small context, and with one thread
// unless told otherwise: on a shared machine two are slower (see busy_test.go).
func openSample(t testing.TB, o Options) *Model {
	t.Helper()
	library, path := native(t)
	o.Library = library
	if o.Context == 0 {
		o.Context = 1024
	}
	if o.Threads == 0 {
		o.Threads = 1
	}
	m, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}
