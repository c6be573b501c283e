package checkpoint

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// modules are the seven projections of a layer: columns and rows by name.
var modules = []struct {
	name    string
	in, out int
}{
	{"attn_q", 64, 64},
	{"attn_k", 64, 32},
	{"attn_v", 64, 32},
	{"attn_output", 64, 64},
	{"ffn_gate", 64, 96},
	{"ffn_up", 64, 96},
	{"ffn_down", 96, 64},
}

// tinyBase writes a base of two layers, 4 heads of 16, 2 of them for keys, in the given type.
func tinyBase(t testing.TB, architecture string, typ Type) *File {
	t.Helper()
	entries := []Entry{
		{"general.architecture", architecture},
		{"general.name", "tiny"},
		{"general.file_type", uint32(2)},
		{architecture + ".block_count", uint32(2)},
		{architecture + ".attention.head_count", uint32(4)},
		{architecture + ".attention.head_count_kv", uint32(2)},
		{"general.source.repo_url", "https://huggingface.co/someone/tiny"},
		{"tokens", []string{"a", "b"}},
	}
	tensors := []*Tensor{NewTensor("token_embd.weight", Q8_0, 10, 64, gaussian(1, 640)), NewTensor("output.weight", Q8_0, 10, 64, gaussian(2, 640))}
	for layer := range 2 {
		for i, m := range modules {
			x := gaussian(uint64(100*layer+i), m.in*m.out)
			for j := range x {
				x[j] *= 0.05
			}
			tensors = append(tensors, NewTensor(fmt.Sprintf("blk.%d.%s.weight", layer, m.name), typ, m.out, m.in, x))
		}
		tensors = append(tensors, NewTensor(fmt.Sprintf("blk.%d.attn_norm.weight", layer), F32, 1, 64, gaussian(9, 64)))
	}
	path := filepath.Join(t.TempDir(), "base.gguf")
	if err := Write(path, entries, tensors); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

// tinyAdapter has a pair for each of the seven projections of a tiny base.
func tinyAdapter(base *File, rank int, size float32) *Adapter {
	a := &Adapter{Architecture: base.Architecture(), Rank: rank, Alpha: 2.5 * float32(rank), Base: "tiny"}
	for layer := range 2 {
		for i, m := range modules {
			p := Pair{Name: fmt.Sprintf("blk.%d.%s.weight", layer, m.name), In: m.in, Out: m.out, A: gaussian(uint64(7*layer+i), rank*m.in), B: gaussian(uint64(50+7*layer+i), m.out*rank)}
			for j := range p.B {
				p.B[j] *= size
			}
			a.Pairs = append(a.Pairs, p)
		}
	}
	return a
}

func TestAdapterComesBack(t *testing.T) {
	base := tinyBase(t, "llama", Q4_0)
	for _, rank := range []int{1, 3, 16} {
		a := tinyAdapter(base, rank, 0.1)
		dir := t.TempDir()
		path := filepath.Join(dir, "adapter.gguf")
		if err := a.WriteGGUF(path, F32); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{path, dir} {
			if b, err := ReadAdapter(p); err != nil || !reflect.DeepEqual(a, b) {
				t.Errorf("rank %d: the adapter comes back as another: %v", rank, err)
			}
		}
		if err := a.WriteGGUF(path, F16); err != nil {
			t.Fatal(err)
		}
		b, err := ReadAdapter(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range b.Pairs {
			if d := rms(p.A, a.Pairs[i].A); d == 0 || d > 1e-3 {
				t.Errorf("in F16 A is off by %g", d)
			}
		}
		f := open(t, path)
		q := f.Tensor("blk.1.attn_k.weight.lora_a")
		if !reflect.DeepEqual(q.Dims, []int{64, rank}) || !reflect.DeepEqual(f.Tensor("blk.1.attn_k.weight.lora_b").Dims, []int{rank, 32}) {
			t.Errorf("dims %v", q.Dims)
		}
	}
}

func TestAlphaZeroIsScaleOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.gguf")
	for _, entries := range [][]Entry{{{"adapter.lora.alpha", float32(0)}}, nil} {
		entries = append(entries, Entry{"general.architecture", "llama"}, Entry{"general.type", "adapter"}, Entry{"adapter.type", "lora"})
		if err := Write(path, entries, loraTensors("x", 4)); err != nil {
			t.Fatal(err)
		}
		if a, err := ReadAdapter(path); err != nil || a.Alpha != 4 || a.Rank != 4 {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

// loraTensors are a pair of 8 to 6.
func loraTensors(name string, rank int) []*Tensor {
	return []*Tensor{NewTensor(name+".lora_a", F32, rank, 8, gaussian(1, rank*8)), NewTensor(name+".lora_b", F32, 6, rank, gaussian(2, 6*rank))}
}

func TestWrongAdaptersGiveASentence(t *testing.T) {
	good := []Entry{{"general.architecture", "llama"}, {"general.type", "adapter"}, {"adapter.type", "lora"}, {"adapter.lora.alpha", float32(8)}}
	pair := loraTensors("x", 4)
	other := loraTensors("y", 3)
	inf := NewTensor("x.lora_a", F32, 4, 8, slices.Repeat([]float32{float32(math.Inf(1))}, 32))
	for name, c := range map[string]struct {
		entries []Entry
		tensors []*Tensor
		want    string
	}{
		"a model":         {[]Entry{{"general.architecture", "llama"}}, pair, "it is not a LoRA adapter"},
		"another adapter": {[]Entry{good[0], good[1], {"adapter.type", "control_vector"}}, pair, "it is not a LoRA adapter"},
		"activated":       {append(slices.Clone(good), Entry{"adapter.alora.invocation_tokens", []uint32{1}}), pair, "activated LoRA"},
		"empty":           {good, nil, "the adapter is empty"},
		"only a":          {good, pair[:1], `"x.lora_a" has no lora_b`},
		"only b":          {good, pair[1:], `"x.lora_b" has no lora_a`},
		"embedding":       {good, loraTensors("token_embd.weight", 2), `a pair for "token_embd.weight", which llama.cpp would not apply`},
		"a norm":          {good, append(slices.Clone(pair), NewTensor("y_norm.weight", F32, 1, 8, gaussian(1, 8))), `"y_norm.weight" is neither`},
		"two ranks":       {good, append(slices.Clone(pair), other...), "the ranks of \"y\" are 3 and 3, others' are 4"},
		"no match":        {good, []*Tensor{pair[0], NewTensor("x.lora_b", F32, 6, 3, gaussian(2, 18))}, "the ranks of \"x\" are 4 and 3"},
		"quantised":       {good, []*Tensor{NewTensor("x.lora_a", Q8_0, 4, 32, gaussian(1, 128)), pair[1]}, "is of Q8_0; an adapter is of F32"},
		"infinite":        {good, []*Tensor{inf, pair[1]}, "not finite"},
		"nameless":        {good[1:], pair, "does not name its architecture"},
		"negative":        {append(slices.Clone(good[:3]), Entry{"adapter.lora.alpha", float32(-1)}), pair, "alpha is -1"},
	} {
		path := filepath.Join(t.TempDir(), "a.gguf")
		if err := Write(path, c.entries, c.tensors); err != nil {
			t.Fatal(err)
		}
		a, err := ReadAdapter(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "checkpoint: ") || a != nil {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
	a := tinyAdapter(tinyBase(t, "llama", F32), 2, 1)
	path := filepath.Join(t.TempDir(), "a.gguf")
	if err := a.WriteGGUF(path, Q8_0); err == nil || !strings.Contains(err.Error(), "F32 or F16, not in Q8_0") {
		t.Error(err)
	}
	a.Pairs[0].B[1] = 7e4
	if err := a.WriteGGUF(path, F16); err == nil || !strings.Contains(err.Error(), "70000, which F16 has no room for") {
		t.Error(err)
	}
	a.Alpha = 0
	if err := a.WriteGGUF(path, F32); err == nil || !strings.Contains(err.Error(), "alpha is 0") {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("what is refused was written")
	}
}

// adapterBytes is a small adapter's file.
func adapterBytes(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.gguf")
	a := &Adapter{Architecture: "llama", Rank: 2, Alpha: 4, Base: "b", Pairs: []Pair{{Name: "blk.0.attn_q.weight", In: 4, Out: 3, A: gaussian(1, 8), B: gaussian(2, 6)}}}
	if err := a.WriteGGUF(path, F32); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readBytes takes the bytes of a file as an adapter.
func readBytes(data []byte) (*Adapter, error) {
	h, err := parseHeader(data)
	if err != nil {
		return nil, err
	}
	f := &File{path: "x", header: h, byName: map[string]*Tensor{}}
	if err := f.take(h); err != nil {
		return nil, err
	}
	return f.adapter()
}

// TestMutantAdapters changes a small adapter 1,000 times: what is taken holds together.
func TestMutantAdapters(t *testing.T) {
	data := adapterBytes(t)
	taken := 0
	for seed := range uint64(1000) {
		a, err := readBytes(mutate(data, seed))
		switch {
		case err != nil && strings.Contains(err.Error(), "\n"):
			t.Errorf("mutant %d: not one line: %q", seed, err)
		case err == nil:
			taken++
			if err := a.check(); err != nil {
				t.Errorf("mutant %d was taken: %v", seed, err)
			}
		}
	}
	if taken == 0 || taken > 700 {
		t.Errorf("%d of 1,000 were taken", taken)
	}
}

func FuzzAdapter(f *testing.F) {
	data := adapterBytes(f)
	f.Add(data)
	for seed := range uint64(50) {
		f.Add(mutate(data, seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := readBytes(data); err == nil && a.check() != nil {
			t.Errorf("it was taken: %v", a.check())
		}
	})
}
