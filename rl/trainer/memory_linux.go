package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// memoryOf is what /proc says of this process: VmRSS, what it holds now, or VmHWM, the most
// that it has held. In bytes; 0 where it cannot be known.
func memoryOf(key string) int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if rest, ok := strings.CutPrefix(in.Text(), key+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
