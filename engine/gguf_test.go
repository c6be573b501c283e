package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"

	"longhand/engine/enginetest"
)

// A ggufWriter makes small GGUF files.
type ggufWriter struct {
	values  bytes.Buffer
	tensors bytes.Buffer
	data    bytes.Buffer
	nv, nt  uint64
}

func put(b *bytes.Buffer, parts ...any) {
	for _, p := range parts {
		if s, ok := p.(string); ok {
			binary.Write(b, binary.LittleEndian, uint64(len(s)))
			b.WriteString(s)
			continue
		}
		binary.Write(b, binary.LittleEndian, p)
	}
}

func (w *ggufWriter) set(key string, value any) {
	w.nv++
	kind := map[string]uint32{"uint8": 0, "uint32": 4, "int32": 5, "float32": 6, "string": 8, "uint64": 10, "float64": 12}[fmt.Sprintf("%T", value)]
	put(&w.values, key, kind, value)
}

func (w *ggufWriter) setArray(key string, kind uint32, length uint64, content []byte) {
	w.nv++
	put(&w.values, key, uint32(ggufArray), kind, length, content)
}

func (w *ggufWriter) add(name string, numbers []float32, dims ...uint64) {
	w.nt++
	put(&w.tensors, name, uint32(len(dims)), dims, uint32(0), uint64(w.data.Len()))
	put(&w.data, numbers)
	for w.data.Len()%32 != 0 {
		w.data.WriteByte(0)
	}
}

func (w *ggufWriter) bytes() []byte {
	var b bytes.Buffer
	b.WriteString("GGUF")
	put(&b, uint32(3), w.nt, w.nv, w.values.Bytes(), w.tensors.Bytes())
	for b.Len()%32 != 0 {
		b.WriteByte(0)
	}
	b.Write(w.data.Bytes())
	return b.Bytes()
}

func smallGGUF() *ggufWriter {
	w := &ggufWriter{}
	w.set("general.architecture", "llama")
	w.set("general.name", "small")
	w.set("llama.block_count", uint32(1))
	w.set("llama.rope.freq_base", float32(10000))
	w.setArray("tokenizer.ggml.tokens", ggufString, 2, []byte("\x01\x00\x00\x00\x00\x00\x00\x00a\x01\x00\x00\x00\x00\x00\x00\x00b"))
	w.setArray("tokenizer.ggml.token_type", ggufInt32, 2, []byte{1, 0, 0, 0, 3, 0, 0, 0})
	w.add("token_embd.weight", make([]float32, 8), 4, 2)
	w.add("output_norm.weight", make([]float32, 4), 4)
	return w
}

