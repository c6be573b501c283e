package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"os"
)

// llama.cpp ends the process on some files that are cut, wrong or made to harm.
// So the header of a GGUF file is read here first, with every length checked
// against the file before anything is allocated.

const (
	ggufMaxValues  = 1 << 16
	ggufMaxTensors = 1 << 17
	ggufMaxKey     = 1 << 16 // as in the GGUF specification
	ggufMaxName    = 63      // of a tensor; ggml keeps 64 bytes with the zero
	ggufMaxKept    = 1 << 20 // longer strings are skipped, not kept
	ggufMaxAlign   = 1 << 16
	ggufDims       = 4
)

// ggufValue types, as the file numbers them.
const (
	ggufUint8 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

// ggufSizes are the bytes of a value by its type; 0 for strings and arrays.
var ggufSizes = [...]uint64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

var ggufSeed = maphash.MakeSeed()

// ggufHeader is what stands before the tensor data.
type ggufHeader struct {
	values  map[string]ggufEntry
	tensors []ggufTensor
	bytes   uint64 // of all tensors
}

// ggufEntry is one metadata value. Of an array only its type and length are
// kept, and its numbers if there are at most 1024 of them.
type ggufEntry struct {
	kind    uint32 // of the value, or of the array's elements
	array   bool
	length  uint64 // of an array
	text    string
	numbers []float64 // one for a scalar
	minimum float64   // of an array's numbers
	maximum float64
}

type ggufTensor struct {
	name   string
	kind   uint32
	dims   [ggufDims]uint64
	offset uint64
	bytes  uint64
}

// readGGUF reads and checks the header of a GGUF file.
func readGGUF(path string) (*ggufHeader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	return parseGGUF(f, uint64(info.Size()))
}

// ggufReader counts what is left of the file. The first failure sticks.
type ggufReader struct {
	r    *bufio.Reader
	size uint64
	at   uint64
	err  error
}

func (g *ggufReader) left() uint64 { return g.size - g.at }

func (g *ggufReader) fail(format string, args ...any) {
	if g.err == nil {
		g.err = fmt.Errorf(format, args...)
	}
}

// bytes reads n bytes, which the caller has bounded.
func (g *ggufReader) bytes(n uint64) []byte {
	if g.err != nil {
		return nil
	}
	if n > g.left() {
		g.fail("the file is cut: its header goes on after byte %d, where it ends", g.size)
		return nil
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(g.r, buf); err != nil {
		g.fail("reading the header: %w", err)
		return nil
	}
	g.at += n
	return buf
}

func (g *ggufReader) skip(n uint64) {
	if g.err != nil {
		return
	}
	if n > g.left() {
		g.fail("the file is cut: its header goes on after byte %d, where it ends", g.size)
		return
	}
	for g.at += n; n > 0 && g.err == nil; {
		step := min(n, 1<<30)
		if _, err := g.r.Discard(int(step)); err != nil {
			g.fail("reading the header: %w", err)
		}
		n -= step
	}
}

func (g *ggufReader) u32() uint32 {
	if b := g.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (g *ggufReader) u64() uint64 {
	if b := g.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// text reads a string of at most limit bytes.
func (g *ggufReader) text(what string, limit uint64) string {
	n := g.u64()
	if n > limit {
		g.fail("%s is %d bytes long", what, n)
		return ""
	}
	return string(g.bytes(n))
}

func parseGGUF(r io.Reader, size uint64) (*ggufHeader, error) {
	g := &ggufReader{r: bufio.NewReaderSize(r, 1<<16), size: size}
	if size < 24 {
		return nil, errors.New("not a GGUF file: too short")
	}
	if magic := g.bytes(4); string(magic) != "GGUF" {
		return nil, errors.New("not a GGUF file")
	}
	if v := g.u32(); v != 2 && v != 3 {
		return nil, fmt.Errorf("GGUF version %d; 2 and 3 are known", v)
	}
	tensors, values := g.u64(), g.u64()
	if tensors > ggufMaxTensors || values > ggufMaxValues {
		return nil, fmt.Errorf("the header claims %d tensors and %d values", tensors, values)
	}
	h := &ggufHeader{values: map[string]ggufEntry{}}
	for i := uint64(0); i < values && g.err == nil; i++ {
		key := g.text("a key", ggufMaxKey)
		e := g.value(key)
		if _, twice := h.values[key]; twice {
			g.fail("the key %.100q stands there twice", key)
		}
		h.values[key] = e
	}
	align := h.alignment(g)
	names := map[string]bool{}
	for i := uint64(0); i < tensors && g.err == nil; i++ {
		t := g.tensor()
		if names[t.name] {
			g.fail("the tensor %q stands there twice", t.name)
		}
		names[t.name] = true
		h.tensors = append(h.tensors, t)
	}
	if g.err == nil {
		g.place(h, align)
	}
	return h, g.err
}

func (h *ggufHeader) alignment(g *ggufReader) uint64 {
	e, ok := h.values["general.alignment"]
	if !ok {
		return 32
	}
	if e.kind != ggufUint32 || e.array || g.err != nil {
		g.fail("general.alignment is not a number of 32 bits")
		return 32
	}
	a := uint64(e.numbers[0])
	if a == 0 || a&(a-1) != 0 || a > ggufMaxAlign {
		g.fail("an alignment of %d", a)
		return 32
	}
	return a
}

func (g *ggufReader) value(key string) ggufEntry {
	e := ggufEntry{kind: g.u32()}
	if e.kind == ggufArray {
		e.array, e.kind, e.length = true, g.u32(), g.u64()
	}
	switch {
	case g.err != nil:
	case e.kind == ggufArray || int(e.kind) >= len(ggufSizes):
		g.fail("the value of %.100q has the unknown type %d", key, e.kind)
	case e.array:
		g.array(key, &e)
	case e.kind == ggufString:
		n := g.u64()
		if n > ggufMaxKept {
			g.skip(n)
		} else {
			e.text = string(g.bytes(n))
		}
	default:
		if b := g.bytes(ggufSizes[e.kind]); b != nil {
			e.numbers = []float64{ggufNumber(e.kind, b)}
		}
	}
	return e
}

func (g *ggufReader) array(key string, e *ggufEntry) {
	if e.kind == ggufString {
		if e.length > g.left()/8 {
			g.fail("the array %.100q claims %d strings, more than the file holds", key, e.length)
		}
		seen := map[uint64]bool{}
		for i := uint64(0); i < e.length && g.err == nil; i++ {
			if key != "tokenizer.ggml.tokens" {
				g.skip(g.u64())
				continue
			}
			// llama.cpp ends the process when two tokens have the same text.
			text := g.text("a token", ggufMaxKey)
			sum := maphash.String(ggufSeed, text)
			if seen[sum] && text != "" {
				g.fail("the token %.40q stands in the vocabulary twice", text)
			}
			seen[sum] = true
		}
		return
	}
	size := ggufSizes[e.kind]
	if e.length > g.left()/size {
		g.fail("the array %.100q claims %d numbers, more than the file holds", key, e.length)
		return
	}
	e.minimum, e.maximum = math.Inf(1), math.Inf(-1)
	var buf [8]byte
	for i := uint64(0); i < e.length; i++ {
		if _, err := io.ReadFull(g.r, buf[:size]); err != nil {
			g.fail("reading the header: %w", err)
			return
		}
		v := ggufNumber(e.kind, buf[:size])
		e.minimum, e.maximum = min(e.minimum, v), max(e.maximum, v)
		if e.length <= 1024 {
			e.numbers = append(e.numbers, v)
		}
	}
	g.at += e.length * size
}

func ggufNumber(kind uint32, b []byte) float64 {
	le := binary.LittleEndian
	switch kind {
	case ggufUint8, ggufBool:
		return float64(b[0])
	case ggufInt8:
		return float64(int8(b[0]))
	case ggufUint16:
		return float64(le.Uint16(b))
	case ggufInt16:
		return float64(int16(le.Uint16(b)))
	case ggufUint32:
		return float64(le.Uint32(b))
	case ggufInt32:
		return float64(int32(le.Uint32(b)))
	case ggufFloat32:
		return float64(math.Float32frombits(le.Uint32(b)))
	case ggufUint64:
		return float64(le.Uint64(b))
	case ggufInt64:
		return float64(int64(le.Uint64(b)))
	}
	return math.Float64frombits(le.Uint64(b))
}
