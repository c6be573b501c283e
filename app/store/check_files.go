package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"longhand/app/draft"
)

// journal reads a project's journal, sum by sum.
func (c *checker) journal(id string) error {
	m := c.known[id]
	d := Damage{Project: id, Index: -1, File: projectsFolder + "/" + id + "/" + journalFile}
	b, err := os.ReadFile(filepath.Join(c.home, projectsFolder, id, journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		d.Kind, d.Mended = "missing", "the database has what it held"
		if m == nil {
			d.Mended = "the mirror has the text"
		}
		return c.yield(d)
	}
	if err != nil {
		return fmt.Errorf("store: check: %w", err)
	}
	end := good(b)
	known := m == nil || m.Mark.Bytes == 0 || int64(end) >= m.Mark.Bytes && markAt(b, m.Mark)
	switch {
	case end == len(b) && (known || begunAnew(b, m)):
		return nil
	case !known:
		d.Kind, d.Mended = "damaged", "the database has what it held up to the last save"
		if int64(len(b)) < m.Mark.Bytes {
			d.Kind = "cut"
		}
	case !broken(b):
		d.Kind, d.Mended = "its last record is cut", "what stands before is there; a power cut leaves that, or a full disk"
	default:
		d.Kind = fmt.Sprintf("damaged from byte %d on", end)
		if m == nil {
			d.Kind += ", and not in the database"
		}
	}
	return c.yield(d)
}

// begunAnew says that a journal tells from its first record on all that the
// database has, which was cut off before it heard of that journal.
func begunAnew(b []byte, m *manifest) bool {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	r, err := draft.Unmarshal(line)
	first, ok := r.(draft.Snapshot)
	return err == nil && ok && first.Project != nil && first.Project.Seq >= m.Seq
}

// markAt says that the journal b has the mark.
func markAt(b []byte, m mark) bool {
	if m.Bytes > int64(len(b)) || int64(m.Line) > m.Bytes || m.Line <= sumLength {
		return false
	}
	line := b[m.Bytes-int64(m.Line) : m.Bytes]
	return crc32.ChecksumIEEE(line[:len(line)-1-sumLength]) == m.Sum && unseal(line[:len(line)-1])
}

// mirror looks at a project's files for other programs.
func (c *checker) mirror(id string) error {
	folder := filepath.Join(c.home, projectsFolder, id)
	list, err := readList(folder)
	d := Damage{Project: id, Index: -1, File: projectsFolder + "/" + id + "/" + mirrorList, Kind: "damaged", Mended: "the database has what it holds"}
	if errors.Is(err, fs.ErrNotExist) {
		if !mirrored(folder) {
			return nil // it is not written yet, or comes with the next mirror
		}
		d.Kind = "missing"
	}
	if err != nil {
		return c.yield(d)
	}
	for i, l := range list.Sections {
		b, err := os.ReadFile(filepath.Join(folder, mirrorFolder, l.File))
		d := Damage{Project: id, Section: l.ID, Title: l.Plan.Title, Index: i, File: projectsFolder + "/" + id + "/" + mirrorFolder + "/" + l.File, Mended: "the database has the text"}
		switch {
		case errors.Is(err, fs.ErrNotExist) && slices.Contains(l.Sums, ""):
			continue // it was being written, or removed
		case errors.Is(err, fs.ErrNotExist):
			d.Kind = "missing"
		case err != nil || !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0:
			d.Kind = "damaged"
		case !slices.Contains(l.Sums, fileSum(string(b))):
			d.Kind, d.Mended = "changed outside", "it is taken in when the project is opened; what was there is kept"
		default:
			continue
		}
		if err := c.yield(d); err != nil {
			return err
		}
	}
	return nil
}
