//go:build linux || darwin

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// takeStdout keeps standard output for the caller alone. What native code
// prints there comes out on standard error instead.
func takeStdout() (*os.File, error) {
	own, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(own), "stdout"), nil
}
