package rewards

import (
	"unicode"
	"unicode/utf8"
)

// A mark is one word or sign of a text, as repetition is measured on: runs of
// letters and digits, and every other sign alone, in lower case.
type mark struct {
	hash       uint64
	start, end int32 // bytes
	size       int8  // in half words: 2, or 1 for a character of Chinese or Japanese
	word       bool  // it holds a letter or digit
	role       role  // once takeRoles has looked
}

// scan splits a text into marks.
func scan(text string) []mark {
	marks := make([]mark, 0, len(text)/5+1)
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if isSpace(c) || c < ' ' {
				i++
				continue
			}
			if !asciiWord(c) {
				marks = append(marks, mark{hash: mix(uint64(c)), start: int32(i), end: int32(i + 1), size: 2})
				i++
				continue
			}
			marks = append(marks, run(text, i))
			i = int(marks[len(marks)-1].end)
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case unicode.IsSpace(r):
			i += size
		case ideographic(r):
			marks = append(marks, mark{hash: mix(uint64(r)), start: int32(i), end: int32(i + size), size: 1, word: true})
			i += size
		case wordRune(r):
			marks = append(marks, run(text, i))
			i = int(marks[len(marks)-1].end)
		default:
			marks = append(marks, mark{hash: mix(uint64(r)), start: int32(i), end: int32(i + size), size: 2})
			i += size
		}
	}
	return marks
}

// run is the word that begins at byte i.
func run(text string, i int) mark {
	m := mark{hash: 0xcbf29ce484222325, start: int32(i), size: 2, word: true}
	for i < len(text) {
		c := text[i]
		if c < utf8.RuneSelf {
			if !asciiWord(c) {
				break
			}
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			m.hash = (m.hash ^ uint64(c)) * 0x100000001b3
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if ideographic(r) || !wordRune(r) {
			break
		}
		m.hash = (m.hash ^ uint64(unicode.ToLower(r))) * 0x100000001b3
		i += size
	}
	m.hash, m.end = mix(m.hash), int32(i)
	return m
}

func asciiWord(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_'
}

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) || r == '_'
}

// mix spreads the bits of x (the end of splitmix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// gram is the hash of the marks from i on that make size half words, and where
// they end; ok is false where too few are left before end.
func gram(marks []mark, i, end, size int) (hash uint64, next int, ok bool) {
	for hash = uint64(size); size > 0; i++ {
		if i >= end {
			return 0, i, false
		}
		hash = hash*0x9e3779b97f4a7c15 + marks[i].hash
		size -= int(marks[i].size)
	}
	return mix(hash), i, true
}

// A table holds hashes and a number with each. It is open addressed and grows as
// it fills: a map is most of the time that a long text takes.
type table struct {
	keys   []uint64
	values []int32
	shift  uint
	used   int
}

// newTable has room for n keys before it grows.
func newTable(n int) *table {
	bits := uint(4)
	for 1<<bits < 2*n {
		bits++
	}
	return &table{keys: make([]uint64, 1<<bits), values: make([]int32, 1<<bits), shift: 64 - bits}
}

// find is the place of a key, or the free one where it belongs.
func (t *table) find(key uint64) uint64 {
	for i := key >> t.shift; ; i = (i + 1) & uint64(len(t.keys)-1) {
		if t.keys[i] == key || t.keys[i] == 0 {
			return i
		}
	}
}

// at is the place of the value of a key, and whether it is new.
func (t *table) at(key uint64) (value *int32, fresh bool) {
	key = max(key, 1)
	i := t.find(key)
	if t.keys[i] != 0 {
		return &t.values[i], false
	}
	if t.used++; 2*t.used > len(t.keys) {
		t.grow()
		i = t.find(key)
	}
	t.keys[i] = key
	return &t.values[i], true
}

func (t *table) grow() {
	old := *t
	*t = *newTable(len(old.keys))
	t.used = old.used
	for k, key := range old.keys {
		if key != 0 {
			i := t.find(key)
			t.keys[i], t.values[i] = key, old.values[k]
		}
	}
}

// put stores value with key and returns the one that was there, or -1.
func (t *table) put(key uint64, value int32) (before int32) {
	v, fresh := t.at(key)
	if before = *v; fresh {
		before = -1
	}
	*v = value
	return before
}

// get is the value of a key, or -1.
func (t *table) get(key uint64) int32 {
	i := t.find(max(key, 1))
	if t.keys[i] == 0 {
		return -1
	}
	return t.values[i]
}

// add counts the key and returns its count.
func (t *table) add(key uint64) int32 {
	v, _ := t.at(key)
	*v++
	return *v
}

// has says whether the key is there.
func (t *table) has(key uint64) bool { return t.get(key) >= 0 }
