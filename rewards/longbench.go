package rewards

// LongBench-Write's length score and its word counter, for comparison with
// published figures alone: they reward nothing here.

// SL is the length score S_l, 0 to 100, for words written where wanted were
// asked for:
//
//	100 max(0, 1 - (y/x - 1)/3)    y > x
//	100 max(0, 1 - (x/y - 1)/2)    y <= x
//
// It is 0 from four times the length on and up to a third of it. No words
// written, or none wanted, are 0.
func SL(wanted, written int) float64 {
	if wanted <= 0 || written <= 0 {
		return 0
	}
	x, y := float64(wanted), float64(written)
	if y > x {
		return 100 * max(0, 1-(y/x-1)/3)
	}
	return 100 * max(0, 1-(x/y-1)/2)
}

// CountLongBench counts as LongBench-Write does: each character from U+4E00 to
// U+9FFF, and each run of ASCII letters that no other letter, digit or
// underscore touches. "don't" is two words, "naïve" and "3rd" are none.
func CountLongBench(text string) int {
	n, run, clean := 0, 0, true // run: ASCII letters in hand; clean: nothing else touches them
	end := func() {
		if run > 0 && clean {
			n++
		}
		run, clean = 0, true
	}
	for _, r := range text {
		switch {
		case r|0x20 >= 'a' && r|0x20 <= 'z' && r < 0x80:
			run++
		case r < 0x80 && !(r >= '0' && r <= '9' || r == '_'):
			end()
		case r >= 0x4E00 && r <= 0x9FFF:
			n++
			clean = false
		case wordRune(r):
			clean = false
		default:
			end()
		}
	}
	end()
	return n
}
