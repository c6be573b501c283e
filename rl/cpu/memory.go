package cpu

import "unsafe"

// asFloats reads memory from the system, which is aligned to a page, as floats.
func asFloats(memory []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/4)
}

// Memory is what the system could still give, without others having to leave memory, and
// what there is: within the limits set to this process, where it has any.
func (d *Device) Memory() (free, total int64) { return systemMemory() }

// SystemMemory is what the machine, or the limit that this process is under, has free, and in all.
func SystemMemory() (free, total int64) { return systemMemory() }
