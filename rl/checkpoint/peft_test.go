package checkpoint

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestRowsOfLlamaFiles checks the order against the two rotations themselves: a q or k rotated
// pairwise in the file's order has the products that it has rotated by halves in
// transformers' order.
func TestRowsOfLlamaFiles(t *testing.T) {
	base := tinyBase(t, "llama", F32)
	order, err := fileRows(base, "blk.0.attn_k.weight") // 2 heads of 16
	if err != nil {
		t.Fatal(err)
	}
	file := gaussian(1, 32)
	theirs := make([]float32, 32)
	for n, row := range order {
		theirs[n] = file[row]
	}
	rotate := func(x []float32, pair func(j int) (int, int)) []float64 {
		y := make([]float64, 16)
		for j := range 8 {
			a, b := pair(j)
			sin, cos := math.Sincos(3 * math.Pow(100, -float64(j)/8))
			y[a] = float64(x[a])*cos - float64(x[b])*sin
			y[b] = float64(x[a])*sin + float64(x[b])*cos
		}
		return y
	}
	for head := range 2 {
		ours := rotate(file[16*head:], func(j int) (int, int) { return 2 * j, 2*j + 1 })
		halves := rotate(theirs[16*head:], func(j int) (int, int) { return j, j + 8 })
		for j := range 8 {
			if ours[2*j] != halves[j] || ours[2*j+1] != halves[j+8] {
				t.Fatalf("head %d, pair %d: %v %v and %v %v", head, j, ours[2*j], ours[2*j+1], halves[j], halves[j+8])
			}
		}
	}
	sorted := slices.Sorted(slices.Values(order))
	for i, n := range sorted {
		if i != n {
			t.Fatalf("it is no permutation: %v", order)
		}
	}
	if order[1] != 2 || order[8] != 1 || order[16] != 16 {
		t.Errorf("the order is %v", order)
	}
	for name, architecture := range map[string]string{"blk.0.attn_v.weight": "llama", "blk.0.attn_q.weight": "qwen2"} {
		if order, err := fileRows(tinyBase(t, architecture, F32), name); order != nil || err != nil {
			t.Errorf("%s of %s: %v, %v", name, architecture, order, err)
		}
	}
}

func TestPEFTFolderComesBack(t *testing.T) {
	for _, architecture := range []string{"llama", "qwen2", "qwen3"} {
		base := tinyBase(t, architecture, Q4_0)
		a := tinyAdapter(base, 4, 0.1)
		dir := filepath.Join(t.TempDir(), "a", "b")
		if err := a.WritePEFT(dir, base); err != nil {
			t.Fatal(err)
		}
		only(t, dir, "README.md", "adapter_config.json", "adapter_model.safetensors")
		b, err := ReadPEFT(dir, base)
		if err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s: it comes back as another (%v)", architecture, err)
		}
		arrays, meta, err := ReadSafetensors(filepath.Join(dir, "adapter_model.safetensors"))
		if err != nil || meta["format"] != "pt" || len(arrays) != 28 {
			t.Fatalf("%v, %v, %d arrays", err, meta, len(arrays))
		}
		q := arrays["base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight"]
		if !slices.Equal(q.Shape, []int{64, 4}) {
			t.Fatalf("shape %v", q.Shape)
		}
		mine := a.Pairs[7].B
		from := map[string]int{"llama": 2, "qwen2": 1, "qwen3": 1}[architecture]
		if !slices.Equal(q.F32[4:8], mine[4*from:4*from+4]) {
			t.Errorf("%s: row 1 of q is not row %d", architecture, from)
		}
		if k := arrays["base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"]; !slices.Equal(k.F32, a.Pairs[7].A) {
			t.Errorf("%s: A of q is another", architecture)
		}
		var config struct {
			Base    string   `json:"base_model_name_or_path"`
			R       int      `json:"r"`
			Alpha   float64  `json:"lora_alpha"`
			Targets []string `json:"target_modules"`
		}
		c, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
		if err == nil {
			err = json.Unmarshal(c, &config)
		}
		if err != nil || config.Base != "someone/tiny" || config.R != 4 || config.Alpha != 10 || strings.Join(config.Targets, " ") != "down_proj gate_proj k_proj o_proj q_proj up_proj v_proj" {
			t.Errorf("%v, %+v", err, config)
		}
		a.Pairs = a.Pairs[:3]
		if err := a.WritePEFT(dir, base); err != nil {
			t.Fatal(err)
		}
		if b, err := ReadPEFT(dir, base); err != nil || len(b.Pairs) != 3 {
			t.Errorf("three pairs: %v", err)
		}
		if c, _ := os.ReadFile(filepath.Join(dir, "adapter_config.json")); !strings.Contains(string(c), `"model.layers.0.self_attn.q_proj"`) {
			t.Errorf("three pairs: %s", c)
		}
	}
}

func TestWrongPEFTFoldersGiveASentence(t *testing.T) {
	base := tinyBase(t, "llama", F32)
	dir := filepath.Join(t.TempDir(), "a")
	good := tinyAdapter(base, 4, 0.1)
	if err := good.WritePEFT(dir, base); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"kind":    {`"LORA"`, `"IA3"`, "its kind is \"IA3\""},
		"rank":    {`"r": 4`, `"r": 5`, "at rank 5"},
		"rank 0":  {`"r": 4`, `"r": 0`, "its rank is 0"},
		"dora":    {`"use_dora": false`, `"use_dora": true`, "DoRA"},
		"fan in":  {`"fan_in_fan_out": false`, `"fan_in_fan_out": true`, "fan_in_fan_out"},
		"bias":    {`"bias": "none"`, `"bias": "all"`, "biases"},
		"save":    {`"modules_to_save": null`, `"modules_to_save": ["lm_head"]`, "lm_head"},
		"pattern": {`"rank_pattern": {}`, `"rank_pattern": {"q_proj": 8}`, "for each module"},
		"JSON":    {`{`, ``, "adapter_config.json: "},
	} {
		if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte(strings.Replace(string(whole), c.old, c.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPEFT(dir, base); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "checkpoint: read "+dir) {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte(strings.Replace(string(whole), `"use_rslora": false`, `"use_rslora": true`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if a, err := ReadPEFT(dir, base); err != nil || a.Alpha != 20 { // 10 * sqrt(4)
		t.Errorf("rsLoRA: %v", err)
	}
	for name, change := range map[string]func(a *Adapter){
		`the base has no tensor "blk.9.attn_q.weight"`: func(a *Adapter) { a.Pairs[0].Name = "blk.9.attn_q.weight" },
		`PEFT folders have no place here`: func(a *Adapter) {
			a.Pairs[0] = Pair{Name: "output.weight", In: 64, Out: 10, A: make([]float32, 256), B: make([]float32, 40)}
		},
		`is for the architecture "qwen2"`: func(a *Adapter) { a.Architecture = "qwen2" },
		`goes from 64 to 32, the base's from 64 to 64`: func(a *Adapter) {
			a.Pairs[0] = Pair{Name: "blk.0.attn_q.weight", In: 64, Out: 32, A: make([]float32, 256), B: make([]float32, 128)}
		},
		`two pairs for "blk.0.attn_q.weight"`: func(a *Adapter) { a.Pairs[1] = a.Pairs[0] },
	} {
		a := tinyAdapter(base, 4, 0.1)
		change(a)
		if err := a.WritePEFT(filepath.Join(t.TempDir(), "x"), base); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, not %q", err, name)
		}
	}
}
