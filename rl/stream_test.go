package rl

import (
	"slices"
	"testing"
)

func TestMix(t *testing.T) {
	seen := map[uint64][]uint64{}
	for a := range uint64(30) {
		for b := range uint64(30) {
			for _, parts := range [][]uint64{{a}, {a, b}, {0, a, b}, {a, b, 0}} {
				x := mix(parts...)
				if old := seen[x]; old != nil && !slices.Equal(old, parts) {
					t.Fatalf("%v and %v are the same", old, parts)
				}
				seen[x] = parts
			}
		}
	}
}

// Every prompt comes once an epoch, in another order each time, and what a step gets
// does not depend on the steps before.
func TestPick(t *testing.T) {
	const n, count = 10, 4
	var all []int
	for step := range 15 {
		all = append(all, pick(7, streamOrder, n, step, count)...)
	}
	for e := range 6 {
		epoch := slices.Clone(all[e*n : (e+1)*n])
		if want := order(7, streamOrder, uint64(e), n); !slices.Equal(epoch, want) {
			t.Errorf("epoch %d is %v, not %v", e, epoch, want)
		}
		if e > 0 && slices.Equal(epoch, all[:n]) {
			t.Errorf("epoch %d has the order of the first", e)
		}
		slices.Sort(epoch)
		for i, x := range epoch {
			if x != i {
				t.Fatalf("epoch %d: %v", e, epoch)
			}
		}
	}
	if got := pick(1, streamOrder, 2, 0, 5); len(got) != 5 {
		t.Error("fewer prompts than a step takes:", got)
	}
	if slices.Equal(order(1, streamOrder, 0, 20), order(2, streamOrder, 0, 20)) {
		t.Error("two seeds, one order")
	}
	// Each of 3 comes first about as often.
	first := [3]int{}
	for seed := range uint64(3000) {
		first[order(seed, streamOrder, 0, 3)[0]]++
	}
	for _, n := range first {
		if n < 900 || n > 1100 {
			t.Error(first)
		}
	}
}
