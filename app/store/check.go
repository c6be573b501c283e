package store

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// Check looks at every file of the store in home and yields what is damaged; an
// error comes last. It opens a copy of the database, so that nothing is changed,
// and is called in a process of its own: Badger may take that down. deep reads
// the histories and the backups too.
func Check(home string, deep bool) iter.Seq2[Damage, error] {
	return func(yield func(Damage, error) bool) {
		c := &checker{home: home, deep: deep, told: map[string]bool{}, known: map[string]*manifest{}}
		stopped := errors.New("stopped")
		c.yield = func(d Damage) error {
			if !yield(d, nil) {
				return stopped
			}
			return nil
		}
		if err := c.run(); err != nil && !errors.Is(err, stopped) {
			yield(Damage{}, err)
		}
	}
}

type checker struct {
	home   string
	deep   bool
	yield  func(Damage) error
	tables listing
	told   map[string]bool // files of the database that are named
	known  map[string]*manifest
	s      *Store // over the copy
}

// tell yields damage of the database and keeps in mind which file it names.
func (c *checker) tell(d Damage) error {
	c.told[d.File], d.Grave = true, true
	return c.yield(d)
}

func (c *checker) run() error {
	leftoverCopies(c.home)
	if err := enoughRoom(c.home); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.home, swapFolder, swapReady)); err == nil {
		return c.yield(Damage{File: swapFolder, Index: -1, Kind: "a new store is ready", Mended: "it takes the old one's place when the store is opened"})
	}
	if _, err := os.Stat(filepath.Join(c.home, databaseFolder, "MANIFEST")); err == nil {
		if err := c.database(); err != nil {
			return err
		}
	} else if c.expected() {
		if err := c.tell(Damage{File: databaseFolder + "/MANIFEST", Index: -1, Kind: "missing"}); err != nil {
			return err
		}
	}
	for _, id := range c.projects() {
		if err := c.journal(id); err != nil {
			return err
		}
		if err := c.mirror(id); err != nil {
			return err
		}
	}
	if _, err := readGlobalFile(c.home); err != nil && !errors.Is(err, fs.ErrNotExist) {
		if err := c.yield(Damage{File: globalFile, Index: -1, Kind: "damaged", Mended: "the database has what it holds"}); err != nil {
			return err
		}
	}
	if c.deep {
		return c.backups()
	}
	return nil
}

// expected says that there was a database.
func (c *checker) expected() bool {
	if _, err := os.Stat(filepath.Join(c.home, globalFile)); err == nil {
		return true
	}
	all, _ := os.ReadDir(filepath.Join(c.home, databaseFolder)) // none: there was none
	return slices.ContainsFunc(all, func(d os.DirEntry) bool {
		return d.Name() != "LOCK" && d.Name() != "MANIFEST-REWRITE" // what Badger makes before the MANIFEST
	})
}

// projects are those that the database or the folders know.
func (c *checker) projects() (out []string) {
	seen := map[string]bool{}
	for id := range c.known {
		seen[id] = true
	}
	for _, id := range projectFolders(c.home) {
		seen[id] = true
	}
	for id := range seen {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// projectFolders are the projects that have a journal, not an empty one, or a
// mirror.
func projectFolders(home string) (out []string) {
	all, _ := os.ReadDir(filepath.Join(home, projectsFolder)) // without the folder there is none
	for _, d := range all {
		for _, name := range []string{journalFile, mirrorList} {
			if st, err := os.Stat(filepath.Join(home, projectsFolder, d.Name(), name)); err == nil && st.Size() > 0 && validID(d.Name()) {
				out = append(out, d.Name())
				break
			}
		}
	}
	return out
}

// database checks a copy of the database's files.
func (c *checker) database() error {
	folder, err := copyDatabase(c.home, true)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	c.tables, err = listTables(folder)
	if errors.Is(err, errManifest) {
		return c.tell(Damage{File: databaseFolder + "/" + badger.ManifestFilename, Index: -1, Kind: "damaged: " + firstLine(err.Error())})
	}
	if err == nil && len(c.tables.dropped) > 0 {
		err = c.tables.drop(folder)
	}
	if err != nil {
		return err
	}
	log := &badgerLog{}
	c.s = &Store{home: c.home, log: log}
	if c.s.db, err = badger.Open(inspected(folder, log)); err != nil {
		return c.tell(Damage{File: fileIn(c.home, err.Error()), Index: -1, Kind: "damaged: " + firstLine(c.s.badger("open", err).Error())})
	}
	defer c.s.db.Close()
	if err := c.values(); err != nil {
		return err
	}
	return c.strays()
}

// fileIn is the database's file that a message names.
func fileIn(home, message string) string {
	all, _ := os.ReadDir(filepath.Join(home, databaseFolder))
	for _, d := range all {
		if strings.Contains(message, d.Name()) {
			return databaseFolder + "/" + d.Name()
		}
	}
	for _, name := range []string{"MANIFEST", "KEYREGISTRY"} {
		if strings.Contains(strings.ToLower(message), strings.ToLower(name)) || name == "KEYREGISTRY" && strings.Contains(message, "ncryption key") || name == "MANIFEST" && strings.Contains(message, "bad magic") {
			return databaseFolder + "/" + name
		}
	}
	return databaseFolder
}
