package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// peftSettings are the settings of adapter_config.json that change what an adapter does.
type peftSettings struct {
	Kind          string         `json:"peft_type"`
	Rank          int            `json:"r"`
	Alpha         float64        `json:"lora_alpha"`
	RSLoRA        bool           `json:"use_rslora"`
	DoRA          bool           `json:"use_dora"`
	FanInFanOut   bool           `json:"fan_in_fan_out"`
	Bias          string         `json:"bias"`
	LoRABias      bool           `json:"lora_bias"`
	ModulesToSave []string       `json:"modules_to_save"`
	RankPattern   map[string]any `json:"rank_pattern"`
	AlphaPattern  map[string]any `json:"alpha_pattern"`
}

// ReadPEFT reads a PEFT folder as an adapter of base, rows as base has them. What is more
// than plain LoRA of one rank on the seven projections is refused.
func ReadPEFT(dir string, base *File) (*Adapter, error) {
	a, err := readPEFT(dir, base)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: read %s: %w", dir, err)
	}
	return a, nil
}

func readPEFT(dir string, base *File) (*Adapter, error) {
	s, err := readSettings(filepath.Join(dir, "adapter_config.json"))
	if err != nil {
		return nil, fmt.Errorf("adapter_config.json: %w", err)
	}
	arrays, _, err := ReadSafetensors(filepath.Join(dir, "adapter_model.safetensors"))
	if err != nil {
		return nil, err
	}
	a := &Adapter{Architecture: base.Architecture(), Rank: s.Rank, Alpha: float32(s.Alpha)}
	if a.Base, _ = base.Text("general.name"); a.Base == "" {
		a.Base = base.Path()
	}
	if s.RSLoRA {
		a.Alpha = float32(s.Alpha * math.Sqrt(float64(s.Rank))) // its scale is alpha / sqrt(r)
	}
	for _, t := range base.Tensors() {
		name, err := peftName(t.Name)
		if err != nil {
			continue
		}
		name = "base_model.model." + name
		A, okA := arrays[name+".lora_A.weight"]
		B, okB := arrays[name+".lora_B.weight"]
		if !okA || !okB {
			continue
		}
		delete(arrays, name+".lora_A.weight")
		delete(arrays, name+".lora_B.weight")
		p, err := a.peftPair(base, t, A, B)
		if err != nil {
			return nil, err
		}
		a.Pairs = append(a.Pairs, p)
	}
	for name := range arrays {
		return nil, fmt.Errorf("the base has no place for %.200q", name)
	}
	return a, a.check()
}

// peftPair puts the rows of B in the order of the base.
func (a *Adapter) peftPair(base *File, t *Tensor, A, B Array) (Pair, error) {
	if !slices.Equal(A.Shape, []int{a.Rank, t.Cols}) || !slices.Equal(B.Shape, []int{t.Rows, a.Rank}) {
		return Pair{}, fmt.Errorf("for %.100q, %d to %d, there are arrays of %v and %v at rank %d", t.Name, t.Cols, t.Rows, A.Shape, B.Shape, a.Rank)
	}
	order, err := fileRows(base, t.Name)
	if err != nil {
		return Pair{}, err
	}
	p := Pair{Name: t.Name, In: t.Cols, Out: t.Rows, A: A.F32, B: B.F32}
	if order != nil {
		p.B = make([]float32, len(B.F32))
		for n, row := range order {
			copy(p.B[row*a.Rank:(row+1)*a.Rank], B.F32[n*a.Rank:(n+1)*a.Rank])
		}
	}
	return p, nil
}

func readSettings(path string) (*peftSettings, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, reason(err)
	}
	s := &peftSettings{Rank: 8, Alpha: 8} // PEFT's own
	if err := json.Unmarshal(b, s); err != nil {
		return nil, err
	}
	switch {
	case s.Kind != "LORA":
		return nil, fmt.Errorf("its kind is %.40q, not LORA", s.Kind)
	case s.Rank < 1 || s.Rank > 1<<16:
		return nil, fmt.Errorf("its rank is %d", s.Rank)
	case s.DoRA:
		return nil, errors.New("DoRA is not supported")
	case s.FanInFanOut:
		return nil, errors.New("fan_in_fan_out is not supported")
	case s.LoRABias || s.Bias != "" && s.Bias != "none":
		return nil, errors.New("trained biases are not supported")
	case len(s.ModulesToSave) > 0:
		return nil, fmt.Errorf("modules_to_save (%.100s) are not supported", strings.Join(s.ModulesToSave, ", "))
	case len(s.RankPattern) > 0 || len(s.AlphaPattern) > 0:
		return nil, errors.New("a rank or an alpha for each module is not supported")
	}
	return s, nil
}
