package checkpoint

import (
	"encoding/binary"
	"math"
)

// quantize writes len(src) numbers, whole blocks, as type t. With base, blocks of the same
// type and number that the numbers were derived from, each block is also tried with the scales
// of its base block, and what comes closer is kept: so numbers that lie on the
// base's grid stay what they were, and a block is never further off than both.
func quantize(t Type, dst []byte, src []float32, base []byte) {
	le := binary.LittleEndian
	switch t {
	case F32:
		for i, x := range src {
			le.PutUint32(dst[4*i:], math.Float32bits(x))
		}
	case F16:
		for i, x := range src {
			le.PutUint16(dst[2*i:], toHalf(x))
		}
	case BF16:
		for i, x := range src {
			le.PutUint16(dst[2*i:], toBrain(x))
		}
	default:
		g, l := grids[t], layouts[t]
		for len(src) > 0 {
			block, x := dst[:l.bytes], src[:l.block]
			g.fit(block, x)
			g.encode(block, x)
			if base != nil {
				keepCloser(t, &g, block, base[:l.bytes], x)
				base = base[l.bytes:]
			}
			dst, src = dst[l.bytes:], src[l.block:]
		}
	}
}

// keepCloser replaces block by x in the scales of old where that comes closer.
func keepCloser(t Type, g *grid, block, old []byte, x []float32) {
	var buf [256]byte
	var y [256]float32
	other := buf[:len(old)]
	copy(other, old)
	g.encode(other, x)
	off := func(b []byte) (sum float64) {
		dequant(t, y[:len(x)], b)
		for i, v := range x {
			d := float64(v) - float64(y[i])
			sum += d * d
		}
		return sum
	}
	if off(other) <= off(block) {
		copy(block, other)
	}
}
