package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// Limits for a hostile file: no real one comes near.
const (
	maxHeader  = 1 << 28 // bytes in front of the tensor data
	maxValues  = 1 << 16
	maxTensors = 1 << 17
	maxKey     = 1 << 16 // as in the GGUF specification
	maxAlign   = 1 << 16
	maxDims    = 4
)

// kind is the type of a header value, as GGUF numbers it.
type kind uint32

const (
	kUint8 kind = iota
	kInt8
	kUint16
	kInt16
	kUint32
	kInt32
	kFloat32
	kBool
	kString
	kArray
	kUint64
	kInt64
	kFloat64
)

// kindBytes is what a value takes; 0 for strings and arrays, whose length varies.
var kindBytes = [...]uint64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

// value is a header value where it lies in the file. Arrays hold n values of one kind.
type value struct {
	kind  kind
	array bool
	n     uint64 // of an array
	data  []byte // the scalar, the string's bytes, or the array's elements
	raw   []byte // all of it, from the kind on, as it is copied to another file
}

// header is what stands in front of the tensor data.
type header struct {
	keys    []string
	values  map[string]value
	tensors []*Tensor
}

// cursor reads a mapped header; the first failure sticks, and yields zeros from then on.
type cursor struct {
	data []byte
	at   uint64
	err  error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// bytes is the next n bytes, nil after a failure.
func (c *cursor) bytes(n uint64) []byte {
	switch {
	case c.err != nil:
		return nil
	case n > uint64(len(c.data))-c.at:
		c.fail("the file is cut: its header goes on after byte %d, where it ends", len(c.data))
		return nil
	case c.at+n > maxHeader:
		c.fail("the header is longer than %d MiB", maxHeader>>20)
		return nil
	}
	b := c.data[c.at : c.at+n : c.at+n]
	c.at += n
	return b
}

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// text reads a string of at most limit bytes.
func (c *cursor) text(what string, limit uint64) string {
	n := c.u64()
	if n > limit {
		c.fail("%s is %d bytes long", what, n)
	}
	return string(c.bytes(n))
}

// parseHeader reads a GGUF header and places its tensors in data, the whole file.
// It allocates in proportion to the keys and tensors that are there.
func parseHeader(data []byte) (*header, error) {
	c := &cursor{data: data}
	if err := c.begin(); err != nil {
		return nil, err
	}
	tensors, values := c.u64(), c.u64()
	if tensors > maxTensors || values > maxValues {
		return nil, fmt.Errorf("the header claims %d tensors and %d values", tensors, values)
	}
	h := &header{values: map[string]value{}}
	for i := uint64(0); i < values && c.err == nil; i++ {
		key := c.text("a key", maxKey)
		v := c.value(key)
		if _, twice := h.values[key]; twice {
			c.fail("the key %.100q stands there twice", key)
		}
		h.keys = append(h.keys, key)
		h.values[key] = v
	}
	align := h.alignment(c)
	places := make([]place, 0, min(tensors, 1024))
	for i := uint64(0); i < tensors && c.err == nil; i++ {
		places = append(places, c.place())
	}
	if c.err == nil {
		h.tensors = c.lay(places, align)
	}
	if c.err != nil {
		return nil, c.err
	}
	return h, nil
}

// begin reads the magic and the version.
func (c *cursor) begin() error {
	if len(c.data) < 4 || string(c.data[:4]) != "GGUF" {
		return errors.New("it is not a GGUF file")
	}
	if len(c.data) < 24 {
		return errors.New("the file is cut in its first line")
	}
	c.at = 4
	switch v := c.u32(); {
	case v&0xffff == 0 && v != 0:
		return errors.New("the file is big-endian; little-endian ones are read")
	case v != 2 && v != 3:
		return fmt.Errorf("it is of GGUF version %d; 2 and 3 are read", v)
	}
	return nil
}

// alignment is that of the tensor data: 32 unless general.alignment says otherwise.
func (h *header) alignment(c *cursor) uint64 {
	v, ok := h.values["general.alignment"]
	if !ok || c.err != nil {
		return 32
	}
	if v.kind != kUint32 || v.array {
		c.fail("general.alignment is not a number of 32 bits")
		return 32
	}
	a := uint64(binary.LittleEndian.Uint32(v.data))
	if a == 0 || a&(a-1) != 0 || a > maxAlign {
		c.fail("the header claims an alignment of %d", a)
		return 32
	}
	return a
}

// value reads one header value, or leaps over it: only its bounds are checked.
func (c *cursor) value(key string) value {
	start := c.at
	v := value{kind: kind(c.u32())}
	if v.kind == kArray {
		v.array, v.kind, v.n = true, kind(c.u32()), c.u64()
	}
	switch {
	case c.err != nil:
		return v
	case v.kind == kArray || int(v.kind) >= len(kindBytes):
		c.fail("the value of %.100q has the unknown type %d", key, v.kind)
		return v
	case v.array && v.kind == kString:
		from := c.at
		for i := uint64(0); i < v.n && c.err == nil; i++ {
			c.bytes(c.u64())
		}
		v.data = c.data[from:c.at:c.at]
	case v.array:
		over, n := bits.Mul64(v.n, kindBytes[v.kind])
		if over != 0 {
			n = math.MaxUint64
		}
		v.data = c.bytes(n)
	case v.kind == kString:
		v.data = c.bytes(c.u64())
	default:
		v.data = c.bytes(kindBytes[v.kind])
	}
	v.raw = c.data[start:c.at:c.at]
	return v
}

// place is the description of a tensor.
type place struct {
	name         string
	kind         Type
	dims         []int
	offset, size uint64 // size 0: not known
}

func (c *cursor) place() place {
	p := place{name: c.text("a tensor's name", maxKey)}
	n := c.u32()
	if n == 0 || n > maxDims {
		c.fail("the tensor %.100q has %d dimensions", p.name, n)
		return p
	}
	count := uint64(1)
	for range n {
		d := c.u64()
		over, product := bits.Mul64(count, d)
		if over != 0 || product > math.MaxInt/8 || d == 0 {
			c.fail("a dimension of the tensor %.100q is %d", p.name, d)
			return p
		}
		count = product
		p.dims = append(p.dims, int(d))
	}
	p.kind, p.offset = Type(c.u32()), c.u64()
	if l, ok := layouts[p.kind]; ok {
		if p.dims[0]%l.block != 0 {
			c.fail("the tensor %.100q of type %s has rows of %d, which are not whole blocks of %d", p.name, l.name, p.dims[0], l.block)
			return p
		}
		p.size = count / uint64(l.block) * uint64(l.bytes) // at most 8 bytes a number: count was checked for that
	}
	return p
}

// lay gives each tensor its bytes. They lie one after another, each at the next
// multiple of align; behind one of an unknown type there may be anything.
func (c *cursor) lay(places []place, align uint64) []*Tensor {
	pad := func(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }
	size := uint64(len(c.data))
	start, at := pad(c.at), uint64(0)
	if start > size {
		start = size
	}
	tensors := make([]*Tensor, 0, len(places))
	names := make(map[string]bool, len(places))
	for i, p := range places {
		unknown := p.size == 0
		if unknown && i+1 < len(places) && places[i+1].offset > p.offset {
			p.size = places[i+1].offset - p.offset
		} else if unknown && p.offset <= size-start {
			p.size = size - start - p.offset
		}
		switch {
		case names[p.name]:
			c.fail("the tensor %.100q stands there twice", p.name)
		case p.offset != at:
			c.fail("the tensor %.100q does not follow the one before it", p.name)
		case at > size-start || p.size > size-start-at:
			c.fail("the file is cut: the tensor %.100q goes on after byte %d, where it ends", p.name, size)
		}
		if c.err != nil {
			return nil
		}
		names[p.name] = true
		from := start + at
		t := &Tensor{Name: p.name, Type: p.kind, Rows: 1, Cols: p.dims[0], Dims: p.dims, Data: c.data[from : from+p.size : from+p.size]}
		for _, d := range p.dims[1:] {
			t.Rows *= d
		}
		tensors = append(tensors, t)
		at = pad(at + p.size)
	}
	return tensors
}
