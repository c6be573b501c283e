// Package enginetest finds llama.cpp and the sample model for the tests of all packages.
package enginetest

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"
)

// Native returns the folder of llama.cpp's libraries and the sample model's file, or skips
// the test; with REQUIRE_NATIVE=1 it fails instead. LONGHAND_LIBRARY and LONGHAND_SAMPLE_MODEL
// name them, else they are where `make test` puts them.
func Native(t testing.TB) (library, model string) {
	t.Helper()
	home := os.Getenv("LONGHAND_HOME")
	if home == "" {
		if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
			home = filepath.Join(data, "longhand")
		} else if h, err := os.UserHomeDir(); err == nil {
			home = filepath.Join(h, ".local", "share", "longhand")
		}
	}
	library = cmp.Or(os.Getenv("LONGHAND_LIBRARY"), filepath.Join(home, "lib", "llama-v0.5.0", "cpu"))
	model = cmp.Or(os.Getenv("LONGHAND_SAMPLE_MODEL"), filepath.Join(home, "models", "SmolLM2-135M-Instruct.Q4_1.gguf"))
	for _, path := range []string{library, model} {
		if _, err := os.Stat(path); err != nil {
			if os.Getenv("REQUIRE_NATIVE") == "1" {
				t.Fatalf("REQUIRE_NATIVE is set, but %s is missing", path)
			}
			t.Skipf("skipped: %s is missing; make test fetches it", path)
		}
	}
	return library, model
}
