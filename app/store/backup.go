package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/klauspost/compress/zstd"

	"longhand/app/draft"
)

// A backup is one file: a line that says what it is, Badger's own stream of all
// keys as zstd, and the SHA-256 of everything before. It counts once it was
// restored into an empty database and every project read there as it is here.
const (
	backupMark = "longhand backup 1\n"
	backupExt  = ".longhand-backup"
	partExt    = ".part" // of one that is being written
	backupStep = 24 * time.Hour
	keptDays   = 7
	keptWeeks  = 4
)

// Backup writes a backup of everything to a file and restores it to prove it.
func (s *Store) Backup(name string) error {
	s.backing.Lock()
	defer s.backing.Unlock()
	return s.proven(name)
}

// proven writes a backup that is there under its name once it was proven.
func (s *Store) proven(name string) error {
	for _, b := range s.allOpen() {
		if err := b.Save(); err != nil {
			return err
		}
	}
	if err := enoughRoom(s.home); err != nil {
		return err
	}
	part := name + partExt
	holds, err := s.writeDigested(part)
	if err == nil {
		err = s.prove(part, holds)
	}
	if err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		os.Remove(part)
		return fmt.Errorf("store: back up: %w", err)
	}
	syncFolder(filepath.Dir(name))
	return nil
}

// writeDigested writes a backup and says what it should hold. Commits wait.
func (s *Store) writeDigested(name string) (holds string, err error) {
	s.commits.Lock()
	defer s.commits.Unlock()
	if err := s.writeBackup(name); err != nil {
		return "", err
	}
	return s.digest()
}

