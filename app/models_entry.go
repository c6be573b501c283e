package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"longhand/assets"
)

// entry is one model as people and programs see it: the catalogue's, an
// installed one, or both. An unknown value is null.
type entry struct {
	Name        string   `json:"name"`
	Files       []string `json:"files"`
	Bytes       *int64   `json:"bytes"`
	SHA256      *string  `json:"sha256"` // of a model in one file
	Licence     *string  `json:"licence"`
	Installed   bool     `json:"installed"`
	Memory      *int64   `json:"memory_bytes"`
	Fits        *bool    `json:"fits"`
	Recommended bool     `json:"recommended"`

	Title      string    `json:"title"`
	Version    string    `json:"version"`
	Note       string    `json:"note"`
	Sample     bool      `json:"sample"` // shows how Longhand works, not how well it writes
	Untested   bool      `json:"untested"`
	Restricted bool      `json:"restricted"` // no commercial use
	Imported   bool      `json:"imported"`
	Hashes     []*string `json:"hashes"`    // of each file
	HashFrom   *string   `json:"hash_from"` // what the hash was compared with: catalogue, host, computed (nothing)
	Source     *string   `json:"source"`
	Path       *string   `json:"path"` // the file to open, once installed
	Verified   *bool     `json:"verified,omitempty"`
}

func (m entry) named(name string) bool {
	return strings.EqualFold(m.Name, name) || m.Path != nil && (strings.EqualFold(filepath.Base(*m.Path), name) || *m.Path == name)
}

func namedModel(m assets.Model, name string) bool { return newEntry(m).named(name) }

// known is nil for the zero value: null in JSON.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// newEntry describes an installed model.
func newEntry(m assets.Model) entry {
	x := entry{Name: m.Name, Bytes: known(m.Bytes()), Licence: known(m.Licence), Installed: !m.Missing, Memory: known(m.Memory()),
		Title: m.Title, Version: m.Version, Sample: m.Sample, Imported: m.Imported, Source: known(m.Source), Path: known(m.Path()), HashFrom: known(m.HashFrom)}
	for _, f := range m.Files {
		x.Files = append(x.Files, filepath.Base(f.Path))
		x.Hashes = append(x.Hashes, known(f.SHA256))
	}
	if len(m.Files) == 1 {
		x.SHA256 = x.Hashes[0]
	}
	if x.HashFrom == nil && x.Hashes[0] != nil {
		x.HashFrom = known("computed")
	}
	if c, ok := assets.Find(m.Name); ok {
		x.Note, x.Untested, x.Restricted = c.Note, c.Untested, c.Restricted
	}
	return x
}

// catalogueEntry describes a model that can be fetched.
func catalogueEntry(a assets.Artefact) entry {
	x := entry{Name: a.Name, Bytes: known(a.Bytes()), Licence: known(a.Licence), Memory: known(a.Memory()), Title: a.Title, Version: a.Version,
		Note: a.Note, Sample: a.Sample, Untested: a.Untested, Restricted: a.Restricted, Source: known(a.Sources[0].Packs[0].String())}
	for _, f := range a.Files {
		x.Files = append(x.Files, f.Name)
		x.Hashes = append(x.Hashes, known(f.SHA256))
	}
	if len(a.Files) == 1 {
		x.SHA256 = x.Hashes[0]
	}
	if x.Hashes[0] != nil {
		x.HashFrom = known("catalogue")
	}
	return x
}

// models lists the catalogue's models in its order, then the others.
func (e *env) models() ([]entry, assets.Machine, error) {
	machine := assets.Probe(e.ctx)
	installed, err := assets.Models(e.home)
	if err != nil {
		return nil, machine, err
	}
	best, _, _ := machine.Recommend()
	var list []entry
	for _, a := range assets.Catalogue() {
		if a.Kind != "model" {
			continue
		}
		x := catalogueEntry(a)
		if i := indexOf(installed, func(m assets.Model) bool { return m.Name == a.Name }); i >= 0 {
			x = newEntry(installed[i])
		}
		x.Recommended = a.Name == best.Name
		list = append(list, x)
	}
	for _, m := range installed {
		if _, ok := assets.Find(m.Name); !ok {
			list = append(list, newEntry(m))
		}
	}
	for i, m := range list {
		if m.Memory == nil {
			continue
		}
		if fits, ok, _ := machine.Fits(*m.Memory); ok {
			list[i].Fits = &fits
		}
	}
	return list, machine, nil
}

// entryOf describes the installed model of that name.
func (e *env) entryOf(name string) (entry, error) {
	list, _, err := e.models()
	if err != nil {
		return entry{}, err
	}
	i := indexOf(list, func(m entry) bool { return m.Name == name })
	if i < 0 {
		return entry{}, e.unknownModel(name)
	}
	return list[i], nil
}

