package cpu

import (
	"os"
	"path/filepath"
	"testing"
)

// write makes a file with its folders.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGroupMemory reads limits of both versions of control groups, also one that is set above.
func TestGroupMemory(t *testing.T) {
	for name, c := range map[string]struct {
		list        string
		files       map[string]string
		free, limit int64
	}{
		"version 2": {"0::/user/job\n", map[string]string{
			"user/job/memory.max": "1000\n", "user/job/memory.current": "700\n", "user/job/memory.stat": "anon 500\ninactive_file 150\n",
			"user/memory.max": "max\n", "user/memory.current": "9000\n",
		}, 450, 1000},
		"version 2, limited above": {"0::/user/job\n", map[string]string{
			"user/job/memory.max": "max\n", "user/memory.max": "5000\n", "user/memory.current": "4900\n",
		}, 100, 5000},
		"version 1": {"3:cpu:/x\n2:memory:/docker/a\n", map[string]string{
			"memory/docker/a/memory.limit_in_bytes": "2000\n", "memory/docker/a/memory.usage_in_bytes": "1500\n",
			"memory/docker/a/memory.stat": "total_inactive_file 300\n",
		}, 800, 2000},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for path, text := range c.files {
				write(t, filepath.Join(root, path), text)
			}
			list := filepath.Join(t.TempDir(), "cgroup")
			write(t, list, c.list)
			if free, limit := groupMemory(list, root); free != c.free || limit != c.limit {
				t.Errorf("%d of %d, not %d of %d", free, limit, c.free, c.limit)
			}
		})
	}
}

// TestMemInfo reads /proc/meminfo's kilobytes.
func TestMemInfo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meminfo")
	write(t, path, "MemTotal:       2000 kB\nMemFree:         100 kB\nMemAvailable:    900 kB\n")
	if free, total := memInfo(path); free != 900<<10 || total != 2000<<10 {
		t.Errorf("%d of %d", free, total)
	}
}
