package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// badgerVersion is the version of Badger in this program, "" where the build
// does not say (in tests).
func badgerVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/dgraph-io/badger/v4" {
			return m.Version
		}
	}
	return ""
}

// keepForNewBadger keeps the database's files as they are before another version
// of Badger opens them for the first time: an older one might not read them
// afterwards, and there may be no backup of today.
func (s *Store) keepForNewBadger(now string) error {
	g, err := readGlobalFile(s.home)
	if err != nil || now == "" || g.Badger == "" || g.Badger == now {
		return nil // it is new, or damaged: then the check has said so
	}
	backups := filepath.Join(s.home, backupsFolder)
	if err := os.MkdirAll(backups, 0o755); err != nil {
		return fmt.Errorf("store: keep the database before Badger %s opens it: %w", now, err)
	}
	to := filepath.Join(backups, "badger-"+strings.TrimPrefix(g.Badger, "v"))
	if _, err := os.Stat(to); err == nil {
		return nil // kept already
	}
	copied, err := copyDatabase(s.home, false)
	if err == nil {
		err = os.Rename(copied, to)
	}
	if err != nil {
		return fmt.Errorf("store: keep the database before Badger %s opens it: %w", now, err)
	}
	return nil
}

// Compact gives the disk back what was deleted and written over, as far as
// Badger does. It takes a while and is for times when nothing is written.
func (s *Store) Compact() error {
	if s.db == nil {
		return fmt.Errorf("store: compact: %w", ErrHeld)
	}
	if err := s.db.Flatten(1); err != nil {
		return s.badger("compact", err)
	}
	for {
		if err := s.db.RunValueLogGC(0.5); err != nil { // ErrNoRewrite: nothing is left to do
			if errors.Is(err, badger.ErrNoRewrite) {
				return nil
			}
			return s.badger("compact", err)
		}
	}
}

// Bytes is what the database's files take.
func (s *Store) Bytes() (n int64) {
	all, _ := filepath.Glob(filepath.Join(s.home, databaseFolder, "*.sst"))
	for _, name := range all {
		if st, err := os.Stat(name); err == nil {
			n += st.Size()
		}
	}
	return n
}
