package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"longhand/app/draft"
)

// How a damaged store is repaired.
const (
	Rebuild    = "rebuild"     // from the last good backup, the journals and the mirrors: all that can be had
	FromBackup = "from-backup" // as it was at the last good backup
)

// Repair puts a new store in the place of one that is damaged. What was there is
// moved into a folder of its own, whose name is returned, and nothing of it is
// changed. The differences are in the new store's Notices when it is opened.
func Repair(home, how string) (aside string, err error) {
	var from string
	for _, b := range backupsIn(home) {
		if verifyBackup(b.Name) == nil {
			from = b.Name
			break
		}
	}
	if how == FromBackup && from == "" {
		return "", errors.New("store: there is no good backup")
	}
	return swapIn(home, from, how == FromBackup)
}

// Restore puts a backup in the store's place, journals and mirrors too.
func Restore(home, backup string) (aside string, err error) {
	if err := verifyBackup(backup); err != nil {
		return "", err
	}
	return swapIn(home, backup, true)
}

// swapIn makes the new database beside the old one and then swaps names. With
// projects journals and mirrors are made from the database; without they stay,
// and what they have more is taken in.
func swapIn(home, from string, projects bool) (aside string, err error) {
	lock, err := hold(filepath.Join(home, lockFile))
	if err != nil {
		return "", err
	}
	defer lock.release()
	if err := enoughRoom(home); err != nil {
		return "", err
	}
	s := &Store{home: home}
	if err := s.finishSwap(); err != nil {
		return "", err
	}
	if aside, err = prepareSwap(home, from, projects); err != nil {
		return "", err
	}
	return aside, s.finishSwap()
}

// prepareSwap makes the new store and says that it is ready.
func prepareSwap(home, from string, projects bool) (aside string, err error) {
	fresh := filepath.Join(home, swapFolder)
	if err := os.RemoveAll(fresh); err != nil {
		return "", fmt.Errorf("store: restore: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(fresh, databaseFolder), 0o755); err != nil {
		return "", fmt.Errorf("store: restore: %w", err)
	}
	if err := filled(filepath.Join(fresh, databaseFolder), from); err != nil {
		return "", err
	}
	if projects {
		if err := os.MkdirAll(filepath.Join(fresh, projectsFolder), 0o755); err != nil {
			return "", fmt.Errorf("store: restore: %w", err)
		}
	}
	what := swapDatabase
	if projects {
		what = swapAll
	}
	aside = freeName(filepath.Join(home, replacedFolder))
	syncFolder(fresh)
	if err := replace(filepath.Join(fresh, swapReady), []byte(filepath.Base(aside)+"\n"+what)); err != nil {
		return "", err
	}
	syncFolder(fresh)
	return aside, nil
}

// filled makes a database of a backup, or an empty one: a folder without any would
// be taken for damage when this is cut off.
func filled(folder, backup string) error {
	if backup != "" {
		return loadBackup(backup, folder)
	}
	db, err := badger.Open(tuned(folder, &badgerLog{}))
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	return db.Close()
}

const (
	replacedFolder = "replaced" // or with a number: where an old store goes

	swapFolder = ".restored" // a new store that is to take the old one's place
	swapReady  = "ready"     // in it: it is whole; holds where the old one goes, and what goes there

	swapDatabase = "database"
	swapAll      = "all"
)

// finishSwap puts a new store in place that is ready. Every step may be cut off
// and is done again at the next start.
func (s *Store) finishSwap() error {
	fresh := filepath.Join(s.home, swapFolder)
	ready, err := os.ReadFile(filepath.Join(fresh, swapReady))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(fresh); err != nil {
			return nil
		}
		return os.RemoveAll(fresh) // it was cut off before it was whole
	}
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	to, what, _ := strings.Cut(string(ready), "\n")
	if !strings.HasPrefix(to, replacedFolder) || what != swapDatabase && what != swapAll {
		return os.RemoveAll(fresh) // it was cut: the old store is whole
	}
	aside := filepath.Join(s.home, to)
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	for _, name := range []string{projectsFolder, databaseFolder} {
		if err := s.swap(fresh, aside, name); err != nil {
			return fmt.Errorf("store: restore: %w", err)
		}
	}
	if what == swapAll {
		if err := moved(filepath.Join(s.home, globalFile), filepath.Join(aside, globalFile)); err != nil {
			return fmt.Errorf("store: restore: %w", err)
		}
	}
	syncFolder(s.home)
	return os.RemoveAll(fresh)
}

// swap puts a folder of the new store in the place of the old one's.
func (s *Store) swap(fresh, aside, name string) error {
	if _, err := os.Stat(filepath.Join(fresh, name)); err != nil {
		return nil // done already, or it stays
	}
	old := filepath.Join(s.home, name)
	if _, err := os.Stat(filepath.Join(aside, name)); errors.Is(err, fs.ErrNotExist) {
		if err := moved(old, filepath.Join(aside, name)); err != nil {
			return err
		}
	}
	os.Remove(old) // an empty folder, if one was made since
	return os.Rename(filepath.Join(fresh, name), old)
}

// moved renames what is there.
func moved(from, to string) error {
	err := os.Rename(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Difference is a section that is not the same in two stores.
type Difference struct {
	Project string
	Section int
	Title   string
	Was, Is int // words; -1: it is not there
}

// Compare lists where two states of the projects differ. was gives a project by
// its id, nil where it is unreadable.
func Compare(ids []string, was, is func(id string) *draft.Project) (out []Difference) {
	for _, id := range ids {
		a, b := was(id), is(id)
		if a == nil && b == nil {
			continue
		}
		seen := map[int]bool{}
		add := func(p, q *draft.Project, flip bool) {
			if p == nil {
				return
			}
			for i, s := range p.Sections {
				if seen[s.ID] {
					continue
				}
				seen[s.ID] = true
				text, words := "", -1
				if q != nil {
					if k := q.Find(s.ID); k >= 0 {
						text, words = q.Sections[k].Text, draft.CountWords(q.Sections[k].Text)
					}
				}
				if words >= 0 && text == s.Text {
					continue
				}
				d := Difference{id, s.ID, p.Outline.Sections[i].Title, draft.CountWords(s.Text), words}
				if flip {
					d.Was, d.Is = d.Is, d.Was
				}
				out = append(out, d)
			}
		}
		add(a, b, false)
		add(b, a, true)
	}
	slices.SortStableFunc(out, func(a, b Difference) int { return strings.Compare(a.Project, b.Project) })
	return out
}
