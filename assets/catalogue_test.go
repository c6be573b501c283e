package assets

import (
	"encoding/base64"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCatalogue(t *testing.T) {
	names := map[string]bool{}
	files := map[string]bool{}
	samples := 0
	for _, a := range Catalogue() {
		if names[a.Name] || a.Name != strings.ToLower(a.Name) {
			t.Errorf("%s: the name is not in lower case or occurs twice", a.Name)
		}
		names[a.Name] = true
		if a.Title == "" || a.Version == "" || a.Licence == "" || len(a.Sources) == 0 {
			t.Errorf("%s: title, version, licence or source is missing", a.Name)
		}
		if a.Sample {
			samples++
		}
		for _, f := range a.Files {
			if files[f.Name] || f.Bytes <= 0 || f.SHA256 != "" && !sha256Pattern.MatchString(f.SHA256) || !strings.HasSuffix(f.Name, ".gguf") || !safe(f.Name) {
				t.Errorf("%s: file %+v", a.Name, f)
			}
			files[f.Name] = true
		}
		if library := a.Kind == "library"; library != slices.Contains(Kinds, a.Library) || library == (len(a.Files) > 0) || library == (a.Layers*a.KVWidth > 0) {
			t.Errorf("%s: neither a library nor a model", a.Name)
		}
		for _, s := range a.Sources {
			for _, p := range s.Packs {
				checkPack(t, a, p)
			}
		}
	}
	if samples != 1 {
		t.Errorf("%d sample models", samples)
	}
}

func checkPack(t *testing.T, a Artefact, p Pack) {
	ways := 0
	for _, is := range []bool{p.NPM != "", p.Wheel != "", p.URL != "", p.Release} {
		if is {
			ways++
		}
	}
	if ways != 1 {
		t.Errorf("%s: %+v names %d ways", a.Name, p, ways)
	}
	if p.URL != "" {
		if u, err := url.Parse(p.URL); err != nil || u.Scheme != "https" || u.RawQuery != "" {
			t.Errorf("%s: address %s", a.Name, p.URL)
		}
	}
	if p.Release || strings.HasSuffix(p.URL, "/") {
		return // llama.cpp's own digests, or the files' hashes
	}
	b64, sri := strings.CutPrefix(p.Integrity, "sha512-")
	b, err := base64.StdEncoding.DecodeString(b64)
	hex, plain := strings.CutPrefix(p.Integrity, "sha256:")
	if p.Bytes <= 0 || !(sri && err == nil && len(b) == 64) && !(plain && sha256Pattern.MatchString(hex)) {
		t.Errorf("%s: %s has no size or hash", a.Name, p)
	}
	for _, f := range a.Files {
		if f.SHA256 == "" {
			t.Errorf("%s: %s comes in a package and needs a hash", a.Name, f.Name)
		}
	}
}

// Only these files may open connections, and only inside Fetch.
func TestWhoImportsTheNetwork(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || e.Name() == "http.go" || e.Name() == "client.go" || e.Name() == "fetch.go" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if i.Path.Value == `"net"` || strings.HasPrefix(i.Path.Value, `"net/`) {
				t.Errorf("%s imports %s", e.Name(), i.Path.Value)
			}
		}
	}
}

func TestIcon(t *testing.T) {
	if !strings.HasPrefix(string(Icon), "\x89PNG") {
		t.Error("the icon is not a PNG")
	}
}
