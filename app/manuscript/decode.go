package manuscript

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// decode makes text with plain line ends of a file's bytes: UTF-8, UTF-16 with a
// byte order mark, or else Windows-1252.
func decode(content []byte) (string, error) {
	var s string
	switch {
	case bytes.HasPrefix(content, []byte{0xff, 0xfe}):
		s = fromUTF16(content, binary.LittleEndian)
	case bytes.HasPrefix(content, []byte{0xfe, 0xff}):
		s = fromUTF16(content, binary.BigEndian)
	case bytes.IndexByte(content, 0) >= 0:
		return "", errors.New("is not text")
	case utf8.Valid(content):
		s = string(content)
	default:
		s = fromWindows1252(content)
	}
	if strings.Contains(s, "\r") {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	}
	return clean(s), nil
}

// clean drops control characters, but for line ends and tabs, and byte order
// marks, and makes valid UTF-8 of the rest.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) || r == '\ufeff' {
			return -1
		}
		return r
	}, s)
}

func fromUTF16(content []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(content)/2)
	for i := range units {
		units[i] = order.Uint16(content[2*i:])
	}
	return string(utf16.Decode(units))
}

// windows1252 is what the bytes from 0x80 to 0x9f stand for; the others stand
// for the code point of the same number.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}

func fromWindows1252(content []byte) string {
	var b strings.Builder
	b.Grow(len(content) + len(content)/8)
	for _, c := range content {
		if c >= 0x80 && c < 0xa0 {
			b.WriteRune(windows1252[c-0x80])
		} else {
			b.WriteRune(rune(c))
		}
	}
	return b.String()
}
