package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSavedStateGoesOn(t *testing.T) {
	m := openSample(t, Options{})
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "state")
	if err := m.SaveState(ctx, path); err == nil || !strings.Contains(err.Error(), "nothing has been decoded") {
		t.Errorf("an empty cache: %v", err)
	}
	prompt := question(t, m, "Tell of a journey.")
	whole := collect(t, m, Request{Prompt: prompt, MaxTokens: 40})
	m.forget()
	head := collect(t, m, Request{Prompt: prompt, MaxTokens: 20})
	if err := m.SaveState(ctx, path); err != nil {
		t.Fatal(err)
	}
	other := openSample(t, Options{})
	if err := other.LoadState(ctx, path); err != nil {
		t.Fatal(err)
	}
	rest := collect(t, other, Request{Prompt: prompt, Completion: head.ids, MaxTokens: 40})
	if got := rest.tokens[0]; got.Decoded != 1 || head.text+rest.text != whole.text {
		t.Errorf("decoded %d, wrote %q instead of %q", got.Decoded, head.text+rest.text, whole.text)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the state lie %v (%v)", entries, err)
	}
}

func TestForeignStateIsRefused(t *testing.T) {
	m := openSample(t, Options{})
	ctx := context.Background()
	folder := t.TempDir()
	path := filepath.Join(folder, "state")
	prompt := question(t, m, "Tell of a journey.")
	collect(t, m, Request{Prompt: prompt, MaxTokens: 2})
	if err := m.SaveState(ctx, path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	held := len(m.held)
	for name, damaged := range map[string][]byte{
		"empty": nil, "text": []byte("some text"), "magic": []byte(stateMagic), "short": data[:len(stateMagic)+6],
		"half": data[:len(data)/2], "one byte less": data[:len(data)-1], "flipped": append(append([]byte{}, data[:5000]...), append([]byte{data[5000] ^ 1}, data[5001:]...)...),
	} {
		bad := filepath.Join(folder, "bad")
		if err := os.WriteFile(bad, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := m.LoadState(ctx, bad); err == nil || !strings.Contains(err.Error(), "not a state file") && !strings.Contains(err.Error(), "cut or damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(m.held) != held {
		t.Error("a damaged state emptied the cache")
	}
	adapter := filepath.Join(folder, "adapter.gguf")
	randomAdapter(t, adapter, "llama", 576, 1, 0.01)
	if err := m.SetAdapter(ctx, adapter); err != nil {
		t.Fatal(err)
	}
	quantised := openSample(t, Options{KVType: "q8_0"})
	for _, other := range []*Model{m, quantised} {
		if err := other.LoadState(ctx, path); err == nil || !strings.Contains(err.Error(), "another model, adapter or setting") {
			t.Errorf("%v", err)
		}
	}
	if err := m.SetAdapter(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if err := m.LoadState(ctx, path); err != nil {
		t.Errorf("back on the base: %v", err)
	}
	if err := m.LoadState(ctx, folder+"/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
