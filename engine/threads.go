package engine

import (
	"os"
	"runtime"
	"strings"
)

// threadCount is how many threads llama.cpp gets. Its threads spin at every
// barrier, so one more than there are free cores costs more than one fewer
// gives: with a window open one core is left to it.
func threadCount(o Options) int {
	if o.Threads > 0 {
		return o.Threads
	}
	n := physicalCores()
	if o.Window {
		n--
	}
	return max(n, 1)
}

// physicalCores counts the cores this process may run on; two hardware threads
// of one core count once, since they share its vector units.
func physicalCores() int {
	allowed := runtime.NumCPU() // respects the affinity mask
	n := allowed
	if cores := coresOf("/sys/devices/system/cpu"); cores > 0 {
		n = min(n, cores)
	}
	// GOMAXPROCS follows the container's CPU quota.
	return max(1, min(n, max(runtime.GOMAXPROCS(0), 1)))
}

// coresOf counts the distinct sets of sibling hardware threads below a sysfs
// folder; 0 where there is none.
func coresOf(folder string) int {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0
	}
	seen := map[string]bool{}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, "cpu") || strings.Trim(name[3:], "0123456789") != "" || name == "cpu" {
			continue
		}
		siblings, err := os.ReadFile(folder + "/" + name + "/topology/thread_siblings_list")
		if err == nil {
			seen[strings.TrimSpace(string(siblings))] = true
		}
	}
	return len(seen)
}
