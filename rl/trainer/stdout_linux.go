package main

import (
	"os"
	"syscall"
)

// takeStdout keeps standard output for the parent alone. What native code prints
// there comes out on standard error instead.
func takeStdout() (*os.File, error) {
	own, err := syscall.Dup(1)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(own)
	if err := syscall.Dup3(2, 1, 0); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(own), "stdout"), nil
}
