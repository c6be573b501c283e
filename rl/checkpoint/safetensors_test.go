package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSafetensorsComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	x := gaussian(1, 70000)
	x[3] = math.Float32frombits(0x7fc00001) // its bits, too
	arrays := map[string]Array{"b": {[]int{7, 10000}, x}, "a": {[]int{}, []float32{5}}, "empty": {[]int{0, 3}, []float32{}}, "näme \"<>": {[]int{2}, []float32{-0.5, 1e-40}}}
	names := []string{"b", "a", "empty", "näme \"<>"}
	meta := map[string]string{"format": "pt", "k": "v & w"}
	if err := WriteSafetensors(path, names, arrays, meta); err != nil {
		t.Fatal(err)
	}
	got, gotMeta, err := ReadSafetensors(path)
	if err != nil || !reflect.DeepEqual(gotMeta, meta) || len(got) != len(arrays) {
		t.Fatalf("%v, %v, %d arrays", err, gotMeta, len(got))
	}
	for name, a := range arrays {
		b := got[name]
		if !reflect.DeepEqual(a.Shape, b.Shape) || len(a.F32) != len(b.F32) {
			t.Errorf("%s: %v and %v", name, a.Shape, b.Shape)
			continue
		}
		for i := range a.F32 {
			if math.Float32bits(a.F32[i]) != math.Float32bits(b.F32[i]) {
				t.Fatalf("%s: number %d is %v instead of %v", name, i, b.F32[i], a.F32[i])
			}
		}
	}
	for _, wrong := range []struct {
		names []string
		array Array
	}{{[]string{"none"}, Array{}}, {[]string{"b", "b"}, Array{[]int{1}, []float32{1}}}, {[]string{"b"}, Array{[]int{2}, []float32{1}}}} {
		if err := WriteSafetensors(path, wrong.names, map[string]Array{"b": wrong.array}, nil); err == nil {
			t.Errorf("%v was written", wrong)
		}
	}
	if _, _, err := ReadSafetensors(path); err != nil {
		t.Errorf("what was refused took the file: %v", err)
	}
}

// index makes a file of an index and n bytes of data.
func indexed(index string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(index)))
	b = append(b, index...)
	for i := range n {
		b = append(b, byte(i))
	}
	return b
}

func TestSafetensorsTypes(t *testing.T) {
	data := binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1))
	data = append(data, 0x00, 0x3c, 0x80, 0xbf)
	b := indexed(`{"d":{"dtype":"BF16","shape":[1],"data_offsets":[10,12]},"h":{"dtype":"F16","shape":[1],"data_offsets":[8,10]},"x":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}}  `, 0)
	arrays, _, err := parseSafetensors(bytes.NewReader(append(b, data...)), uint64(len(b)+len(data)))
	if err != nil || arrays["x"].F32[0] != 0.1 || arrays["h"].F32[0] != 1 || arrays["d"].F32[0] != -1 {
		t.Errorf("%v, %v", arrays, err)
	}
}

func TestWrongSafetensorsGiveASentence(t *testing.T) {
	const x = `{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	huge, _ := json.Marshal(map[string]any{"x": map[string]any{"dtype": "F32", "shape": []uint64{1 << 40, 1 << 40}, "data_offsets": []uint64{0, 8}}})
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":      {nil, "too short"},
		"long index": {binary.LittleEndian.AppendUint64(nil, 1<<60), "its index claims"},
		"no JSON":    {indexed(`hello`, 8), "not a JSON object"},
		"a list":     {indexed(`[1]`, 8), "not a JSON object"},
		"cut JSON":   {indexed(`{"x":`+x, 8), "the index is damaged"},
		"more JSON":  {indexed(`{"x":`+x+`}{}`, 8), "something follows it"},
		"twice":      {indexed(`{"x":`+x+`,"x":`+x+`}`, 8), `"x" stands there twice`},
		"no place":   {indexed(`{"x":{"dtype":"F32","shape":[2]}}`, 8), "it has no place"},
		"negative":   {indexed(`{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), `"x"`},
		"type":       {indexed(`{"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, 8), `of type "I64"; F64, F32`},
		"huge":       {indexed(string(huge), 8), "a dimension of the array"},
		"shape":      {indexed(`{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "lies at 0 to 8 instead of 0 to 12"},
		"hole":       {indexed(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "lies at 4 to 8 instead of 0 to 4"},
		"overlap":    {indexed(`{"x":`+x+`,"y":`+x+`}`, 16), "lies at 0 to 8 instead of 8 to 16"},
		"cut":        {indexed(`{"x":`+x+`}`, 7), "the file is cut"},
		"more data":  {indexed(`{"x":`+x+`}`, 9), "1 bytes follow the last array"},
		"metadata":   {indexed(`{"__metadata__":{"a":1},"x":`+x+`}`, 8), `"__metadata__"`},
	} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := ReadSafetensors(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "checkpoint: read "+path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
	if _, _, err := ReadSafetensors(t.TempDir()); err == nil || !strings.Contains(err.Error(), "it is not a file") {
		t.Error(err)
	}
}

func FuzzSafetensors(f *testing.F) {
	good := indexed(`{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F16","shape":[1,1],"data_offsets":[8,10]}}`, 10)
	f.Add(good)
	r := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		b := bytes.Clone(good)
		b[r.IntN(len(b))] = byte(r.Uint32())
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		arrays, _, err := parseSafetensors(bytes.NewReader(data), uint64(len(data)))
		total := 0
		for _, a := range arrays {
			total += len(a.F32)
		}
		if err == nil && 2*total > len(data) {
			t.Errorf("%d numbers out of %d bytes", total, len(data))
		}
	})
}
