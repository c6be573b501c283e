package model_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"longhand/rl/checkpoint"
	"longhand/rl/cpu"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// quantisedTypes are dealt out to the matrices of a base in turn, so that joined
// weights are of several types.
var quantisedTypes = []checkpoint.Type{
	checkpoint.Q8_0, checkpoint.Q4_0, checkpoint.Q4_1, checkpoint.Q6_K, checkpoint.F16, checkpoint.Q5_0, checkpoint.Q4_K, checkpoint.Q5_1,
	checkpoint.BF16, checkpoint.Q5_K, checkpoint.IQ4_NL, checkpoint.IQ4_XS, checkpoint.F32,
}

// requantise writes a base's matrices in other types, and a copy of that with
// the same numbers in F32. Rows that a type's blocks do not divide stay F32.
func requantise(t testing.TB, path string) (quantised, plain string, used map[checkpoint.Type]bool) {
	t.Helper()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	used = map[checkpoint.Type]bool{}
	var small, large []*checkpoint.Tensor
	for i, tensor := range f.Tensors() {
		typ := quantisedTypes[i%len(quantisedTypes)]
		if tensor.Rows == 1 || tensor.Cols%typ.Block() != 0 {
			typ = checkpoint.F32
		}
		used[typ] = true
		v := make([]float32, tensor.Rows*tensor.Cols)
		tensor.Dequant(v, 0, tensor.Rows)
		q := checkpoint.NewTensor(tensor.Name, typ, tensor.Rows, tensor.Cols, v)
		q.Dequant(v, 0, tensor.Rows)
		small, large = append(small, q), append(large, checkpoint.NewTensor(tensor.Name, checkpoint.F32, tensor.Rows, tensor.Cols, v))
	}
	dir := t.TempDir()
	quantised, plain = filepath.Join(dir, "quantised.gguf"), filepath.Join(dir, "plain.gguf")
	for path, tensors := range map[string][]*checkpoint.Tensor{quantised: small, plain: large} {
		if err := checkpoint.Write(path, entriesOf(f), tensors); err != nil {
			t.Fatal(err)
		}
	}
	return quantised, plain, used
}

// entriesOf are a file's header values.
func entriesOf(f *checkpoint.File) (list []checkpoint.Entry) {
	for _, key := range f.Keys() {
		if n, ok := f.Uint(key); ok {
			list = append(list, checkpoint.Entry{Key: key, Value: uint32(n)})
		} else if text, ok := f.Text(key); ok {
			list = append(list, checkpoint.Entry{Key: key, Value: text})
		} else if x, ok := f.Float(key); ok {
			list = append(list, checkpoint.Entry{Key: key, Value: float32(x)})
		}
	}
	return list
}

// TestQuantisedBase compares each base, its matrices quantised, with the same numbers in F32: on
// the oracle, where both are the same, and on the CPU with weights held in F32 and not held.
func TestQuantisedBase(t *testing.T) {
	wide := tiny{architecture: "qwen3", layers: 2, width: 256, heads: 4, kvHeads: 2, headSize: 64, ff: 256, vocabulary: 41, untied: true}
	paths := map[string]string{"every type": wide.write(t, 3)}
	for _, name := range goldenNames {
		paths[name] = (&golden{name: name}).path()
	}
	seen := map[checkpoint.Type]bool{}
	for name, path := range paths {
		quantised, plain, used := requantise(t, path)
		for typ := range used {
			seen[typ] = true
		}
		t.Run(name, func(t *testing.T) {
			want := computed(t, plain, devicetest.NewOracle())
			want.near(t, "the oracle", computed(t, quantised, devicetest.NewOracle()), bounds{})
			for how, o := range map[string]cpu.Options{"held": {Threads: 2}, "not held": {Threads: 2, Resident: 1}} {
				got := map[string]outcome{}
				for _, p := range []string{quantised, plain} {
					d, err := cpu.New(o)
					if err != nil {
						t.Fatal(err)
					}
					got[p] = computed(t, p, d)
					want.near(t, "the CPU, weights "+how, got[p], inFloat32)
				}
				got[plain].near(t, "the CPU with itself, weights "+how, got[quantised], inFloat32)
			}
		})
	}
	for _, typ := range quantisedTypes {
		if !seen[typ] {
			t.Errorf("no base has a matrix of %s", typ)
		}
	}
}

// outcome is what a model computes of a batch.
type outcome struct {
	logp  []float64
	grads map[string][]float64
}

// computed runs a batch forward and back.
func computed(t testing.TB, path string, d model.Device) outcome {
	t.Helper()
	m := open(t, path, d, model.Options{Rank: 4, Alpha: 10, MaxRows: 100})
	r := rand.New(rand.NewPCG(5, 5))
	for _, p := range m.Params() {
		if !strings.HasSuffix(p.Name, ".lora_b") {
			continue
		}
		v := make([]float64, p.Rows*p.Cols)
		for i := range v {
			v[i] = float64(float32(0.05 * r.NormFloat64()))
		}
		if err := p.Set(v); err != nil {
			t.Fatal(err)
		}
	}
	groups := draw(m.Info().Vocabulary, 2, 3, 6)
	logp, grads := accumulate(t, m, groups, [][]model.Part{whole(groups)})
	var flat []float64
	for g := range groups {
		for c := range groups[g].Completions {
			flat = append(flat, logp[[2]int{g, c}]...)
		}
	}
	return outcome{flat, grads}
}

// near compares two outcomes.
func (want outcome) near(t testing.TB, what string, got outcome, most bounds) {
	t.Helper()
	var off bounds
	if err := near(got.logp, want.logp, most.logp, &off.logp); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	var lengths []float64
	for _, g := range want.grads {
		lengths = append(lengths, length(g))
	}
	slices.Sort(lengths) // one order of summing
	for name, g := range want.grads {
		scale := max(length(g), 1e-3*length(lengths))
		if !within(most.grad, &off.grad, length(minus(got.grads[name], g))/scale) {
			t.Errorf("%s: the gradient of %s is off by %.2g", what, name, off.grad)
		}
	}
	t.Logf("%s: %v", what, off)
}
