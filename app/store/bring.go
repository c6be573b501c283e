package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"longhand/app/draft"
)

// bring makes a book of the database's project and the journal's.
func (s *Store) bring(id string) (*Book, error) {
	if s.db == nil {
		return s.bringJournal(id, nil, nil)
	}
	m, err := s.manifest(id)
	if missing(err) {
		return s.bringJournal(id, nil, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	p, err := s.load(id, m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	log, tail, err := goOn(s.folder(id), m.Mark)
	if errors.Is(err, errOther) || errors.Is(err, os.ErrNotExist) {
		return s.bringJournal(id, p, m)
	}
	if err != nil {
		return nil, err
	}
	if len(tail) > 0 {
		if _, err := draft.Extend(p.Clone(), tail...); err != nil { // they are of another book
			log.Close()
			return s.bringJournal(id, p, m)
		}
	}
	b := s.book(id, log, p, m)
	if len(tail) > 0 {
		b.written = Changed(s.folder(id))
	}
	for _, r := range tail {
		err = errors.Join(err, b.fold(r))
	}
	if err != nil {
		b.rest()
		return nil, errors.Join(fmt.Errorf("store: project %s: its journal does not fit: %w", id, err), log.Close())
	}
	b.tellAside()
	return b, nil
}

// bringJournal makes a book where the journal is not the one that the database
// knows: longer, where the database fell back; shorter or gone, where the
// journal is damaged. What holds more records is the project; p is the
// database's, or nil.
func (s *Store) bringJournal(id string, p *draft.Project, m *manifest) (*Book, error) {
	raw, err := os.ReadFile(filepath.Join(s.folder(id), journalFile))
	switch {
	case errors.Is(err, os.ErrNotExist) && p == nil:
		return nil, fmt.Errorf("store: %q: %w", id, ErrNone)
	case errors.Is(err, os.ErrNotExist):
		return s.anew(id, p, m, nil)
	case err != nil:
		return nil, fmt.Errorf("store: open %s: %w", id, err)
	}
	records, _, err := read(bytes.NewReader(raw), mark{})
	if err != nil { // of a newer version of Longhand
		return nil, fmt.Errorf("store: open %s: %w", id, err)
	}
	q, err := s.journalled(raw, records)
	switch {
	case q == nil && p == nil:
		return nil, fmt.Errorf("store: project %s: %w: its journal cannot be read: %w", id, ErrDamaged, err)
	case q == nil || p != nil && q.Seq < p.Seq:
		return s.anew(id, p, m, raw)
	}
	log, _, err := goOn(s.folder(id), mark{})
	if err != nil {
		return nil, err
	}
	if m == nil {
		m = &manifest{Created: s.created(id)}
	}
	s.tellGap(id, m, records[0])
	b := s.book(id, log, q, m)
	b.tellAside()
	b.written = Changed(s.folder(id))
	b.all()
	b.replayVersions(records)
	return b, nil
}

// journalled is the project that the records of a journal make; nil with the
// reason, where it cannot go on.
func (s *Store) journalled(raw []byte, records []draft.Record) (*draft.Project, error) {
	q, err := draft.Extend(nil, records...)
	switch {
	case err != nil:
		return nil, err
	case q.ID == "":
		return nil, errors.New("it begins with no draft")
	case s.db == nil && broken(raw):
		return nil, errors.New("a record in it is damaged, and only with the database could the draft go on")
	}
	return q, nil
}

// tellGap says that a journal begins later than the database ends, whose last
// commits were lost.
func (s *Store) tellGap(id string, m *manifest, first draft.Record) {
	if snapshot, ok := first.(draft.Snapshot); ok && m.Rev > 0 && snapshot.Project.Seq > m.Seq {
		s.notice(Damage{Project: id, Index: -1, File: databaseFolder, Kind: "older than the journal, which begins later",
			Mended: "the text is the journal's; versions that were kept in between are in a newer backup, if anywhere"})
	}
}

// anew begins a journal anew with the database's project, which has more than
// the journal raw, and with the records in it behind the last save.
func (s *Store) anew(id string, p *draft.Project, m *manifest, raw []byte) (*Book, error) {
	told := Damage{Project: id, Index: -1, File: journalFile, Kind: "missing", Mended: "it was written anew from the database, as it was saved " + m.Updated.Local().Format("2 Jan 2006 15:04:05")}
	tail := behind(raw, p, m.Mark)
	name := filepath.Join(s.folder(id), journalFile)
	if raw != nil { // a copy: a kill leaves the one or the other
		aside, err := keepAside(name, raw)
		if err != nil {
			return nil, fmt.Errorf("store: open %s: %w", id, err)
		}
		told.Kind = "damaged"
		told.Mended += "; what was there is kept in " + filepath.Base(aside)
	}
	if tail != nil {
		told.Mended += "; the records since then were taken over"
	}
	log, err := begin(s.folder(id), draft.Snapshot{Project: p})
	if err != nil {
		return nil, err
	}
	s.notice(told)
	b := s.book(id, log, p, m)
	b.dirty[partHead] = true
	for _, r := range tail {
		err = errors.Join(err, b.put(r))
	}
	if err != nil {
		b.rest()
		return nil, errors.Join(err, log.Close())
	}
	return b, nil
}

// behind are the records of a journal behind a mark that the damage has hit:
// they follow what the project is. Where they do not there are none.
func behind(raw []byte, p *draft.Project, m mark) []draft.Record {
	if m.Bytes <= 0 || m.Bytes >= int64(len(raw)) || good(raw) >= int(m.Bytes) {
		return nil
	}
	before, _, err := read(bytes.NewReader(raw[:good(raw)]), mark{})
	if err != nil {
		return nil
	}
	if q, err := draft.Extend(nil, before...); err != nil || q.ID != "" && q.ID != p.ID {
		return nil
	}
	tail, _, err := read(bytes.NewReader(raw[m.Bytes:]), mark{})
	if err != nil {
		return nil
	}
	if _, err := draft.Extend(p.Clone(), tail...); err != nil {
		return nil
	}
	return tail
}

// mendJournal begins the journal anew where a record of it is damaged that the
// database holds: so there are two copies again.
func (b *Book) mendJournal() error {
	path := filepath.Join(b.s.folder(b.id), journalFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("store: open %s: %w", b.id, err)
	}
	if good(raw) == len(raw) {
		return nil
	}
	aside, err := keepAside(path, raw)
	if err != nil {
		return fmt.Errorf("store: open %s: %w", b.id, err)
	}
	b.s.notice(Damage{Project: b.id, Index: -1, File: journalFile, Kind: "damaged", Mended: "it was written anew from the database, which has everything; what was there is kept in " + filepath.Base(aside)})
	if err := b.beginAnew(); err != nil {
		return err
	}
	return b.Save()
}

func freeName(name string) string {
	out := name
	for i := 2; ; i++ {
		if _, err := os.Lstat(out); err != nil {
			return out
		}
		out = fmt.Sprintf("%s-%d", name, i)
	}
}

// tellAside says that a journal had records which could not be read, and which
// the database does not have either, with the sections that they name.
func (b *Book) tellAside() {
	if b.log.aside == "" {
		return
	}
	told := Damage{Project: b.id, Index: -1, File: journalFile, Kind: "damaged", Mended: "its last records could not be read; they are kept in " + filepath.Base(b.log.aside)}
	raw, _ := os.ReadFile(b.log.aside) // it was written a moment ago
	named := map[string]bool{}
	for _, hit := range indexed.FindAllSubmatch(raw, -1) {
		k, err := strconv.Atoi(string(hit[1]))
		if err != nil || k >= len(b.p.Sections) || named[string(hit[1])] {
			continue
		}
		named[string(hit[1])] = true
		told.Section, told.Index, told.Title = b.p.Sections[k].ID, k, b.p.Outline.Sections[k].Title
		b.s.notice(told)
	}
	if len(named) == 0 {
		b.s.notice(told)
	}
}

// indexed is how a record of the writer's names its section.
var indexed = regexp.MustCompile(`"index":(\d{1,6})\b`)
