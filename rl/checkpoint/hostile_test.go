package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// small is a GGUF file of a few hundred bytes with a bit of everything.
func small(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.gguf")
	x := gaussian(1, 512)
	err := Write(path, []Entry{
		{"general.architecture", "llama"},
		{"general.alignment", uint32(32)},
		{"llama.block_count", uint32(1)},
		{"llama.eps", float32(1e-5)},
		{"tokens", []string{"a", "b", ""}},
		{"kinds", []int32{1, -1}},
		{"yes", true},
	}, []*Tensor{NewTensor("token_embd.weight", Q4_0, 2, 32, x[:64]), NewTensor("norm", F32, 1, 8, x[:8]), NewTensor("q", Q6_K, 1, 256, x[:256]), NewTensor("f", F16, 4, 4, x[:16])})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// everything reads all there is in the bytes of a GGUF file.
func everything(data []byte) error {
	h, err := parseHeader(data)
	if err != nil {
		return err
	}
	f := &File{path: "x", header: h, byName: map[string]*Tensor{}}
	if err := f.take(h); err != nil {
		return err
	}
	for _, key := range f.Keys() {
		f.Uint(key)
		f.Float(key)
		f.Text(key)
		f.Bool(key)
		f.Floats(key)
		f.Texts(key)
	}
	for _, t := range f.Tensors() {
		if t.Check() == nil && t.Cols <= 1<<20 {
			dst := make([]float32, t.Cols)
			t.Dequant(dst, 0, 1)
			t.Dequant(dst, t.Rows-1, 1)
		}
	}
	return f.Err()
}

func TestCutFilesAreRefused(t *testing.T) {
	data := small(t)
	if err := everything(data); err != nil {
		t.Fatal(err)
	}
	for n := range len(data) - 32 { // behind the last tensor is padding
		if err := everything(slices.Clone(data[:n])); err == nil {
			t.Errorf("cut to %d of %d bytes it was taken", n, len(data))
		}
	}
}

func TestWrongFilesGiveASentence(t *testing.T) {
	data := small(t)
	change := func(after string, skip int, value any) []byte {
		b := slices.Clone(data)
		var v bytes.Buffer
		binary.Write(&v, binary.LittleEndian, value)
		copy(b[bytes.Index(b, []byte(after))+len(after)+skip:], v.Bytes())
		return b
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":              {nil, "the file is empty"},
		"another file":       {[]byte("hello, this is a longer text than 24 bytes"), "it is not a GGUF file"},
		"only the magic":     {[]byte("GGUF\x03\x00\x00\x00"), "cut in its first line"},
		"big-endian":         {change("GGUF", 0, []byte{0, 0, 0, 3}), "big-endian"},
		"version 1":          {change("GGUF", 0, uint32(1)), "version 1; 2 and 3"},
		"version 9":          {change("GGUF", 0, uint32(9)), "version 9"},
		"tensors":            {change("GGUF", 4, uint64(1)<<40), "claims 1099511627776 tensors"},
		"values":             {change("GGUF", 12, uint64(1)<<63), "values"},
		"long key":           {change("GGUF", 20, uint64(1)<<62), "a key is 4611686018427387904 bytes long"},
		"long text":          {change("general.architecture", 4, uint64(1)<<62), "the file is cut: its header goes on"},
		"unknown value":      {change("general.architecture", 0, uint32(77)), "unknown type 77"},
		"array in an array":  {change("tokens", 4, uint32(9)), "unknown type 9"},
		"many texts":         {change("tokens", 8, uint64(1)<<61), "the file is cut"},
		"many numbers":       {change("kinds", 8, uint64(1)<<62), "the file is cut"},
		"alignment 0":        {change("general.alignment", 4, uint32(0)), "alignment of 0"},
		"alignment 48":       {change("general.alignment", 4, uint32(48)), "alignment of 48"},
		"alignment is float": {change("general.alignment", 0, uint32(6)), "not a number of 32 bits"},
		"no dimensions":      {change("norm", 0, uint32(0)), `the tensor "norm" has 0 dimensions`},
		"nine dimensions":    {change("norm", 0, uint32(9)), `the tensor "norm" has 9 dimensions`},
		"dimension 0":        {change("norm", 4, uint64(0)), `a dimension of the tensor "norm" is 0`},
		"wide":               {change("norm", 4, uint64(1)<<62), `a dimension of the tensor "norm"`},
		"long":               {change("norm", 4, uint64(1)<<40), "the file is cut: the tensor \"norm\""},
		"odd rows":           {change("token_embd.weight", 4, uint64(31)), "which are not whole blocks of 32"},
		"overlap":            {change("norm", 16, uint64(0)), "does not follow the one before it"},
		"same name":          {bytes.Replace(data, []byte("f\x02\x00\x00\x00"), []byte("q\x02\x00\x00\x00"), 1), `the tensor "q" stands there twice`},
	} {
		path := filepath.Join(dir, "x.gguf")
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err == nil {
			f.Close()
			t.Errorf("%s: it was taken", name)
			continue
		}
		if !strings.HasPrefix(err.Error(), "checkpoint: open "+path+": ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
	for path, want := range map[string]string{dir: "it is not a file", filepath.Join(dir, "none"): "no such file"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

// mutate changes one to four places of a file: bits, bytes, or numbers of 32 and 64
// bits to extremes; sometimes it cuts the file, or doubles a piece.
func mutate(data []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 77))
	b := slices.Clone(data)
	extremes := []uint64{0, 1, 2, 31, 255, 1 << 16, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 40, 1 << 61, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	for range 1 + r.IntN(4) {
		at := r.IntN(len(b) - 8)
		switch r.IntN(6) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			b[at] = byte(r.Uint32())
		case 2:
			binary.LittleEndian.PutUint32(b[at:], uint32(extremes[r.IntN(len(extremes))]))
		case 3:
			binary.LittleEndian.PutUint64(b[at:], extremes[r.IntN(len(extremes))])
		case 4:
			binary.LittleEndian.PutUint64(b[at:], r.Uint64()>>r.IntN(64))
		case 5:
			switch r.IntN(8) {
			case 0:
				b = b[:max(at, 16)]
			case 1:
				b = slices.Insert(b, at, b[at:min(at+r.IntN(64), len(b))]...)
			}
		}
	}
	return b
}

// TestMutants changes a small file 1,000 times; each is refused or read to its end.
func TestMutants(t *testing.T) {
	data := small(t)
	refused, start := 0, time.Now()
	for seed := range uint64(1000) {
		if err := everything(mutate(data, seed)); err != nil {
			refused++
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("mutant %d: not one line: %q", seed, err)
			}
		}
	}
	if refused < 300 || refused > 990 {
		t.Errorf("%d of 1,000 were refused", refused)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("1,000 small files took %v", d)
	}
}

// FuzzGGUF begins with the same small file and some mutants.
func FuzzGGUF(f *testing.F) {
	data := small(f)
	f.Add(data)
	for seed := range uint64(50) {
		f.Add(mutate(data, seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { everything(data) })
}
