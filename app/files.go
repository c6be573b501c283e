package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"longhand/app/draft"
)

// saveDraft writes the draft as Markdown, or with plan its outline as JSON.
func saveDraft(p *draft.Project, name string, plan bool) error {
	if name == "" || p == nil || !p.Planned {
		return nil
	}
	return replaceFile(name, draftFile(p, plan))
}

func draftFile(p *draft.Project, plan bool) []byte {
	if !plan {
		return []byte(p.Markdown())
	}
	b, err := json.MarshalIndent(p.Outline, "", "  ")
	if err != nil { // strings and numbers: it cannot be
		panic("app: outline: " + err.Error())
	}
	return append(b, '\n')
}

// replaceFile writes beside and renames, so that the file is old or new, never
// half.
func replaceFile(name string, b []byte) error {
	if p, err := filepath.EvalSymlinks(name); err == nil {
		name = p
	}
	if st, err := os.Stat(name); err == nil && !st.Mode().IsRegular() {
		return os.WriteFile(name, b, 0o644) // a device or a pipe is written, not replaced
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".longhand-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// writeLines writes JSON lines.
func writeLines[T any](name string, lines []T) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return replaceFile(name, b.Bytes())
}

// textOf reads text of sane size.
func textOf(r io.Reader, name string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPrompt+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxPrompt:
		return "", fmt.Errorf("%s is larger than 1 MiB; it cannot be a prompt or style notes", name)
	case !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0:
		return "", fmt.Errorf("%s is not UTF-8 text", name)
	}
	return string(b), nil
}
