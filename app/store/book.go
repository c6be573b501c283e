package store

import (
	"encoding/json"
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
	err      error                 // of a commit in the background
	closed   bool

	committing sync.Mutex // one commit or mirror at a time
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
	if _, err := os.Lstat(filepath.Join(s.folder(id), journalFile)); err == nil {
		return nil, fmt.Errorf("store: create a draft: %s: %w", id, fs.ErrExist)
	}
	log, err := begin(s.folder(id), first...)
	if err != nil {
		return nil, err
	}
	b := s.book(id, log, &draft.Project{}, &manifest{Created: s.now().UTC()})
	b.mu.Lock()
	b.written = b.s.now()
	for _, r := range first {
		err = errors.Join(err, b.fold(r))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.wakeUp()
	return b, b.Save()
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
	b := &Book{s: s, id: id, log: log, p: p, man: m, dirty: map[string]bool{}, history: map[int][]VersionInfo{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	s.mu.Lock()
	s.books[id] = b
	s.mu.Unlock()
	go b.work()
	return b
}

// Open opens a project. What its journal has and the database lacks, since the
// program was killed, is taken in; then what was changed in its mirror by other
// programs.
func (s *Store) Open(id string) (*Book, error) {
	s.mu.Lock()
	have := s.books[id]
	s.mu.Unlock()
	if have != nil {
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
				return nil, errors.Join(err, b.Close())
			}
		}
	}
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

// Append does what a record says. It is in the journal when Append returns; at
// the end of a section, or of the plan, in the database too. A section that a
// person or the model is about to change is kept as a version first.
func (b *Book) Append(r draft.Record) error {
	b.mu.Lock()
	if err := b.ready(); err != nil {
		b.mu.Unlock()
		return err
	}
	for _, v := range b.due(r) {
		if err := b.append1(v); err != nil {
			b.mu.Unlock()
			return err
		}
	}
	err := b.append1(r)
	if _, ok := r.(draft.SectionDone); ok {
		b.whole = true
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	switch r.(type) {
	case draft.SectionDone, draft.PlanDone, draft.Finished:
		err = b.Save()
	}
	b.wakeUp()
	return err
}

// wakeUp has what was appended committed some time later.
func (b *Book) wakeUp() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *Book) ready() error {
	if b.closed {
		return errors.New("store: the project is closed")
	}
	err := b.err
	b.err = nil
	return err
}

func (b *Book) append1(r draft.Record) error {
	if err := b.p.Check(r); err != nil {
		return fmt.Errorf("store: project %s: %w", b.id, err)
	}
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

// all says that every part may have changed.
func (b *Book) all() {
	for name := range partsOf(b.p) {
		b.dirty[name] = true
	}
	b.changed = b.s.now()
}

// touch notes which parts a record changes. It is asked before and after the
// record is folded; parts that are new are written in any case.
func (b *Book) touch(r draft.Record) {
	b.dirty[partHead] = true
	index := func(i int) {
		if i >= 0 && i < len(b.p.Sections) {
			b.dirty[sectionPart(b.p.Sections[i].ID)] = true
		}
	}
	steps := func() {
		for i, s := range b.p.Steps {
			if i == 0 || i >= len(b.p.Steps)-b.p.Undone-1 {
				b.dirty[stepPart(s.N)] = true
			}
		}
	}
	switch r := r.(type) {
	case draft.Think:
		b.dirty[partMind] = true
	case draft.Started, draft.Snapshot, draft.Outline:
		b.all()
	case draft.SectionBegun:
		index(r.Index)
		steps()
	case draft.Text:
		index(r.Index)
	case draft.Rewind:
		index(r.Index)
	case draft.Stands:
		index(r.Index)
	case draft.TurnBegun:
		index(r.Index)
	case draft.TurnEnded:
		index(r.Index)
	case draft.SectionDone:
		index(r.Index)
	case draft.Compacted: // it ends turns that are open elsewhere
		b.dirty[partPlan] = true
		for i, s := range b.p.Sections {
			if n := len(s.Turns); n > 0 && s.Turns[n-1].Ended == "" {
				index(i)
			}
		}
	case draft.Edit:
		b.dirty[sectionPart(r.Section)] = true
		steps()
	case draft.Become:
		b.dirty[sectionPart(r.Section.ID)] = true
		steps()
	case draft.Undo:
		if i := len(b.p.Steps) - 1 - b.p.Undone; i >= 0 {
			b.touchOps(b.p.Steps[i])
		}
		steps()
	case draft.Redo:
		if i := len(b.p.Steps) - b.p.Undone; b.p.Undone > 0 {
			b.touchOps(b.p.Steps[i])
		}
		steps()
	case draft.Preference:
		b.dirty[choicePart(max(0, len(b.p.Choices)-1))] = true
	case draft.Place, draft.Remove, draft.Move, draft.Line, draft.Title:
		b.dirty[partPlan] = true
		steps()
	case draft.Note:
		steps()
	default:
		b.dirty[partPlan] = true
	}
}

func (b *Book) touchOps(s draft.Step) {
	b.dirty[partPlan] = true
	for _, op := range s.Ops() {
		switch op := op.(type) {
		case draft.Edit:
			b.dirty[sectionPart(op.Section)] = true
		case draft.Become:
			b.dirty[sectionPart(op.Section.ID)] = true
		case draft.Place:
			for _, w := range op.Sections {
				b.dirty[sectionPart(w.Section.ID)] = true
			}
		}
	}
}

// Save writes everything to the database now.
func (b *Book) Save() error {
	b.committing.Lock()
	defer b.committing.Unlock()
	b.mu.Lock()
	c, err := b.prepare()
	if c != nil {
		b.dirty, b.versions = map[string]bool{}, nil
	}
	b.mu.Unlock()
	if err != nil || c == nil {
		return err
	}
	if err = b.log.sync(); err == nil {
		err = b.s.write(c.puts, c.dels, map[string][]byte{manifestKey(b.id): c.manifest})
	}
	if err == nil {
		err = b.s.list(b.id)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		for name := range c.dirty {
			b.dirty[name] = true
		}
		b.versions = append(c.versions, b.versions...)
		return err
	}
	b.man = c.man
	return nil
}

// commit is what goes to the database in one.
type commit struct {
	puts     map[string][]byte
	dels     []string
	manifest []byte
	man      *manifest
	dirty    map[string]bool
	versions []pendingVersion
}

// prepare makes a commit of what changed; nil: nothing did.
func (b *Book) prepare() (*commit, error) {
	if b.s.db == nil {
		clear(b.dirty)
		return nil, nil
	}
	if len(b.dirty) == 0 && len(b.versions) == 0 {
		return nil, nil
	}
	was := b.man
	c := &commit{puts: map[string][]byte{}, dirty: b.dirty, versions: b.versions}
	c.man = &manifest{Rev: was.Rev + 1, Seq: b.p.Seq, Mark: b.log.end(), Title: b.p.Outline.Title, Prompt: firstLine(b.p.Request.Prompt), Target: b.p.Target,
		State: stateOf(b.p), Created: was.Created, Updated: was.Updated, Parts: map[string]part{}}
	if b.written.After(was.Updated) {
		c.man.Updated = b.written.UTC()
	}
	words := map[int]int{}
	for _, l := range was.Sections {
		words[l.ID] = l.Words
	}
	for i, s := range b.p.Sections {
		n, known := words[s.ID]
		if !known || c.dirty[sectionPart(s.ID)] {
			n = draft.CountWords(s.Text)
		}
		c.man.Sections = append(c.man.Sections, line{s.ID, b.p.Outline.Sections[i].Title, n})
		c.man.Words += n
	}
	parts := partsOf(b.p)
	if err := b.putVersions(c, parts); err != nil {
		return nil, err
	}
	for name, get := range parts {
		old, had := was.Parts[name]
		if had && !c.dirty[name] {
			c.man.Parts[name] = old
			continue
		}
		plain, err := json.Marshal(get())
		if err != nil {
			return nil, fmt.Errorf("store: write %s of %s: %w", name, b.id, err)
		}
		key := partKey(b.id, name, c.man.Rev)
		value, sum := wrap(key, kindPart, plain)
		c.man.Parts[name] = part{c.man.Rev, sum}
		c.puts[key] = value
	}
	for name, old := range was.Parts {
		if now, ok := c.man.Parts[name]; !ok || now != old {
			c.dels = append(c.dels, partKey(b.id, name, old.Rev))
		}
	}
	plain, err := json.Marshal(c.man)
	if err != nil {
		return nil, fmt.Errorf("store: write the manifest of %s: %w", b.id, err)
	}
	c.manifest, _ = wrap(manifestKey(b.id), kindManifest, plain)
	return c, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(s); len(r) > promptShown {
		s = string(r[:promptShown-1]) + "…"
	}
	return s
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
			b.background(b.Save())
			b.mu.Lock()
			rest = b.whole || b.changed.IsZero() || b.s.now().Sub(b.changed) >= mirrorIdle
			b.mu.Unlock()
		}
		b.background(b.Mirror())
	}
}

// background keeps an error for the next call that can return it.
func (b *Book) background(err error) {
	if err != nil {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
}

// Close writes everything and closes the project.
func (b *Book) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	err := b.err
	b.mu.Unlock()
	close(b.stop)
	<-b.done
	err = errors.Join(err, b.Save(), b.Mirror(), b.Prune(b.s.now()))
	b.s.mu.Lock()
	delete(b.s.books, b.id)
	b.s.mu.Unlock()
	return errors.Join(err, b.log.Close())
}

// Seq is how many records the project is made of.
func (b *Book) Seq() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.p.Seq
}
