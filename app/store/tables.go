package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/dgraph-io/ristretto/v2/z"
)

// listing is what the MANIFEST in a folder says of its tables.
type listing struct {
	bad     []badTable
	strays  []string // tables that it does not list
	dropped []uint64 // those that Badger does not survive to open
	newest  uint64   // version in those that are sound
	end     int64    // of its last whole record
}

// errManifest says that the MANIFEST cannot be read.
var errManifest = errors.New("it does not fit its sums")

// listTables reads the MANIFEST and every table that it lists.
func listTables(folder string) (l listing, err error) {
	f, err := os.Open(filepath.Join(folder, badger.ManifestFilename))
	if err != nil {
		return l, fmt.Errorf("store: check: %w", err)
	}
	defer f.Close()
	o := tuned(folder, &badgerLog{})
	m, end, err := badger.ReplayManifestFile(f, o.ExternalMagicVersion, o)
	if err != nil {
		return l, fmt.Errorf("%w: %w", errManifest, err)
	}
	l.end = end
	listed, gone := map[string]bool{}, ""
	for _, id := range slices.Sorted(maps.Keys(m.Tables)) {
		name := table.IDToFilename(id)
		listed[name] = true
		t, whole := readTable(filepath.Join(folder, name))
		if whole {
			l.newest = max(l.newest, t.newest)
			continue
		}
		if t.gone {
			gone = t.name
		}
		l.bad = append(l.bad, t)
		if !t.opens {
			l.dropped = append(l.dropped, id)
		}
	}
	all, err := filepath.Glob(filepath.Join(folder, "*.sst"))
	for _, path := range all {
		if !listed[filepath.Base(path)] {
			l.strays = append(l.strays, filepath.Base(path))
		}
	}
	if st, err := f.Stat(); err == nil && gone != "" && (st.Size() > end || len(l.strays) > 0) {
		return l, fmt.Errorf("%w: it is cut, and lists %s, which is gone by right", errManifest, gone)
	}
	return l, err
}

// drop writes into the MANIFEST in a folder that the tables are no more which
// Badger would not survive: so the others can be read. It is for a copy.
func (l listing) drop(folder string) error {
	var set []byte // a message of Protocol Buffers: field 1, a change, again and again
	for _, id := range l.dropped {
		change := binary.AppendUvarint([]byte{1 << 3}, id) // field 1: which
		change = append(change, 2<<3, 1)                   // field 2: it goes
		set = binary.AppendUvarint(append(set, 1<<3|2), uint64(len(change)))
		set = append(set, change...)
	}
	record := binary.BigEndian.AppendUint32(nil, uint32(len(set)))
	record = binary.BigEndian.AppendUint32(record, crc32.Checksum(set, crc32.MakeTable(crc32.Castagnoli)))
	f, err := os.OpenFile(filepath.Join(folder, badger.ManifestFilename), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("store: check: %w", err)
	}
	_, err = f.WriteAt(append(record, set...), l.end)
	return errors.Join(err, f.Close())
}

// versionsIn are the keys of a table that fits its sums, each with its newest
// version; of one that does not there are none.
func versionsIn(path string) (map[string]uint64, error) {
	if _, whole := readTable(path); !whole {
		return nil, nil
	}
	f, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("store: check: %w", err)
	}
	o := tuned("", nil)
	t, err := table.OpenTable(f, table.Options{BlockSize: o.BlockSize, Compression: o.Compression, ChkMode: o.ChecksumVerificationMode})
	if err != nil {
		return nil, fmt.Errorf("store: check: %w", err)
	}
	defer t.Close(-1)
	it := t.NewIterator(table.NOCACHE)
	defer it.Close()
	out := map[string]uint64{}
	for it.Rewind(); it.Valid(); it.Next() {
		key := string(y.ParseKey(it.Key()))
		out[key] = max(out[key], y.ParseTs(it.Key()))
	}
	return out, nil
}

// inspected are the options for a copy that is looked at. Nothing is compacted
// there: Badger empties a table before it removes it, and the copy's tables are
// the store's own.
func inspected(folder string, log badger.Logger) badger.Options {
	o := tuned(folder, log)
	o.SyncWrites, o.CompactL0OnClose, o.NumCompactors, o.NumLevelZeroTablesStall = false, false, 0, 1<<20
	return o
}

const copyPrefix = ".check-"

// copyDatabase makes a copy of the database that may be opened and thrown away.
// Tables are never written again, so that a second name of them will do (linked),
// as long as nothing is compacted, there (inspected) or here: Badger empties a
// table before it removes it.
func copyDatabase(home string, linked bool) (string, error) {
	folder, err := os.MkdirTemp(home, copyPrefix)
	if err != nil {
		return "", fmt.Errorf("store: check: %w", err)
	}
	from := filepath.Join(home, databaseFolder)
	all, err := os.ReadDir(from)
	for _, d := range all {
		if d.Name() == "LOCK" || err != nil || !d.Type().IsRegular() || isUnborn(filepath.Join(from, d.Name())) {
			continue
		}
		a, b := filepath.Join(from, d.Name()), filepath.Join(folder, d.Name())
		if linked && strings.HasSuffix(d.Name(), ".sst") && os.Link(a, b) == nil {
			continue
		}
		err = copySparse(a, b)
	}
	if err != nil {
		os.RemoveAll(folder)
		return "", fmt.Errorf("store: check: %w", err)
	}
	return folder, nil
}

// isUnborn says that a file is a log that was cut off between its name and its
// length. Nothing was ever in it, and Badger does not open with it.
func isUnborn(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Size() == 0 && slices.Contains([]string{".mem", ".vlog"}, filepath.Ext(name))
}

// unborn removes such files.
func unborn(folder string) {
	all, _ := os.ReadDir(folder)
	for _, d := range all {
		if name := filepath.Join(folder, d.Name()); isUnborn(name) {
			os.Remove(name)
		}
	}
}

// leftoverCopies removes what a check left that was killed.
func leftoverCopies(home string) {
	all, _ := filepath.Glob(filepath.Join(home, copyPrefix+"*"))
	for _, name := range all {
		if st, err := os.Stat(name); err == nil && time.Since(st.ModTime()) > time.Hour {
			os.RemoveAll(name)
		}
	}
}

// copySparse copies a file and leaves out blocks of zeros: Badger's logs are
// large and mostly empty.
func copySparse(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	block, zeros := make([]byte, 1<<16), make([]byte, 1<<16)
	at := int64(0)
	for {
		if at, err = nextData(in, at); err != nil {
			return err
		}
		n, err := in.ReadAt(block, at)
		if n > 0 && !bytes.Equal(block[:n], zeros[:n]) {
			if _, err := out.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return out.Truncate(at)
		}
		if err != nil {
			return err
		}
	}
}
