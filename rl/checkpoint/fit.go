package checkpoint

import (
	"encoding/binary"
	"math"
)

// The scales of a block are chosen to make the sum of squared errors small: for each of
// some ways to stretch the numbers over the levels, the levels are rounded and the scale
// (and offset) that suit those levels best follow from least squares in closed form.

// put writes x as a half that is finite, and returns that half's value.
func put(block []byte, x float32) float32 {
	const largest = 65504
	if x != x {
		x = 0
	}
	h := toHalf(min(max(x, -largest), largest))
	binary.LittleEndian.PutUint16(block, h)
	return fromHalf(h)
}

// fitQ8 stretches the largest number to 127: with this many levels a search gains nothing.
func fitQ8(block []byte, x []float32) {
	put(block, farthest(x, true)/127)
}

// farthest is the number farthest from 0, or its absolute value.
func farthest(x []float32, absolute bool) (far float32) {
	for _, v := range x {
		if v > far || -v > far {
			far = max(v, -v)
		}
	}
	if !absolute {
		for _, v := range x {
			if v == -far {
				return -far
			}
		}
	}
	return far
}

// fitScale is for one scale a block, x = scale level.
func fitScale(low, high int32) func([]byte, []float32) {
	return func(block []byte, x []float32) { put(block, symmetric(x, low, high)) }
}

// rounding, added to a small number and taken away again, leaves it rounded to a whole number.
const rounding = 3 << 22

// symmetric is the best scale found for x = scale level, levels low..high: the number
// farthest from 0 comes to lie around one end of the levels or the other.
func symmetric(x []float32, low, high int32) float32 {
	far := farthest(x, false)
	if far == 0 {
		return 0
	}
	bottom, top := float32(low), float32(high)
	var best, scale float32
	for _, end := range [...]float32{bottom, top} {
		for try := float32(-0.8); try < 0.9; try += 0.2 {
			inverse := (end + try) / far
			var xl, ll float32
			for _, v := range x {
				l := v*inverse + rounding - rounding
				if l < bottom {
					l = bottom
				} else if l > top {
					l = top
				}
				xl += v * l
				ll += l * l
			}
			if s := xl / ll; s*xl > best {
				best, scale = s*xl, s
			}
		}
	}
	return scale
}

// fitAffineBlock is for one scale and one offset a block.
func fitAffineBlock(high int32) func([]byte, []float32) {
	return func(block []byte, x []float32) {
		s := affine(x, high, true)
		put(block, s.scale)
		put(block[2:], s.offset)
	}
}

// affine is the best step found for x = scale level + offset, levels 0..high. Unless
// positive, the offset is at most 0.
func affine(x []float32, high int32, positive bool) step {
	low, top := x[0], x[0]
	var sx, sxx float64
	for _, v := range x {
		low, top = min(low, v), max(top, v)
		sx += float64(v)
		sxx += float64(v) * float64(v)
	}
	if !positive {
		low = min(low, 0)
	}
	if !(top > low) {
		return step{0, low}
	}
	n, most := float64(len(x)), float32(high)
	bestErr, best := math.Inf(1), step{(top - low) / most, low}
	for try := float32(-0.8); try < 0.9; try += 0.2 {
		inverse := (most + try) / (top - low)
		var sumL, sumLL, sumXL float32
		for _, v := range x {
			l := (v-low)*inverse + rounding - rounding // at least 0
			if l > most {
				l = most
			}
			sumL += l
			sumLL += l * l
			sumXL += v * l
		}
		sl, sll, sxl := float64(sumL), float64(sumLL), float64(sumXL)
		det := n*sll - sl*sl
		if det <= 0 {
			continue
		}
		scale, offset := (n*sxl-sx*sl)/det, (sll*sx-sl*sxl)/det
		if !positive && offset > 0 {
			scale, offset = sxl/sll, 0
		}
		err := sxx - 2*scale*sxl - 2*offset*sx + scale*scale*sll + 2*scale*offset*sl + n*offset*offset
		if err < bestErr && scale > 0 {
			bestErr, best = err, step{float32(scale), float32(offset)}
		}
	}
	return best
}

