package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// may is the package table of the design: what each package may import of ours,
// and which foreign modules. A package that is not here is not part of it.
var may = map[string]struct{ ours, foreign string }{
	"assets":              {"", "golang.org/x/sys"},
	"rewards":             {"", "github.com/clipperhouse/uax29/v2"},
	"engine/child":        {"", "golang.org/x/sys"},
	"engine":              {"engine/child", "github.com/hybridgroup/yzma github.com/jupiterrider/ffi github.com/ebitengine/purego golang.org/x/sys"}, // ffi and purego: what the binding lacks
	"engine/enginetest":   {"", ""},
	"app/draft":           {"engine rewards", "github.com/clipperhouse/uax29/v2"},
	"app/manuscript":      {"", ""},
	"app/store":           {"app/draft rewards", "github.com/dgraph-io/badger/v4 github.com/dgraph-io/ristretto/v2 github.com/klauspost/compress github.com/gofrs/flock golang.org/x/sys"},
	"app/export":          {"app/draft", "github.com/yuin/goldmark codeberg.org/go-pdf/fpdf"},
	"rl":                  {"engine engine/child rewards rl/model", "golang.org/x/image"}, // the letters of a plot
	"rl/checkpoint":       {"", "golang.org/x/sys"},
	"rl/model":            {"rl/checkpoint", ""},
	"rl/model/devicetest": {"rl/checkpoint rl/model", ""},
	"rl/cpu":              {"rl/checkpoint rl/model", "gonum.org/v1/gonum github.com/ebitengine/purego golang.org/x/sys"},
	"rl/cuda":             {"rl/checkpoint rl/model", "gorgonia.org/cu github.com/ebitengine/purego"},
	"rl/trainer":          {"engine engine/child rewards rl rl/checkpoint rl/model rl/model/devicetest rl/cpu rl/cuda", ""}, // devicetest: the self-test
	"app":                 {"app/draft app/manuscript app/store app/export assets engine engine/child rewards rl rl/checkpoint", "fyne.io/fyne/v2 github.com/alecthomas/kong golang.org/x/sys"},
}

// within are foreign packages that a module is kept to: of yzma the binding
// alone, since its other packages bring hundreds with them.
var within = map[string][]string{
	"github.com/hybridgroup/yzma": {"pkg/llama", "pkg/loader", "pkg/template", "pkg/message"},
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir            string
	Standard                   bool
	Module                     *struct{ Path string }
	Imports, GoFiles, CgoFiles []string
	IgnoredGoFiles             []string
}

// TestImportsFollowTheTable compares every package's imports, also those in
// files for other systems and tags, with the table.
func TestImportsFollowTheTable(t *testing.T) {
	ours, modules := tree(t)
	for path, p := range ours {
		name := strings.TrimPrefix(path, "longhand/")
		row, ok := may[name]
		if !ok {
			t.Errorf("package %s is not in the table", name)
			continue
		}
		for imported, file := range importsOf(t, p) {
			if mine, ok := strings.CutPrefix(imported, "longhand/"); ok {
				if !slices.Contains(strings.Fields(row.ours), mine) {
					t.Errorf("%s: %s may not import %s", file, name, mine)
				}
				continue
			}
			module := moduleOf(imported, modules)
			if module != "" && !slices.Contains(strings.Fields(row.foreign), module) {
				t.Errorf("%s: %s may not import %s", file, name, imported)
			}
			rest := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
			if only := within[module]; only != nil && !slices.Contains(only, rest) {
				t.Errorf("%s: of %s nobody may import %s", file, module, rest)
			}
		}
	}
	// Whoever reads the table reads it rightly: the packages that begin it exist.
	for _, name := range []string{"app", "app/draft", "app/store", "assets", "engine", "engine/child"} {
		if ours["longhand/"+name] == nil {
			t.Errorf("go list does not know %s: the comparison looked at %v", name, slices.Sorted(maps.Keys(ours)))
		}
	}
}

// TestOneImporterEach keeps each large library behind one package.
func TestOneImporterEach(t *testing.T) {
	for module, owner := range map[string]string{
		"fyne.io/fyne/v2": "app", "github.com/hybridgroup/yzma": "engine", "github.com/dgraph-io/badger/v4": "app/store",
		"github.com/alecthomas/kong": "app", "gorgonia.org/cu": "rl/cuda", "github.com/yuin/goldmark": "app/export",
	} {
		for name, row := range may {
			if slices.Contains(strings.Fields(row.foreign), module) && name != owner {
				t.Errorf("%s may import %s, which is %s's alone", name, module, owner)
			}
		}
	}
}

// TestOneWayIntoTheWindow finds the one place from where goroutines come into
// the window.
func TestOneWayIntoTheWindow(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") || !bytes.Contains(b, []byte("fyne.Do")) {
			continue
		}
		if found++; name != "follow.go" {
			t.Errorf("%s uses fyne.Do; follow.go is the place for it", name)
		}
	}
	if found == 0 {
		t.Error("fyne.Do is nowhere: where do goroutines come into the window?")
	}
}

// tree lists our packages and the modules that they build with, in one call.
func tree(t *testing.T) (ours map[string]*listed, modules []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test=false", "-tags", "ci",
		"-json=ImportPath,Dir,Standard,Module,Imports,GoFiles,CgoFiles,IgnoredGoFiles", "./...")
	cmd.Dir = ".."
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, problems.String())
	}
	ours = map[string]*listed{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &listed{}
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return ours, modules
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Standard || p.Module == nil {
			continue
		}
		if p.Module.Path == "longhand" {
			ours[p.ImportPath] = p
		} else if !slices.Contains(modules, p.Module.Path) {
			modules = append(modules, p.Module.Path)
		}
	}
}

// importsOf is every import of a package with a file that has it.
func importsOf(t *testing.T, p *listed) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range f.Imports {
			path, err := strconv.Unquote(s.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[path] = filepath.Join(filepath.Base(p.Dir), name)
		}
	}
	for _, path := range p.Imports {
		if found[path] == "" {
			t.Errorf("%s imports %s, which none of its files does", p.ImportPath, path)
		}
	}
	return found
}

// moduleOf is the module of a foreign import, "" for the standard library. One
// that the build does not know, for another system, is its own.
func moduleOf(imported string, modules []string) string {
	best := ""
	for _, m := range modules {
		if (imported == m || strings.HasPrefix(imported, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	if first, _, _ := strings.Cut(imported, "/"); best == "" && strings.Contains(first, ".") {
		return imported
	}
	return best
}
