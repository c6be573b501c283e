package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// values reads what the database should hold.
func (c *checker) values() error {
	ids, _, err := c.s.index()
	if err != nil {
		if err := c.tell(Damage{File: c.fileOf(keyGlobal), Index: -1, Kind: "the list of projects cannot be read"}); err != nil {
			return err
		}
	}
	keys, err := c.s.keys(manifests)
	if err != nil {
		return err
	}
	for _, k := range keys {
		ids = append(ids, strings.TrimPrefix(k, manifests))
	}
	for _, id := range projectFolders(c.home) { // the list and the manifests may be lost
		if slices.ContainsFunc(c.tables.bad, func(t badTable) bool { return t.hides(manifestKey(id), 0) }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if err := c.project(id); err != nil {
			return err
		}
	}
	for _, t := range c.tables.bad { // damaged, but in nothing that is used now
		if c.told[t.file()] {
			continue
		}
		if err := c.tell(Damage{File: t.file(), Index: -1, Kind: "damaged: " + t.why}); err != nil {
			return err
		}
	}
	return nil
}

// strays looks at tables that are there and not listed. A kill leaves some, and
// what they hold is elsewhere too; where it is not, the MANIFEST was cut.
func (c *checker) strays() error {
	for _, name := range c.tables.strays {
		newer, err := c.newer(filepath.Join(c.home, databaseFolder, name))
		if err != nil {
			return err
		}
		if newer {
			return c.tell(Damage{File: databaseFolder + "/" + badger.ManifestFilename, Index: -1, Kind: "cut: it does not list " + name + ", which holds what was written last"})
		}
	}
	return nil
}

// newer says that a table holds a manifest, or what belongs to no project, in a
// later version than the database.
func (c *checker) newer(path string) (found bool, err error) {
	versions, err := versionsIn(path)
	if err != nil {
		return false, err
	}
	for key, version := range versions {
		if key != keyGlobal && key != keySchema && !strings.HasPrefix(key, manifests) {
			continue
		}
		at, err := c.version(key)
		if err != nil || version > at {
			return true, err
		}
	}
	return false, nil
}

// version is a key's in the database; 0: it is not there.
func (c *checker) version(key string) (v uint64, err error) {
	err = c.s.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get([]byte(key))
		if err == nil {
			v = item.Version()
		}
		return err
	})
	if missing(err) {
		err = nil
	}
	return v, err
}

// project reads a project's manifest and all that it lists.
func (c *checker) project(id string) error {
	m, err := c.s.manifest(id)
	if err != nil {
		return c.tell(Damage{Project: id, Index: -1, File: c.fileOf(manifestKey(id)), Kind: "the manifest is " + kindOf(err)})
	}
	if old, err := c.older(id, m); old || err != nil {
		return errors.Join(err, c.tellOlder(id, m))
	}
	c.known[id] = m
	hit := false
	for _, name := range slices.Sorted(maps.Keys(m.Parts)) {
		key := partKey(id, name, m.Parts[name].Rev)
		_, sum, err := c.s.get(key, kindPart)
		if err == nil && sum != m.Parts[name].Sum {
			err = errEnvelope
		}
		if err == nil {
			continue
		}
		hit = true
		d := Damage{Project: id, Index: -1, File: c.fileOf(key), Kind: describe(name) + " is " + kindOf(err)}
		if section := sectionOf(name); section != 0 {
			d.Section, d.Title, d.Index = m.section(section)
		}
		if err := c.tell(d); err != nil {
			return err
		}
	}
	if hit || !c.deep {
		return nil
	}
	if _, err := c.s.load(id, m); err != nil {
		return c.tell(Damage{Project: id, Index: -1, Kind: "the parts do not fit together: " + err.Error()})
	}
	return c.history(id, m)
}

// sectionOf is the section that a part belongs to; 0: none.
func sectionOf(part string) (id int) {
	if part != "" && (part[0] == 's' || part[0] == 'h') {
		id, _ = strconv.Atoi(part[1:]) // of the head there is none
	}
	return id
}

// section names a section as the manifest knows it.
func (m *manifest) section(id int) (section int, title string, index int) {
	i := slices.IndexFunc(m.Sections, func(l line) bool { return l.ID == id })
	if i < 0 {
		return id, "", -1 // it was removed; its history stays
	}
	return id, m.Sections[i].Title, i
}

func describe(name string) string {
	switch {
	case name == partHead, name == partMind, name == "":
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
func (c *checker) history(id string, m *manifest) error {
	for _, name := range m.names('h') {
		plain, _, err := c.s.get(partKey(id, name, m.Parts[name].Rev), kindPart)
		var all []VersionInfo
		if err != nil || json.Unmarshal(plain, &all) != nil {
			continue // told already
		}
		section := sectionOf(name)
		for _, v := range all {
			key := versionKey(id, section, v.N)
			_, sum, err := c.s.get(key, kindVersion)
			if err == nil && sum == v.Sum {
				continue
			}
			d := Damage{Project: id, File: c.fileOf(key), Kind: fmt.Sprintf("version %d of %s is %s", v.N, v.When.Format("2 Jan 2006 15:04"), kindOf(err))}
			d.Section, d.Title, d.Index = m.section(section)
			if err := c.tell(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileOf is the damaged table that may hold a key which is missing, or the
// database's folder where none is known.
func (c *checker) fileOf(key string) string {
	for _, t := range c.tables.bad {
		if t.hides(key, 0) {
			return t.file()
		}
	}
	return databaseFolder
}
