package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// TestGGUFHeaderIsRead reads what llama.cpp's Python package wrote.
func TestGGUFHeaderIsRead(t *testing.T) {
	f := open(t, filepath.Join("testdata", "types.gguf"))
	if f.Architecture() != "llama" {
		t.Errorf("architecture %q", f.Architecture())
	}
	for key, want := range map[string]uint64{"test.uint8": 200, "test.uint16": 60000, "test.uint32": 4000000000, "test.uint64": 1<<63 + 1} {
		if n, ok := f.Uint(key); n != want || !ok {
			t.Errorf("%s is %d, %v", key, n, ok)
		}
	}
	for key, want := range map[string]float64{
		"test.int8": -100, "test.int16": -30000, "test.int32": -2000000000, "test.int64": -1 << 62,
		"test.float32": float64(float32(0.1)), "test.float64": 0.1, "test.uint8": 200, "test.uint64": 1 << 63,
	} {
		if x, ok := f.Float(key); x != want || !ok {
			t.Errorf("%s is %v, %v", key, x, ok)
		}
		if n, ok := f.Uint(key); ok && want < 0 {
			t.Errorf("%s is %d as a Uint", key, n)
		}
	}
	if b, ok := f.Bool("test.bool"); !b || !ok {
		t.Errorf("test.bool is %v, %v", b, ok)
	}
	if s, ok := f.Text("general.name"); s != "types" || !ok {
		t.Errorf("general.name is %q, %v", s, ok)
	}
	if list, ok := f.Texts("test.texts"); !ok || !reflect.DeepEqual(list, []string{"a", "", "Grüße"}) {
		t.Errorf("test.texts is %q, %v", list, ok)
	}
	if list, ok := f.Floats("test.integers"); !ok || !reflect.DeepEqual(list, []float64{1, -2, 3}) {
		t.Errorf("test.integers is %v, %v", list, ok)
	}
	if list, ok := f.Floats("test.floats"); !ok || !reflect.DeepEqual(list, []float64{0.5, -1.5}) {
		t.Errorf("test.floats is %v, %v", list, ok)
	}
	if keys := f.Keys(); len(keys) != 16 || keys[0] != "general.architecture" || keys[15] != "test.floats" {
		t.Errorf("keys %q", keys)
	}
	for _, key := range []string{"missing", "test.texts", "test.float32"} {
		_, a := f.Uint(key)
		_, b := f.Text(key)
		_, c := f.Bool(key)
		_, d := f.Floats(key)
		if a || b || c || d {
			t.Errorf("%s is taken for something else", key)
		}
	}
	if _, ok := f.Texts("test.floats"); ok {
		t.Error("numbers are taken for texts")
	}
	if v := f.Tensor("vector"); v.Rows != 1 || v.Cols != 5 || !reflect.DeepEqual(v.Dims, []int{5}) || values(v)[4] != 4 {
		t.Errorf("vector: %+v", v)
	}
	if c := f.Tensor("cube"); c.Rows != 6 || c.Cols != 4 || !reflect.DeepEqual(c.Dims, []int{4, 3, 2}) || values(c)[23] != 23 {
		t.Errorf("cube: %+v", c)
	}
	if f.Tensor("missing") != nil || len(f.Tensors()) != 2*len(types)+2 {
		t.Errorf("%d tensors", len(f.Tensors()))
	}
}

