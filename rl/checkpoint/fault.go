package checkpoint

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// errFault is what reading a mapping gives where the file ends earlier than it did,
// or the disk cannot read it.
var errFault = errors.New("the file was cut or cannot be read any more")

// guard runs what reads a mapping. A page that is not there any more would end the process
// (SIGBUS); here it ends do, with errFault.
func guard(do func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			err = errFault
		default:
			panic(r)
		}
	}()
	do()
	return nil
}

// read is guard, with the error kept for Err.
func (f *File) read(do func()) error {
	err := guard(do)
	if err != nil {
		err = fmt.Errorf("checkpoint: read %s: %w", f.path, err)
		f.fault.CompareAndSwap(nil, &err)
	}
	return err
}

// look is read for what does without the error.
func (f *File) look(do func()) { _ = f.read(do) }

// Err is the error that reading the file met since Open: it was cut, or the disk failed.
// Tensor data read then is NaN, header values are missing.
func (f *File) Err() error {
	if err := f.fault.Load(); err != nil {
		return *err
	}
	return nil
}
