// Package store keeps what people write, and does not lose it.
//
// Everything that happens to a project is a draft.Record. It is in the
// project's journal, a plain file, before anybody hears of it (Journal). Badger
// holds the project as those records make it, in parts, each in an envelope
// with its sum, listed by a manifest (Book). A mirror of Markdown files follows
// some seconds later, for other programs and for people (mirror.go). Backups
// are read back before they count (backup.go).
//
// So any one file can be lost or damaged and nothing is: what the database
// lacks the journal has, and the other way round. What cannot be mended by
// itself is named, and nothing is written over it (Check).
//
// The package is the only importer of Badger. Start reading at Open and Book.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// What a store's folder holds.
const (
	databaseFolder = "store"    // Badger's files
	projectsFolder = "projects" // journals and mirrors
	backupsFolder  = "backups"
	lockFile       = "store.lock"
)

// Schema is the layout of keys and values that this version writes.
//
//	0  journals alone, no database
//	1  projects in parts
const Schema = 1

// Errors that callers ask for.
var (
	ErrHeld     = errors.New("another Longhand has the store open")
	ErrNewer    = errors.New("the store was written by a newer version of Longhand")
	ErrDamaged  = errors.New("the store is damaged")
	ErrReadOnly = errors.New("the folder cannot be written")
	ErrWriting  = errors.New("it is being written: stop or wait first")
	ErrNone     = errors.New("there is no such project")
)

// Store is the projects of one person on one machine.
type Store struct {
	home string
	db   *badger.DB // nil: journals alone (Beside)
	log  *badgerLog
	lock *holder
	now  func() time.Time

	opens   sync.Mutex   // one project is opened or closed at a time
	backing sync.Mutex   // one backup at a time
	commits sync.RWMutex // commits read it, a backup writes it: nothing changes under one

	mu      sync.Mutex
	books   map[string]*Book
	notices []Damage
	global  global
	putting sync.Mutex // one change of global at a time
}

// Open opens the store in home, which is made where there is none. Once the
// store is this process's own, and before the database is opened, check is
// called, where it is not nil: it has Check run in a process of its own, since
// Badger takes the process down where a table is cut. Projects that the database
// does not know yet, or that were written to without it, are taken in.
func Open(home string, check func() error) (*Store, error) {
	s := &Store{home: home, log: &badgerLog{}, now: time.Now, books: map[string]*Book{}}
	if err := os.MkdirAll(filepath.Join(home, projectsFolder), 0o755); err != nil {
		return nil, fmt.Errorf("store: %w: %w", ErrReadOnly, err)
	}
	if err := safePlace(home); err != nil {
		return nil, err
	}
	if err := enoughRoom(home); err != nil {
		return nil, err
	}
	var err error
	if s.lock, err = hold(filepath.Join(home, lockFile)); err != nil {
		return nil, err
	}
	err = s.finishSwap()
	if err == nil && check != nil {
		err = check()
	}
	if err == nil {
		err = s.open()
	}
	if err != nil {
		s.lock.release()
		return nil, err
	}
	return s, nil
}

func (s *Store) open() (err error) {
	s.clean()
	if err := s.listed(); err != nil {
		return err
	}
	if err := s.keepForNewBadger(badgerVersion()); err != nil {
		return err
	}
	if s.db, err = badger.Open(tuned(filepath.Join(s.home, databaseFolder), s.log)); err != nil {
		return s.badger("open the database", err)
	}
	if err = s.migrate(); err == nil {
		err = s.readGlobal()
	}
	if err == nil {
		err = s.takeIn()
	}
	if err != nil {
		s.db.Close()
	}
	return err
}

// clean removes what a kill left of files that were being written.
func (s *Store) clean() {
	leftovers(s.home)
	leftovers(filepath.Join(s.home, projectsFolder))
	for _, id := range projectFolders(s.home) {
		leftovers(s.folder(id))
		leftovers(filepath.Join(s.folder(id), mirrorFolder))
	}
	all, _ := filepath.Glob(filepath.Join(s.home, backupsFolder, "*"+backupExt+partExt))
	for _, name := range all {
		os.Remove(name)
	}
	unborn(filepath.Join(s.home, databaseFolder))
}

// listed refuses tables without the MANIFEST that lists them: Badger would remove
// them and begin anew.
func (s *Store) listed() error {
	folder := filepath.Join(s.home, databaseFolder)
	tables, err := filepath.Glob(filepath.Join(folder, "*.sst"))
	if err != nil || len(tables) == 0 {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, badger.ManifestFilename)); err != nil {
		return fmt.Errorf("store: open the database: %w: %w", ErrDamaged, err)
	}
	return nil
}

// tuned are Badger's options for a book on a desk: every commit is synced, no
// value of less than 1 MiB goes to the value log, and the files are small.
func tuned(folder string, log badger.Logger) badger.Options {
	o := badger.DefaultOptions(folder)
	o.SyncWrites = true
	o.MemTableSize, o.ValueLogFileSize, o.ValueLogMaxEntries = 16<<20, 64<<20, 1<<20
	o.BaseTableSize, o.BaseLevelSize = 2<<20, 16<<20
	o.NumMemtables, o.NumLevelZeroTables, o.NumLevelZeroTablesStall, o.NumCompactors = 2, 2, 8, 2
	o.BlockCacheSize, o.IndexCacheSize = 16<<20, 0
	o.Compression, o.ChecksumVerificationMode = options.Snappy, options.OnBlockRead
	o.CompactL0OnClose, o.MetricsEnabled = true, false
	o.ExternalMagicVersion = 1
	o.Logger = log
	return o
}

