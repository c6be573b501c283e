package assets

// What a model needs in memory while it writes:
//
//	file + KV cache + reserve
//	KV cache = 2 (keys, values) x layers x KV width x 8192 cells x 2 bytes (f16)
//
// The reserve covers llama.cpp's compute buffers: the logits of a batch of 512
// with the largest vocabulary here (152 k) are 311 MB of it.
const (
	contextCells = 8192
	reserve      = 512 << 20
)

// Memory is what a model needs in bytes.
func (a Artefact) Memory() int64 { return memory(a.Bytes(), a.Layers, a.KVWidth) }

// Memory is what the model needs in bytes; 0 where the file does not say its shape.
func (m Model) Memory() int64 {
	if m.Layers == 0 || m.KVWidth == 0 {
		return 0
	}
	return memory(m.Bytes(), m.Layers, m.KVWidth)
}

func memory(bytes int64, layers, kvWidth int) int64 {
	return bytes + 2*int64(layers)*int64(kvWidth)*contextCells*2 + reserve
}

// cpuFile is the largest file that is recommended without a GPU. Every token
// reads the whole file once: at the 20 GB/s of a plain desktop's memory 3 GB
// are seven tokens a second, about as fast as people read.
const cpuFile = 3 << 30

// GPUFree is the free memory of the best card that an engine can use.
func (m Machine) GPUFree() int64 {
	if m.Best().Kind == "cpu" {
		return 0
	}
	var free int64
	for _, g := range m.GPUs {
		free = max(free, g.Free)
	}
	return free
}

// Fits says whether so much memory is free, on a card or else in the machine,
// and where. known is false where the machine does not tell.
func (m Machine) Fits(bytes int64) (fits, known bool, where string) {
	if g := m.GPUFree(); g >= bytes {
		return true, true, "gpu"
	}
	return m.Free >= bytes, m.Free > 0, "memory"
}

// Recommend names the best model for writing that fits the free memory of the
// GPU, or else of the machine. The sample and models whose licence forbids
// commercial use are never recommended. ok is false if nothing fits.
func (m Machine) Recommend() (a Artefact, where string, ok bool) {
	for _, a := range Catalogue() {
		if a.forWriting() && a.Memory() <= m.GPUFree() {
			return a, "gpu", true
		}
	}
	for _, a := range Catalogue() {
		if a.forWriting() && a.Bytes() <= cpuFile && a.Memory() <= m.Free {
			return a, "memory", true
		}
	}
	return Artefact{}, "", false
}

func (a Artefact) forWriting() bool { return a.Kind == "model" && !a.Sample && !a.Restricted }
