package store

import "golang.org/x/sys/windows"

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
