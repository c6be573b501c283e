package model

import "longhand/rl/checkpoint"

// Budget is how many bytes of weights a Device holds in the type that it computes with, and which: the first
// that are asked for, as long as there is room. A weight goes by its first tensor. WeightBytes books, so that the sum of
// what it says before a model is loaded is what loading takes.
type Budget struct {
	Limit int64
	used  int64
	held  map[*checkpoint.Tensor]int64
}

// Book returns the bytes that a weight may take, 0 when that is too much. What it said once holds.
func (b *Budget) Book(first *checkpoint.Tensor, bytes int64) int64 {
	if held, ok := b.held[first]; ok {
		return held
	}
	if bytes > b.Limit-b.used {
		bytes = 0
	}
	if b.held == nil {
		b.held = map[*checkpoint.Tensor]int64{}
	}
	b.held[first] = bytes
	b.used += bytes
	return bytes
}

// Release gives a weight's bytes back.
func (b *Budget) Release(first *checkpoint.Tensor) {
	b.used -= b.held[first]
	delete(b.held, first)
}

// Joined is the shape of tensors below one another. That there is none, or their widths differ, is the caller's fault.
func Joined(tensors []*checkpoint.Tensor) (rows, cols int) {
	for _, t := range tensors {
		if t.Cols != tensors[0].Cols {
			panic("model: tensors of different widths are no weight")
		}
		rows += t.Rows
	}
	return rows, tensors[0].Cols
}
