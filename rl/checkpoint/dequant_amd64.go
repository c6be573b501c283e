package checkpoint

import (
	"encoding/binary"

	"golang.org/x/sys/cpu"
)

// vector says whether the routines of dequant_amd64.s run here: AVX2, and the conversion of halves, which
// every machine with AVX2 and FMA has.
var vector = cpu.X86.HasAVX2 && cpu.X86.HasFMA

//go:noescape
func halvesAVX2(dst *float32, src *byte, eights int)

//go:noescape
func brainsAVX2(dst *float32, src *byte, eights int)

//go:noescape
func q80AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func q41AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func q50AVX2(dst *float32, src *byte, blocks int)

//go:noescape
func q51AVX2(dst *float32, src *byte, blocks int)

// levelsAVX2 is for blocks of a half and 16 bytes of nibbles that stand for levels.
//
//go:noescape
func levelsAVX2(dst *float32, src *byte, blocks int, levels *[16]int8)

// groupsAVX2 is for eight groups of 16 bytes of nibbles.
//
//go:noescape
func groupsAVX2(dst *float32, src *byte, scales *[8]float32, levels *[16]int8)

//go:noescape
func q4kAVX2(dst *float32, src *byte, scales, offsets *[8]float32)

//go:noescape
func q5kAVX2(dst *float32, src *byte, scales, offsets *[8]float32)

//go:noescape
func q6kAVX2(dst *float32, src *byte, scales *[16]float32)

var (
	levelsQ40 = [16]int8{-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}
	levelsIQ4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
)

// dequantVector is dequant with vector instructions: the same bits. It says how many numbers it wrote;
// the rest, and what it does not know, are for the Go loops.
func dequantVector(t Type, dst []float32, src []byte) int {
	l := layouts[t]
	blocks := min(len(dst)/l.block, len(src)/l.bytes)
	if !vector || blocks == 0 {
		return 0
	}
	y, b := &dst[0], &src[0]
	switch t {
	case F16, BF16:
		eights := blocks / 8
		if eights == 0 {
			return 0
		}
		if t == F16 {
			halvesAVX2(y, b, eights)
		} else {
			brainsAVX2(y, b, eights)
		}
		return 8 * eights
	case Q8_0:
		q80AVX2(y, b, blocks)
	case Q4_0:
		levelsAVX2(y, b, blocks, &levelsQ40)
	case IQ4_NL:
		levelsAVX2(y, b, blocks, &levelsIQ4)
	case Q4_1:
		q41AVX2(y, b, blocks)
	case Q5_0:
		q50AVX2(y, b, blocks)
	case Q5_1:
		q51AVX2(y, b, blocks)
	case Q4_K, Q5_K, Q6_K, IQ4_XS:
		for i := range blocks {
			superblock(t, (*[256]float32)(dst[256*i:]), src[i*l.bytes:(i+1)*l.bytes])
		}
	default:
		return 0
	}
	return blocks * l.block
}

// superblock does one block of 256: its scales here, its numbers there.
func superblock(t Type, y *[256]float32, b []byte) {
	var scales, offsets [8]float32
	switch t {
	case Q4_K, Q5_K:
		d, dmin := half(b), half(b[2:])
		scale, minimum := scales4K((*[12]byte)(b[4:16]))
		for g := range scales {
			scales[g], offsets[g] = d*float32(scale[g]), -(dmin * float32(minimum[g])) // adding -x is taking x away
		}
		if t == Q4_K {
			q4kAVX2(&y[0], &b[16], &scales, &offsets)
		} else {
			q5kAVX2(&y[0], &b[16], &scales, &offsets)
		}
	case Q6_K:
		var scales [16]float32
		d := half(b[208:])
		for g := range scales {
			scales[g] = d * float32(int8(b[192+g]))
		}
		q6kAVX2(&y[0], &b[0], &scales)
	case IQ4_XS:
		d, high := half(b), binary.LittleEndian.Uint16(b[2:])
		for g := range scales {
			s := int32(b[4+g/2]>>(g%2*4)&15) | int32(high>>(2*g)&3)<<4
			scales[g] = d * float32(s-32)
		}
		groupsAVX2(&y[0], &b[8], &scales, &levelsIQ4)
	}
}
