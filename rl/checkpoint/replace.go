package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Replace makes or replaces a file: write fills another one beside it, which is synced and takes the
// name when it is whole. On an error, a full disk say, what was there before stays.
func Replace(path string, write func(w io.Writer) error) error {
	half, err := beside(path)
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	defer half.drop()
	if err := write(half); err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, sentence(err))
	}
	return half.take()
}

// halfFile is a file that lies beside path until take gives it the name.
type halfFile struct {
	path string
	file *os.File
	w    *bufio.Writer
}

func beside(path string) (*halfFile, error) {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p // the link stays
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("something that is not a file has this name")
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, sentence(err)
	}
	return &halfFile{path: path, file: f, w: bufio.NewWriterSize(f, 1<<18)}, nil
}

func (h *halfFile) Write(b []byte) (int, error) { return h.w.Write(b) }

// take syncs the file and gives it its name.
func (h *halfFile) take() error {
	err := h.w.Flush()
	if err == nil {
		err = h.file.Sync()
	}
	if err == nil {
		err = os.Chmod(h.file.Name(), 0o644)
	}
	if e := h.file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(h.file.Name(), h.path)
	}
	if err == nil {
		h.file = nil
		err = syncDir(filepath.Dir(h.path))
	}
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", h.path, sentence(err))
	}
	return nil
}

// drop removes what was not taken.
func (h *halfFile) drop() {
	if h.file != nil {
		h.file.Close()
		os.Remove(h.file.Name())
	}
}

// sentence says plainly that the disk is full, and leaves out the other file's name.
func sentence(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errors.New("the disk is full")
	}
	return reason(err)
}
