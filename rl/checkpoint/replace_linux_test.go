package checkpoint

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullDisk writes everything that is written here onto a disk of 64 KiB, which a child process
// has to itself.
func TestFullDisk(t *testing.T) {
	if os.Getenv("LONGHAND_TEST_DISK") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), "LONGHAND_TEST_DISK=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		switch exit := (&exec.ExitError{}); {
		case errors.As(err, &exit):
			t.Errorf("%s", out)
		case err != nil:
			t.Skipf("skipped: no process can have its own disks here (%v)", err)
		case strings.Contains(string(out), "SKIP"):
			t.Skipf("skipped: a disk of 64 KiB cannot be made here: %s", out)
		}
		return
	}
	base := tinyBase(t, "llama", F32)
	a := tinyAdapter(base, 16, 0.1)
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("skipped: a disk of 64 KiB cannot be made here (%v)", err)
	}
	defer unix.Unmount(disk, 0)
	big := map[string]Array{"x": {[]int{65536}, make([]float32, 65536)}}
	for name, write := range map[string]func(path string) error{
		"adapter":     func(path string) error { return a.WriteGGUF(path, F32) },
		"safetensors": func(path string) error { return WriteSafetensors(path, []string{"x"}, big, nil) },
		"merge": func(path string) (last error) {
			for _, err := range Merge(t.Context(), base, a, path, MergeKeep) {
				last = err
			}
			return last
		},
	} {
		path := filepath.Join(disk, name)
		if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := write(path); err == nil || !strings.HasPrefix(err.Error(), "checkpoint: ") || !strings.HasSuffix(err.Error(), path+": the disk is full") {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
			t.Errorf("%s: the old file holds %q, %v", name, b, err)
		}
		only(t, disk, name)
		os.Remove(path)
	}
	if err := a.WritePEFT(filepath.Join(disk, "peft"), base); err == nil || !strings.HasSuffix(err.Error(), "the disk is full") {
		t.Errorf("PEFT: %v", err)
	}
}
