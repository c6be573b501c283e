package store

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// network names the file system of folder where it is one that locks and memory
// maps do not work on, or "". The numbers are the kernel's (statfs(2)).
func network(folder string) string {
	var st unix.Statfs_t
	if unix.Statfs(folder, &st) != nil {
		return ""
	}
	switch uint32(st.Type) {
	case 0x6969:
		return "a network disk (NFS)"
	case 0x517B, 0xFF534D42, 0xFE534D42:
		return "a network disk (SMB)"
	case 0x01021997:
		return "a disk of another system (9P)"
	case 0x65735546:
		if fuseIsBlock(folder) {
			return ""
		}
		return "a disk that a program imitates (FUSE)"
	case 0x00C36400:
		return "a network disk (Ceph)"
	case 0x5346414F, 0x6B414653:
		return "a network disk (AFS)"
	case 0x73757245:
		return "a network disk (Coda)"
	}
	return ""
}

// fuseIsBlock says that the FUSE disk at folder is a real one, as NTFS is.
func fuseIsBlock(folder string) bool {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return false
	}
	best, kind := "", ""
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) > 2 && (folder == f[1] || strings.HasPrefix(folder, strings.TrimSuffix(f[1], "/")+"/")) && len(f[1]) >= len(best) {
			best, kind = f[1], f[2]
		}
	}
	return kind == "fuseblk"
}
