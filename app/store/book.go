package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"longhand/app/draft"
)

// Book is a project that is open. It is the project's draft.Log: a record is in
// the journal when Append returns, and in the database two seconds later, or
// before, where much hangs on it. Any goroutine may use it.
type Book struct {
	s   *Store
	id  string
	log *Journal

	mu       sync.Mutex
	p        *draft.Project
	man      *manifest
	dirty    map[string]bool // parts that changed since the last commit
	versions []pendingVersion
	history  map[int][]VersionInfo // of sections, as far as it was read
	changed  time.Time             // the last change that is not in the mirror; zero: none
	written  time.Time             // when the last record was appended; zero: before the last commit
	whole    bool                  // a section was finished since the mirror was written
	kept     map[int]time.Time     // when the last version of a section was kept, as far as this process did
	storing  []pendingVersion      // versions of the commit that is under way
	writing  bool                  // a Hand has the project
	others   []draft.Record        // what others did since the Hand last asked
	closed   bool
	refs     int // how often it is open, under Store.opens

	committing sync.Mutex // one commit at a time
	mirroring  sync.Mutex // one mirror at a time
	wake       chan struct{}
	stop       chan struct{}
	done       chan struct{}
}

const (
	commitEvery = 2 * time.Second // other text than the journal's is at most so old
	mirrorIdle  = 3 * time.Second // without a change, then the mirror is written
	promptShown = 120             // characters of a prompt in a list
)

// Create begins a project with its first records: with all of them, or, where it
// is cut off, not at all.
func (s *Store) Create(id string, first ...draft.Record) (*Book, error) {
	if !validID(id) {
		return nil, fmt.Errorf("store: %q is no name for a project", id)
	}
	s.opens.Lock()
	defer s.opens.Unlock()
	if _, err := os.Lstat(filepath.Join(s.folder(id), journalFile)); err == nil {
		return nil, fmt.Errorf("store: create a draft: %s: %w", id, fs.ErrExist)
	}
	log, err := begin(s.folder(id), first...)
	if err != nil {
		return nil, err
	}
	b := s.book(id, log, &draft.Project{}, &manifest{Created: s.now().UTC()})
	b.written = b.s.now()
	for _, r := range first {
		err = errors.Join(err, b.fold(r))
	}
	if err != nil {
		b.rest()
		return nil, errors.Join(err, log.Close())
	}
	s.publish(b)
	b.wakeUp()
	return b, b.Save()
}

// publish lets others see a project that is open.
func (s *Store) publish(b *Book) {
	b.refs = 1
	s.mu.Lock()
	s.books[b.id] = b
	s.mu.Unlock()
}

// validID keeps a project's name to what is a file's name everywhere.
func validID(id string) bool {
	ok := id != "" && len(id) <= 64 && id[0] != '-' && id[0] != '.'
	for _, r := range id {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
	}
	return ok
}

