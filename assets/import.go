package assets

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// Import makes a GGUF file that a person already has known to Longhand. It is
// used where it lies; with copied it is copied into home. The last Progress is
// Done; its File is the model's name.
func Import(ctx context.Context, home, path string, copied bool) iter.Seq2[Progress, error] {
	return func(yield func(Progress, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		report := func(p Progress) error {
			p.Source = path
			if !yield(p, nil) {
				return errStopped
			}
			return ctx.Err()
		}
		if err := importModel(ctx, home, path, copied, report); err != nil && err != errStopped {
			yield(Progress{}, fmt.Errorf("assets: import %s: %w", path, err))
		}
	}
}

func importModel(ctx context.Context, home, path string, copied bool, report func(Progress) error) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	m, err := describe(path)
	if err != nil {
		return err
	}
	m.Imported = true
	m.Name = freeName(home, m)
	unlock, err := lock(ctx, home, m.Name, func() error { return report(Progress{State: Waiting}) })
	if err != nil {
		return err
	}
	defer unlock()
	if copied {
		if err := copyModel(ctx, home, &m, report); err != nil {
			return err
		}
	}
	for i, f := range m.Files {
		name, tick := filepath.Base(f.Path), ticker()
		m.Files[i].SHA256, err = CachedSHA256(ctx, home, f.Path, func(done int64) error {
			if !tick() {
				return nil
			}
			return report(Progress{State: Checking, File: name, Done: done, Total: f.Bytes})
		})
		if err != nil {
			return err
		}
	}
	if err := writeJSON(recordPath(home, m.Name), m); err != nil {
		return err
	}
	return report(Progress{State: Done, File: m.Name})
}

// copyModel copies the files beside the fetched ones; a copy appears under its
// name when it is whole.
func copyModel(ctx context.Context, home string, m *Model, report func(Progress) error) error {
	dir := modelFolder(home)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := (Fetcher{}).space(dir, m.Name, m.Bytes()); err != nil {
		return err
	}
	for i, f := range m.Files {
		dest := filepath.Join(dir, filepath.Base(f.Path))
		if dest == f.Path {
			continue
		}
		if _, err := os.Stat(dest); err == nil {
			return fmt.Errorf("%s is there already", dest)
		}
		if err := copyReporting(ctx, f, dest, report); err != nil {
			return err
		}
		m.Files[i].Path = dest
	}
	return nil
}

func copyReporting(ctx context.Context, f Installed, dest string, report func(Progress) error) error {
	r, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer r.Close()
	work, err := os.MkdirTemp(filepath.Dir(dest), ".copy-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	c := &counted{Reader: r, ctx: ctx, report: report, p: Progress{State: Downloading, File: filepath.Base(dest), Total: f.Bytes}, tick: ticker()}
	half := filepath.Join(work, filepath.Base(dest))
	if err := copyFile(half, c); err != nil {
		return err
	}
	return os.Rename(half, dest)
}

// counted reports how much was read.
type counted struct {
	io.Reader
	ctx    context.Context
	report func(Progress) error
	p      Progress
	tick   func() bool
}

func (c *counted) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.Reader.Read(b)
	c.p.Done += int64(n)
	if c.tick() {
		if e := c.report(c.p); e != nil {
			return n, e
		}
	}
	return n, err
}

// describe reads what a GGUF says of itself.
func describe(path string) (Model, error) {
	files, err := parts(path)
	if err != nil {
		return Model{}, err
	}
	h, err := readHeader(path)
	if err != nil {
		return Model{}, err
	}
	name := partPattern.ReplaceAllString(filepath.Base(path), "")
	m := Model{Name: strings.TrimSuffix(name, ".gguf"), Title: h.name, Licence: h.licence, Version: h.architecture,
		Source: path, Layers: h.layers, KVWidth: h.kvWidth}
	if m.Title == "" {
		m.Title = m.Name
	}
	for _, file := range files {
		m.Files = append(m.Files, Installed{Path: file, Bytes: size(file)})
	}
	return m, nil
}

// freeName keeps an imported model from hiding the catalogue's, or another file's.
func freeName(home string, m Model) string {
	for i := 1; ; i++ {
		name := m.Name
		if i > 1 {
			name = fmt.Sprintf("%s-%d", m.Name, i)
		}
		if _, ok := Find(name); ok {
			continue
		}
		old, err := readRecord(recordPath(home, name))
		if err != nil || filepath.Base(old.Path()) == filepath.Base(m.Path()) && old.Source == m.Source {
			return name
		}
	}
}
