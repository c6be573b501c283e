package engine

import (
	"errors"
	"fmt"
	"path/filepath"
)

// mostSlots bounds what a cache is made for. On two cores the sample model gains a twentieth
// from 8 to 16 slots and from 16 to 32, in F16 a fifth.
const mostSlots = 32

// Room says how many completions, whose prompt and greatest length together are
// at most tokens, a model at path can draw at once if their KV cells take at most
// memory bytes, and how many cells those are. The sequence that holds the prompt
// comes to that, so that the model is opened with
//
//	Options{Split: true, Sequences: slots + 1, Context: context + tokens}
//
// Of o only KVType counts.
func Room(path string, tokens int, memory uint64, o Options) (slots, context int, err error) {
	fail := func(err error) (int, int, error) {
		return 0, 0, fmt.Errorf("engine: find room for completions of %s: %w", filepath.Base(path), err)
	}
	if tokens < 1 || tokens > 1<<24 {
		return fail(fmt.Errorf("%d tokens", tokens))
	}
	header, err := checkModel(path)
	if err != nil {
		return fail(err)
	}
	o.Context = tokens
	var one uint64 // bytes that a slot takes
	for i := range int(header.number("block_count")) {
		one += header.cacheBytes(i, o)
	}
	if one == 0 {
		return fail(errors.New("the file does not say how large its KV cache is"))
	}
	slots = int(min(memory/one, mostSlots))
	if slots == 0 {
		return fail(fmt.Errorf("%d tokens take %d MiB of KV cache, and there are %d", tokens, (one+1<<20-1)>>20, memory>>20))
	}
	return slots, slots * tokens, nil
}
