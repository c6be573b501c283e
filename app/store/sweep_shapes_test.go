package store

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"longhand/app/draft"
)

// shape is a home folder in one of the states that the program leaves it in.
type shape struct {
	name   string
	home   string
	want   state            // what the program reads there
	backed state            // what it held when its backup was made
	owners map[string]holds // what of it lies in which table
}

// holds are sections by their projects; section 0 is the rest of a project, the
// project "" what belongs to none.
type holds map[string]map[int]bool

func (h holds) add(project string, section int) {
	if h[project] == nil {
		h[project] = map[int]bool{}
	}
	h[project][section] = true
}

// shapes builds the folders that cases are copies of.
//
//	closed      as a program leaves it that was ended
//	killed      tables, commits that are in the write-ahead file alone, records that are in a journal alone
//	new         killed at its first use: no table yet
//	tables      many small tables in two levels, as a large store has them
func shapes(t testing.TB, seed uint64, large int) []*shape {
	t.Helper()
	root := t.TempDir()
	r := rand.New(rand.NewPCG(seed, 1))
	first := &shape{name: "closed", home: filepath.Join(root, "closed")}
	s := opened(t, first.home)
	a := newAuthor(t, s, r)
	a.write("p1", 6+large, 4+large/2, 14, false)
	a.write("p2", 6, 6, 10, true)
	if large > 0 { // a value that goes to the value log, as nothing does that a book has
		b := a.begin("p5", 2, false)
		a.do(b, draft.Edit{Section: b.Project().Sections[0].ID, Put: []draft.Paragraph{{Text: base64.StdEncoding.EncodeToString(garbage(r, 1500<<10))}}, Why: "import"})
		a.must(b.Save())
	}
	a.must(s.Set("theme", "dark"))
	a.must(s.PutRun(Run{ID: "r1", Folder: "/runs/r1", Job: json.RawMessage(`{"steps":3}`), Status: "done", Started: a.clock, Updated: a.clock}))
	a.must(s.BackupDue(false))
	first.backed = stateOfStore(t, s)
	trimmed, err := s.Open("p2")
	a.must(err)
	a.must(trimmed.beginAnew()) // as it is after a backup, where a journal is long
	a.must(trimmed.Save())
	for range 8 {
		a.edit(trimmed, true)
	}
	a.write("p3", 5, 3, 6, false)
	a.must(s.Set("size", 14))
	a.must(s.Close())

	killed := &shape{name: "killed", home: filepath.Join(root, "killed"), backed: first.backed}
	copied(t, first.home, killed.home)
	goOnAndKill(a, killed)

	fresh := &shape{name: "new", home: filepath.Join(root, "new")}
	work := filepath.Join(root, "work")
	a.goOn(opened(t, work))
	b := a.write("p1", 4, 2, 6, false)
	a.must(b.Save())
	a.section(b, 2, false, false)
	snapshot(t, a.s, fresh.home)
	a.must(a.s.Close())

	tables := &shape{name: "tables", home: filepath.Join(root, "tables"), backed: first.backed}
	copied(t, first.home, tables.home)
	manyTables(a, tables)

	all := []*shape{first, killed, fresh, tables}
	for _, sh := range all {
		sh.owners = ownersOf(t, sh.home)
	}
	return all
}

// goOnAndKill opens the folder of a shape, writes on, and leaves what a kill
// leaves.
func goOnAndKill(a *author, sh *shape) {
	work := sh.home + "-work"
	a.must(os.Rename(sh.home, work))
	s := opened(a.t, work)
	a.goOn(s)
	b, err := s.Open("p1")
	a.must(err)
	for range 8 {
		a.edit(b, false)
	}
	a.must(s.Set("theme", "light"))
	n := a.write("p4", 4, 2, 6, false)
	a.must(n.Save())
	a.must(b.Save())
	a.section(n, 2, false, false) // in the journal alone
	a.edit(b, false)
	snapshot(a.t, s, sh.home)
	a.must(s.Close())
}

// manyTables divides the database into small tables and lets some more lie over
// them, newer ones, as where the compaction has not come to them.
func manyTables(a *author, sh *shape) {
	old := filepath.Join(sh.home, databaseFolder)
	o := tuned(old, &badgerLog{})
	db, err := badger.Open(o)
	a.must(err)
	in, out := io.Pipe()
	go func() {
		_, err := db.Backup(out, 0)
		out.CloseWithError(err)
	}()
	o = tuned(old+"-small", &badgerLog{})
	o.BaseTableSize = 24 << 10
	small, err := badger.Open(o)
	a.must(err)
	a.must(small.Load(in, 16))
	a.must(small.Close())
	a.must(db.Close())
	a.must(os.RemoveAll(old))
	a.must(os.Rename(o.Dir, old))
	for range 3 {
		s := openedUncompacted(a.t, sh.home)
		a.goOn(s)
		for _, id := range []string{"p1", "p3"} {
			b, err := s.Open(id)
			a.must(err)
			for range 5 {
				a.edit(b, false)
			}
			a.must(b.Save())
		}
		a.must(s.Close())
	}
}

// openedUncompacted opens a store that leaves its tables as they are.
func openedUncompacted(t testing.TB, home string) *Store {
	t.Helper()
	s := &Store{home: home, log: &badgerLog{}, now: time.Now, books: map[string]*Book{}}
	var err error
	if s.lock, err = hold(filepath.Join(home, lockFile)); err != nil {
		t.Fatal(err)
	}
	o := tuned(filepath.Join(home, databaseFolder), s.log)
	o.NumCompactors, o.CompactL0OnClose, o.NumLevelZeroTablesStall = 0, false, 100
	if s.db, err = badger.Open(o); err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{s.migrate, s.readGlobal, s.takeIn} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// snapshot copies the folder of an open store: what a kill at this moment would
// leave.
func snapshot(t testing.TB, s *Store, to string) {
	t.Helper()
	for _, b := range s.allOpen() {
		b.committing.Lock()
		defer b.committing.Unlock()
	}
	copied(t, s.home, to)
}

// copied copies a home folder; holes stay holes.
func copied(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		if err := copySparse(path, filepath.Join(to, name)); err != nil {
			return err
		}
		return os.Chtimes(filepath.Join(to, name), st.ModTime(), st.ModTime())
	})
	if err != nil {
		t.Fatal(err)
	}
}
