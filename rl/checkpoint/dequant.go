package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// The block layouts are ggml's (ggml-common.h), little-endian. Products are rounded before
// sums on every machine (the conversions keep the compiler from fusing them), so that a
// weight has the same bits everywhere, and those of ggml's own code. Blocks and what
// becomes of them are taken as array pointers: no bounds are checked within a block.

// dequant writes len(dst) numbers, whole blocks, of type t.
func dequant(t Type, dst []float32, src []byte) {
	if n := dequantVector(t, dst, src); n > 0 {
		dst, src = dst[n:], src[t.Bytes(n):]
	}
	dequantLoops(t, dst, src)
}

// dequantLoops is dequant in plain Go.
func dequantLoops(t Type, dst []float32, src []byte) {
	switch t {
	case F32:
		dequantF32(dst, src)
	case F16:
		dequantF16(dst, src)
	case BF16:
		dequantBF16(dst, src)
	case Q8_0:
		dequantQ8_0(dst, src)
	case Q4_0:
		dequantQ4_0(dst, src)
	case Q4_1:
		dequantQ4_1(dst, src)
	case Q5_0:
		dequantQ5_0(dst, src)
	case Q5_1:
		dequantQ5_1(dst, src)
	case Q4_K:
		dequantQ4K(dst, src)
	case Q5_K:
		dequantQ5K(dst, src)
	case Q6_K:
		dequantQ6K(dst, src)
	case IQ4_NL:
		dequantIQ4NL(dst, src)
	case IQ4_XS:
		dequantIQ4XS(dst, src)
	default:
		panic(fmt.Sprintf("checkpoint: %s is not dequantised here", t))
	}
}

// littleEndian is so on every machine that this is run on.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func dequantF32(dst []float32, src []byte) {
	if littleEndian {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), 4*len(dst)), src)
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func dequantF16(dst []float32, src []byte) {
	for len(dst) >= 8 && len(src) >= 16 {
		y, b := (*[8]float32)(dst), (*[16]byte)(src)
		for i := range 8 {
			y[i] = fromHalf(binary.LittleEndian.Uint16(b[2*i : 2*i+2]))
		}
		dst, src = dst[8:], src[16:]
	}
	for i := range dst {
		dst[i] = fromHalf(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func dequantBF16(dst []float32, src []byte) {
	for len(dst) >= 8 && len(src) >= 16 {
		y, b := (*[8]float32)(dst), (*[16]byte)(src)
		for i := range 8 {
			y[i] = fromBrain(binary.LittleEndian.Uint16(b[2*i : 2*i+2]))
		}
		dst, src = dst[8:], src[16:]
	}
	for i := range dst {
		dst[i] = fromBrain(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// half reads the half at the start of b.
func half(b []byte) float32 { return fromHalf(binary.LittleEndian.Uint16(b)) }

func dequantQ8_0(dst []float32, src []byte) {
	for len(dst) >= 32 && len(src) >= 34 {
		y, b := (*[32]float32)(dst), (*[34]byte)(src)
		d := half(b[:2])
		for i := range 32 {
			y[i] = d * float32(int8(b[2+i]))
		}
		dst, src = dst[32:], src[34:]
	}
}

// nibbles writes table[low nibble] of 16 bytes, then table[high nibble].
func nibbles(y *[32]float32, b *[16]byte, table *[16]float32) {
	for i, v := range b {
		y[i] = table[v&15]
		y[i+16] = table[v>>4]
	}
}

func dequantQ4_0(dst []float32, src []byte) {
	var table [16]float32
	for len(dst) >= 32 && len(src) >= 18 {
		b := (*[18]byte)(src)
		d := half(b[:2])
		for q := range 16 {
			table[q] = d * float32(q-8)
		}
		nibbles((*[32]float32)(dst), (*[16]byte)(b[2:]), &table)
		dst, src = dst[32:], src[18:]
	}
}

func dequantQ4_1(dst []float32, src []byte) {
	var table [16]float32
	for len(dst) >= 32 && len(src) >= 20 {
		b := (*[20]byte)(src)
		d, m := half(b[:2]), half(b[2:4])
		for q := range 16 {
			table[q] = float32(d*float32(q)) + m
		}
		nibbles((*[32]float32)(dst), (*[16]byte)(b[4:]), &table)
		dst, src = dst[32:], src[20:]
	}
}

func dequantQ5_0(dst []float32, src []byte) {
	for len(dst) >= 32 && len(src) >= 22 {
		y, b := (*[32]float32)(dst), (*[22]byte)(src)
		d, high := half(b[:2]), binary.LittleEndian.Uint32(b[2:6])
		for i := range 16 {
			v := uint32(b[6+i])
			y[i] = d * float32(int32(v&15|high>>i<<4&16)-16)
			y[i+16] = d * float32(int32(v>>4|high>>(i+12)&16)-16)
		}
		dst, src = dst[32:], src[22:]
	}
}

func dequantQ5_1(dst []float32, src []byte) {
	for len(dst) >= 32 && len(src) >= 24 {
		y, b := (*[32]float32)(dst), (*[24]byte)(src)
		d, m, high := half(b[:2]), half(b[2:4]), binary.LittleEndian.Uint32(b[4:8])
		for i := range 16 {
			v := uint32(b[8+i])
			y[i] = float32(d*float32(int32(v&15|high>>i<<4&16))) + m
			y[i+16] = float32(d*float32(int32(v>>4|high>>(i+12)&16))) + m
		}
		dst, src = dst[32:], src[24:]
	}
}

// levels4 are the values of the non-linear 4-bit types.
var levels4 = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

func dequantIQ4NL(dst []float32, src []byte) {
	var table [16]float32
	for len(dst) >= 32 && len(src) >= 18 {
		b := (*[18]byte)(src)
		d := half(b[:2])
		for q := range 16 {
			table[q] = d * levels4[q]
		}
		nibbles((*[32]float32)(dst), (*[16]byte)(b[2:]), &table)
		dst, src = dst[32:], src[18:]
	}
}