// book starts what works behind an open project.
func (s *Store) book(id string, log *Journal, p *draft.Project, m *manifest) *Book {
	if m.Parts == nil {
		m.Parts = map[string]part{}
	}
	b := &Book{s: s, id: id, log: log, p: p, man: m, dirty: map[string]bool{}, history: map[int][]VersionInfo{}, kept: map[int]time.Time{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go b.work()
	return b
}

// Open opens a project. What its journal has and the database lacks, since the
// program was killed, is taken in; then what was changed in its mirror by other
// programs. Who opens a project that is open has the same book; it is closed
// with its last Close.
func (s *Store) Open(id string) (*Book, error) {
	s.opens.Lock()
	defer s.opens.Unlock()
	s.mu.Lock()
	have := s.books[id]
	s.mu.Unlock()
	if have != nil {
		have.refs++
		return have, nil
	}
	if !validID(id) {
		return nil, fmt.Errorf("store: %q: %w", id, ErrNone)
	}
	b, err := s.bring(id)
	if err != nil {
		return nil, err
	}
	if s.db != nil {
		for _, step := range []func() error{b.Save, b.mendJournal, b.readMirror} {
			if err := step(); err != nil {
				return nil, errors.Join(err, b.end())
			}
		}
	}
	s.publish(b)
	return b, nil
}

// created is when a project was begun that says so in its name alone.
func (s *Store) created(id string) time.Time {
	if len(id) >= len("20060102-150405") {
		if t, err := time.ParseInLocation("20060102-150405", id[:15], time.Local); err == nil {
			return t.UTC()
		}
	}
	return s.now().UTC()
}

// load reads a project's parts.
func (s *Store) load(id string, m *manifest) (*draft.Project, error) {
	p, err := projectOf(m, func(name string) ([]byte, error) {
		b, sum, err := s.get(partKey(id, name, m.Parts[name].Rev), kindPart)
		if err == nil && sum != m.Parts[name].Sum {
			err = fmt.Errorf("store: read %s of %s: it is not what the manifest lists", name, id)
		}
		return b, err
	})
	if err != nil {
		return nil, err
	}
	if p.Seq != m.Seq || len(p.Sections) != len(m.Sections) || len(p.Sections) > 0 && len(p.Outline.Sections) != len(p.Sections) {
		return nil, fmt.Errorf("store: project %s is not what its manifest lists", id)
	}
	return p, nil
}

// ID is the project's.
func (b *Book) ID() string { return b.id }

// Project is a copy of the project as it stands.
func (b *Book) Project() *draft.Project {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.p.Clone()
}

// Append does what a record says. It is in the journal when Append returns, and
// an error says that it is not; at the end of a section, or of the plan, it is in
// the database too. A section that is about to change is kept as a version first.
// What fails later, in the database or the mirror, is told by Notices.
func (b *Book) Append(r draft.Record) error { return b.append(r, false) }

// append does what a record says, by the hand that writes the draft or another.
func (b *Book) append(r draft.Record, byHand bool) error {
	b.mu.Lock()
	err := b.may(r, byHand)
	if err == nil {
		for _, v := range b.due(r) {
			if err = b.put(v); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = b.put(r)
	}
	if err == nil && b.writing && !byHand {
		b.others = append(b.others, r)
	}
	if _, ok := r.(draft.SectionDone); ok {
		b.whole = true
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	switch r.(type) {
	case draft.SectionDone, draft.PlanDone, draft.Finished:
		b.background(databaseFolder, b.Save())
	}
	b.wakeUp()
	return nil
}

// may says why a record cannot be appended now.
func (b *Book) may(r draft.Record, byHand bool) error {
	if b.closed {
		return errors.New("store: the project is closed")
	}
	if err := b.p.Check(r); err != nil {
		return fmt.Errorf("store: project %s: %w", b.id, err)
	}
	if !b.writing || byHand {
		return nil
	}
	switch r := r.(type) {
	case draft.Place, draft.Remove, draft.Move, draft.Undo, draft.Redo, draft.Become, draft.Snapshot:
		return fmt.Errorf("store: project %s: %w", b.id, ErrWriting)
	case draft.Edit:
		return b.mayChange(r.Section)
	case draft.Line:
		return b.mayChange(r.Section)
	}
	return nil
}

// mayChange refuses the section that is being written.
func (b *Book) mayChange(section int) error {
	if s := b.p.Sections[b.p.Find(section)]; s.Begun && !s.Done {
		return fmt.Errorf("store: project %s: %w", b.id, ErrWriting)
	}
	return nil
}

// Hand is the writer of a draft: the log that a draft.Writer writes to. While it
// is held, others may change sections that are not being written, which the
// writer takes in at its next turn, and nothing that moves sections.
type Hand struct{ b *Book }

// Hand gives the project to a writer until Close.
func (b *Book) Hand() (*Hand, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writing {
		return nil, fmt.Errorf("store: project %s: %w", b.id, ErrWriting)
	}
	b.writing, b.others = true, nil
	return &Hand{b}, nil
}

// Append is the book's Append.
func (h *Hand) Append(r draft.Record) error { return h.b.append(r, true) }

// Others are the records that others appended since the last call.
func (h *Hand) Others() []draft.Record {
	h.b.mu.Lock()
	defer h.b.mu.Unlock()
	out := h.b.others
	h.b.others = nil
	return out
}

// Close gives the project back.
func (h *Hand) Close() {
	h.b.mu.Lock()
	defer h.b.mu.Unlock()
	h.b.writing, h.b.others = false, nil
}

// wakeUp has what was appended committed some time later.
func (b *Book) wakeUp() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// put writes a record that fits into the journal and takes it into the project.
func (b *Book) put(r draft.Record) error {
	if err := b.log.Append(r); err != nil {
		return err
	}
	b.written = b.s.now()
	return b.fold(r)
}

// fold takes a record of the journal into the project.
func (b *Book) fold(r draft.Record) error {
	b.touch(r)
	if _, err := draft.Extend(b.p, r); err != nil {
		return err
	}
	b.touch(r)
	if v, ok := r.(draft.Version); ok {
		b.version(b.p, v)
	}
	b.changed = b.s.now()
	return nil
}

// work commits what was appended, some time later, and writes the mirror when
// the writer rests.
func (b *Book) work() {
	defer close(b.done)
	read := time.After(mirrorIdle)
	for {
		select {
		case <-b.stop:
			return
		case <-read: // what it took to read the book is not needed to have it open
			debug.FreeOSMemory()
			continue
		case <-b.wake:
		}
		for rest := false; !rest; {
			select {
			case <-b.stop:
				return
			case <-time.After(commitEvery):
			}
			b.background(databaseFolder, b.Save())
			b.mu.Lock()
			rest = b.whole || b.changed.IsZero() || b.s.now().Sub(b.changed) >= mirrorIdle
			b.mu.Unlock()
		}
		b.background(mirrorFolder, b.Mirror())
	}
}

// background tells of what failed while nobody waited for it. What was appended
// is in the journal.
func (b *Book) background(what string, err error) {
	if err != nil {
		b.s.notice(Damage{Project: b.id, Index: -1, File: what, Kind: "not written: " + firstLine(err.Error()), Mended: "the journal has everything"})
	}
}

// Close gives the project back. Once nobody has it open, everything is written.
func (b *Book) Close() error {
	b.s.opens.Lock()
	defer b.s.opens.Unlock()
	if b.refs--; b.refs > 0 {
		return b.Save()
	}
	return b.end()
}

// end writes everything and closes the project.
func (b *Book) end() error {
	if !b.rest() {
		return nil
	}
	err := errors.Join(b.Save(), b.Mirror(), b.Prune(b.s.now()))
	b.s.mu.Lock()
	delete(b.s.books, b.id)
	b.s.mu.Unlock()
	return errors.Join(err, b.log.Close())
}

// rest ends what works behind the project; false: it was ended before.
func (b *Book) rest() bool {
	b.mu.Lock()
	was := b.closed
	b.closed = true
	b.mu.Unlock()
	if !was {
		close(b.stop)
		<-b.done
	}
	return !was
}

// Seq is how many records the project is made of.
func (b *Book) Seq() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.p.Seq
}
