package store

import (
	"os"
	"slices"
	"strings"
)

// Remote is the kind of file system that holds a folder, where it is one on which
// locks and memory maps are not reliable; "" where it is not, or unknown: only
// Linux tells.
func Remote(folder string) string {
	b, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return ""
	}
	if kind := mountKind(string(b), folder); isRemote(kind) {
		return kind
	}
	return ""
}

// mountKind finds the mount with the longest path that holds dir.
func mountKind(mounts, dir string) string {
	best, kind := "", ""
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		at := strings.ReplaceAll(f[1], `\040`, " ")
		if (at == "/" || dir == at || strings.HasPrefix(dir, at+"/")) && len(at) >= len(best) {
			best, kind = at, f[2]
		}
	}
	return kind
}

// isRemote names network disks, disks of a host system, and what a program
// imitates (FUSE) but for encryption and joining of local disks.
func isRemote(kind string) bool {
	if program, fuse := strings.CutPrefix(kind, "fuse."); fuse {
		return !slices.Contains([]string{"gocryptfs", "cryfs", "encfs", "veracrypt", "mergerfs", "bindfs"}, program)
	}
	return slices.Contains([]string{"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "drvfs", "vboxsf", "afs", "ceph", "coda", "davfs"}, kind)
}
