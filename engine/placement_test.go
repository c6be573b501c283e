package engine

import (
	"strings"
	"testing"

	"longhand/engine/enginetest"
)

// layered is the header of a model with four layers of 1 MiB, a head of 2 MiB
// and a cache of 2 KiB a token and layer.
func layered() *ggufHeader {
	h := &ggufHeader{values: map[string]ggufEntry{"general.architecture": {text: "llama"}}}
	for key, n := range map[string]float64{"block_count": 4, "embedding_length": 512, "attention.head_count": 8, "attention.head_count_kv": 8, "context_length": 4096} {
		h.values["llama."+key] = ggufEntry{numbers: []float64{n}}
	}
	for _, name := range []string{"blk.0.attn_q.weight", "blk.1.attn_q.weight", "blk.2.attn_q.weight", "blk.3.attn_q.weight"} {
		h.tensors = append(h.tensors, ggufTensor{name: name, bytes: 1 << 20})
	}
	h.tensors = append(h.tensors, ggufTensor{name: "output.weight", bytes: 2 << 20}, ggufTensor{name: "token_embd.weight", bytes: 2 << 20})
	return h
}

func TestLayersAreFittedToFreeMemory(t *testing.T) {
	h := layered()
	const cache = 1024 * 2048 // tokens, bytes a layer
	o := Options{Context: 1024}
	for free, want := range map[uint64]int{
		0:                                        0,
		gpuReserve:                               0,
		gpuReserve + 2<<20:                       1, // the head
		gpuReserve + 3<<20:                       1,
		gpuReserve + 3<<20 + cache:               2,
		gpuReserve + 5<<20 + 3*cache:             4,
		gpuReserve + 6<<20 + 4*cache:             5,
		1 << 40:                                  5,
		gpuReserve + 2<<20 + (1<<20+cache)*4 - 1: 4,
	} {
		if got := h.fitLayers(free, o); got != want {
			t.Errorf("%d bytes: %d layers instead of %d", free, got, want)
		}
	}
	o.KVType = "q8_0"
	if got := h.cacheBytes(0, o); got != cache*34/64 {
		t.Errorf("a q8_0 cache of %d bytes a layer", got)
	}
}

func TestGPULayersWithoutAGPUAreAnError(t *testing.T) {
	library, path := enginetest.Native(t)
	found, err := Devices(library)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		if d.Kind == "gpu" || d.Kind == "igpu" {
			t.Skip("skipped: this machine has a GPU")
		}
	}
	if _, err := Open(path, Options{Library: library, GPULayers: 4}); err == nil || !strings.Contains(err.Error(), "no GPU back end") {
		t.Errorf("%v", err)
	}
	m := openSample(t, Options{GPULayers: -1})
	if info := m.Info(); info.GPULayers != 0 || info.Device != "CPU" {
		t.Errorf("%+v", info)
	}
}

func TestOptionsAreTakenOver(t *testing.T) {
	m := openSample(t, Options{Context: 512, KVType: "q8_0", FlashAttention: "on", RopeScaling: "yarn", Sequences: 2})
	c := collect(t, m, Request{Prompt: question(t, m, "Name a colour."), MaxTokens: 8})
	if m.Info().Context != 512 || c.text == "" {
		t.Errorf("%+v wrote %q", m.Info(), c.text)
	}
	if p := (Options{Context: 16384, RopeScaling: "yarn"}).contextParams(layered(), false); p.RopeFreqScale != 0.25 {
		t.Errorf("stretched by %g", p.RopeFreqScale)
	}
}

func TestClosedModelSaysSo(t *testing.T) {
	m := openSample(t, Options{})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := attempt(m, Request{Prompt: []int32{1}}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("%v", err)
	}
	if _, err := m.Tokenize(t.Context(), Piece{Text: "a"}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("%v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
