package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/dgraph-io/ristretto/v2/z"
)

// badTable is a table of the database that does not fit its own sums.
type badTable struct {
	name        string
	why         string
	opens       bool // Badger survives to open it
	first, last []byte
}

func (t badTable) file() string { return databaseFolder + "/" + t.name }

// may says whether the key may lie in the table.
func (t badTable) may(key string) bool {
	return !t.opens || bytes.Compare(t.first, []byte(key)) <= 0 && bytes.Compare([]byte(key), t.last) <= 0
}

// badTables reads every table of a database's folder, block by block. Badger
// itself dies on a table that was cut.
func badTables(folder string) (bad []badTable, err error) {
	all, err := filepath.Glob(filepath.Join(folder, "*.sst"))
	if err != nil {
		return nil, fmt.Errorf("store: check: %w", err)
	}
	for _, path := range all {
		if t, ok := readTable(path); !ok {
			bad = append(bad, t)
		}
	}
	return bad, nil
}

func readTable(path string) (t badTable, ok bool) {
	t.name = filepath.Base(path)
	defer func() {
		if p := recover(); p != nil {
			t.why, ok = "it cannot be read", false
		}
	}()
	st, err := os.Stat(path)
	if err != nil || st.Size() < 16 {
		t.why = "it is empty or cut"
		return t, false
	}
	f, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.why = err.Error()
		return t, false
	}
	opts := table.Options{BlockSize: 4096, Compression: options.Snappy, ChkMode: options.NoVerification}
	tbl, err := table.OpenTable(f, opts)
	if err != nil {
		t.why = "its index does not fit its sum"
		return t, false
	}
	defer tbl.Close(-1)
	if len(tbl.Biggest()) < 8 || len(tbl.Smallest()) < 8 {
		t.why = "it names no keys"
		return t, false
	}
	t.first, t.last, t.opens = bytes.Clone(y.ParseKey(tbl.Smallest())), bytes.Clone(y.ParseKey(tbl.Biggest())), true
	if err := tbl.VerifyChecksum(); err != nil {
		t.why = "a block does not fit its sum"
		return t, false
	}
	return t, true
}

const copyPrefix = ".check-"

// copyDatabase makes a copy of the database that may be opened and thrown away.
// Tables are never written again, so that a second name of them will do.
func copyDatabase(home string) (string, error) {
	folder, err := os.MkdirTemp(home, copyPrefix)
	if err != nil {
		return "", fmt.Errorf("store: check: %w", err)
	}
	from := filepath.Join(home, databaseFolder)
	all, err := os.ReadDir(from)
	for _, d := range all {
		if d.Name() == "LOCK" || err != nil || !d.Type().IsRegular() {
			continue
		}
		a, b := filepath.Join(from, d.Name()), filepath.Join(folder, d.Name())
		if strings.HasSuffix(d.Name(), ".sst") && os.Link(a, b) == nil {
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
