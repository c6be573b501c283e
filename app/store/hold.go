package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// holder is the lock that makes one process the store's own. The system lets it
// go when the process ends, however that is.
type holder struct{ f *flock.Flock }

// Hold makes a store this process's own without opening it, until release.
func Hold(home string) (release func(), err error) {
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, fmt.Errorf("store: %w: %w", ErrReadOnly, err)
	}
	h, err := hold(filepath.Join(home, lockFile))
	if err != nil {
		return nil, err
	}
	return h.release, nil
}

func hold(path string) (*holder, error) {
	w, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644) // on a disk that cannot be written the lock alone can be had
	if err != nil {
		return nil, fmt.Errorf("store: %w: %w", ErrReadOnly, err)
	}
	w.Close()
	f := flock.New(path)
	got, err := f.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("store: %w: %w", ErrReadOnly, err)
	case !got:
		return nil, fmt.Errorf("store: %w", ErrHeld)
	}
	return &holder{f}, nil
}

func (h *holder) release() { h.f.Unlock() }
