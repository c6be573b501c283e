package checkpoint

// WritePEFT writes the adapter as a folder that PEFT loads: adapter_model.safetensors,
// adapter_config.json and README.md. The rows of attn_q and attn_k, which llama files hold
// in another order, are put back.
func (a *Adapter) WritePEFT(dir string, base *File) error { panic("checkpoint: not written yet") }

// ReadPEFT reads a PEFT folder as an adapter of base.
func ReadPEFT(dir string, base *File) (*Adapter, error) { panic("checkpoint: not written yet") }
