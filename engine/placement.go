package engine

import (
	"errors"
	"fmt"
	"strings"
)

// A placement is where the layers of a model go.
type placement struct {
	layers  int     // on the GPU
	device  *Device // the GPU; nil: none
	backend string  // what is shown: "CPU", "CUDA + CPU"
}

// gpuReserve is kept free for ggml's compute buffers and the driver: the logits
// of a micro-batch at a vocabulary of 152k take 300 MiB alone.
const gpuReserve = 768 << 20

// placeLayers decides how many layers go to the GPU. A number that was asked
// for and does not fit is an error: nothing moves to the processor silently.
func placeLayers(header *ggufHeader, o Options) (placement, error) {
	found := devices()
	p := placement{backend: backendNames(found)}
	var gpu *Device
	for i := range found {
		if k := found[i].Kind; k == "gpu" || k == "igpu" && gpu == nil {
			if gpu == nil || gpu.Kind == "igpu" || found[i].Free > gpu.Free {
				gpu = &found[i]
			}
		}
	}
	if o.GPULayers == -1 {
		return p, nil
	}
	if gpu == nil {
		if o.GPULayers > 0 {
			return p, errors.New("GPU layers were asked for, but no GPU back end is loaded")
		}
		return p, nil
	}
	all := int(header.number("block_count")) + 1 // the head counts as one
	fit := header.fitLayers(gpu.Free, o)
	if o.GPULayers > 0 {
		if n := min(o.GPULayers, all); n > fit {
			return p, fmt.Errorf("%d layers were asked for on %s, where %d fit into the %d MiB that are free", n, gpu.Name, fit, gpu.Free>>20)
		}
		fit = min(o.GPULayers, all)
	}
	if fit > 0 {
		p.layers, p.device = fit, gpu
	}
	return p, nil
}

// fitLayers counts the layers that fit into free bytes: llama.cpp places from
// the last layer to the first, the head first of all.
func (h *ggufHeader) fitLayers(free uint64, o Options) int {
	layers := int(h.number("block_count"))
	per := make([]uint64, layers)
	var head uint64
	for _, t := range h.tensors {
		var i int
		if _, err := fmt.Sscanf(t.name, "blk.%d.", &i); err == nil && i >= 0 && i < layers {
			per[i] += t.bytes
		} else if strings.HasPrefix(t.name, "output") || t.name == "token_embd.weight" && !h.has("output.weight") {
			head += t.bytes
		}
	}
	need := uint64(gpuReserve) + head
	fit := 0
	if need <= free {
		fit = 1
		for i := layers - 1; i >= 0; i-- {
			need += per[i] + h.cacheBytes(i, o)
			if need > free {
				break
			}
			fit++
		}
	}
	return fit
}

// cacheBytes is the KV cache of one layer.
func (h *ggufHeader) cacheBytes(layer int, o Options) uint64 {
	width, heads := h.number("embedding_length"), h.numberAt("attention.head_count", layer)
	kv := h.numberAt("attention.head_count_kv", layer)
	if kv == 0 {
		kv = heads
	}
	size := h.number("attention.key_length") + h.number("attention.value_length")
	if size == 0 && heads > 0 {
		size = 2 * width / heads
	}
	bytes := 2.0
	if o.KVType == "q8_0" {
		bytes = 34.0 / 32
	}
	return uint64(kv * size * bytes * float64(o.contextSize(h, true)))
}

func backendNames(found []Device) string {
	var names []string
	for _, d := range found {
		if d.Kind == "gpu" || d.Kind == "igpu" {
			names = append(names, d.Backend)
		}
	}
	return strings.Join(append(names, "CPU"), " + ")
}
