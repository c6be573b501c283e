package assets

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestFetchFromRegistries gets the engine and the sample model the way a new
// machine does. It needs npm, pip and a network, so it runs only when asked.
func TestFetchFromRegistries(t *testing.T) {
	if os.Getenv("LONGHAND_TEST_NETWORK") == "" {
		t.Skip("skipped: it needs the real registries; LONGHAND_TEST_NETWORK=1 runs it")
	}
	home := t.TempDir()
	names := []string{"llama.cpp-cpu", "sample"}
	if os.Getenv("LONGHAND_TEST_NETWORK") == "all" {
		names = append(names, "llama.cpp-vulkan", "llama.cpp-cuda")
	}
	for _, name := range names {
		a, ok := Find(name)
		if !ok {
			t.Fatalf("%s is not in the catalogue", name)
		}
		for p, err := range (Fetcher{Home: home}).Fetch(context.Background(), a) {
			if err != nil {
				t.Fatal(err)
			}
			if p.State == Failed {
				t.Errorf("%s: %s: %v", name, p.Source, p.Problem)
			}
		}
		if a.Kind == "library" {
			if err := VerifyLibrary(context.Background(), home, a.Library); err != nil {
				t.Error(err)
			}
			for _, file := range []string{"libllama.so", "libggml.so", "libggml-base.so"} {
				if _, err := os.Stat(filepath.Join(LibraryFolder(home, a.Library), file)); err != nil {
					t.Error(err)
				}
			}
		}
	}
	models, err := Models(home)
	if err != nil || len(models) != 1 || !models[0].Sample || models[0].Missing {
		t.Errorf("installed models: %+v, %v", models, err)
	}
	left, _ := filepath.Glob(filepath.Join(home, "*", ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
