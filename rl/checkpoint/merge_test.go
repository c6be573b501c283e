package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wanted is a base matrix with the adapter's part added, in float64.
func wanted(t *testing.T, base *File, a *Adapter, p Pair) []float64 {
	t.Helper()
	old := values(base.Tensor(p.Name))
	sum := make([]float64, len(old))
	for o := range p.Out {
		for i := range p.In {
			d := 0.0
			for r := range a.Rank {
				d += float64(p.B[o*a.Rank+r]) * float64(p.A[r*p.In+i])
			}
			sum[o*p.In+i] = float64(old[o*p.In+i]) + d*float64(a.Alpha)/float64(a.Rank)
		}
	}
	return sum
}

func mergeAll(t *testing.T, base *File, a *Adapter, path string, as MergeType) (events []MergeEvent) {
	t.Helper()
	for e, err := range Merge(t.Context(), base, a, path, as) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		base Type
		as   MergeType
		want Type
		off  float64 // of the weights' size 0.05, at most
	}{
		{F32, MergeKeep, F32, 1e-7},
		{F16, MergeKeep, F16, 1e-3},
		{BF16, MergeKeep, BF16, 5e-3},
		{Q8_0, MergeKeep, Q8_0, 0.01},
		{Q4_0, MergeKeep, Q4_0, 0.1},
		{Q4_1, MergeKeep, Q4_1, 0.1},
		{Q5_0, MergeKeep, Q5_0, 0.06},
		{Q5_1, MergeKeep, Q5_1, 0.06},
		{IQ4_NL, MergeKeep, IQ4_NL, 0.1},
		{Q4_0, MergeF16, F16, 1e-3},
		{Q4_1, MergeQ8_0, Q8_0, 0.01},
		{F32, MergeF16, F16, 1e-3},
	} {
		base := tinyBase(t, "llama", c.base)
		a := tinyAdapter(base, 4, 0.002) // the change is a tenth of the weights or so
		path := filepath.Join(t.TempDir(), "merged.gguf")
		events := mergeAll(t, base, a, path, c.as)
		merged := open(t, path)
		if len(events) != len(base.Tensors()) || len(merged.Tensors()) != len(base.Tensors()) {
			t.Fatalf("%d events, %d tensors", len(events), len(merged.Tensors()))
		}
		if last := events[len(events)-1]; last.Done != last.Total || last.Total == 0 {
			t.Errorf("%d of %d bytes", last.Done, last.Total)
		}
		for i, e := range events {
			old, got := base.Tensors()[i], merged.Tensors()[i]
			if got.Name != old.Name || e.Name != old.Name || e.Type != got.Type {
				t.Fatalf("tensor %d is %s, told as %s", i, got.Name, e.Name)
			}
			if !e.Changed {
				if !bytes.Equal(got.Data, old.Data) || e.Kept != 0 {
					t.Errorf("%s was not copied", got.Name)
				}
				continue
			}
			var p Pair
			for _, q := range a.Pairs {
				if q.Name == e.Name {
					p = q
				}
			}
			want, now, before := wanted(t, base, a, p), values(got), values(old)
			var off, dd, ds float64
			for j := range want {
				off += (want[j] - float64(now[j])) * (want[j] - float64(now[j]))
				d := want[j] - float64(before[j])
				dd += d * d
				ds += d * (float64(now[j]) - float64(before[j]))
			}
			if size := math.Sqrt(off/float64(len(want))) / 0.05; got.Type != c.want || size > c.off {
				t.Errorf("%s as %d: %s of type %s is off by %.2g of the weights", c.base, c.as, got.Name, got.Type, size)
			}
			if math.Abs(e.Kept-ds/dd) > 1e-3 || math.Abs(e.Error-math.Sqrt(off/dd)) > 1e-3 {
				t.Errorf("%s: told %v and %v, it is %v and %v", c.base, e.Kept, e.Error, ds/dd, math.Sqrt(off/dd))
			}
		}
		fileType, _ := merged.Uint("general.file_type")
		if want := map[MergeType]uint64{MergeKeep: 2, MergeF16: 1, MergeQ8_0: 7}[c.as]; fileType != want {
			t.Errorf("file type %d", fileType)
		}
		if texts, ok := merged.Texts("tokens"); !ok || strings.Join(texts, "") != "ab" {
			t.Errorf("the header's tokens are %q", texts)
		}
	}
}

