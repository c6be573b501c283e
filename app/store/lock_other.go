//go:build !unix && !windows

package store

import "os"

// lock does nothing where files have no advisory locks.
func lock(*os.File) error { return nil }

func unlock(*os.File) {}
