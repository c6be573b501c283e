//go:build unix

package store

import "golang.org/x/sys/unix"

// free is how many bytes may be written where folder lies; -1: unknown.
func free(folder string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(folder, &st) != nil {
		return -1
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
