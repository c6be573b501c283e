package checkpoint

import (
	"context"
	"iter"
)

// MergeType is what a merged file's changed matrices are stored as.
type MergeType uint8

const (
	MergeKeep MergeType = iota // each in its own type
	MergeF16
	MergeQ8_0
)

// MergeEvent says that one more tensor is written.
type MergeEvent struct {
	Name    string
	Type    Type  // as written
	Changed bool  // the adapter has a pair for it; else it was copied byte for byte
	Done    int64 // bytes of tensors written so far
	Total   int64
	// Of a changed tensor, with D the wanted and D' the stored change of the matrix:
	Kept  float64 // (D . D') / (D . D): 1 where the change is there in full, 0 where rounding undid it
	Error float64 // ||D' - D|| / ||D||
}

// Merge writes base with the adapter added to its matrices as a GGUF file of one part, tensor by
// tensor: at no time does it hold more than two matrices. It lies beside path until
// it is whole, then takes its name.
func Merge(ctx context.Context, base *File, a *Adapter, path string, as MergeType) iter.Seq2[MergeEvent, error] {
	panic("checkpoint: not written yet")
}