func TestSHA256(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "types.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	f := open(t, filepath.Join("testdata", "types.gguf"))
	if got, err := f.SHA256(t.Context()); got != hex.EncodeToString(sum[:]) || err != nil {
		t.Errorf("SHA256 %s, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.SHA256(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestModelsInParts(t *testing.T) {
	part := func(n string) string { return filepath.Join("testdata", "split-0000"+n+"-of-00003.gguf") }
	for _, n := range []string{"1", "2", "3"} {
		f := open(t, part(n))
		if s, _ := f.Text("general.name"); s != "split" || f.Path() != part(n) || len(f.Tensors()) != 5 {
			t.Errorf("by part %s: %q, %d tensors", n, s, len(f.Tensors()))
		}
		for i, tensor := range f.Tensors() {
			if x := values(tensor); tensor.Name != "t"+string(rune('0'+i)) || x[0] != float32(i) || x[7] != float32(i) {
				t.Errorf("by part %s: tensor %d is %s, %v", n, i, tensor.Name, x)
			}
		}
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a part is missing":   {map[string]string{"x-00001-of-00003.gguf": "1", "x-00003-of-00003.gguf": "3"}, "part x-00002-of-00003.gguf: no such file"},
		"a part stands twice": {map[string]string{"x-00001-of-00003.gguf": "1", "x-00002-of-00003.gguf": "1", "x-00003-of-00003.gguf": "3"}, "it says it is part 1 of 3"},
		"another name":        {map[string]string{"x.gguf": "1"}, "not called like one"},
		"another count":       {map[string]string{"x-00001-of-00002.gguf": "1"}, "its name says 00002"},
	} {
		dir := t.TempDir()
		first := ""
		for to, from := range c.files {
			copyFile(t, part(from), filepath.Join(dir, to))
			if first == "" || to < first {
				first = to
			}
		}
		f, err := Open(filepath.Join(dir, first))
		if err == nil {
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
}

// TestFileThatIsCutAfterOpen reads a mapping whose file has become shorter: NaN and an
// error, where the system would end the process.
func TestFileThatIsCutAfterOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: Windows does not let a mapped file be cut")
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	x := gaussian(4, 256*1024)
	if err := Write(path, []Entry{{"general.architecture", "llama"}, {"texts", []string{"a"}}}, []*Tensor{NewTensor("t", F32, 256, 1024, x), NewTensor("q", Q8_0, 256, 1024, x)}); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	y := make([]float32, 1024)
	f.Tensor("t").Dequant(y, 0, 1)
	if y[0] != x[0] || y[1023] != x[1023] || f.Err() != nil {
		t.Errorf("what is left of the file: %v, %v", y[0], f.Err())
	}
	for _, name := range []string{"t", "q"} {
		f.Tensor(name).Dequant(y, 255, 1)
		if y[0] == y[0] || y[1023] == y[1023] {
			t.Errorf("of what is gone %v was read", y[0])
		}
	}
	if err := f.Err(); err == nil || !strings.Contains(err.Error(), "was cut") {
		t.Errorf("the error is %v", err)
	}
	if _, err := f.SHA256(t.Context()); err == nil {
		t.Error("half a file has a hash")
	}
	if err := f.Tensor("t").copyTo(io.Discard); err == nil {
		t.Error("half a tensor was copied")
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Text("general.architecture"); ok {
		t.Error("the header is gone, and still read")
	}
	if list, ok := f.Texts("texts"); ok {
		t.Errorf("the header is gone, and still read: %q", list)
	}
}

func TestUnknownTypesAreNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	q2 := &Tensor{Name: "q2", Type: 10, Rows: 2, Cols: 256, Dims: []int{256, 2}, Data: make([]byte, 168)}
	odd := &Tensor{Name: "odd", Type: 99, Rows: 2, Cols: 7, Dims: []int{7, 2}, Data: []byte("twenty bytes of data")}
	last := NewTensor("last", F32, 1, 2, []float32{1, 2})
	if err := Write(path, nil, []*Tensor{q2, odd, last}); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	for name, want := range map[string]string{"q2": `checkpoint: the tensor "q2" is of Q2_K, which is not supported`, "odd": `checkpoint: the tensor "odd" is of type 99, which is not supported`} {
		if err := f.Tensor(name).Check(); err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
	if err := f.Tensor("last").Check(); err != nil || values(f.Tensor("last"))[1] != 2 {
		t.Errorf("last: %v", err)
	}
	if !bytes.HasPrefix(f.Tensor("odd").Data, odd.Data) {
		t.Errorf("odd holds %q", f.Tensor("odd").Data)
	}
}

func TestDequantOutOfRangePanics(t *testing.T) {
	tensor := NewTensor("t", F32, 3, 2, make([]float32, 6))
	for name, do := range map[string]func(){
		"rows":     func() { tensor.Dequant(make([]float32, 8), 1, 3) },
		"negative": func() { tensor.Dequant(make([]float32, 8), -1, 1) },
		"short":    func() { tensor.Dequant(make([]float32, 3), 0, 2) },
		"values":   func() { NewTensor("t", F32, 3, 2, make([]float32, 5)) },
		"blocks":   func() { NewTensor("t", Q4_0, 1, 33, make([]float32, 33)) },
		"type":     func() { NewTensor("t", 10, 1, 256, make([]float32, 256)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			do()
		}()
	}
}
