package cpu

import "golang.org/x/sys/windows"

func openShared(path string) (uintptr, error) {
	h, err := windows.LoadLibrary(path)
	return uintptr(h), err
}

func symbol(handle uintptr, name string) (uintptr, error) {
	return windows.GetProcAddress(windows.Handle(handle), name)
}

func closeShared(handle uintptr) { _ = windows.FreeLibrary(windows.Handle(handle)) }
