package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Adapter is a LoRA adapter: W x becomes W x + Alpha/Rank B (A x) for each pair.
type Adapter struct {
	Architecture string // of the base, such as "llama"
	Rank         int
	Alpha        float32
	Base         string // the base model's general.name, or its path
	Pairs        []Pair
}

// Pair is the adapter's part at one matrix of the base.
type Pair struct {
	Name    string    // of the base tensor, such as "blk.0.attn_q.weight"
	In, Out int       // columns and rows of the base tensor
	A       []float32 // Rank x In
	B       []float32 // Out x Rank, rows in the base file's order
}

// ReadAdapter reads a GGUF adapter, or adapter.gguf of a folder.
func ReadAdapter(path string) (*Adapter, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "adapter.gguf")
	}
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.unmap()
	a, err := f.adapter()
	if err == nil {
		err = f.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: read adapter %s: %w", path, err)
	}
	return a, nil
}

// adapter takes a file as a LoRA adapter: what llama.cpp would not apply, or
// not as Adapter says, is refused.
func (f *File) adapter() (*Adapter, error) {
	general, _ := f.Text("general.type")
	kind, _ := f.Text("adapter.type")
	if general != "adapter" || kind != "lora" {
		return nil, errors.New("it is not a LoRA adapter")
	}
	if _, ok := f.header.values["adapter.alora.invocation_tokens"]; ok {
		return nil, errors.New("it is an activated LoRA (adapter.alora.invocation_tokens), which is not supported")
	}
	a := &Adapter{Architecture: f.Architecture()}
	a.Base, _ = f.Text("general.base_model.0.name")
	alpha, _ := f.Float("adapter.lora.alpha")
	for _, t := range f.tensors {
		name, isA := strings.CutSuffix(t.Name, ".lora_a")
		if other, isB := strings.CutSuffix(t.Name, ".lora_b"); isB {
			if f.Tensor(other+".lora_a") == nil {
				return nil, fmt.Errorf("the tensor %.100q has no lora_a beside it", t.Name)
			}
			continue
		} else if !isA {
			return nil, fmt.Errorf("the tensor %.100q is neither a lora_a nor a lora_b", t.Name)
		}
		b := f.Tensor(name + ".lora_b")
		if b == nil {
			return nil, fmt.Errorf("the tensor %.100q has no lora_b beside it", t.Name)
		}
		if a.Rank == 0 {
			a.Rank = t.Rows
		}
		p, err := readPair(name, t, b, a.Rank)
		if err != nil {
			return nil, err
		}
		a.Pairs = append(a.Pairs, p)
	}
	if a.Alpha = float32(alpha); alpha == 0 {
		a.Alpha = float32(a.Rank) // llama.cpp scales by 1 then
	}
	return a, a.check()
}

func readPair(name string, a, b *Tensor, rank int) (Pair, error) {
	for _, t := range []*Tensor{a, b} {
		if t.Type != F32 && t.Type != F16 && t.Type != BF16 {
			return Pair{}, fmt.Errorf("the tensor %.100q is of %s; an adapter is of F32, F16 or BF16", t.Name, t.Type)
		}
	}
	if a.Rows != rank || b.Cols != rank {
		return Pair{}, fmt.Errorf("the ranks of %.100q are %d and %d, others' are %d", name, a.Rows, b.Cols, rank)
	}
	p := Pair{Name: name, In: a.Cols, Out: b.Rows, A: make([]float32, rank*a.Cols), B: make([]float32, b.Rows*rank)}
	a.Dequant(p.A, 0, rank)
	b.Dequant(p.B, 0, b.Rows)
	return p, nil
}

