package checkpoint

import "encoding/binary"

// scales4K unpacks the eight 6-bit scales and eight 6-bit minima of Q4_K and Q5_K: the first
// four of each in the low bits of bytes 0 to 7, the others' low four bits in bytes 8 to 11 and
// their upper two on top of the first eight bytes.
func scales4K(b *[12]byte) (scale, minimum [8]uint8) {
	for j := range 4 {
		scale[j], minimum[j] = b[j]&63, b[j+4]&63
		scale[j+4] = b[j+8]&15 | b[j]>>6<<4
		minimum[j+4] = b[j+8]>>4 | b[j+4]>>6<<4
	}
	return scale, minimum
}

func dequantQ4K(dst []float32, src []byte) {
	var low, high [16]float32
	for len(dst) >= 256 && len(src) >= 144 {
		y, b := (*[256]float32)(dst), (*[144]byte)(src)
		d, dmin := half(b[:2]), half(b[2:4])
		scale, minimum := scales4K((*[12]byte)(b[4:16]))
		for g := range 4 { // groups 2g and 2g+1 share 32 bytes
			d0, m0 := d*float32(scale[2*g]), dmin*float32(minimum[2*g])
			d1, m1 := d*float32(scale[2*g+1]), dmin*float32(minimum[2*g+1])
			for q := range 16 {
				low[q] = float32(d0*float32(q)) - m0
				high[q] = float32(d1*float32(q)) - m1
			}
			out, in := (*[64]float32)(y[64*g:64*g+64]), (*[32]byte)(b[16+32*g:16+32*g+32])
			for i, v := range in {
				out[i] = low[v&15]
				out[i+32] = high[v>>4]
			}
		}
		dst, src = dst[256:], src[144:]
	}
}

func dequantQ5K(dst []float32, src []byte) {
	for len(dst) >= 256 && len(src) >= 176 {
		y, b := (*[256]float32)(dst), (*[176]byte)(src)
		d, dmin := half(b[:2]), half(b[2:4])
		scale, minimum := scales4K((*[12]byte)(b[4:16]))
		fifth := (*[32]byte)(b[16:48])
		for g := range 4 {
			d0, m0 := d*float32(scale[2*g]), dmin*float32(minimum[2*g])
			d1, m1 := d*float32(scale[2*g+1]), dmin*float32(minimum[2*g+1])
			out, in := (*[64]float32)(y[64*g:64*g+64]), (*[32]byte)(b[48+32*g:48+32*g+32])
			for i, v := range in {
				h := fifth[i] >> (2 * g)
				out[i] = float32(d0*float32(int32(v&15|h&1<<4))) - m0
				out[i+32] = float32(d1*float32(int32(v>>4|h&2<<3))) - m1
			}
		}
		dst, src = dst[256:], src[176:]
	}
}

// Q6_K: halves of 128 numbers. Bytes l and l+32 of a half's low bits and the four pairs of bits of
// its high byte l make the numbers l, l+32, l+64 and l+96; each 16 have a scale.
func dequantQ6K(dst []float32, src []byte) {
	for len(dst) >= 256 && len(src) >= 210 {
		y, b := (*[256]float32)(dst), (*[210]byte)(src)
		d := half(b[208:210])
		for n := range 2 {
			out := (*[128]float32)(y[128*n : 128*n+128])
			low, high := (*[64]byte)(b[64*n:64*n+64]), (*[32]byte)(b[128+32*n:128+32*n+32])
			scales := (*[8]byte)(b[192+8*n : 192+8*n+8])
			for s := range 2 {
				d0, d1 := d*float32(int8(scales[s])), d*float32(int8(scales[s+2]))
				d2, d3 := d*float32(int8(scales[s+4])), d*float32(int8(scales[s+6]))
				for l := 16 * s; l < 16*s+16; l++ {
					a, c, h := low[l], low[l+32], high[l]
					out[l] = d0 * float32(int32(a&15|h<<4&48)-32)
					out[l+32] = d1 * float32(int32(c&15|h<<2&48)-32)
					out[l+64] = d2 * float32(int32(a>>4|h&48)-32)
					out[l+96] = d3 * float32(int32(c>>4|h>>2&48)-32)
				}
			}
		}
		dst, src = dst[256:], src[210:]
	}
}

func dequantIQ4XS(dst []float32, src []byte) {
	var table [16]float32
	for len(dst) >= 256 && len(src) >= 136 {
		y, b := (*[256]float32)(dst), (*[136]byte)(src)
		d, high := half(b[:2]), binary.LittleEndian.Uint16(b[2:4])
		for g := range 8 {
			s := int32(b[4+g/2]>>(g%2*4)&15) | int32(high>>(2*g)&3)<<4
			dl := d * float32(s-32)
			for q := range 16 {
				table[q] = dl * levels4[q]
			}
			nibbles((*[32]float32)(y[32*g:32*g+32]), (*[16]byte)(b[8+16*g:8+16*g+16]), &table)
		}
		dst, src = dst[256:], src[136:]
	}
}