// TestMergeOfASmallChange keeps what rounding would lose: with chosen scales or the base's, whichever
// is closer, a block is never further off than if it had been left alone.
func TestMergeOfASmallChange(t *testing.T) {
	for _, typ := range types {
		if typ.Block() == 256 {
			continue // rows of 64
		}
		base := tinyBase(t, "qwen2", typ)
		for _, size := range []float32{1e-5, 1e-3} {
			a := tinyAdapter(base, 2, size)
			for _, e := range mergeAll(t, base, a, filepath.Join(t.TempDir(), "m.gguf"), MergeKeep) {
				if e.Changed && e.Error > 1.001 {
					t.Errorf("%s, %g: %s is off by %.3f of its change", typ, size, e.Name, e.Error)
				}
			}
			if size < 1e-3 {
				continue
			}
			for _, e := range mergeAll(t, base, a, filepath.Join(t.TempDir(), "m.gguf"), MergeF16) {
				if e.Changed && math.Abs(e.Kept-1) > 0.01 {
					t.Errorf("%s as F16: %s keeps %.3f", typ, e.Name, e.Kept)
				}
			}
		}
	}
}

// TestMergeOfNothing gives back the base, byte for byte, in its own types.
func TestMergeOfNothing(t *testing.T) {
	base := tinyBase(t, "llama", Q4_1)
	a := tinyAdapter(base, 2, 0)
	path := filepath.Join(t.TempDir(), "m.gguf")
	mergeAll(t, base, a, path, MergeKeep)
	one, err := os.ReadFile(base.Path())
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("it is another file (%v)", err)
	}
}

func TestMergeOfParts(t *testing.T) {
	base := open(t, filepath.Join("testdata", "split-00001-of-00003.gguf"))
	a := &Adapter{Architecture: "llama", Rank: 1, Alpha: 2, Pairs: []Pair{{Name: "t3", In: 4, Out: 2, A: []float32{1, 2, 3, 4}, B: []float32{1, -1}}}}
	path := filepath.Join(t.TempDir(), "m.gguf")
	mergeAll(t, base, a, path, MergeKeep)
	merged := open(t, path)
	if x := values(merged.Tensor("t3")); len(merged.Tensors()) != 5 || x[3] != 11 || x[4] != 1 {
		t.Errorf("%d tensors, %v", len(merged.Tensors()), x)
	}
	for _, key := range merged.Keys() {
		if strings.HasPrefix(key, "split.") {
			t.Errorf("it still has %s", key)
		}
	}
}

func TestBrokenOffMergesLeaveNothing(t *testing.T) {
	base := tinyBase(t, "llama", F32)
	a := tinyAdapter(base, 2, 0.01)
	dir := t.TempDir()
	path := filepath.Join(dir, "m.gguf")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range Merge(t.Context(), base, a, path, MergeKeep) {
		break
	}
	only(t, dir, "m.gguf")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for _, err := range Merge(ctx, base, a, path, MergeKeep) {
		if n++; n == 3 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) || n > 5 {
		t.Errorf("after %d events: %v", n, last)
	}
	only(t, dir, "m.gguf")
	if b, err := os.ReadFile(path); string(b) != "old" || err != nil {
		t.Errorf("the old file holds %q", b)
	}
}

func TestWrongMergesGiveASentence(t *testing.T) {
	base := tinyBase(t, "llama", F16)
	path := filepath.Join(t.TempDir(), "m.gguf")
	for want, c := range map[string]struct {
		path   string
		change func(a *Adapter)
	}{
		"this is the base itself":    {base.Path(), func(*Adapter) {}},
		`the base has no tensor "x"`: {path, func(a *Adapter) { a.Pairs[0].Name = "x" }},
		"not finite":                 {path, func(a *Adapter) { a.Pairs[0].A[3] = float32(math.NaN()) }},
		"the adapter is empty":       {path, func(a *Adapter) { a.Pairs = nil }},
		`"blk.0.attn_q.weight" holds or becomes numbers that F16`: {path, func(a *Adapter) { a.Pairs[0].A[3] = 3e38 }},
		"no such file": {filepath.Join(path, "none", "m.gguf"), func(*Adapter) {}},
	} {
		a := tinyAdapter(base, 2, 0.01)
		c.change(a)
		var last error
		for _, err := range Merge(t.Context(), base, a, c.path, MergeKeep) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), want) || !strings.HasPrefix(last.Error(), "checkpoint: ") {
			t.Errorf("%v, not %q", last, want)
		}
	}
	only(t, filepath.Dir(path))
}
