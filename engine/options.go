package engine

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// Working contexts where none was asked for: long enough for a section with
// what it has to know, short enough that a processor decodes it in minutes.
const (
	contextGPU = 8192
	contextCPU = 4096
)

func (o Options) check() error {
	switch {
	case o.Context < 0 || o.Context > 1<<24:
		return fmt.Errorf("a context of %d tokens", o.Context)
	case o.Sequences < 0 || o.Sequences > 256:
		return fmt.Errorf("%d sequences; 1 to 256 are possible", o.Sequences)
	case o.Threads < 0 || o.Threads > 512:
		return fmt.Errorf("%d threads; 1 to 512 are possible", o.Threads)
	case o.GPULayers < -1:
		return fmt.Errorf("%d GPU layers", o.GPULayers)
	case !slices.Contains([]string{"", "f16", "q8_0"}, o.KVType):
		return fmt.Errorf("the KV type %q; f16 and q8_0 are possible", o.KVType)
	case !slices.Contains([]string{"", "auto", "on", "off"}, o.FlashAttention):
		return fmt.Errorf("flash attention %q; auto, on and off are possible", o.FlashAttention)
	case o.KVType == "q8_0" && o.FlashAttention == "off":
		return fmt.Errorf("a q8_0 KV cache needs flash attention")
	case !slices.Contains([]string{"", "none", "linear", "yarn"}, o.RopeScaling):
		return fmt.Errorf("RoPE scaling %q; none, linear and yarn are possible", o.RopeScaling)
	}
	return nil
}

// sequences is how many sequences the cache is made for: the transcript, a fork
// and a branch of it.
func (o Options) sequences() int { return max(3, cmp.Or(o.Sequences, 4)) }

// contextSize is the number of KV cells.
func (o Options) contextSize(header *ggufHeader, gpu bool) int {
	if o.Context > 0 {
		return o.Context
	}
	n := contextCPU
	if gpu {
		n = contextGPU
	}
	if trained := int(header.number("context_length")); trained > 0 {
		n = min(n, trained)
	}
	return n
}

func (o Options) contextParams(header *ggufHeader, gpu bool) llama.ContextParams {
	p := llama.ContextDefaultParams()
	p.NCtx = uint32(o.contextSize(header, gpu))
	p.NBatch, p.NUbatch = batchTokens, microBatchTokens
	p.NSeqMax = uint32(o.sequences())
	if !o.Split {
		p.KVUnified = 1 // sequences share the cells of a prompt
	}
	p.PoolingType = llama.PoolingTypeNone
	p.NThreads = int32(threadCount(o))
	p.NThreadsBatch = p.NThreads
	p.NoPerf = 1
	if !gpu {
		p.OpOffload, p.Offload_kqv = 0, 0
	}
	if o.KVType == "q8_0" {
		p.TypeK, p.TypeV = llama.GGMLTypeQ8_0, llama.GGMLTypeQ8_0
	}
	p.FlashAttentionType = map[string]llama.FlashAttentionType{
		"on": llama.FlashAttentionTypeEnabled, "off": llama.FlashAttentionTypeDisabled,
	}[o.FlashAttention]
	if o.FlashAttention == "" || o.FlashAttention == "auto" {
		p.FlashAttentionType = llama.FlashAttentionTypeAuto
	}
	switch o.RopeScaling {
	case "none":
		p.RopeScalingType = llama.RopeScalingTypeNone
	case "linear":
		p.RopeScalingType = llama.RopeScalingTypeLinear
	case "yarn":
		p.RopeScalingType = llama.RopeScalingTypeYARN
	}
	p.RopeFreqBase, p.RopeFreqScale = o.RopeFreqBase, o.RopeFreqScale
	longest := float64(p.NCtx)
	if o.Split {
		longest /= float64(p.NSeqMax)
	}
	if trained := header.number("context_length"); p.RopeFreqScale == 0 && trained > 0 && longest > trained &&
		(o.RopeScaling == "linear" || o.RopeScaling == "yarn") {
		p.RopeFreqScale = float32(trained / longest) // stretched as far as was asked for
	}
	return p
}

// describe fills in the model's Info.
func (m *Model) describe(path string, header *ggufHeader, place placement, o Options) {
	bos, eos := m.special(llama.VocabBOS(m.vocab)), m.special(llama.VocabEOS(m.vocab))
	m.info = Info{
		Path:         path,
		Name:         cmp.Or(header.values["general.name"].text, strings.TrimSuffix(filepath.Base(path), ".gguf")),
		Architecture: header.values["general.architecture"].text,
		Description:  llama.ModelDesc(m.model),
		Parameters:   llama.ModelNParams(m.model),
		Bytes:        llama.ModelSize(m.model),
		Layers:       int(llama.ModelNLayer(m.model)),
		GPULayers:    place.layers,
		Width:        int(llama.ModelNEmbdOut(m.model)),
		Vocabulary:   len(m.control),
		Context:      int(llama.NCtxSeq(m.ctx)),
		ContextTrain: int(llama.ModelNCtxTrain(m.model)),
		Threads:      int(llama.NThreads(m.ctx)),
		Device:       "CPU",
		Backend:      place.backend,
		Chat:         chatOf(llama.ModelChatTemplate(m.model, ""), bos, eos, llama.VocabGetAddBOS(m.vocab)),
	}
	if place.device != nil {
		m.info.Device = cmp.Or(place.device.Description, place.device.Name)
	}
	for id, end := range m.eog {
		if end {
			m.info.End = append(m.info.End, int32(id))
		}
	}
}

// special is the text of a control token; "" for none.
func (m *Model) special(id llama.Token) string {
	if id < 0 || int(id) >= len(m.control) {
		return ""
	}
	buf := make([]byte, 256)
	n := llama.TokenToPiece(m.vocab, id, buf, 0, true)
	return string(buf[:max(0, min(int(n), len(buf)))])
}
