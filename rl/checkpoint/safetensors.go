package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"os"
	"slices"
)

// Array is a named array of a safetensors file, row-major.
type Array struct {
	Shape []int
	F32   []float32
}

// maxIndex is what the index of a safetensors file may take; no real one comes near.
const maxIndex = 100 << 20

// indexEntry is what the index says of an array: its bytes lie from Offsets[0] up to Offsets[1]
// behind the index.
type indexEntry struct {
	DType   string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"`
	name    string
}

// dtypes are the types of safetensors that are read, and their bytes.
var dtypes = map[string]uint64{"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

// ReadSafetensors reads every array of a file, of type F32, F64, F16 or BF16, and its
// metadata.
func ReadSafetensors(path string) (map[string]Array, map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("checkpoint: open %s: %w", path, reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	var arrays map[string]Array
	var meta map[string]string
	if err == nil {
		arrays, meta, err = parseSafetensors(f, uint64(info.Size()))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("checkpoint: read %s: %w", path, reason(err))
	}
	return arrays, meta, nil
}

func parseSafetensors(r io.Reader, size uint64) (map[string]Array, map[string]string, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil, errors.New("it is not a safetensors file: it is too short")
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxIndex || n > size-8 {
		return nil, nil, fmt.Errorf("it is cut or not a safetensors file: its index claims %d bytes", n)
	}
	index := make([]byte, n)
	if _, err := io.ReadFull(r, index); err != nil {
		return nil, nil, err
	}
	entries, meta, err := parseIndex(index)
	if err != nil {
		return nil, nil, fmt.Errorf("the index is damaged: %w", err)
	}
	slices.SortFunc(entries, func(a, b indexEntry) int {
		return cmp.Or(cmp.Compare(a.Offsets[0], b.Offsets[0]), cmp.Compare(a.Offsets[1], b.Offsets[1]))
	})
	at, left := uint64(0), size-8-n
	arrays := make(map[string]Array, len(entries))
	for _, e := range entries {
		if err := e.check(at, left); err != nil {
			return nil, nil, err
		}
		data := make([]byte, e.Offsets[1]-at)
		if _, err := io.ReadFull(r, data); err != nil {
			return nil, nil, err
		}
		at = e.Offsets[1]
		arrays[e.name] = e.array(data)
	}
	if at != left {
		return nil, nil, fmt.Errorf("%d bytes follow the last array", left-at)
	}
	return arrays, meta, nil
}

// parseIndex reads the JSON object of arrays by name; each name may stand there once.
func parseIndex(index []byte) (entries []indexEntry, meta map[string]string, err error) {
	d := json.NewDecoder(bytes.NewReader(index))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.New("it is not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		e := indexEntry{name: t.(string)} // the decoder takes nothing else for a key
		if seen[e.name] {
			return nil, nil, fmt.Errorf("%.100q stands there twice", e.name)
		}
		seen[e.name] = true
		if e.name == "__metadata__" {
			err = d.Decode(&meta)
		} else if err = d.Decode(&e); err == nil && len(e.Offsets) != 2 {
			err = errors.New("it has no place")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%.100q: %w", e.name, err)
		}
		if e.name != "__metadata__" {
			entries = append(entries, e)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, errors.New("it is cut")
	}
	if len(bytes.TrimRight(index[d.InputOffset():], " \n")) > 0 {
		return nil, nil, errors.New("something follows it")
	}
	return entries, meta, nil
}

// check compares an array's type and shape with its place, which is to begin at at and to end within left.
func (e *indexEntry) check(at, left uint64) error {
	size, ok := dtypes[e.DType]
	if !ok {
		return fmt.Errorf("the array %.100q is of type %.20q; F64, F32, F16 and BF16 are read", e.name, e.DType)
	}
	for _, d := range e.Shape {
		over, product := bits.Mul64(size, d)
		if over != 0 || d > math.MaxInt {
			return fmt.Errorf("a dimension of the array %.100q is %d", e.name, d)
		}
		size = product
	}
	switch {
	case e.Offsets[0] != at || e.Offsets[1] < at || e.Offsets[1]-at != size:
		return fmt.Errorf("the array %.100q lies at %d to %d instead of %d to %d", e.name, e.Offsets[0], e.Offsets[1], at, at+size)
	case e.Offsets[1] > left:
		return fmt.Errorf("the file is cut: the array %.100q ends at %d of %d", e.name, e.Offsets[1], left)
	}
	return nil
}

// array converts checked data.
func (e *indexEntry) array(data []byte) Array {
	a := Array{Shape: make([]int, len(e.Shape)), F32: make([]float32, len(data)/int(dtypes[e.DType]))}
	for i, d := range e.Shape {
		a.Shape[i] = int(d)
	}
	switch e.DType {
	case "F64":
		for i := range a.F32 {
			a.F32[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])))
		}
	case "F32":
		dequant(F32, a.F32, data)
	case "F16":
		dequant(F16, a.F32, data)
	case "BF16":
		dequant(BF16, a.F32, data)
	}
	return a
}

// WriteSafetensors writes arrays as F32 in the order of names. The file lies beside path until
// it is whole, then takes its name.
func WriteSafetensors(path string, names []string, arrays map[string]Array, meta map[string]string) error {
	index, err := encodeIndex(names, arrays, meta)
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	return Replace(path, func(w io.Writer) error {
		if _, err := w.Write(index); err != nil {
			return err
		}
		var buf [1 << 16]byte
		for _, name := range names {
			for x := range slices.Chunk(arrays[name].F32, len(buf)/4) {
				quantize(F32, buf[:], x, nil)
				if _, err := w.Write(buf[:4*len(x)]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// encodeIndex is the index with its length before it, padded so that the data lies at a
// multiple of eight.
func encodeIndex(names []string, arrays map[string]Array, meta map[string]string) ([]byte, error) {
	b := append(make([]byte, 8), '{')
	add := func(key string, value any) error {
		if len(b) > 9 {
			b = append(b, ',')
		}
		k, err := json.Marshal(key)
		if err != nil {
			return err
		}
		v, err := json.Marshal(value)
		b = append(append(append(b, k...), ':'), v...)
		return err
	}
	if len(meta) > 0 {
		if err := add("__metadata__", meta); err != nil {
			return nil, err
		}
	}
	at := uint64(0)
	for i, name := range names {
		a, ok := arrays[name]
		n := 1
		shape := make([]uint64, len(a.Shape))
		for j, d := range a.Shape {
			n *= d
			shape[j] = uint64(d)
		}
		switch {
		case !ok || name == "__metadata__" || slices.Contains(names[:i], name):
			return nil, fmt.Errorf("there is not one array %q", name)
		case n != len(a.F32):
			return nil, fmt.Errorf("the array %q of shape %v has %d numbers", name, a.Shape, len(a.F32))
		}
		end := at + 4*uint64(n)
		if err := add(name, indexEntry{DType: "F32", Shape: shape, Offsets: []uint64{at, end}}); err != nil {
			return nil, err
		}
		at = end
	}
	b = append(b, '}')
	b = append(b, bytes.Repeat([]byte(" "), (8-len(b)%8)%8)...)
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, nil
}
