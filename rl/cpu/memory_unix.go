//go:build unix

package cpu

import "golang.org/x/sys/unix"

// takeMemory maps zeroed memory. Large blocks ask for large pages: products read
// columns of matrices, and would miss the table of small pages at each step.
func takeMemory(bytes int) ([]byte, error) {
	m, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil && bytes >= 2<<20 {
		adviseLargePages(m)
	}
	return m, err
}

func giveMemory(m []byte) error { return unix.Munmap(m) }