// model finds the file of a model to open. name is a path to a GGUF file, a
// name of the catalogue, an installed file's name, or "": the best that is
// installed, which is the sample only if there is nothing else.
func (e *env) model(name string) (path string, found entry, err error) {
	if strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".gguf") {
		if st, err := os.Stat(name); err == nil && st.Mode().IsRegular() {
			return e.file(name)
		}
	}
	installed, err := assets.Models(e.home)
	if err != nil {
		return "", entry{}, err
	}
	if name == "" {
		return e.bestModel(installed)
	}
	i := indexOf(installed, func(m assets.Model) bool { return namedModel(m, name) })
	if i < 0 {
		return "", entry{}, e.unknownModel(name)
	}
	return opened(installed[i])
}

// file is a GGUF that is named by its path; what is known of it is used.
func (e *env) file(name string) (string, entry, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", entry{}, fmt.Errorf("app: model %s: %w", name, err)
	}
	installed, err := assets.Models(e.home)
	if err != nil {
		return "", entry{}, err
	}
	if i := indexOf(installed, func(m assets.Model) bool { return m.Path() == path }); i >= 0 {
		return path, newEntry(installed[i]), nil
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", entry{}, fmt.Errorf("app: model %s: %w", name, err)
	}
	title := strings.TrimSuffix(filepath.Base(path), ".gguf")
	return path, entry{Name: title, Title: title, Files: []string{filepath.Base(path)}, Bytes: known(st.Size()), Installed: true, Path: &path}, nil
}

func opened(m assets.Model) (string, entry, error) {
	if m.Missing {
		return "", entry{}, hinted{fmt.Errorf("app: model %s: a file of it is gone or has another size: %s", m.Name, m.Path()),
			"put it back, or: longhand models remove " + m.Name}
	}
	return m.Path(), newEntry(m), nil
}

// bestModel is the largest installed model that fits the memory, or else the
// smallest; the sample only where there is no other.
func (e *env) bestModel(installed []assets.Model) (string, entry, error) {
	var best, sample *assets.Model
	var machine *assets.Machine
	for i, m := range installed {
		switch {
		case m.Missing:
		case m.Sample:
			sample = &installed[i]
		case best == nil:
			best = &installed[i]
		default:
			if machine == nil {
				p := assets.Probe(e.ctx)
				machine = &p
			}
			if better(m, *best, *machine) {
				best = &installed[i]
			}
		}
	}
	if best == nil {
		best = sample
	}
	if best == nil {
		return "", entry{}, hinted{fmt.Errorf("app: no model is installed"),
			"longhand models recommend names one for this machine; longhand models pull sample fetches the small sample model"}
	}
	return opened(*best)
}

func better(m, than assets.Model, machine assets.Machine) bool {
	need := func(m assets.Model) int64 { return max(m.Memory(), m.Bytes()) }
	a, _, _ := machine.Fits(need(m))
	b, _, _ := machine.Fits(need(than))
	if a != b {
		return a
	}
	return a == (m.Bytes() > than.Bytes())
}

// unknownModel says what is wrong with a name, and what would be right.
func (e *env) unknownModel(name string) error {
	if a, ok := assets.Find(name); ok {
		return hinted{fmt.Errorf("app: model %s is not installed", a.Name), fmt.Sprintf("longhand models pull %s (%s)", a.Name, assets.Size(a.Bytes()))}
	}
	if strings.HasSuffix(name, ".gguf") {
		return hinted{fmt.Errorf("app: there is no model file %s", name), "longhand models list shows what there is"}
	}
	return hinted{fmt.Errorf("app: there is no model named %q", name), "longhand models list shows what there is; a GGUF file is named by its path"}
}

// library is the folder of the best installed build of llama.cpp for this
// machine, its kind, and why it is that one. LONGHAND_LIBRARY names another
// build of the same version, for a back end that the catalogue does not have.
func (e *env) library() (folder, kind, why string, err error) {
	return libraryFor(e.home, assets.Probe(e.ctx))
}

func libraryFor(home string, machine assets.Machine) (folder, kind, why string, err error) {
	if folder := os.Getenv("LONGHAND_LIBRARY"); folder != "" {
		return folder, "own", "named by LONGHAND_LIBRARY", nil
	}
	var reasons []string
	for _, c := range machine.Choices() {
		folder, installed := assets.Library(home, c.Kind)
		switch {
		case c.OK && installed:
			if c.Kind != "cpu" {
				reasons = []string{c.Why}
			}
			return folder, c.Kind, strings.Join(reasons, "; "), nil
		case c.OK && c.Kind != "cpu":
			reasons = append(reasons, fmt.Sprintf("%s would serve (%s): longhand models pull llama.cpp-%s", c.Kind, c.Why, c.Kind))
		default:
			reasons = append(reasons, "no "+c.Kind+": "+c.Why)
		}
	}
	return "", "", "", hinted{fmt.Errorf("app: llama.cpp %s is not installed", assets.LlamaVersion), "longhand models pull llama.cpp"}
}

// sha256 is the hash of a model file, read once and remembered.
func (e *env) sha256(path string) (string, error) {
	return assets.CachedSHA256(e.ctx, e.home, path, nil)
}
