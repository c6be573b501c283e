package store

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"longhand/app/draft"
)

// Where a table is lost Badger may find an older version of a key in another, and
// of a manifest that is a project as it was before. It is damage like any other.

// older says that a project's manifest was written before one that a damaged
// table has lost: what it lists is gone by right, or is an older text.
func (c *checker) older(id string, m *manifest) (bool, error) {
	if len(c.tables.bad) == 0 {
		return false, nil
	}
	heads, err := c.s.keys(strings.TrimSuffix(partKey(id, partHead, 0), "0"))
	if err != nil {
		return false, err
	}
	for _, key := range heads { // one is written with every manifest
		if rev, err := strconv.Atoi(key[strings.LastIndexByte(key, '/')+1:]); err == nil && rev > m.Rev {
			return true, nil
		}
	}
	raw, err := os.ReadFile(filepath.Join(c.home, projectsFolder, id, journalFile))
	ahead := false
	if err == nil && markAt(raw, m.Mark) {
		if ahead = int64(len(raw)) > m.Mark.Bytes; !ahead {
			return false, nil // nothing was written since
		}
	}
	at, err := c.version(manifestKey(id))
	return slices.ContainsFunc(c.tables.bad, func(t badTable) bool {
		if !t.known { // what the write-ahead file has is newer than any table
			return ahead && at <= c.tables.newest
		}
		return t.hides(manifestKey(id), at)
	}), err
}

// tellOlder names the sections that the journal has newer than an older manifest.
func (c *checker) tellOlder(id string, m *manifest) error {
	d := Damage{Project: id, Index: -1, File: c.fileOf(manifestKey(id)), Kind: "the manifest is an older one"}
	if err := c.tell(d); err != nil {
		return err
	}
	p, err := c.s.load(id, m)
	if err != nil {
		return nil // what is older lists what is gone
	}
	tail, err := readBehind(filepath.Join(c.home, projectsFolder, id), m.Mark)
	if err != nil {
		return nil // another journal: it tells nothing of this one
	}
	q, err := draft.Extend(p.Clone(), tail...)
	if err != nil {
		return nil // the same
	}
	for i, s := range q.Sections {
		if k := p.Find(s.ID); k >= 0 && p.Sections[k].Text == s.Text {
			continue
		}
		d.Section, d.Index, d.Title, d.Kind = s.ID, i, q.Outline.Sections[i].Title, "the text is an older one, or missing"
		if err := c.tell(d); err != nil {
			return err
		}
	}
	return nil
}
