package checkpoint

import (
	"encoding/binary"
	"math"
)

// Keys are of the header's values, in the file's order.
func (f *File) Keys() []string { return f.header.keys }

// Uint is a value of any integer type, unless it is negative or missing.
func (f *File) Uint(key string) (n uint64, ok bool) {
	v, there := f.header.values[key]
	if !there || v.array {
		return 0, false
	}
	f.look(func() {
		var signed int64
		if n, signed, ok = integer(v.kind, v.data); signed < 0 {
			n, ok = 0, false
		}
	})
	return n, ok
}

// Float is a value of any number type.
func (f *File) Float(key string) (x float64, ok bool) {
	v, there := f.header.values[key]
	if !there || v.array {
		return 0, false
	}
	f.look(func() { x, ok = number(v.kind, v.data) })
	return x, ok
}

// Text is a string.
func (f *File) Text(key string) (s string, ok bool) {
	v, there := f.header.values[key]
	if !there || v.array || v.kind != kString {
		return "", false
	}
	f.look(func() { s, ok = string(v.data), true })
	return s, ok
}

// Bool is a truth value.
func (f *File) Bool(key string) (b, ok bool) {
	v, there := f.header.values[key]
	if !there || v.array || v.kind != kBool {
		return false, false
	}
	f.look(func() { b, ok = v.data[0] != 0, true })
	return b, ok
}

// Floats are the elements of an array of any number type.
func (f *File) Floats(key string) (list []float64, ok bool) {
	v, there := f.header.values[key]
	if !there || !v.array || kindBytes[v.kind] == 0 || v.kind == kBool {
		return nil, false
	}
	f.look(func() {
		list = make([]float64, v.n)
		size := int(kindBytes[v.kind])
		for i := range list {
			list[i], ok = number(v.kind, v.data[i*size:])
		}
		ok = ok || v.n == 0
	})
	return list, ok
}

// Texts are the elements of an array of strings.
func (f *File) Texts(key string) (list []string, ok bool) {
	v, there := f.header.values[key]
	if !there || !v.array || v.kind != kString {
		return nil, false
	}
	f.look(func() {
		list = make([]string, v.n)
		c := cursor{data: v.data} // parseHeader went through it before
		for i := range list {
			list[i] = string(c.bytes(c.u64()))
		}
		ok = c.err == nil
	})
	return list, ok
}

// integer is a value of an integer type; signed is negative where it is.
func integer(k kind, b []byte) (n uint64, signed int64, ok bool) {
	le := binary.LittleEndian
	switch k {
	case kUint8:
		return uint64(b[0]), 0, true
	case kUint16:
		return uint64(le.Uint16(b)), 0, true
	case kUint32:
		return uint64(le.Uint32(b)), 0, true
	case kUint64:
		return le.Uint64(b), 0, true
	case kInt8:
		signed = int64(int8(b[0]))
	case kInt16:
		signed = int64(int16(le.Uint16(b)))
	case kInt32:
		signed = int64(int32(le.Uint32(b)))
	case kInt64:
		signed = int64(le.Uint64(b))
	default:
		return 0, 0, false
	}
	return uint64(signed), signed, true
}

func number(k kind, b []byte) (float64, bool) {
	switch k {
	case kFloat32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), true
	case kFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), true
	}
	n, signed, ok := integer(k, b)
	if signed < 0 {
		return float64(signed), ok
	}
	return float64(n), ok
}
