// Package store keeps drafts on disk.
package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"longhand/app/draft"
)

// Journal is a draft's log: JSON lines, one record each, that anybody can read.
// The last key of a line is "crc", the CRC-32 (IEEE) of the bytes before its
// comma, in hex.
//
// A record is in the file before Append returns, so a kill of this process
// loses nothing; the disk has it two seconds later, so a power cut loses at
// most two seconds. A line that was cut or does not fit its sum ends the
// journal: what stands behind it is moved aside when it is opened to go on.
type Journal struct {
	mu    sync.Mutex
	f     *os.File
	size  int64
	dirty bool
	err   error // of a sync in the background
	stop  chan struct{}
	done  chan struct{}
}

const (
	journalFile = "journal.jsonl"
	syncEvery   = 2 * time.Second
)

// Create begins a new journal in folder, which must not hold one.
func Create(folder string) (*Journal, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("store: create a draft: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, journalFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("store: create a draft: %w", err)
	}
	return start(f, 0)
}

// Open reads the journal in folder and goes on with it. Only one process can.
func Open(folder string) (*Journal, []draft.Record, error) {
	path := filepath.Join(folder, journalFile)
	f, err := os.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("store: open a draft: %w", err)
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("store: open %s: another Longhand is writing this draft", folder)
	}
	records, good, err := read(f)
	if err == nil {
		err = setAside(f, good)
	}
	if err == nil {
		_, err = f.Seek(good, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	j, err := start(f, good)
	return j, records, err
}

// Changed is when the journal in folder was written last; zero: there is none.
func Changed(folder string) time.Time {
	st, err := os.Stat(filepath.Join(folder, journalFile))
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

// Read returns the whole records of the journal in folder and leaves it alone.
func Read(folder string) ([]draft.Record, error) {
	f, err := os.Open(filepath.Join(folder, journalFile))
	if err != nil {
		return nil, fmt.Errorf("store: read a draft: %w", err)
	}
	defer f.Close()
	records, _, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("store: read %s: %w", folder, err)
	}
	return records, nil
}

func start(f *os.File, size int64) (*Journal, error) {
	if err := lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("store: %s: another Longhand is writing this draft", f.Name())
	}
	j := &Journal{f: f, size: size, stop: make(chan struct{}), done: make(chan struct{})}
	go j.syncs()
	return j, nil
}

// Append writes a record. When it fails, the file ends with the record before.
func (j *Journal) Append(r draft.Record) error {
	line, err := draft.Marshal(r)
	if err != nil {
		return err
	}
	line = seal(line)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	if _, err := j.f.WriteAt(line, j.size); err != nil {
		// WriteAt may say that it wrote nothing where a part of the line fitted.
		return errors.Join(fmt.Errorf("store: write the journal: %w", err), j.f.Truncate(j.size))
	}
	j.size += int64(len(line))
	j.dirty = true
	return nil
}

// Close writes everything to the disk.
func (j *Journal) Close() error {
	close(j.stop)
	<-j.done
	err := j.sync()
	return errors.Join(err, j.f.Close())
}

func (j *Journal) syncs() {
	defer close(j.done)
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-j.stop:
			return
		case <-tick.C:
			if err := j.sync(); err != nil {
				j.mu.Lock()
				j.err = err
				j.mu.Unlock()
			}
		}
	}
}

func (j *Journal) sync() error {
	j.mu.Lock()
	dirty := j.dirty
	j.dirty = false
	j.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("store: write the journal to the disk: %w", err)
	}
	return nil
}

// seal adds the sum to a line: {...} becomes {...,"crc":"xxxxxxxx"} and a line end.
func seal(line []byte) []byte {
	body := line[:len(line)-1]
	return fmt.Appendf(bytes.Clone(body), ",\"crc\":\"%08x\"}\n", crc32.ChecksumIEEE(body))
}

const sumLength = len(`,"crc":"00000000"}`)

// unseal checks a line, without its line end, and returns it as it is.
func unseal(line []byte) bool {
	at := len(line) - sumLength
	return at > 0 && string(line[at:]) == fmt.Sprintf(",\"crc\":\"%08x\"}", crc32.ChecksumIEEE(line[:at]))
}

// read returns the whole records from the start of f and where they end.
func read(f io.Reader) (records []draft.Record, good int64, err error) {
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return records, good, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if !unseal(line[:len(line)-1]) {
			return records, good, nil
		}
		r, err := draft.Unmarshal(line)
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", len(records)+1, err)
		}
		records = append(records, r)
		good += int64(len(line))
	}
}

// setAside keeps what stands behind the last whole record in a file of its own.
func setAside(f *os.File, good int64) error {
	st, err := f.Stat()
	if err != nil || st.Size() == good {
		return err
	}
	rest := make([]byte, min(st.Size()-good, 1<<26))
	n, err := f.ReadAt(rest, good)
	if err != nil && err != io.EOF {
		return err
	}
	if err := os.WriteFile(f.Name()+".damaged", rest[:n], 0o644); err != nil {
		return err
	}
	return f.Truncate(good)
}
