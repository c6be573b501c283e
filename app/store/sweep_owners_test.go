package store

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/dgraph-io/ristretto/v2/z"
)

// ownersOf says what of a store lies in which of its tables: of each key that is
// in use, the newest version.
func ownersOf(t testing.TB, home string) map[string]holds {
	t.Helper()
	copyHome := t.TempDir()
	copied(t, home, copyHome)
	folder := filepath.Join(copyHome, databaseFolder)
	o := &owned{t: t, at: map[string][]string{}, out: map[string]holds{}}
	tables, _ := filepath.Glob(filepath.Join(folder, "*.sst"))
	for _, path := range tables {
		for _, key := range keysOfTable(t, path) {
			o.at[key] = append(o.at[key], filepath.Base(path))
		}
	}
	db, err := badger.Open(inspected(folder, &badgerLog{}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	o.s = &Store{home: home, db: db, log: &badgerLog{}}
	o.note(keyGlobal, "", 0)
	o.note(keySchema, "", 0)
	ids, err := o.s.keys(manifests)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range ids {
		o.project(strings.TrimPrefix(key, manifests))
	}
	return o.out
}

type owned struct {
	t   testing.TB
	s   *Store
	at  map[string][]string // tables, by key and version
	out map[string]holds
}

// note says whose a key is.
func (o *owned) note(key, project string, section int) {
	o.t.Helper()
	err := o.s.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get([]byte(key))
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		for _, file := range o.at[fmt.Sprint(key, "@", item.Version())] {
			if o.out[file] == nil {
				o.out[file] = holds{}
			}
			o.out[file].add(project, section)
		}
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *owned) project(id string) {
	o.t.Helper()
	o.note(manifestKey(id), id, 0)
	m, err := o.s.manifest(id)
	if err != nil {
		o.t.Fatal(err)
	}
	for name, entry := range m.Parts {
		o.note(partKey(id, name, entry.Rev), id, sectionOf(name))
	}
	for _, name := range m.names('h') {
		plain, _, err := o.s.get(partKey(id, name, m.Parts[name].Rev), kindPart)
		var all []VersionInfo
		if err != nil || json.Unmarshal(plain, &all) != nil {
			o.t.Fatal(err)
		}
		for _, v := range all {
			o.note(versionKey(id, sectionOf(name), v.N), id, sectionOf(name))
		}
	}
}

// keysOfTable are the keys of a sound table, each with its version.
func keysOfTable(t testing.TB, path string) (out []string) {
	t.Helper()
	f, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := table.OpenTable(f, table.Options{BlockSize: 4096, Compression: options.Snappy, ChkMode: options.OnBlockRead})
	if err != nil {
		t.Fatal(err)
	}
	defer tbl.Close(-1)
	it := tbl.NewIterator(table.NOCACHE)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		out = append(out, fmt.Sprint(string(y.ParseKey(it.Key())), "@", y.ParseTs(it.Key())))
	}
	return out
}
