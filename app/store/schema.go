package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"longhand/app/draft"
)

// migrations take a store from the schema that is their index to the next. Each
// may be cut off at any moment and begun again.
var migrations = []func(*Store) error{
	func(s *Store) error { return s.takeIn() }, // drafts that were journals alone
}

// migrate brings the store to this version's schema. What was there is backed
// up before.
func (s *Store) migrate() error { return s.migrateBy(migrations) }

func (s *Store) migrateBy(steps []func(*Store) error) error {
	_, at, err := s.index()
	if err != nil {
		return err
	}
	if at > len(steps) {
		return fmt.Errorf("store: %w: schema %d, this version knows %d", ErrNewer, at, len(steps))
	}
	if at > 0 && at < len(steps) {
		if _, err := s.backup(fmt.Sprintf("schema-%d", at)); err != nil {
			return err
		}
	}
	for ; at < len(steps); at++ {
		if err := s.readGlobal(); err != nil {
			return err
		}
		if err := steps[at](s); err != nil {
			return fmt.Errorf("store: bring schema %d to %d: %w", at, at+1, err)
		}
		plain, err := json.Marshal(at + 1)
		if err != nil {
			return err
		}
		value, _ := wrap(keySchema, kindSchema, plain)
		if err := s.write(nil, nil, map[string][]byte{keySchema: value}); err != nil {
			return err
		}
	}
	return nil
}

// takeIn makes projects of journals and mirrors that the database does not know,
// and brings those up to date whose journal went on without it. A project that
// cannot be taken in is left as it is, and said.
func (s *Store) takeIn() error {
	ids := projectFolders(s.home)
	for _, id := range s.ids() { // listed, but no folder is left: the database has all
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		m, err := s.manifest(id)
		if err != nil && !missing(err) {
			return err
		}
		if st, e := os.Stat(filepath.Join(s.folder(id), journalFile)); err == nil && e == nil && st.Size() == m.Mark.Bytes && slices.Contains(s.ids(), id) {
			continue
		}
		if err := s.takeIn1(id); err != nil {
			if errors.Is(err, ErrFull) || errors.Is(err, ErrHeld) {
				return err
			}
			s.notice(Damage{Project: id, Index: -1, File: journalFile, Kind: firstLine(err.Error())})
		}
	}
	return nil
}

func (s *Store) takeIn1(id string) error {
	b, err := s.Open(id)
	if err == nil {
		b.mu.Lock()
		b.dirty[partHead] = true // the mark has moved
		b.mu.Unlock()
		return b.Close()
	}
	if _, e := readList(s.folder(id)); e != nil || s.has(id) || !errors.Is(err, ErrNone) && !errors.Is(err, ErrDamaged) {
		return err
	}
	if errors.Is(err, ErrDamaged) { // neither database nor journal can be read: the mirror can
		aside, err := putAside(filepath.Join(s.folder(id), journalFile))
		if err != nil {
			return err
		}
		s.notice(Damage{Project: id, Index: -1, File: journalFile, Kind: "damaged from its beginning", Mended: "the text was taken from the mirror; what was there is kept in " + aside})
	}
	return s.adopt(id)
}

// list enters a project into the database's list.
func (s *Store) list(id string) error {
	if s.db == nil || slices.Contains(s.ids(), id) {
		return nil
	}
	return s.putGlobal(func(g *global) { g.Projects = append(g.Projects, id) })
}

// Card is a project in a list.
type Card struct {
	ID       string
	Title    string // or the beginning of the prompt
	Words    int
	Target   int
	State    State
	Created  int64 // Unix seconds
	Updated  int64
	Sections int
}

// Projects are all projects, the one that was written last first. What cannot be
// read is in Notices.
func (s *Store) Projects() ([]Card, error) {
	ids := projectFolders(s.home)
	if s.db != nil {
		ids = s.ids()
	}
	var out []Card
	for _, id := range ids {
		c, err := s.card(id)
		if err != nil {
			s.notice(Damage{Project: id, Index: -1, Kind: firstLine(err.Error()), Grave: s.db != nil})
			continue
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b Card) int { return int(b.Updated - a.Updated) })
	return out, nil
}

func (s *Store) card(id string) (Card, error) {
	if s.db != nil {
		m, err := s.manifest(id)
		if err != nil {
			return Card{}, err
		}
		c := Card{ID: id, Title: m.Title, Words: m.Words, Target: m.Target, State: m.State, Created: m.Created.Unix(), Updated: m.Updated.Unix(), Sections: len(m.Sections)}
		if c.Title == "" {
			c.Title = m.Prompt
		}
		return c, nil
	}
	p, err := s.Peek(id)
	if err != nil {
		return Card{}, err
	}
	c := Card{ID: id, Title: p.Outline.Title, Words: p.Words(), Target: p.Target, State: StateOf(p), Created: s.created(id).Unix(), Updated: Changed(s.folder(id)).Unix(), Sections: len(p.Sections)}
	if c.Title == "" {
		c.Title = firstLine(p.Request.Prompt)
	}
	return c, nil
}

// Peek is a project as it stands, for looking at: nothing is opened or changed.
func (s *Store) Peek(id string) (*draft.Project, error) {
	s.mu.Lock()
	b := s.books[id]
	s.mu.Unlock()
	if b != nil {
		return b.Project(), nil
	}
	if !validID(id) {
		return nil, fmt.Errorf("store: %q: %w", id, ErrNone)
	}
	if s.db == nil {
		return s.peekJournal(id)
	}
	m, err := s.manifest(id)
	if missing(err) {
		return nil, fmt.Errorf("store: %q: %w", id, ErrNone)
	}
	if err != nil {
		return nil, err
	}
	p, err := s.load(id, m)
	if err != nil {
		return nil, err
	}
	tail, err := readBehind(s.folder(id), m.Mark)
	if err != nil { // another journal: opening the project decides
		return p, nil
	}
	return draft.Extend(p, tail...)
}

// Counts are the numbers of versions of a project's sections, by id.
func (s *Store) Counts(id string) map[int]int {
	out := map[int]int{}
	m, err := s.manifest(id)
	if err != nil {
		return out
	}
	for _, name := range m.names('h') {
		plain, _, err := s.get(partKey(id, name, m.Parts[name].Rev), kindPart)
		var all []VersionInfo
		if err == nil && json.Unmarshal(plain, &all) == nil {
			section, _ := strconv.Atoi(name[1:])
			out[section] = len(all)
		}
	}
	return out
}

// peekJournal is a project as its journal alone tells it, up to a record that is
// damaged.
func (s *Store) peekJournal(id string) (*draft.Project, error) {
	raw, err := os.ReadFile(filepath.Join(s.folder(id), journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %q: %w", id, ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("store: read %s: %w", id, err)
	}
	records, _, err := read(bytes.NewReader(raw), mark{})
	if err != nil {
		return nil, fmt.Errorf("store: read %s: %w", id, err)
	}
	if broken(raw) {
		s.notice(Damage{Project: id, Index: -1, File: journalFile, Kind: "damaged", Mended: "what stands before the damage is shown"})
	}
	return draft.Replay(records)
}
