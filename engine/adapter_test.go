package engine

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"longhand/engine/enginetest"
)

// randomAdapter writes a LoRA adapter for the sample model: rank 4 on the query
// and the down projection of every layer.
func randomAdapter(t testing.TB, path, arch string, width, seed uint64, scale float32) {
	t.Helper()
	const inner, rank, layers = 1536, 4, 30
	r := rand.New(rand.NewPCG(seed, 5))
	numbers := func(n uint64) []float32 {
		list := make([]float32, n)
		for i := range list {
			list[i] = float32(r.NormFloat64()) * scale
		}
		return list
	}
	w := &ggufWriter{}
	w.set("general.type", "adapter")
	w.set("general.architecture", arch)
	w.set("adapter.type", "lora")
	w.set("adapter.lora.alpha", float32(8))
	for i := range layers {
		for name, in := range map[string]uint64{"attn_q": width, "ffn_down": inner} {
			prefix := "blk." + string(rune('0'+i/10)) + string(rune('0'+i%10)) + "." + name
			prefix = strings.Replace(prefix, "blk.0", "blk.", 1)
			w.add(prefix+".weight.lora_a", numbers(in*rank), in, rank)
			w.add(prefix+".weight.lora_b", numbers(rank*width), rank, width)
		}
	}
	if err := os.WriteFile(path, w.bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func lastLogits(t testing.TB, m *Model, prompt []int32) []float32 {
	t.Helper()
	m.forget()
	collect(t, m, Request{Prompt: prompt, MaxTokens: 1})
	logits, err := m.logits()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(logits)
}

func TestAdapterIsPutOnAndTakenOff(t *testing.T) {
	m := openSample(t, Options{})
	ctx := context.Background()
	folder := t.TempDir()
	randomAdapter(t, filepath.Join(folder, "adapter.gguf"), "llama", 576, 1, 0.05)
	other := filepath.Join(folder, "other.gguf")
	randomAdapter(t, other, "llama", 576, 2, 0.05)

	prompt := question(t, m, "Describe a mountain.")
	base := lastLogits(t, m, prompt)
	baseText := collect(t, m, Request{Prompt: prompt, MaxTokens: 16}).text
	if err := m.SetAdapter(ctx, folder); err != nil {
		t.Fatal(err)
	}
	if len(m.held) != 0 || m.Info().Adapter != folder {
		t.Errorf("the cache holds %d tokens, the adapter is %q", len(m.held), m.Info().Adapter)
	}
	with := lastLogits(t, m, prompt)
	if text := collect(t, m, Request{Prompt: prompt, MaxTokens: 16}).text; text == baseText || slices.Equal(with, base) {
		t.Error("the adapter changes nothing")
	}
	if err := m.SetAdapter(ctx, other); err != nil {
		t.Fatal(err)
	}
	if got := lastLogits(t, m, prompt); slices.Equal(got, with) || slices.Equal(got, base) {
		t.Error("the second adapter changes nothing")
	}
	if err := m.SetAdapter(ctx, folder); err != nil {
		t.Fatal(err)
	}
	if got := lastLogits(t, m, prompt); !slices.Equal(got, with) {
		t.Error("the first adapter does not come back to the bit")
	}
	for range 2 { // detaching twice is once
		if err := m.SetAdapter(ctx, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := lastLogits(t, m, prompt); !slices.Equal(got, base) || m.Info().Adapter != "" {
		t.Error("without the adapter the logits are not the base's to the bit")
	}
}

func TestForeignAdapterIsRefused(t *testing.T) {
	m := openSample(t, Options{})
	folder := t.TempDir()
	wide, qwen, cut := filepath.Join(folder, "wide.gguf"), filepath.Join(folder, "qwen.gguf"), filepath.Join(folder, "cut.gguf")
	randomAdapter(t, wide, "llama", 640, 1, 1)
	randomAdapter(t, qwen, "qwen2", 576, 1, 1)
	data, err := os.ReadFile(qwen)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	_, model := enginetest.Native(t)
	prompt := question(t, m, "Hello.")
	base := lastLogits(t, m, prompt)
	for path, want := range map[string]string{
		wide: "does not fit the model", qwen: "architecture qwen2", cut: "the file is cut",
		model: "it is not an adapter", folder: "adapter.gguf", folder + "/none": "no such file",
	} {
		if err := m.SetAdapter(context.Background(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := lastLogits(t, m, prompt); !slices.Equal(got, base) {
		t.Error("a refused adapter changed the model")
	}
}
