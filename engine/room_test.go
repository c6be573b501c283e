package engine

import (
	"strings"
	"testing"

	"longhand/engine/enginetest"
)

func TestRoomIsWhatTheCacheTakes(t *testing.T) {
	_, path := enginetest.Native(t)
	const perToken = 30 * 2 * 3 * 64 * 2 // layers, keys and values, heads, size, bytes
	for memory, want := range map[uint64]int{300 * perToken: 1, 599 * perToken: 1, 600 * perToken: 2, 1 << 40: mostSlots} {
		slots, context, err := Room(path, 300, memory, Options{})
		if err != nil || slots != want || context != want*300 {
			t.Errorf("%d bytes: %d slots, %d cells, %v", memory, slots, context, err)
		}
	}
	if slots, _, err := Room(path, 300, 600*perToken, Options{KVType: "q8_0"}); err != nil || slots != 3 {
		t.Errorf("with q8_0: %d slots, %v", slots, err)
	}
	if _, _, err := Room(path, 300, 299*perToken, Options{}); err == nil || !strings.Contains(err.Error(), "300 tokens take 7 MiB of KV cache, and there are 6") {
		t.Error(err)
	}
	slots, context, err := Room(path, 100, 400*perToken, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := openSample(t, Options{Sequences: slots + 1, Context: context})
	prompt := question(t, m, "Tell a story.")
	if got := order(t, m, numbered(prompt, 3, 3, 3, 3), SampleOptions{Slots: slots}); len(got) != 4 {
		t.Errorf("%v", got)
	}
}