// check says what keeps the adapter from being applied.
func (a *Adapter) check() error {
	switch alpha := float64(a.Alpha); {
	case len(a.Pairs) == 0 || a.Rank <= 0:
		return errors.New("the adapter is empty")
	case a.Architecture == "":
		return errors.New("the adapter does not name its architecture")
	case !(alpha > 0) || math.IsInf(alpha, 0):
		return fmt.Errorf("the adapter's alpha is %v", alpha)
	}
	seen := map[string]bool{}
	for _, p := range a.Pairs {
		if seen[p.Name] {
			return fmt.Errorf("the adapter has two pairs for %.100q", p.Name)
		}
		seen[p.Name] = true
		if err := a.checkPair(&p); err != nil {
			return err
		}
	}
	return nil
}

func (a *Adapter) checkPair(p *Pair) error {
	switch {
	case p.Name == "token_embd.weight" || strings.HasSuffix(p.Name, "_norm.weight"):
		return fmt.Errorf("the adapter has a pair for %.100q, which llama.cpp would not apply as it does others", p.Name)
	case p.In <= 0 || p.Out <= 0 || len(p.A) != a.Rank*p.In || len(p.B) != p.Out*a.Rank:
		return fmt.Errorf("the pair of %.100q, %d to %d, has %d and %d numbers at rank %d", p.Name, p.In, p.Out, len(p.A), len(p.B), a.Rank)
	case !finite(p.A) || !finite(p.B):
		return fmt.Errorf("the pair of %.100q holds a number that is not finite", p.Name)
	}
	return nil
}

func finite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// fits checks the adapter against the base that it is for.
func (a *Adapter) fits(base *File) error {
	if err := a.check(); err != nil {
		return err
	}
	if a.Architecture != base.Architecture() {
		return fmt.Errorf("the adapter is for the architecture %.40q, the base is of %.40q", a.Architecture, base.Architecture())
	}
	for _, p := range a.Pairs {
		t := base.Tensor(p.Name)
		switch {
		case t == nil:
			return fmt.Errorf("the base has no tensor %.100q, which the adapter is for", p.Name)
		case len(t.Dims) > 2:
			return fmt.Errorf("the base's tensor %.100q is not a matrix", p.Name)
		case t.Cols != p.In || t.Rows != p.Out:
			return fmt.Errorf("the adapter's %.100q goes from %d to %d, the base's from %d to %d", p.Name, p.In, p.Out, t.Cols, t.Rows)
		}
	}
	return nil
}

// WriteGGUF writes the adapter as llama.cpp loads it, in F32 or F16. It lies beside path until it is
// whole, then takes its name.
func (a *Adapter) WriteGGUF(path string, typ Type) error {
	if err := a.writable(typ); err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	var tensors []*Tensor
	for _, p := range a.Pairs {
		lora := NewTensor(p.Name+".lora_a", typ, a.Rank, p.In, p.A)
		lora.Dims = []int{p.In, a.Rank} // two of them also at rank 1
		tensors = append(tensors, lora)
		lora = NewTensor(p.Name+".lora_b", typ, p.Out, a.Rank, p.B)
		lora.Dims = []int{a.Rank, p.Out}
		tensors = append(tensors, lora)
	}
	fileType := uint32(0)
	if typ == F16 {
		fileType = 1
	}
	entries := []Entry{
		{"general.architecture", a.Architecture},
		{"general.type", "adapter"},
		{"adapter.type", "lora"},
		{"adapter.lora.alpha", a.Alpha},
		{"general.file_type", fileType},
	}
	if a.Base != "" {
		entries = append(entries, Entry{"general.base_model.count", uint32(1)}, Entry{"general.base_model.0.name", a.Base})
	}
	return Write(path, entries, tensors)
}

func (a *Adapter) writable(typ Type) error {
	if typ != F32 && typ != F16 {
		return fmt.Errorf("an adapter is written in F32 or F16, not in %s", typ)
	}
	if err := a.check(); err != nil {
		return err
	}
	if typ == F32 {
		return nil
	}
	for _, p := range a.Pairs {
		for _, x := range [][]float32{p.A, p.B} {
			for _, v := range x {
				if v > 65504 || v < -65504 {
					return fmt.Errorf("the pair of %q holds %g, which F16 has no room for", p.Name, v)
				}
			}
		}
	}
	return nil
}
