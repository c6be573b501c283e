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
	at := map[string]map[string]bool{} // by key and version
	tables, _ := filepath.Glob(filepath.Join(folder, "*.sst"))
	for _, path := range tables {
		for _, key := range keysOfTable(t, path) {
			if at[key] == nil {
				at[key] = map[string]bool{}
			}
			at[key][filepath.Base(path)] = true
		}
	}
	o := tuned(folder, &badgerLog{})
	o.NumCompactors, o.CompactL0OnClose, o.NumLevelZeroTablesStall = 0, false, 100
	db, err := badger.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &Store{home: home, db: db, log: &badgerLog{}}
	out := map[string]holds{}
	note := func(key, project string, section int) {
		err := db.View(func(txn *badger.Txn) error {
			item, err := txn.Get([]byte(key))
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			for file := range at[fmt.Sprint(key, "@", item.Version())] {
				if out[file] == nil {
					out[file] = holds{}
				}
				out[file].add(project, section)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	note(keyGlobal, "", 0)
	note(keySchema, "", 0)
	ids, err := s.keys(manifests)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range ids {
		id := strings.TrimPrefix(key, manifests)
		note(key, id, 0)
		m, err := s.manifest(id)
		if err != nil {
			t.Fatal(err)
		}
		for name, entry := range m.Parts {
			section := 0
			if name != partHead && (name[0] == 's' || name[0] == 'h') {
				fmt.Sscanf(name[1:], "%d", &section)
			}
			note(partKey(id, name, entry.Rev), id, section)
			if name[0] != 'h' || name == partHead {
				continue
			}
			plain, _, err := s.get(partKey(id, name, entry.Rev), kindPart)
			var all []VersionInfo
			if err != nil || json.Unmarshal(plain, &all) != nil {
				t.Fatal(err)
			}
			for _, v := range all {
				note(versionKey(id, section, v.N), id, section)
			}
		}
	}
	return out
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
