package checkpoint

// Entry is a header value to be written. Value is one of uint32, uint64, int32,
// float32, float64, bool, string, []string, []float32, []int32, []uint32.
type Entry struct {
	Key   string
	Value any
}

// Write makes a GGUF file (version 3, alignment 32) of entries and tensors in their order. It
// lies beside path until it is whole, then takes its name.
func Write(path string, entries []Entry, tensors []*Tensor) error {
	panic("checkpoint: not written yet")
}
