package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// nextData is where f has bytes from a place on; holes are passed over.
func nextData(f *os.File, at int64) (int64, error) {
	st, err := f.Stat()
	if err != nil || at >= st.Size() {
		return at, err
	}
	data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, unix.ENXIO):
		return st.Size(), nil // nothing but a hole up to the end
	}
	return at, nil // the file system does not tell
}