// Beside opens what can be had without the database: projects by their
// journals. It is for a second process, for a disk that cannot be written, and
// for looking at a store that is damaged.
func Beside(home string) *Store {
	return &Store{home: home, now: time.Now, books: map[string]*Book{}}
}

// Whole says that the store has its database.
func (s *Store) Whole() bool { return s.db != nil }

// Close writes all that is open and closes the store. Where the disk is full the
// database is left as a kill would leave it, since Badger writes a table to close
// it, and does not survive where there is no room: nothing is lost by that. Once
// there is room Close may be called again.
func (s *Store) Close() error {
	s.backing.Lock()
	defer s.backing.Unlock()
	var errs []error
	s.opens.Lock()
	for _, b := range s.allOpen() {
		errs = append(errs, b.end())
	}
	s.opens.Unlock()
	if s.db != nil && !s.db.IsClosed() {
		if err := enoughRoom(s.home); err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, s.db.Close())
		s.lock.release()
	}
	return errors.Join(errs...)
}

// allOpen are the projects that are open.
func (s *Store) allOpen() []*Book {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.books))
}

// ids are the projects of the database.
func (s *Store) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.global.Projects)
}

// Notices are what was found damaged and mended, or could not be taken in,
// since the last call.
func (s *Store) Notices() []Damage {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.notices
	s.notices = nil
	return out
}

func (s *Store) notice(d Damage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.notices, d) {
		s.notices = append(s.notices, d)
	}
}

func (s *Store) folder(id string) string { return filepath.Join(s.home, projectsFolder, id) }

// get reads a value and checks it.
func (s *Store) get(key string, k kind) (plain []byte, sum string, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get([]byte(key))
		if err != nil {
			return err
		}
		return item.Value(func(v []byte) error {
			plain, sum, err = unwrap(key, k, v)
			return err
		})
	})
	if err != nil {
		return nil, "", fmt.Errorf("store: read %s: %w", key, err)
	}
	return plain, sum, nil
}

func (s *Store) manifest(id string) (*manifest, error) {
	b, _, err := s.get(manifestKey(id), kindManifest)
	if err != nil {
		return nil, err
	}
	m := &manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("store: read the manifest of %s: %w", id, err)
	}
	return m, nil
}

// keys lists the database's keys with a prefix.
func (s *Store) keys(prefix string) (out []string, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(prefix)})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			out = append(out, string(it.Item().Key()))
		}
		return nil
	})
	return out, err
}

// write puts and deletes values. What fits one transaction is one; more goes
// before it in several, and last, which makes the rest count, in the last.
func (s *Store) write(puts map[string][]byte, dels []string, last map[string][]byte) error {
	if err := enoughRoom(s.home); err != nil {
		return err
	}
	s.commits.RLock()
	defer s.commits.RUnlock()
	size := 0
	for k, v := range puts {
		size += len(k) + len(v) + 64
	}
	if size < mostTransaction && len(puts) < 1000 {
		if err := s.commit(puts, last, nil); err != nil {
			return err
		}
	} else {
		wb := s.db.NewWriteBatch()
		defer wb.Cancel()
		for k, v := range puts {
			if err := wb.Set([]byte(k), v); err != nil {
				return s.badger("write", err)
			}
		}
		if err := wb.Flush(); err != nil {
			return s.badger("write", err)
		}
		if err := s.commit(last, nil, nil); err != nil {
			return err
		}
	}
	for len(dels) > 0 {
		n := min(len(dels), 1000)
		if err := s.commit(nil, nil, dels[:n]); err != nil {
			return err
		}
		dels = dels[n:]
	}
	return nil
}

// mostTransaction is safely below what Badger takes with a table of 16 MiB.
const mostTransaction = 2 << 20

func (s *Store) commit(puts, more map[string][]byte, dels []string) error {
	txn := s.db.NewTransaction(true)
	defer txn.Discard()
	for _, all := range []map[string][]byte{puts, more} {
		for k, v := range all {
			if err := txn.Set([]byte(k), v); err != nil {
				return s.badger("write", err)
			}
		}
	}
	for _, k := range dels {
		if err := txn.Delete([]byte(k)); err != nil {
			return s.badger("write", err)
		}
	}
	if err := txn.Commit(); err != nil {
		return s.badger("write", err)
	}
	return nil
}

// badger is an error of Badger's with what it logged, where the reason stands.
func (s *Store) badger(what string, err error) error {
	if strings.Contains(err.Error(), "Cannot acquire directory lock") {
		return fmt.Errorf("store: %s: %w", what, ErrHeld)
	}
	if strings.Contains(err.Error(), "external magic number doesn't match") {
		return fmt.Errorf("store: %s: %w", what, ErrNewer)
	}
	if said := s.log.take(); said != "" {
		return fmt.Errorf("store: %s: %w (%s)", what, err, said)
	}
	return fmt.Errorf("store: %s: %w", what, err)
}

// badgerLog keeps the last error that Badger logged.
type badgerLog struct {
	mu   sync.Mutex
	last string
}

func (l *badgerLog) Errorf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = strings.TrimSpace(fmt.Sprintf(format, args...))
}
func (l *badgerLog) Warningf(string, ...any) {}
func (l *badgerLog) Infof(string, ...any)    {}
func (l *badgerLog) Debugf(string, ...any)   {}

func (l *badgerLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := l.last
	l.last = ""
	return said
}
