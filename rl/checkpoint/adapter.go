package checkpoint

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
func ReadAdapter(path string) (*Adapter, error) { panic("checkpoint: not written yet") }

// WriteGGUF writes the adapter as llama.cpp loads it, in F32 or F16.
func (a *Adapter) WriteGGUF(path string, typ Type) error { panic("checkpoint: not written yet") }
