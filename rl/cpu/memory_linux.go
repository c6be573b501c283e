package cpu

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// adviseLargePages is a wish: a kernel without them refuses, and nothing is lost.
func adviseLargePages(m []byte) { _ = unix.Madvise(m, unix.MADV_HUGEPAGE) }

// systemMemory is the least of what /proc/meminfo and the control groups of this process say.
func systemMemory() (free, total int64) {
	free, total = memInfo("/proc/meminfo")
	limitFree, limit := groupMemory("/proc/self/cgroup", "/sys/fs/cgroup")
	return max(0, min(free, limitFree)), min(total, limit)
}

// memInfo reads MemAvailable and MemTotal.
func memInfo(path string) (free, total int64) {
	for key, kilobytes := range numbersOf(path) {
		switch key {
		case "MemAvailable:":
			free = kilobytes << 10
		case "MemTotal:":
			total = kilobytes << 10
		}
	}
	return free, total
}

// groupMemory is the least that a control group of this process, or one above it, has
// left, and the least of their limits; no limit is the largest number. Pages of files that could be dropped count as left.
func groupMemory(list, root string) (free, limit int64) {
	free, limit = math.MaxInt64, math.MaxInt64
	b, err := os.ReadFile(list)
	if err != nil {
		return free, limit
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		base, most, used, dropped := root, "memory.max", "memory.current", "inactive_file"
		switch {
		case fields[1] == "memory": // version 1
			base, most, used, dropped = filepath.Join(root, "memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
		case fields[1] != "":
			continue
		}
		for dir := filepath.Join(base, fields[2]); strings.HasPrefix(dir, base); dir = filepath.Dir(dir) {
			l, ok := numberIn(filepath.Join(dir, most))
			if !ok || l <= 0 {
				continue
			}
			u, _ := numberIn(filepath.Join(dir, used))
			limit = min(limit, l)
			free = min(free, l-u+numbersOf(filepath.Join(dir, "memory.stat"))[dropped])
		}
	}
	return free, limit
}

// numbersOf reads lines of a name and a number, as in /proc/meminfo and memory.stat.
func numbersOf(path string) map[string]int64 {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	numbers := map[string]int64{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) >= 2 {
			if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				numbers[fields[0]] = n
			}
		}
	}
	return numbers
}

// numberIn reads a file of one number; "max" is none.
func numberIn(path string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}
