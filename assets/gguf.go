package assets

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// header is the little this package wants to know of a GGUF file: whether it
// is one, and how large its KV cache is.
type header struct {
	architecture, name, licence string
	layers, kvWidth             int // 0: not said
}

// Limits for a hostile file: no real one comes near.
const (
	maxPairs  = 1 << 16
	maxString = 1 << 20
	maxArray  = 1 << 24
)

// readHeader reads the metadata of a GGUF file (little endian, versions 2 and 3).
func readHeader(path string) (header, error) {
	f, err := os.Open(path)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	h, err := parseHeader(bufio.NewReaderSize(f, 1<<16))
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the GGUF file is cut off")
	}
	return h, err
}

func parseHeader(r *bufio.Reader) (header, error) {
	g := reader{r: r}
	magic := g.bytes(4)
	if g.err != nil || string(magic) != "GGUF" {
		return header{}, errors.New("it is not a GGUF file")
	}
	if v := g.u32(); g.err == nil && v != 2 && v != 3 {
		return header{}, fmt.Errorf("GGUF version %d is not supported", v)
	}
	g.u64() // tensors
	pairs := g.u64()
	if pairs > maxPairs {
		return header{}, errors.New("the GGUF header is damaged")
	}
	numbers, texts := map[string]uint64{}, map[string]string{}
	for range pairs {
		key := g.text()
		g.value(key, numbers, texts)
		if g.err != nil {
			return header{}, g.err
		}
	}
	return makeHeader(numbers, texts), nil
}

func makeHeader(numbers map[string]uint64, texts map[string]string) header {
	arch := texts["general.architecture"]
	n := func(key string) uint64 { return min(numbers[arch+"."+key], 1<<20) }
	heads, kvHeads, size := n("attention.head_count"), n("attention.head_count_kv"), n("attention.key_length")
	if kvHeads == 0 {
		kvHeads = heads
	}
	if size == 0 && heads > 0 {
		size = n("embedding_length") / heads
	}
	return header{architecture: arch, name: texts["general.name"], licence: texts["general.license"],
		layers: int(n("block_count")), kvWidth: int(kvHeads * size)}
}

// reader reads values until the first error, which sticks.
type reader struct {
	r   *bufio.Reader
	err error
}

func (g *reader) bytes(n int) []byte {
	b := make([]byte, n)
	if g.err == nil {
		_, g.err = io.ReadFull(g.r, b)
	}
	return b
}

func (g *reader) u32() uint32 { return binary.LittleEndian.Uint32(g.bytes(4)) }
func (g *reader) u64() uint64 { return binary.LittleEndian.Uint64(g.bytes(8)) }

func (g *reader) text() string {
	n := g.u64()
	if g.err == nil && n > maxString {
		g.err = errors.New("the GGUF header is damaged")
	}
	if g.err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(g.bytes(int(n))), "\ufffd")
}

// Types of GGUF values, and the width of those that have one.
const (
	typeString = 8
	typeArray  = 9
)

var widths = map[uint32]int{0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

// value keeps a text or a number and skips everything else. Of an array of
// numbers (KV heads per layer) the largest is kept.
func (g *reader) value(key string, numbers map[string]uint64, texts map[string]string) {
	switch t := g.u32(); t {
	case typeString:
		texts[key] = g.text()
	case typeArray:
		of, n := g.u32(), g.u64()
		if g.err == nil && n > maxArray {
			g.err = errors.New("the GGUF header is damaged")
		}
		for i := uint64(0); i < n && g.err == nil; i++ {
			if of == typeString {
				g.skipText()
			} else {
				numbers[key] = max(numbers[key], g.number(of))
			}
		}
	default:
		numbers[key] = g.number(t)
	}
}

func (g *reader) skipText() {
	n := g.u64()
	if g.err == nil && n > maxString {
		g.err = errors.New("the GGUF header is damaged")
	}
	if g.err == nil {
		_, g.err = g.r.Discard(int(n))
	}
}

func (g *reader) number(t uint32) uint64 {
	w := widths[t]
	if w == 0 {
		g.err = errors.New("the GGUF header is damaged")
		return 0
	}
	var b [8]byte
	copy(b[:], g.bytes(w))
	return binary.LittleEndian.Uint64(b[:])
}
