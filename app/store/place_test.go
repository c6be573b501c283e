package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestMountKind(t *testing.T) {
	const mounts = "/dev/vda / ext4 rw 0 0\nserver:/x /home nfs4 rw 0 0\nserver:/y /mnt/my\\040disk cifs rw 0 0\ntmpfs /home/a/tmp tmpfs rw 0 0\n/dev/sdb1 /win fuseblk rw 0 0\nme@there: /far fuse.sshfs rw 0 0\ncrypt /safe fuse.gocryptfs rw 0 0\n"
	for dir, want := range map[string]string{"/opt/x": "ext4", "/home": "nfs4", "/home/a": "nfs4", "/homes": "ext4", "/home/a/tmp/y": "tmpfs", "/mnt/my disk/z": "cifs", "/win": "fuseblk", "/far/x": "fuse.sshfs", "/safe": "fuse.gocryptfs"} {
		if got := mountKind(mounts, dir); got != want || isRemote(got) != (want == "nfs4" || want == "cifs" || want == "fuse.sshfs") {
			t.Errorf("%s is on %q, want %q", dir, got, want)
		}
	}
}

// TestAPlaceThatIsSynchronisedIsRefused makes folders as other programs have them.
func TestAPlaceThatIsSynchronisedIsRefused(t *testing.T) {
	for _, c := range []struct {
		path, marker string
		folder       bool
		safe         bool
	}{
		{"Dropbox/longhand", "", false, false}, {"OneDrive - Work/longhand", "", false, false}, {"Mobile Documents/com~apple/longhand", "", false, false},
		{"sync/longhand", "sync/.stfolder", true, false}, {"box/longhand", "box/.dropbox", false, false},
		{"me/.local/share/longhand", "me/.dropbox", true, true}, {"dropboxes/longhand", "", false, true}, {"longhand", "", false, true},
	} {
		root := t.TempDir()
		home := filepath.Join(root, filepath.FromSlash(c.path))
		err := os.MkdirAll(home, 0o755)
		if c.marker != "" && c.folder {
			err = errors.Join(err, os.Mkdir(filepath.Join(root, c.marker), 0o755))
		} else if c.marker != "" {
			err = errors.Join(err, os.WriteFile(filepath.Join(root, c.marker), nil, 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(home, nil)
		if err == nil {
			s.Close()
		}
		if c.safe && err != nil || !c.safe && !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s with %q: %v", c.path, c.marker, err)
		}
		if _, err := os.Stat(filepath.Join(home, databaseFolder)); !c.safe && err == nil {
			t.Errorf("%s: a database was made", c.path)
		}
	}
}
