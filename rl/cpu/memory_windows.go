package cpu

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// takeMemory commits zeroed memory.
func takeMemory(bytes int) ([]byte, error) {
	p, err := windows.VirtualAlloc(0, uintptr(bytes), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&p)), bytes), nil
}

func giveMemory(m []byte) error {
	return windows.VirtualFree(uintptr(unsafe.Pointer(unsafe.SliceData(m))), 0, windows.MEM_RELEASE)
}

// systemMemory is GlobalMemoryStatusEx's free and total physical memory.
func systemMemory() (free, total int64) {
	var s struct { // MEMORYSTATUSEX
		size, load                                         uint32
		total, free, totalPage, freePage, totalV, freeV, x uint64
	}
	s.size = uint32(unsafe.Sizeof(s))
	status := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	if ok, _, _ := status.Call(uintptr(unsafe.Pointer(&s))); ok == 0 {
		return 2 << 30, 4 << 30 // the least that Windows 11 runs with
	}
	return int64(s.free), int64(s.total)
}
