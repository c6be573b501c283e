package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"longhand/app/draft"
)

// Journal is a project's log: JSON lines, one record each, that anybody can read.
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
	at    mark // its end
	dirty bool
	err   error  // of a sync in the background
	aside string // file with records that could not be read, or ""
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once // of Close
	last  error     // what it said
}

// mark is a place in a journal: the end of a record. Length and sum of that
// record's line say whether a journal is the one that the mark was made in.
type mark struct {
	Bytes int64  `json:"bytes"`
	Line  int    `json:"line"`
	Sum   uint32 `json:"sum"`
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
	if lock(f) != nil {
		f.Close()
		return nil, fmt.Errorf("store: %s: another Longhand is writing this draft", f.Name())
	}
	return start(f, mark{}), nil
}

// begin begins a journal with records: it is there with all of them or not at
// all, and takes the place of one that is there.
func begin(folder string, records ...draft.Record) (*Journal, error) {
	beside := filepath.Join(filepath.Dir(folder), ".longhand-"+filepath.Base(folder))
	if err := os.RemoveAll(beside); err != nil {
		return nil, fmt.Errorf("store: create a draft: %w", err)
	}
	j, err := Create(beside)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(beside)
	for _, r := range records {
		err = errors.Join(err, j.Append(r))
	}
	end := j.end()
	// Closed, since Windows does not rename what is open.
	if err = errors.Join(err, j.Close(), os.MkdirAll(folder, 0o755)); err == nil {
		err = os.Rename(filepath.Join(beside, journalFile), filepath.Join(folder, journalFile))
	}
	if err != nil {
		return nil, fmt.Errorf("store: create a draft: %w", err)
	}
	syncFolder(folder)
	j, _, err = goOn(folder, end)
	return j, err
}

// Continue reads the journal in folder and goes on with it. Only one process can.
func Continue(folder string) (*Journal, []draft.Record, error) {
	j, records, err := goOn(folder, mark{})
	return j, records, err
}

// errOther says that a mark was not made in this journal.
var errOther = errors.New("it is not the journal that the store knows")

// goOn reads the journal in folder behind a mark and goes on with it.
func goOn(folder string, from mark) (*Journal, []draft.Record, error) {
	path := filepath.Join(folder, journalFile)
	f, err := os.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("store: open a draft: %w", err)
	}
	if lock(f) != nil || !isFile(f, path) {
		f.Close()
		return nil, nil, fmt.Errorf("store: open %s: another Longhand is writing this draft", folder)
	}
	if err = seek(f, from); err == nil {
		records, end, err2 := read(f, from)
		aside := ""
		if err = err2; err == nil {
			aside, err = setAside(f, end.Bytes)
		}
		if err == nil {
			j := start(f, end)
			j.aside = aside
			return j, records, nil
		}
	}
	unlock(f)
	f.Close()
	return nil, nil, fmt.Errorf("store: open %s: %w", path, err)
}

// seek goes to a mark, where the journal has it.
func seek(f io.ReadSeeker, m mark) error {
	if m.Bytes == 0 {
		return nil
	}
	line := make([]byte, m.Line)
	if _, err := f.Seek(m.Bytes-int64(m.Line), io.SeekStart); err != nil {
		return errOther
	}
	if _, err := io.ReadFull(f, line); err != nil || m.Line < sumLength || !unseal(line[:m.Line-1]) || crc32.ChecksumIEEE(line[:m.Line-1-sumLength]) != m.Sum {
		return errOther
	}
	return nil
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
	records, _, err := read(f, mark{})
	if err != nil {
		return nil, fmt.Errorf("store: read %s: %w", folder, err)
	}
	return records, nil
}

// isFile says that f is what has the name now: a journal that begins anew takes
// the place of another.
func isFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// start goes on with a file that is locked.
func start(f *os.File, at mark) *Journal {
	j := &Journal{f: f, at: at, stop: make(chan struct{}), done: make(chan struct{})}
	go j.syncs()
	return j
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
	if _, err := j.f.WriteAt(line, j.at.Bytes); err != nil {
		// WriteAt may say that it wrote nothing where a part of the line fitted.
		return errors.Join(fmt.Errorf("store: write the journal: %w", err), j.f.Truncate(j.at.Bytes))
	}
	j.at = j.at.behind(line)
	j.dirty = true
	return nil
}

// behind is the mark at the end of a line that follows, line end included.
func (m mark) behind(line []byte) mark {
	return mark{m.Bytes + int64(len(line)), len(line), crc32.ChecksumIEEE(line[:len(line)-1-sumLength])}
}

// end is the mark of the last record.
func (j *Journal) end() mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.at
}

// Close writes everything to the disk.
func (j *Journal) Close() error {
	j.once.Do(func() {
		close(j.stop)
		<-j.done
		err := j.sync()
		unlock(j.f)
		j.last = errors.Join(err, j.f.Close())
	})
	return j.last
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
		j.mu.Lock()
		j.dirty = true
		j.mu.Unlock()
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

// read returns the whole records from where f stands, which is at a mark, and
// where they end.
func read(f io.Reader, at mark) (records []draft.Record, end mark, err error) {
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return records, at, nil
		}
		if err != nil {
			return nil, mark{}, err
		}
		if !unseal(line[:len(line)-1]) {
			return records, at, nil
		}
		r, err := draft.Unmarshal(line)
		if err != nil {
			return nil, mark{}, fmt.Errorf("line %d: %w", len(records)+1, err)
		}
		records = append(records, r)
		at = at.behind(line)
	}
}

// good is how many bytes of a journal are whole records, from its beginning.
func good(b []byte) int {
	at := 0
	for at < len(b) {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 || !unseal(b[at:at+n]) {
			break
		}
		at += n + 1
	}
	return at
}

// broken says that there is more behind the whole records than a line which was
// cut.
func broken(b []byte) bool { return bytes.IndexByte(b[good(b):], '\n') >= 0 }

// setAside keeps what stands behind the last whole record in a file of its own,
// and returns its name.
func setAside(f *os.File, good int64) (name string, err error) {
	st, err := f.Stat()
	if err != nil || st.Size() == good {
		return "", err
	}
	rest := make([]byte, st.Size()-good)
	n, err := f.ReadAt(rest, good)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if name, err = keepAside(f.Name(), rest[:n]); err != nil {
		return "", err
	}
	return name, f.Truncate(good)
}

// keepAside writes what is damaged beside the file that it was found in, under
// a name of its own.
func keepAside(path string, b []byte) (name string, err error) {
	for i := 1; ; i++ {
		name = path + ".damaged"
		if i > 1 {
			name = fmt.Sprintf("%s-%d", name, i)
		}
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) && i < 1000 {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.Write(b)
		return name, errors.Join(err, f.Sync(), f.Close())
	}
}

// readBehind returns the records behind a mark and leaves the journal alone.
func readBehind(folder string, m mark) ([]draft.Record, error) {
	f, err := os.Open(filepath.Join(folder, journalFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := seek(f, m); err != nil {
		return nil, err
	}
	records, _, err := read(f, m)
	return records, err
}