func TestGGUFHeaderIsRead(t *testing.T) {
	data := smallGGUF().bytes()
	h, err := parseGGUF(bytes.NewReader(data), uint64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if h.values["general.name"].text != "small" || h.number("block_count") != 1 || h.number("rope.freq_base") != 10000 {
		t.Errorf("values: %+v", h.values)
	}
	if e := h.values["tokenizer.ggml.tokens"]; !e.array || e.length != 2 || e.kind != ggufString {
		t.Errorf("tokens: %+v", e)
	}
	if e := h.values["tokenizer.ggml.token_type"]; e.minimum != 1 || e.maximum != 3 {
		t.Errorf("token types: %+v", e)
	}
	if h.bytes != 48 || len(h.tensors) != 2 || h.tensors[1].offset != 32 {
		t.Errorf("%d bytes in %+v", h.bytes, h.tensors)
	}
	for n := range data {
		if _, err := parseGGUF(bytes.NewReader(data[:n]), uint64(n)); err == nil && n < len(data)-16 {
			t.Errorf("cut to %d of %d bytes it was taken", n, len(data))
		}
	}
}

func TestWrongGGUFFilesGiveASentence(t *testing.T) {
	change := func(f func(w *ggufWriter)) []byte {
		w := smallGGUF()
		f(w)
		return w.bytes()
	}
	over := func(at int, value any) []byte {
		data := smallGGUF().bytes()
		var b bytes.Buffer
		put(&b, value)
		copy(data[at:], b.Bytes())
		return data
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, "too short"},
		"another file":     {bytes.Repeat([]byte("x"), 100), "not a GGUF file"},
		"version":          {over(4, uint32(1)), "version 1"},
		"tensors":          {over(8, uint64(math.MaxUint64)), "claims"},
		"values":           {over(16, uint64(1<<40)), "claims"},
		"key length":       {over(24, uint64(1<<62)), "a key is"},
		"twice":            {change(func(w *ggufWriter) { w.set("general.name", "again") }), "twice"},
		"two tensors":      {change(func(w *ggufWriter) { w.add("output_norm.weight", make([]float32, 8), 8) }), "twice"},
		"alignment":        {change(func(w *ggufWriter) { w.set("general.alignment", uint32(24)) }), "an alignment of 24"},
		"alignment's type": {change(func(w *ggufWriter) { w.set("general.alignment", "32") }), "alignment is not"},
		"strings":          {change(func(w *ggufWriter) { w.setArray("x", ggufString, 1<<50, nil) }), "more than the file holds"},
		"numbers":          {change(func(w *ggufWriter) { w.setArray("x", ggufFloat64, 1<<60, nil) }), "more than the file holds"},
		"arrays of arrays": {change(func(w *ggufWriter) { w.setArray("x", ggufArray, 1, nil) }), "unknown type"},
		"type":             {change(func(w *ggufWriter) { w.setArray("x", 77, 1, nil) }), "unknown type 77"},
		"tokens": {change(func(w *ggufWriter) {
			w.values.Truncate(0)
			w.nv = 0
			w.setArray("tokenizer.ggml.tokens", ggufString, 2, []byte("\x01\x00\x00\x00\x00\x00\x00\x00a\x01\x00\x00\x00\x00\x00\x00\x00a"))
		}), "vocabulary twice"},
		"dimensions":        {change(func(w *ggufWriter) { w.add("many", nil, 1, 1, 1, 1, 1) }), "5 dimensions"},
		"no elements":       {change(func(w *ggufWriter) { w.add("none", nil, 0) }), "shape"},
		"too many elements": {change(func(w *ggufWriter) { w.add("huge", nil, 1<<40, 1<<40) }), "shape"},
		"outside":           {change(func(w *ggufWriter) { w.add("outside", nil, 1<<30) }), "the file is cut"},
		"long name":         {change(func(w *ggufWriter) { w.add(strings.Repeat("n", 64), nil, 1) }), "name is 64 bytes"},
	} {
		_, err := parseGGUF(bytes.NewReader(c.data), uint64(len(c.data)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzGGUF(f *testing.F) {
	f.Add(smallGGUF().bytes())
	w := smallGGUF()
	w.set("general.alignment", uint32(64))
	w.set("split.count", uint32(2))
	f.Add(w.bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseGGUF(bytes.NewReader(data), uint64(len(data)))
		if err == nil {
			h.checkShape()
			h.fitLayers(1<<40, Options{})
		}
	})
}

func TestTensorTypesAgreeWithTheLibrary(t *testing.T) {
	library, _ := enginetest.Native(t)
	if err := loadLibrary(library); err != nil {
		t.Fatal(err)
	}
	for kind := range uint32(llama.GGMLTypeCOUNT) {
		want := ggmlType{block: uint64(llama.GGMLBlockSize(llama.GGMLType(kind))), bytes: llama.GGMLTypeSize(llama.GGMLType(kind))}
		got, known := ggmlTypes[kind]
		if known != (want.block > 0) || known && (got.block != want.block || got.bytes != want.bytes) {
			t.Errorf("type %d: %+v here, %+v there", kind, got, want)
		}
		if name := llama.GGMLTypeName(llama.GGMLType(kind)); known && !strings.EqualFold(name, got.name) {
			t.Errorf("type %d is %s, not %s", kind, name, got.name)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, data []byte) string {
		path := folder + "/" + name
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	split := smallGGUF()
	split.set("split.count", uint32(3))
	adapter := &ggufWriter{}
	adapter.set("general.type", "adapter")
	adapter.set("general.architecture", "llama")
	nameless := &ggufWriter{}
	nameless.set("general.name", "x")
	for path, want := range map[string]string{
		folder + "/missing.gguf": "no such file",
		folder:                   "not a file",
		write("text.gguf", []byte("this is no model at all.")): "not a GGUF file",
		write("cut.gguf", smallGGUF().bytes()[:200]):           "the file is cut",
		write("adapter.gguf", adapter.bytes()):                 "no model: its general.type",
		write("nameless.gguf", nameless.bytes()):               "no architecture",
		write("part.gguf", split.bytes()):                      "not named NAME-00001-of-00003",
		write("m-00002-of-00003.gguf", split.bytes()):          "open the first part",
		write("m-00001-of-00002.gguf", split.bytes()):          "its name says 2 parts",
		write("m-00001-of-00003.gguf", split.bytes()):          "m-00003-of-00003.gguf",
	} {
		if _, err := Open(path, Options{Library: "nowhere"}); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "engine: open model") {
			t.Errorf("%s: %v", path, err)
		}
	}
	good := write("good.gguf", smallGGUF().bytes())
	if _, err := Open(good, Options{Library: folder + "/nowhere"}); err == nil || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("no library: %v", err)
	}
	if _, err := Open(good, Options{KVType: "q3"}); err == nil || !strings.Contains(err.Error(), "KV type") {
		t.Errorf("a wrong option: %v", err)
	}
}
