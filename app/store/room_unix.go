//go:build unix

package store

import (
	"errors"

	"golang.org/x/sys/unix"
)

// free is how many bytes may be written where folder lies; -1: unknown.
func free(folder string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(folder, &st) != nil {
		return -1
	}
	return int64(st.Bavail) * int64(st.Bsize)
}

// alive says whether a process is there.
func alive(pid int) bool {
	return pid > 0 && !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}
