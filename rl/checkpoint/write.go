package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Entry is a header value to be written. Value is one of uint32, uint64, int32,
// float32, float64, bool, string, []string, []float32, []int32, []uint32.
type Entry struct {
	Key   string
	Value any
}

// Write makes a GGUF file (version 3; alignment 32, or that of a uint32 general.alignment) of
// entries and tensors in their order. It lies beside path until it is whole, then takes its name.
func Write(path string, entries []Entry, tensors []*Tensor) error {
	head, align, err := encodeHeader(entries, tensors)
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	return Replace(path, func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		for _, t := range tensors {
			if err := t.copyTo(w); err != nil {
				return err
			}
			if _, err := w.Write(padding(len(t.Data), align)); err != nil {
				return err
			}
		}
		return nil
	})
}

// copyTo writes the tensor's bytes as they are.
func (t *Tensor) copyTo(w io.Writer) error {
	if t.file == nil {
		_, err := w.Write(t.Data)
		return err
	}
	var buf [1 << 16]byte // the copy meets a fault that a write from the mapping would hide
	for data := range slices.Chunk(t.Data, len(buf)) {
		if err := t.file.read(func() { copy(buf[:], data) }); err != nil {
			return err
		}
		if _, err := w.Write(buf[:len(data)]); err != nil {
			return err
		}
	}
	return nil
}

// copyRow copies a row's bytes.
func (t *Tensor) copyRow(dst []byte, row int) {
	src := t.Data[row*len(dst) : (row+1)*len(dst)]
	if t.file == nil {
		copy(dst, src)
		return
	}
	t.file.look(func() { copy(dst, src) })
}

// padding is what follows n bytes up to a multiple of align.
func padding(n, align int) []byte { return make([]byte, (align-n%align)%align) }

// raw is a header value as it stood in another file.
type raw []byte

// encodeHeader is everything before the tensor data, padded.
func encodeHeader(entries []Entry, tensors []*Tensor) (head []byte, align int, err error) {
	align = 32
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("GGUF"), 3)
	b = le.AppendUint64(le.AppendUint64(b, uint64(len(tensors))), uint64(len(entries)))
	for _, e := range entries {
		b = appendText(b, e.Key)
		if b, err = appendValue(b, e.Value); err != nil {
			return nil, 0, fmt.Errorf("the value of %q: %w", e.Key, err)
		}
		if a, ok := e.Value.(uint32); ok && e.Key == "general.alignment" {
			align = int(a)
		} else if r, ok := e.Value.(raw); ok && e.Key == "general.alignment" {
			align = int(le.Uint32(r[4:]))
		}
	}
	if align <= 0 || align&(align-1) != 0 || align > maxAlign {
		return nil, 0, fmt.Errorf("an alignment of %d", align)
	}
	offset := 0
	for _, t := range tensors {
		b = le.AppendUint32(appendText(b, t.Name), uint32(len(t.Dims)))
		for _, d := range t.Dims {
			b = le.AppendUint64(b, uint64(d))
		}
		b = le.AppendUint64(le.AppendUint32(b, uint32(t.Type)), uint64(offset))
		offset += int(t.bytes()) + len(padding(int(t.bytes()), align))
	}
	return append(b, padding(len(b), align)...), align, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// appendValue writes the kind of a value and the value.
func appendValue(b []byte, v any) ([]byte, error) {
	le := binary.LittleEndian
	array := func(k kind, n int) []byte {
		b = le.AppendUint32(le.AppendUint32(b, uint32(kArray)), uint32(k))
		return le.AppendUint64(b, uint64(n))
	}
	switch v := v.(type) {
	case raw:
		return append(b, v...), nil
	case string:
		return appendText(le.AppendUint32(b, uint32(kString)), v), nil
	case []string:
		b = array(kString, len(v))
		for _, s := range v {
			b = appendText(b, s)
		}
		return b, nil
	case []float32:
		b = array(kFloat32, len(v))
	case []int32:
		b = array(kInt32, len(v))
	case []uint32:
		b = array(kUint32, len(v))
	default:
		k, ok := map[string]kind{"uint32": kUint32, "uint64": kUint64, "int32": kInt32, "float32": kFloat32, "float64": kFloat64, "bool": kBool}[fmt.Sprintf("%T", v)]
		if !ok {
			return nil, fmt.Errorf("GGUF has no %T here", v)
		}
		b = le.AppendUint32(b, uint32(k))
	}
	w := bytes.NewBuffer(b)
	if err := binary.Write(w, le, v); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}
