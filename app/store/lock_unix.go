//go:build unix

package store

import (
	"os"
	"syscall"
)

// lock holds f for this process until it is closed or the process ends.
func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// unlock lets f go. Closing alone would not do while another part of the program
// starts a child: until that runs it has the file too.
func unlock(f *os.File) { syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
