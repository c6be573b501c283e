//go:build unix && !linux && !darwin

package cpu

func adviseLargePages([]byte) {}

// systemMemory does not know these systems; Options of the model can say more.
func systemMemory() (free, total int64) { return 4 << 30, 8 << 30 }
