//go:build !unix

package store

import "os"

// lock does nothing where files have no advisory locks.
func lock(*os.File) error { return nil }
