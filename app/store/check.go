package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dgraph-io/badger/v4"
)

// Check looks at every file of the store in home and yields what is damaged; an
// error comes last. It opens a copy of the database, so that nothing is changed,
// and is called in a process of its own: Badger may take that down. deep reads
// the histories and the backups too.
func Check(home string, deep bool) iter.Seq2[Damage, error] {
	return func(yield func(Damage, error) bool) {
		c := &checker{home: home, deep: deep, known: map[string]*manifest{}}
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
	home  string
	deep  bool
	yield func(Damage) error
	bad   []badTable
	known map[string]*manifest
	s     *Store // over the copy
}

func (c *checker) run() error {
	leftoverCopies(c.home)
	if _, err := os.Stat(filepath.Join(c.home, databaseFolder, "MANIFEST")); err == nil {
		if err := c.database(); err != nil {
			return err
		}
	} else if c.expected() {
		if err := c.yield(Damage{File: databaseFolder + "/MANIFEST", Index: -1, Kind: "missing", Grave: true}); err != nil {
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
	all, err := os.ReadDir(filepath.Join(c.home, databaseFolder))
	return err == nil && len(all) > 0
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

// projectFolders are the projects that have a journal or a mirror.
func projectFolders(home string) (out []string) {
	all, _ := os.ReadDir(filepath.Join(home, projectsFolder)) // without the folder there is none
	for _, d := range all {
		for _, name := range []string{journalFile, mirrorList} {
			if _, err := os.Stat(filepath.Join(home, projectsFolder, d.Name(), name)); err == nil && validID(d.Name()) {
				out = append(out, d.Name())
				break
			}
		}
	}
	return out
}

// database checks a copy of the database's files.
func (c *checker) database() error {
	folder, err := copyDatabase(c.home)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if c.bad, err = badTables(folder); err != nil {
		return err
	}
	for _, t := range c.bad {
		if !t.opens { // Badger would not survive it: what it holds is told without it
			return c.yield(Damage{File: t.file(), Index: -1, Kind: "damaged: " + t.why, Grave: true})
		}
	}
	log := &badgerLog{}
	o := tuned(folder, log)
	o.SyncWrites, o.CompactL0OnClose = false, false
	s := &Store{home: c.home, log: log}
	if s.db, err = badger.Open(o); err != nil {
		return c.yield(Damage{File: fileIn(c.home, err.Error()), Index: -1, Kind: "damaged: " + firstLine(s.badger("open", err).Error()), Grave: true})
	}
	defer s.db.Close()
	c.s = s
	return c.values()
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

// values reads what the database should hold.
func (c *checker) values() error {
	ids, state, err := c.s.index()
	if err != nil {
		return c.yield(Damage{File: c.fileOf(keyGlobal), Index: -1, Kind: "the list of projects cannot be read", Grave: true})
	}
	if state == 0 && !c.expected() {
		return nil
	}
	found := map[string]bool{}
	keys, err := c.s.keys(manifests)
	if err != nil {
		return err
	}
	for _, k := range keys {
		found[strings.TrimPrefix(k, manifests)] = true
	}
	for _, id := range ids {
		found[id] = true
	}
	reported := len(c.bad) == 0
	for id := range found {
		hit, err := c.project(id)
		if err != nil {
			return err
		}
		reported = reported || hit
	}
	if !reported { // damaged, but in nothing that is used now
		for _, t := range c.bad {
			if err := c.yield(Damage{File: t.file(), Index: -1, Kind: "damaged: " + t.why, Grave: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

// project reads a project's manifest and all that it lists.
func (c *checker) project(id string) (hit bool, err error) {
	m, err := c.s.manifest(id)
	if err != nil {
		return true, c.yield(Damage{Project: id, Index: -1, File: c.fileOf(manifestKey(id)), Kind: "the manifest is " + kindOf(err), Grave: true})
	}
	c.known[id] = m
	for name, entry := range m.Parts {
		key := partKey(id, name, entry.Rev)
		_, sum, err := c.s.get(key, kindPart)
		if err == nil && sum != entry.Sum {
			err = errEnvelope
		}
		if err == nil {
			continue
		}
		hit = true
		d := Damage{Project: id, Index: -1, File: c.fileOf(key), Kind: describe(name) + " is " + kindOf(err), Grave: true}
		if i := slices.IndexFunc(m.Sections, func(l line) bool { return name == sectionPart(l.ID) || name == historyPart(l.ID) }); i >= 0 {
			d.Section, d.Title, d.Index = m.Sections[i].ID, m.Sections[i].Title, i
		}
		if err := c.yield(d); err != nil {
			return hit, err
		}
	}
	if hit || !c.deep {
		return hit, nil
	}
	if _, err := c.s.load(id, m); err != nil {
		return true, c.yield(Damage{Project: id, Index: -1, Kind: "the parts do not fit together: " + err.Error(), Grave: true})
	}
	return c.history(id, m)
}

func describe(name string) string {
	switch {
	case name == partHead, name == partMind:
		return "the head"
	case name == partPlan:
		return "the outline"
	case name[0] == 's':
		return "the text"
	case name[0] == 'h':
		return "the history"
	case name[0] == 'u':
		return "what can be undone"
	}
	return "the choices"
}

func kindOf(err error) string {
	if missing(err) {
		return "missing"
	}
	return "damaged"
}

func missing(err error) bool { return errors.Is(err, badger.ErrKeyNotFound) }

// history reads the versions of all sections.
func (c *checker) history(id string, m *manifest) (hit bool, err error) {
	for _, name := range m.names('h') {
		plain, _, err := c.s.get(partKey(id, name, m.Parts[name].Rev), kindPart)
		var all []VersionInfo
		if err != nil || json.Unmarshal(plain, &all) != nil {
			continue // told already
		}
		var section int
		fmt.Sscanf(name, "h%d", &section)
		for _, v := range all {
			key := versionKey(id, section, v.N)
			_, sum, err := c.s.get(key, kindVersion)
			if err == nil && sum == v.Sum {
				continue
			}
			hit = true
			d := Damage{Project: id, Section: section, Index: -1, File: c.fileOf(key), Kind: fmt.Sprintf("version %d of %s is %s", v.N, v.When.Format("2 Jan 2006 15:04"), kindOf(err)), Grave: true}
			if i := slices.IndexFunc(m.Sections, func(l line) bool { return l.ID == section }); i >= 0 {
				d.Title, d.Index = m.Sections[i].Title, i
			}
			if err := c.yield(d); err != nil {
				return hit, err
			}
		}
	}
	return hit, nil
}

// journal reads a project's journal, sum by sum.
func (c *checker) journal(id string) error {
	m := c.known[id]
	d := Damage{Project: id, Index: -1, File: projectsFolder + "/" + id + "/" + journalFile}
	b, err := os.ReadFile(filepath.Join(c.home, projectsFolder, id, journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		d.Kind, d.Mended = "missing", "the database has what it held"
		if m == nil {
			d.Mended = "the mirror has the text"
		}
		return c.yield(d)
	}
	if err != nil {
		return fmt.Errorf("store: check: %w", err)
	}
	good := 0
	for good < len(b) {
		n := bytes.IndexByte(b[good:], '\n')
		if n < 0 || !unseal(b[good:good+n]) {
			break
		}
		good += n + 1
	}
	whole := good == len(b) || bytes.IndexByte(b[good:], '\n') < 0
	known := m == nil || m.Mark.Bytes == 0 || int64(good) >= m.Mark.Bytes && markAt(b, m.Mark)
	switch {
	case whole && known:
		return nil
	case m != nil && int64(good) < m.Mark.Bytes, m != nil && !known:
		d.Kind, d.Mended = "damaged", "the database has what it held up to the last save"
		if int64(len(b)) < m.Mark.Bytes {
			d.Kind = "cut"
		}
	default:
		d.Kind = fmt.Sprintf("damaged from byte %d on", good)
		if m == nil {
			d.Kind += ", and not in the database"
		}
	}
	return c.yield(d)
}

// markAt says that the journal b has the mark.
func markAt(b []byte, m mark) bool {
	if m.Bytes > int64(len(b)) || int64(m.Line) > m.Bytes || m.Line <= sumLength {
		return false
	}
	line := b[m.Bytes-int64(m.Line) : m.Bytes]
	return crc32.ChecksumIEEE(line[:len(line)-1-sumLength]) == m.Sum && unseal(line[:len(line)-1])
}

// mirror looks at a project's files for other programs.
func (c *checker) mirror(id string) error {
	folder := filepath.Join(c.home, projectsFolder, id)
	list, err := readList(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is not written yet, or comes with the next mirror
	}
	d := Damage{Project: id, Index: -1, File: projectsFolder + "/" + id + "/" + mirrorList, Kind: "damaged", Mended: "the database has what it holds"}
	if err != nil {
		return c.yield(d)
	}
	for i, l := range list.Sections {
		b, err := os.ReadFile(filepath.Join(folder, mirrorFolder, l.File))
		d := Damage{Project: id, Section: l.ID, Title: l.Plan.Title, Index: i, File: projectsFolder + "/" + id + "/" + mirrorFolder + "/" + l.File, Mended: "the database has the text"}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.Kind = "missing"
		case err != nil || !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0:
			d.Kind = "damaged"
		case !slices.Contains(l.Sums, fileSum(string(b))):
			d.Kind, d.Mended = "changed outside", "it is taken in when the project is opened; what was there is kept"
		default:
			continue
		}
		if err := c.yield(d); err != nil {
			return err
		}
	}
	return nil
}

// fileOf is the damaged file that may hold a key, "" where none is known.
func (c *checker) fileOf(key string) string {
	for _, t := range c.bad {
		if t.may(key) {
			return t.file()
		}
	}
	return ""
}
