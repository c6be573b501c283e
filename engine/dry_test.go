package engine

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// plainFind is the definition of DRY, word for word.
func plainFind(d DRY, breakers []bool, ids []int32) map[int32]int {
	if d.Window > 0 && len(ids) > d.Window {
		ids = ids[len(ids)-d.Window:]
	}
	longest := map[int32]int{}
	for n := max(1, d.AllowedLength); n < len(ids); n++ {
		tail := ids[len(ids)-n:]
		if slices.ContainsFunc(tail, func(id int32) bool { return breakers[id] }) {
			break
		}
		for at := 0; at+n < len(ids); at++ {
			if next := ids[at+n]; slices.Equal(ids[at:at+n], tail) && !breakers[next] {
				longest[next] = max(longest[next], n)
			}
		}
	}
	return longest
}

func TestRepetitionsAreFoundAsDefined(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 3000 {
		d := DRY{Multiplier: 1, AllowedLength: 1 + r.IntN(4), Window: r.IntN(3) * 20}
		vocabulary := 2 + r.IntN(6)
		breakers := make([]bool, vocabulary)
		for i := range breakers {
			breakers[i] = r.IntN(8) == 0
		}
		ids := make([]int32, 1+r.IntN(80))
		for i := range ids {
			ids[i] = int32(r.IntN(vocabulary))
		}
		rep := repetitions{d: d, breakers: breakers, longest: map[int32]int{}}
		want := plainFind(d, breakers, ids)
		if got := rep.find(ids); !maps.Equal(got, want) {
			t.Fatalf("%+v %v %v: %v instead of %v", d, breakers, ids, got, want)
		}
		found += len(want)
	}
	if found < 1000 {
		t.Errorf("only %d repetitions were tried", found)
	}
}

func TestDRYLowersByTheFormula(t *testing.T) {
	rep := repetitions{d: DRY{Multiplier: 0.8, Base: 1.75, AllowedLength: 2}, breakers: make([]bool, 10), longest: map[int32]int{}}
	logits := make([]float32, 10)
	before := rep.lower([]int32{1, 2, 3, 4, 9, 2, 3, 5, 9, 1, 2, 3}, logits)
	want := map[int32]float64{4: 0.8 * 1.75, 5: 0.8} // after 1 2 3, and after 2 3
	for id, l := range logits {
		if math.Abs(float64(l)+want[int32(id)]) > 1e-6 {
			t.Errorf("token %d was lowered by %g instead of %g", id, -l, want[int32(id)])
		}
	}
	if len(before) != 2 {
		t.Errorf("%d tokens are noted as changed", len(before))
	}
}

func BenchmarkDRY8k(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	ids := make([]int32, 8192)
	for i := range ids {
		ids[i] = int32(min(2000, r.ExpFloat64()*200))
	}
	rep := repetitions{d: DRY{Multiplier: 0.8, Base: 1.75, AllowedLength: 2}, breakers: make([]bool, 49152), longest: map[int32]int{}}
	logits := make([]float32, 49152)
	for b.Loop() {
		rep.lower(ids, logits)
	}
}

// A text that repeats one token is the worst case for a naive search.
func BenchmarkDRYLoop8k(b *testing.B) {
	rep := repetitions{d: DRY{Multiplier: 0.8, Base: 1.75, AllowedLength: 2}, breakers: make([]bool, 10), longest: map[int32]int{}}
	for b.Loop() {
		rep.lower(make([]int32, 8192), make([]float32, 10))
	}
}
