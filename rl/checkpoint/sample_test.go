package checkpoint

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"longhand/engine/enginetest"
)

// sample opens the sample model, a llama of 30 layers in Q4_1.
func sample(t *testing.T) *File {
	t.Helper()
	return open(t, enginetest.Model(t))
}

// sampleAdapter changes each of the seven projections of some layers by about a fifth of its size.
func sampleAdapter(t *testing.T, base *File, layers []int, rank int) *Adapter {
	t.Helper()
	a := &Adapter{Architecture: "llama", Rank: rank, Alpha: 2 * float32(rank), Base: "SmolLM2-135M-Instruct"}
	for _, layer := range layers {
		for i, m := range modules {
			name := fmt.Sprintf("blk.%d.%s.weight", layer, m.name)
			w := base.Tensor(name)
			if w == nil {
				t.Fatalf("the sample has no %s", name)
			}
			x := values(w)
			size := rms(x, make([]float32, len(x)))
			p := Pair{Name: name, In: w.Cols, Out: w.Rows, A: gaussian(uint64(7*layer+i), rank*w.Cols), B: gaussian(uint64(999+7*layer+i), w.Rows*rank)}
			for j := range p.B {
				p.B[j] *= float32(0.2 * size / (2 * math.Sqrt(float64(rank))))
			}
			a.Pairs = append(a.Pairs, p)
		}
	}
	return a
}

// TestSampleModel exports an adapter of the sample model in every form and reads it back. With
// LONGHAND_EXPORT_DIR it is for all layers, and the files stay there: testdata/peft_check.py compares them in PyTorch.
func TestSampleModel(t *testing.T) {
	base := sample(t)
	dir, layers := os.Getenv("LONGHAND_EXPORT_DIR"), []int{0}
	if dir == "" {
		dir = t.TempDir()
	} else {
		for layer := 1; layer < 30; layer++ {
			layers = append(layers, layer)
		}
	}
	if n, ok := base.Uint("llama.block_count"); n != 30 || !ok || len(base.Tensors()) != 272 {
		t.Fatalf("%d layers, %d tensors", n, len(base.Tensors()))
	}
	a := sampleAdapter(t, base, layers, 4)
	if err := a.WriteGGUF(filepath.Join(dir, "adapter.gguf"), F32); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadAdapter(dir); err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("the adapter comes back as another: %v", err)
	}
	if err := a.WritePEFT(filepath.Join(dir, "peft"), base); err != nil {
		t.Fatal(err)
	}
	b, err := ReadPEFT(filepath.Join(dir, "peft"), base)
	if err != nil {
		t.Fatal(err)
	}
	for _, pairs := range [][]Pair{a.Pairs, b.Pairs} { // which come in the order of the base
		slices.SortFunc(pairs, func(p, q Pair) int { return cmp.Compare(p.Name, q.Name) })
	}
	if !reflect.DeepEqual(a.Pairs, b.Pairs) {
		t.Error("the PEFT folder comes back as another")
	}
	for as, name := range map[MergeType]string{MergeKeep: "keep", MergeF16: "f16", MergeQ8_0: "q8_0"} {
		path := filepath.Join(dir, "merged-"+name+".gguf")
		kept, worst := 0.0, 0.0
		for _, e := range mergeAll(t, base, a, path, as) {
			if e.Changed {
				kept += e.Kept / float64(len(a.Pairs))
				worst = max(worst, e.Error)
			}
		}
		t.Logf("%s: %.4f of the change kept, at most %.4f of it off", name, kept, worst)
		if limit := map[MergeType]float64{MergeKeep: 0.5, MergeF16: 0.002, MergeQ8_0: 0.05}[as]; worst > limit || math.Abs(kept-1) > limit/2 {
			t.Errorf("%s: %.4f of the change is kept, at most %.4f of it off", name, kept, worst)
		}
		merged := open(t, path)
		if !bytes.Equal(merged.Tensor("token_embd.weight").Data, base.Tensor("token_embd.weight").Data) {
			t.Errorf("%s: the embedding was not copied", name)
		}
	}
}
