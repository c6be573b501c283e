package store

import (
	"fmt"

	"github.com/gofrs/flock"
)

// holder is the lock that makes one process the store's own. The system lets it
// go when the process ends, however that is.
type holder struct{ f *flock.Flock }

func hold(path string) (*holder, error) {
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
