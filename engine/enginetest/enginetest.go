// Package enginetest finds llama.cpp and the sample model for the tests of all packages. What is missing skips
// the test; with REQUIRE_NATIVE=1 it fails instead.
package enginetest

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"
)

// Native returns both, the library's folder and the model's file.
func Native(t testing.TB) (library, model string) {
	t.Helper()
	return Library(t), Model(t)
}

// Library returns the folder of llama.cpp's libraries: LONGHAND_LIBRARY, or where `make test` puts it.
func Library(t testing.TB) string {
	t.Helper()
	return present(t, cmp.Or(os.Getenv("LONGHAND_LIBRARY"), filepath.Join(home(), "lib", "llama-v0.5.0", "cpu")))
}

// Model returns the sample model's file: LONGHAND_SAMPLE_MODEL, or where `make test` puts it.
func Model(t testing.TB) string {
	t.Helper()
	return present(t, cmp.Or(os.Getenv("LONGHAND_SAMPLE_MODEL"), filepath.Join(home(), "models", "SmolLM2-135M-Instruct.Q4_1.gguf")))
}

func home() string {
	if home := os.Getenv("LONGHAND_HOME"); home != "" {
		return home
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "longhand")
	}
	h, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(h, ".local", "share", "longhand")
}

func present(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("REQUIRE_NATIVE") == "1" {
			t.Fatalf("REQUIRE_NATIVE is set, but %s is missing", path)
		}
		t.Skipf("skipped: %s is missing; make test fetches it", path)
	}
	return path
}
