package store

import (
	"fmt"
	"os"

	"github.com/gofrs/flock"
)

// holder is the lock that makes one process the store's own. The system lets it
// go when the process ends, however that is.
type holder struct{ f *flock.Flock }

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
