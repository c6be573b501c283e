package assets

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// gguf is a header with the given texts and numbers, and n bytes of weights.
func gguf(texts map[string]string, numbers map[string]uint32, n int) []byte {
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	text := func(s string) { put(uint64(len(s))); b.WriteString(s) }
	b.WriteString("GGUF")
	put(uint32(3))
	put(uint64(0))
	put(uint64(len(texts) + len(numbers) + 1))
	for _, k := range slices.Sorted(maps.Keys(texts)) {
		text(k)
		put(uint32(typeString))
		text(texts[k])
	}
	text("tokenizer.ggml.tokens")
	put(uint32(typeArray))
	put(uint32(typeString))
	put(uint64(2))
	text("a")
	text("bc")
	for _, k := range slices.Sorted(maps.Keys(numbers)) {
		text(k)
		put(uint32(4))
		put(numbers[k])
	}
	b.Write(make([]byte, n))
	return b.Bytes()
}

func tinyModel() []byte {
	return gguf(map[string]string{"general.architecture": "qwen2", "general.name": "My Model", "general.license": "mit"},
		map[string]uint32{"qwen2.block_count": 10, "qwen2.embedding_length": 512, "qwen2.attention.head_count": 8, "qwen2.attention.head_count_kv": 2}, 100)
}

func importFile(t *testing.T, home, path string, copied bool) (name string, err error) {
	for p, err := range Import(t.Context(), home, path, copied) {
		if err != nil {
			return "", err
		}
		name = p.File
	}
	return name, nil
}

func TestImport(t *testing.T) {
	home, mine := t.TempDir(), t.TempDir()
	path := filepath.Join(mine, "mine.Q4_K_M.gguf")
	os.WriteFile(path, tinyModel(), 0o644)
	name, err := importFile(t, home, path, false)
	if err != nil || name != "mine.Q4_K_M" {
		t.Fatal(name, err)
	}
	models, err := Models(home)
	if err != nil || len(models) != 1 {
		t.Fatal(models, err)
	}
	m := models[0]
	if m.Path() != path || m.Title != "My Model" || m.Licence != "mit" || !m.Imported || m.Layers != 10 || m.KVWidth != 128 || m.Files[0].SHA256 != sum(tinyModel()) {
		t.Errorf("imported: %+v", m)
	}
	if again, err := importFile(t, home, path, false); err != nil || again != name {
		t.Errorf("a second import is called %q: %v", again, err)
	}
	os.Truncate(path, 50)
	if models, _ = Models(home); len(models) != 1 || !models[0].Missing {
		t.Errorf("a file that has changed its size is listed as %+v", models)
	}
	if err := RemoveModel(home, m); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("removing the record removed a person's file")
	}
	if models, _ = Models(home); len(models) != 0 {
		t.Errorf("still listed: %+v", models)
	}
}

func TestImportCopies(t *testing.T) {
	home, path := t.TempDir(), filepath.Join(t.TempDir(), "mine.gguf")
	os.WriteFile(path, tinyModel(), 0o644)
	if _, err := importFile(t, home, path, true); err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	models, _ := Models(home)
	if len(models) != 1 || models[0].Missing || filepath.Dir(models[0].Path()) != filepath.Join(home, "models") {
		t.Errorf("installed: %+v", models)
	}
	if err := RemoveModel(home, models[0]); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(home, "models", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestImportKeepsTheCataloguesNames(t *testing.T) {
	home, path := t.TempDir(), filepath.Join(t.TempDir(), "qwen3-8b.gguf")
	os.WriteFile(path, tinyModel(), 0o644)
	if name, err := importFile(t, home, path, false); err != nil || name != "qwen3-8b-2" {
		t.Errorf("called %q: %v", name, err)
	}
}

func TestImportRefusals(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		os.WriteFile(path, b, 0o644)
		return path
	}
	v9 := append([]byte("GGUF\x09\x00\x00\x00"), make([]byte, 40)...)
	huge := append([]byte("GGUF\x03\x00\x00\x00"), bytes.Repeat([]byte{0xff}, 16)...)
	for path, want := range map[string]string{
		filepath.Join(dir, "none.gguf"):           "no such file",
		put("text.gguf", []byte("hello")):         "not a GGUF file",
		put("empty.gguf", nil):                    "not a GGUF file",
		put("cut.gguf", tinyModel()[:80]):         "cut off",
		put("v9.gguf", v9):                        "version 9 is not supported",
		put("huge.gguf", huge):                    "header is damaged",
		put("a-00001-of-00002.gguf", tinyModel()): "a-00002-of-00002.gguf is missing",
		put("b-00002-of-00002.gguf", tinyModel()): "name the first part",
		put("c-00001-of-99999.gguf", tinyModel()): "more than 1000 parts",
	} {
		if _, err := importFile(t, t.TempDir(), path, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, want)
		}
	}
}

func TestPlainFilesAreListed(t *testing.T) {
	home := t.TempDir()
	os.MkdirAll(filepath.Join(home, "models"), 0o755)
	os.WriteFile(filepath.Join(home, "models", "own.gguf"), tinyModel(), 0o644)
	os.WriteFile(filepath.Join(home, "models", "x.gguf.part"), []byte("GG"), 0o644)
	os.WriteFile(filepath.Join(home, "models", "x.gguf.part.json"), []byte("{}"), 0o644)
	os.WriteFile(filepath.Join(home, "models", "damaged.json"), []byte("{"), 0o644)
	os.WriteFile(filepath.Join(home, "models", "text.gguf"), []byte("hello"), 0o644)
	models, err := Models(home)
	if err != nil || len(models) != 1 || models[0].Name != "own" || models[0].Imported {
		t.Errorf("listed %+v, %v", models, err)
	}
}

func TestCachedHash(t *testing.T) {
	home, path := t.TempDir(), filepath.Join(t.TempDir(), "f")
	os.WriteFile(path, []byte("one"), 0o644)
	read := 0
	get := func() string {
		s, err := CachedSHA256(t.Context(), home, path, func(int64) error { read++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if get() != sum([]byte("one")) || get() != sum([]byte("one")) || read != 1 {
		t.Errorf("read %d times", read)
	}
	os.WriteFile(path, []byte("three"), 0o644)
	if get() != sum([]byte("three")) {
		t.Error("the hash of the old content was given")
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(tinyModel())
	f.Add([]byte("GGUF\x03\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(bufio.NewReader(bytes.NewReader(b)))
		if err == nil && (h.layers < 0 || h.kvWidth < 0) {
			t.Errorf("%+v", h)
		}
	})
}
