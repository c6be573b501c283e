package checkpoint

import "encoding/binary"

// step is what a part of a block says of its numbers: each is scale*level + offset.
type step struct{ scale, offset float32 }

// grid is how a block type holds numbers: parts of a block share a step, a number's level lies in
// low..high or in levels4, and its code, level - low, takes some bits of the block.
type grid struct {
	part      int // numbers that share a step
	low, high int32
	table     bool                                // a code stands for levels4[code]
	steps     func(block []byte, steps *[16]step) // reads the steps of a block
	fit       func(block []byte, x []float32)     // chooses them for x, and writes them
	pack      func(block []byte, codes *[256]uint8)
}

var grids = map[Type]grid{
	Q8_0:   {32, -128, 127, false, scaleStep, fitQ8, packBytes},
	Q4_0:   {32, -8, 7, false, scaleStep, fitScale(-8, 7), packNibbles(2)},
	Q4_1:   {32, 0, 15, false, affineStep, fitAffineBlock(15), packNibbles(4)},
	Q5_0:   {32, -16, 15, false, scaleStep, fitScale(-16, 15), packFifth(2)},
	Q5_1:   {32, 0, 31, false, affineStep, fitAffineBlock(31), packFifth(4)},
	Q4_K:   {32, 0, 15, false, stepsK, fitK(15), packQ4K},
	Q5_K:   {32, 0, 31, false, stepsK, fitK(31), packQ5K},
	Q6_K:   {16, -32, 31, false, stepsQ6K, fitQ6K, packQ6K},
	IQ4_NL: {32, 0, 15, true, scaleStep, fitIQ4NL, packNibbles(2)},
	IQ4_XS: {32, 0, 15, true, stepsIQ4XS, fitIQ4XS, packIQ4XS},
}

// encode gives each number of x the code that comes closest in the block's steps.
func (g *grid) encode(block []byte, x []float32) {
	var steps [16]step
	var codes [256]uint8
	g.steps(block, &steps)
	for i, v := range x {
		s := steps[i/g.part]
		switch {
		case g.table && s.scale == 0:
			codes[i] = 8 // 1, the level nearest to 0
		case g.table:
			codes[i] = level4(v / s.scale)
		case s.scale == 0:
			codes[i] = uint8(max(g.low, 0) - g.low)
		default:
			codes[i] = uint8(nearest((v-s.offset)/s.scale, g.low, g.high) - g.low)
		}
	}
	g.pack(block, &codes)
}

// nearest is the whole number next to x within low..high.
func nearest(x float32, low, high int32) int32 {
	if !(x > float32(low)) { // also what is not a number
		return low
	}
	if x >= float32(high) {
		return high
	}
	return int32(x+float32(512.5)) - 512 // x+512.5 is positive: it is cut down
}

// level4 is the code of the value of levels4 next to x.
func level4(x float32) uint8 {
	if !(x > -127) {
		return 0
	}
	if x >= 113 {
		return 15
	}
	c := below4[uint8(int32(x+128))] & 15 // x+128 is positive: it is cut down
	if x > middle4[c] {
		c++
	}
	return c
}

// middle4 are the bounds between neighbours of levels4; below4, by a number's whole part
// plus 128, is the lowest code that may be next to it: no two bounds lie between whole numbers.
var middle4, below4 = bounds4()

func bounds4() (middle [16]float32, below [256]uint8) {
	for c := range 15 {
		middle[c] = (levels4[c] + levels4[c+1]) / 2
		for i := range below {
			if float32(i-128) >= middle[c] {
				below[i] = uint8(c + 1)
			}
		}
	}
	middle[15] = 127
	return middle, below
}

func scaleStep(block []byte, steps *[16]step) { steps[0] = step{half(block), 0} }

func affineStep(block []byte, steps *[16]step) { steps[0] = step{half(block), half(block[2:])} }

func stepsK(block []byte, steps *[16]step) {
	d, dmin := half(block), half(block[2:])
	scale, minimum := scales4K((*[12]byte)(block[4:16]))
	for g := range 8 {
		steps[g] = step{d * float32(scale[g]), -dmin * float32(minimum[g])}
	}
}

func stepsQ6K(block []byte, steps *[16]step) {
	d := half(block[208:])
	for g := range 16 {
		steps[g] = step{d * float32(int8(block[192+g])), 0}
	}
}

func stepsIQ4XS(block []byte, steps *[16]step) {
	d, high := half(block), binary.LittleEndian.Uint16(block[2:])
	for g := range 8 {
		s := int(block[4+g/2]>>(g%2*4)&15) | int(high>>(2*g)&3)<<4
		steps[g] = step{d * float32(s-32), 0}
	}
}

func packBytes(block []byte, codes *[256]uint8) {
	for i := range 32 {
		block[2+i] = codes[i] - 128
	}
}

// packNibbles writes 32 codes of four bits behind a head of so many bytes.
func packNibbles(head int) func([]byte, *[256]uint8) {
	return func(block []byte, codes *[256]uint8) {
		for i := range 16 {
			block[head+i] = codes[i] | codes[i+16]<<4
		}
	}
}

// packFifth writes 32 codes of five bits: all fifth bits, then the nibbles.
func packFifth(head int) func([]byte, *[256]uint8) {
	return func(block []byte, codes *[256]uint8) {
		var fifth uint32
		for i := range 16 {
			block[head+4+i] = codes[i]&15 | codes[i+16]<<4
			fifth |= uint32(codes[i]>>4)<<i | uint32(codes[i+16]>>4)<<(i+16)
		}
		binary.LittleEndian.PutUint32(block[head:], fifth)
	}
}

func packQ4K(block []byte, codes *[256]uint8) {
	for g := range 4 {
		for i := range 32 {
			block[16+32*g+i] = codes[64*g+i] | codes[64*g+32+i]<<4
		}
	}
}

func packQ5K(block []byte, codes *[256]uint8) {
	clear(block[16:48])
	for g := range 4 {
		for i := range 32 {
			a, b := codes[64*g+i], codes[64*g+32+i]
			block[48+32*g+i] = a&15 | b<<4
			block[16+i] |= (a>>4 | b>>4<<1) << (2 * g)
		}
	}
}

func packQ6K(block []byte, codes *[256]uint8) {
	for n := range 2 {
		low, high, c := block[64*n:], block[128+32*n:], codes[128*n:]
		for l := range 32 {
			low[l] = c[l]&15 | c[l+64]<<4
			low[l+32] = c[l+32]&15 | c[l+96]<<4
			high[l] = c[l]>>4 | c[l+32]>>4<<2 | c[l+64]>>4<<4 | c[l+96]>>4<<6
		}
	}
}

func packIQ4XS(block []byte, codes *[256]uint8) {
	for g := range 8 {
		for i := range 16 {
			block[8+16*g+i] = codes[32*g+i] | codes[32*g+16+i]<<4
		}
	}
}
