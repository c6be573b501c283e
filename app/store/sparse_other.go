//go:build !linux

package store

import "os"

// nextData is where f has bytes from a place on; only Linux is asked for holes.
func nextData(_ *os.File, at int64) (int64, error) { return at, nil }