// fitK is for Q4_K and Q5_K: eight steps whose scales and offsets are multiples, 0 to 63 times, of
// two halves.
func fitK(high int32) func([]byte, []float32) {
	return func(block []byte, x []float32) {
		var steps [8]step
		var scale, offset float32
		for g := range steps {
			steps[g] = affine(x[32*g:32*g+32], high, false)
			scale, offset = max(scale, steps[g].scale), max(offset, -steps[g].offset)
		}
		d, dmin := put(block, scale/63), put(block[2:], offset/63)
		var sc, mn [8]uint8
		for g, s := range steps {
			sc[g], mn[g] = multiples(x[32*g:32*g+32], s, d, dmin, high)
		}
		for j := range 4 {
			block[4+j] = sc[j] | sc[j+4]>>4<<6
			block[8+j] = mn[j] | mn[j+4]>>4<<6
			block[12+j] = sc[j+4]&15 | mn[j+4]&15<<4
		}
	}
}

// multiples are how often d and dmin are in the scale and the offset that suit x best, of those next
// to s.
func multiples(x []float32, s step, d, dmin float32, high int32) (sc, mn uint8) {
	if d == 0 {
		return 0, multiple(-s.offset, dmin)
	}
	a, b := multiple(s.scale, d), multiple(-s.offset, dmin)
	best := math.Inf(1)
	for i := max(a, 2) - 1; i <= min(a+1, 63); i++ {
		for j := max(b, 1) - 1; j <= min(b+1, 63); j++ {
			scale, offset, inverse := d*float32(i), -dmin*float32(j), 1/(d*float32(i))
			var err float64
			for _, v := range x {
				e := v - scale*float32(nearest((v-offset)*inverse, 0, high)) - offset
				err += float64(e * e)
			}
			if err < best {
				best, sc, mn = err, i, j
			}
		}
	}
	return sc, mn
}

// multiple is how often, 0 to 63 times, unit comes closest to x.
func multiple(x, unit float32) uint8 {
	if unit == 0 {
		return 0
	}
	return uint8(nearest(x/unit, 0, 63))
}

// fitQ6K is for sixteen scales that are -128 to 127 times a half.
func fitQ6K(block []byte, x []float32) {
	var scales [16]float32
	for g := range scales {
		scales[g] = symmetric(x[16*g:16*g+16], -32, 31)
	}
	d := put(block[208:], farthest(scales[:], false)/-128)
	for g, s := range scales {
		block[192+g] = 0
		if d != 0 {
			block[192+g] = byte(nearest(s/d, -128, 127))
		}
	}
}

// table4 is the best scale found for x = scale levels4[code].
func table4(x []float32) float32 {
	far := farthest(x, false)
	if far == 0 {
		return 0
	}
	var best, scale float64
	for _, end := range [...]float32{levels4[0], levels4[15]} {
		for try := float32(-0.15); try < 0.16; try += 0.05 {
			inverse := end * (1 + try) / far
			var xl, ll float64
			for _, v := range x {
				l := float64(levels4[level4(v*inverse)])
				xl += float64(v) * l
				ll += l * l
			}
			if xl*xl/ll > best {
				best, scale = xl*xl/ll, xl/ll
			}
		}
	}
	return float32(scale)
}

func fitIQ4NL(block []byte, x []float32) { put(block, table4(x)) }

// fitIQ4XS is for eight scales that are -32 to 31 times a half.
func fitIQ4XS(block []byte, x []float32) {
	var scales [8]float32
	for g := range scales {
		scales[g] = table4(x[32*g : 32*g+32])
	}
	d := put(block, farthest(scales[:], false)/-32)
	clear(block[2:8])
	var high uint16
	for g, s := range scales {
		code := uint16(32)
		if d != 0 {
			code = uint16(nearest(s/d, -32, 31) + 32)
		}
		block[4+g/2] |= byte(code&15) << (g % 2 * 4)
		high |= code >> 4 << (2 * g)
	}
	binary.LittleEndian.PutUint16(block[2:], high)
}