func (s *Store) writeBackup(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("store: back up: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<16)
	fmt.Fprint(out, backupMark)
	z, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err == nil {
		_, err = s.db.Backup(z, 0)
		err = errors.Join(err, z.Close(), out.Flush())
	}
	if err == nil {
		_, err = f.Write(sum.Sum(nil))
	}
	if err = errors.Join(err, f.Sync()); err != nil {
		return fmt.Errorf("store: back up: %w", err)
	}
	return nil
}

// load restores a backup into an empty database in folder.
func loadBackup(name, folder string) error {
	if err := verifyBackup(name); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	body := io.NewSectionReader(f, int64(len(backupMark)), st.Size()-int64(len(backupMark))-sha256.Size)
	z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	defer z.Close()
	log := &badgerLog{}
	o := tuned(folder, log)
	o.SyncWrites = false // Close syncs
	db, err := badger.Open(o)
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	return errors.Join(db.Load(z, 16), db.Sync(), db.Close())
}

// verifyBackup compares a backup with its own sum.
func verifyBackup(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	head := make([]byte, len(backupMark))
	if _, err := io.ReadFull(f, head); err != nil || string(head) != backupMark {
		return fmt.Errorf("store: %s is not a backup of Longhand's", name)
	}
	if st.Size() < int64(len(backupMark)+sha256.Size) {
		return fmt.Errorf("store: the backup %s is cut", name)
	}
	sum := sha256.New()
	sum.Write(head)
	if _, err := io.CopyN(sum, f, st.Size()-int64(len(backupMark)+sha256.Size)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(f, want); err != nil || !bytes.Equal(want, sum.Sum(nil)) {
		return fmt.Errorf("store: the backup %s is damaged", name)
	}
	return nil
}

// prove restores a backup and compares it with what it should hold.
func (s *Store) prove(name, holds string) error {
	folder, err := os.MkdirTemp(s.home, copyPrefix)
	if err != nil {
		return fmt.Errorf("store: back up: %w", err)
	}
	defer os.RemoveAll(folder)
	if err := loadBackup(name, folder); err != nil {
		return err
	}
	o := tuned(folder, &badgerLog{})
	o.SyncWrites, o.CompactL0OnClose = false, false
	db, err := badger.Open(o)
	if err != nil {
		return fmt.Errorf("store: read the backup: %w", err)
	}
	t := &Store{home: s.home, db: db}
	defer db.Close()
	there, err := t.digest()
	if err != nil {
		return fmt.Errorf("store: read the backup: %w", err)
	}
	if holds != there {
		return errors.New("store: the backup does not hold what the database holds; it was not kept")
	}
	return nil
}

// digest reads every project with all that it lists, and what belongs to none,
// and sums it up.
func (s *Store) digest() (string, error) {
	h := sha256.New()
	ids, schema, err := s.index()
	if err != nil {
		return "", err
	}
	fmt.Fprintln(h, schema, ids)
	if _, sum, err := s.get(keyGlobal, kindGlobal); err == nil {
		fmt.Fprintln(h, sum)
	}
	slices.Sort(ids)
	for _, id := range ids {
		m, err := s.manifest(id)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, id, m.Rev, m.Seq, m.Mark, m.Title, m.Sections)
		if _, err := s.load(id, m); err != nil {
			return "", err
		}
		for _, name := range m.names('h') {
			fmt.Fprintln(h, name, m.Parts[name])
		}
		c := &checker{s: s, told: map[string]bool{}, yield: func(d Damage) error { return errors.New(d.String()) }}
		if err := c.history(id, m); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// backup makes a backup in the store's own folder.
func (s *Store) backup(name string) (string, error) {
	folder := filepath.Join(s.home, backupsFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("store: back up: %w", err)
	}
	path := filepath.Join(folder, name+backupExt)
	return path, s.proven(path)
}

// BackupDue makes the day's backup where there is none yet, or, with always,
// where anything changed since it was made. Older ones are kept one a day for a
// week and one a week for four. Long journals begin anew after it.
func (s *Store) BackupDue(always bool) error {
	s.backing.Lock()
	defer s.backing.Unlock()
	if s.db == nil || s.db.IsClosed() {
		return nil
	}
	for _, b := range s.allOpen() { // what waits to be committed is a change too
		if err := b.Save(); err != nil {
			return err
		}
	}
	if len(s.ids()) == 0 {
		return nil
	}
	now := s.now()
	today := now.Format("2006-01-02")
	if all := s.Backups(); len(all) > 0 {
		last := all[0].When
		isToday := now.Sub(last) < backupStep && last.Format("2006-01-02") == today
		if isToday && !always || !s.changedSince(last) {
			return nil
		}
	}
	if _, err := s.backup(today); err != nil {
		return err
	}
	for _, b := range spare(s.Backups()) {
		os.Remove(b.Name)
	}
	return s.trim()
}

// changedSince says whether anything was written after a moment.
func (s *Store) changedSince(when time.Time) bool {
	if st, err := os.Stat(filepath.Join(s.home, globalFile)); err == nil && st.ModTime().After(when) {
		return true
	}
	for _, id := range s.ids() {
		if m, err := s.manifest(id); err != nil || m.Saved.After(when) {
			return true
		}
	}
	return false
}

// longJournal is a journal that begins anew after a backup: what it told before
// is in the database and in the backup.
const longJournal = 32 << 20

func (s *Store) trim() error {
	for _, id := range s.ids() {
		m, err := s.manifest(id)
		if err == nil && m.Mark.Bytes >= longJournal {
			err = s.shorten(id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shorten has the journal of a project that nobody has open begin anew.
func (s *Store) shorten(id string) error {
	s.opens.Lock()
	defer s.opens.Unlock()
	s.mu.Lock()
	_, open := s.books[id]
	s.mu.Unlock()
	if open {
		return nil
	}
	b, err := s.bring(id)
	if err != nil {
		return err
	}
	err = b.beginAnew()
	return errors.Join(err, b.end())
}

// beginAnew writes the journal anew: the project as it is, in one record.
func (b *Book) beginAnew() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	folder, end := b.s.folder(b.id), b.log.end()
	err := b.log.Close() // before another takes its place: Windows asks for that
	if err != nil {
		return err
	}
	log, err := begin(folder, draft.Snapshot{Project: b.p})
	if err != nil {
		if log, _, e := goOn(folder, end); e == nil {
			b.log = log
		}
		return err
	}
	b.log = log
	b.dirty[partHead] = true
	return nil
}

// BackupFile is a backup in the store's own folder.
type BackupFile struct {
	Name  string
	When  time.Time
	Bytes int64
}

// Backups are the store's own, the newest first.
func (s *Store) Backups() []BackupFile { return backupsIn(s.home) }

func backupsIn(home string) (out []BackupFile) {
	all, _ := filepath.Glob(filepath.Join(home, backupsFolder, "*"+backupExt))
	for _, name := range all {
		if st, err := os.Stat(name); err == nil {
			when := st.ModTime()
			if when.After(time.Now().Add(time.Hour)) { // of a clock that was wrong: the oldest
				when = time.Time{}
			}
			out = append(out, BackupFile{name, when, st.Size()})
		}
	}
	slices.SortFunc(out, func(a, b BackupFile) int { return b.When.Compare(a.When) })
	return out
}

// spare are the backups that need not be kept: not the newest of the last seven
// days that have one, nor of the last four weeks, nor one before a change of
// the schema.
func spare(all []BackupFile) (out []BackupFile) {
	days, weeks := map[string]bool{}, map[string]bool{}
	for _, b := range all {
		day := b.When.Format("2006-01-02")
		year, week := b.When.ISOWeek()
		w := fmt.Sprint(year, week)
		keep := strings.HasPrefix(filepath.Base(b.Name), "schema-")
		if !days[day] && len(days) < keptDays {
			days[day], keep = true, true
		}
		if !weeks[w] && len(weeks) < keptWeeks {
			weeks[w], keep = true, true
		}
		if !keep {
			out = append(out, b)
		}
	}
	return out
}

// backups checks the backups' sums.
func (c *checker) backups() error {
	for _, b := range backupsIn(c.home) {
		if err := verifyBackup(b.Name); err != nil {
			if err := c.yield(Damage{File: backupsFolder + "/" + filepath.Base(b.Name), Index: -1, Kind: "damaged", Mended: "the next backup takes its place"}); err != nil {
				return err
			}
		}
	}
	return nil
}
