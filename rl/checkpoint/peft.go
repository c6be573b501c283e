package checkpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// peftModules are the names of transformers' projections by those of GGUF.
var peftModules = map[string]string{
	"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
	"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}

var tensorName = regexp.MustCompile(`^blk\.(0|[1-9][0-9]{0,4})\.([a-z_]+)\.weight$`)

// peftName is what transformers calls a matrix: "model.layers.0.self_attn.q_proj" for
// "blk.0.attn_q.weight".
func peftName(name string) (string, error) {
	m := tensorName.FindStringSubmatch(name)
	if m == nil || peftModules[m[2]] == "" {
		return "", fmt.Errorf("PEFT folders have no place here for the adapter's %.100q", name)
	}
	return "model.layers." + m[1] + "." + peftModules[m[2]], nil
}

// WritePEFT writes the adapter as a folder that PEFT loads: adapter_model.safetensors,
// adapter_config.json and README.md. The rows of attn_q and attn_k, which llama files hold
// in another order, are put back. Each file comes whole; what else lies in the folder stays.
func (a *Adapter) WritePEFT(dir string, base *File) error {
	names, arrays, err := a.peftArrays(base)
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", dir, err)
	}
	config, err := json.MarshalIndent(a.peftConfig(base), "", "  ")
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("checkpoint: make %s: %w", dir, sentence(err))
	}
	if err := WriteSafetensors(filepath.Join(dir, "adapter_model.safetensors"), names, arrays, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	for name, content := range map[string]string{"adapter_config.json": string(config) + "\n", "README.md": a.readme(base)} {
		if err := Replace(filepath.Join(dir, name), func(w io.Writer) error {
			_, err := io.WriteString(w, content)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// peftArrays are A and B by PEFT's keys, sorted, rows as transformers has them.
func (a *Adapter) peftArrays(base *File) (names []string, arrays map[string]Array, err error) {
	if err := a.fits(base); err != nil {
		return nil, nil, err
	}
	arrays = map[string]Array{}
	for _, p := range a.Pairs {
		name, err := peftName(p.Name)
		if err != nil {
			return nil, nil, err
		}
		order, err := fileRows(base, p.Name)
		if err != nil {
			return nil, nil, err
		}
		b := p.B
		if order != nil {
			b = make([]float32, len(p.B))
			for n, row := range order {
				copy(b[n*a.Rank:(n+1)*a.Rank], p.B[row*a.Rank:(row+1)*a.Rank])
			}
		}
		name = "base_model.model." + name
		names = append(names, name+".lora_A.weight", name+".lora_B.weight")
		arrays[name+".lora_A.weight"] = Array{[]int{a.Rank, p.In}, p.A}
		arrays[name+".lora_B.weight"] = Array{[]int{p.Out, a.Rank}, b}
	}
	slices.Sort(names)
	return names, arrays, nil
}

// peftConfig is adapter_config.json. Where not every layer has the same modules, the modules are
// named in full.
func (a *Adapter) peftConfig(base *File) map[string]any {
	layers, modules, full := map[string]bool{}, map[string]bool{}, []string{}
	for _, p := range a.Pairs {
		m := tensorName.FindStringSubmatch(p.Name)
		layers[m[1]] = true
		_, short, _ := strings.Cut(peftModules[m[2]], ".")
		modules[short] = true
		full = append(full, "model.layers."+m[1]+"."+peftModules[m[2]])
	}
	targets := full
	if n, _ := base.Uint(base.Architecture() + ".block_count"); uint64(len(layers)) == n && len(layers)*len(modules) == len(a.Pairs) {
		targets = nil
		for name := range modules {
			targets = append(targets, name)
		}
	}
	slices.Sort(targets)
	return map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": a.baseName(base),
		"r": a.Rank, "lora_alpha": a.Alpha, "lora_dropout": 0.0, "target_modules": targets, "bias": "none",
		"fan_in_fan_out": false, "use_rslora": false, "use_dora": false, "modules_to_save": nil, "inference_mode": true,
		"init_lora_weights": true, "rank_pattern": map[string]int{}, "alpha_pattern": map[string]int{},
	}
}

// baseName is where the base comes from: owner/name on Hugging Face if the base's header says so,
// else its name.
func (a *Adapter) baseName(base *File) string {
	for _, key := range []string{"general.source.huggingface.repository", "general.source.repo_url", "general.repo_url", "general.source.url"} {
		s, _ := base.Text(key)
		s = strings.TrimPrefix(s, "https://huggingface.co/")
		if repository.MatchString(s) {
			return s
		}
	}
	if a.Base != "" {
		return a.Base
	}
	if s, ok := base.Text("general.name"); ok {
		return s
	}
	return filepath.Base(base.Path())
}

var repository = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (a *Adapter) readme(base *File) string {
	name := a.baseName(base)
	head := "---\nlibrary_name: peft\n"
	if repository.MatchString(name) {
		head += "base_model: " + name + "\n"
	}
	return head + "---\n\n# LoRA adapter for " + name + "\n\nRank " + strconv.Itoa(a.Rank) + ", alpha " + strconv.FormatFloat(float64(a.Alpha), 'g', -1, 32) +
		", trained with Longhand against " + filepath.Base(base.Path()) + ".\n\n```python\nfrom peft import PeftModel\n" +
		"model = PeftModel.from_pretrained(base_model, \"this folder\")\n```\n"
}
