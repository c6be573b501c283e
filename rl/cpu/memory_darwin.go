package cpu

import "golang.org/x/sys/unix"

func adviseLargePages([]byte) {}

// systemMemory takes half of the memory for free: macOS keeps nearly all in use, and
// gives it up when asked.
func systemMemory() (free, total int64) {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 4 << 30, 8 << 30 // the least that was sold with an Apple processor
	}
	return int64(n / 2), int64(n)
}
