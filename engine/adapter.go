package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// SetAdapter puts a LoRA adapter on the model in place of the one before: a
// GGUF file, or a checkpoint folder with adapter.gguf. "" detaches it, which
// restores the base's logits to the bit. Every sequence is dropped, since the
// cached keys and values belong to the old weights.
func (m *Model) SetAdapter(ctx context.Context, path string) error {
	end, err := m.begin(ctx)
	if err == nil {
		defer end()
		err = m.setAdapter(path)
	}
	if err != nil && path == "" {
		return fmt.Errorf("engine: detach the adapter: %w", err)
	} else if err != nil {
		return fmt.Errorf("engine: set adapter %s: %w", path, err)
	}
	return nil
}

func (m *Model) setAdapter(path string) error {
	if path == "" {
		if m.adapter == 0 {
			return nil
		}
		return m.attach(m.adapter, 0, "", "")
	}
	file := path
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		file = filepath.Join(path, "adapter.gguf")
	}
	if err := m.checkAdapter(file); err != nil {
		return err
	}
	identity, err := fileIdentity(file)
	if err != nil {
		return err
	}
	mark := nativeLog.mark()
	next, err := llama.AdapterLoraInit(m.model, file)
	if err != nil {
		return err
	}
	if next == 0 {
		return fmt.Errorf("it does not fit the model: %s", nativeLog.since(mark))
	}
	old := m.adapter
	if err := m.attach(next, 1, path, identity); err != nil {
		llama.AdapterLoraFree(next)
		return err
	}
	if old != 0 {
		llama.AdapterLoraFree(old)
	}
	return nil
}

// attach makes an adapter the context's only one. The binding refuses an empty
// list; at scale 0 llama.cpp leaves an adapter out.
func (m *Model) attach(adapter llama.AdapterLora, scale float32, path, identity string) error {
	if status := llama.SetAdaptersLora(m.ctx, []llama.AdapterLora{adapter}, []float32{scale}); status != 0 {
		return fmt.Errorf("llama.cpp refused it with status %d", status)
	}
	m.adapter, m.adapterIdentity = adapter, identity
	m.forget()
	m.mu.Lock()
	m.info.Adapter = path
	m.mu.Unlock()
	return nil
}

// checkAdapter reads the adapter's header, for a reason in plain words and
// because llama.cpp checks less.
func (m *Model) checkAdapter(file string) error {
	h, err := readGGUF(file)
	if err != nil {
		return err
	}
	if kind := h.values["general.type"].text; kind != "adapter" {
		return errors.New("it is not an adapter")
	}
	if kind := h.values["adapter.type"].text; kind != "lora" {
		return fmt.Errorf("it is an adapter of the type %q, not lora", kind)
	}
	if arch := h.values["general.architecture"].text; arch != m.info.Architecture {
		return fmt.Errorf("it was made for a model of the architecture %s, not %s", arch, m.info.Architecture)
	}
	if len(h.tensors) == 0 {
		return errors.New("it holds no tensors")
	}
	return nil
}
