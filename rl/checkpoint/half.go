package checkpoint

import "math"

// fromHalf is the value of an IEEE 754 half.
func fromHalf(h uint16) float32 {
	sign, rest := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	switch {
	case rest-0x0400 < 0x7800: // normal: the exponent's bias goes from 15 to 127
		return math.Float32frombits(sign | (rest<<13 + 112<<23))
	case rest < 0x0400: // zero or subnormal: rest * 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(rest)*0x1p-24))
	}
	return math.Float32frombits(sign | rest<<13 | 0x7f800000) // infinite, or not a number
}

// toHalf rounds to the nearest half, to even in the middle. What is too large becomes infinite.
func toHalf(x float32) uint16 {
	b := math.Float32bits(x)
	sign, rest := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case rest > 0x7f800000: // not a number: it stays quiet
		return sign | 0x7e00
	case rest >= 0x477ff000: // rounds above 65504
		return sign | 0x7c00
	case rest < 0x38800000: // subnormal: a multiple of 2^-24, which this addition rounds to
		return sign | uint16(math.Float32bits(math.Float32frombits(rest)+0.5)-math.Float32bits(0.5))
	}
	return sign | uint16((rest+0xfff+(rest>>13&1)-112<<23)>>13)
}

// fromBrain is the value of a BF16: the upper half of a float32.
func fromBrain(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// toBrain rounds to the nearest BF16, to even in the middle.
func toBrain(x float32) uint16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 64 // not a number: it stays one, and quiet
	}
	return uint16((b + 0x7fff + (b >> 16 & 1)) >> 16)
}

// RoundBF16 is the nearest number that BF16 has, of two the even one.
func RoundBF16(x float32) float32 { return fromBrain(toBrain(x)) }
