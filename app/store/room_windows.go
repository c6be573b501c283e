package store

import (
	"os"

	"golang.org/x/sys/windows"
)

// free is how many bytes may be written where folder lies; -1: unknown.
func free(folder string) int64 {
	name, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return -1
	}
	var n uint64
	if windows.GetDiskFreeSpaceEx(name, &n, nil, nil) != nil {
		return -1
	}
	return int64(n)
}

// alive says whether a process is there.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err == nil {
		p.Release()
	}
	return pid > 0 && err == nil
}
