package rewards

import (
	"strings"
	"testing"
)

func TestWordsOfManyScripts(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"", 0},
		{" \n\t ", 0},
		{"one", 1},
		{"Don't stop-gap: it's 3.14, 1,000 and e.g. snake_case _ __", 9},
		{"a:b a.b 1:2 1.a , . ' _x_", 7},
		{"naïve café — déjà vu…", 4},
		{"今天天气很好。", 6},
		{"カタカナとひらがな", 9},
		{"Go语言 2024年", 5},
		{"שלום עולם", 2},
		{"مرحبا بالعالم", 2},
		{"한국어 문장입니다", 2},
		{"Привет, мир!", 2},
		{"😀 👩‍👩‍👧 🇩🇪", 0},
		{"\xff\xfe broken \xc3", 1},
		{"don’t “quote”", 2},
	} {
		if got := CountWords(c.text); got != c.want {
			t.Errorf("%q: %d words, wanted %d", c.text, got, c.want)
		}
	}
}

// FuzzWordsAsTheStandardCountsThem compares the short cut for ASCII with the
// segmentation of the whole text.
func FuzzWordsAsTheStandardCountsThem(f *testing.F) {
	for _, s := range []string{"a.b", "1,2;3", "x:_y", "a'b 'c' d'", "don’t a\u0301b", "a\u200db c\u0308", "1.a.2", "a\r\nb\vc\fd", "a\u3000b\u00a0c", "\x00a\x1fb", "東京タワー3号", "שׁ\"ל"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := CountWords(s), countSegments(s); got != want {
			t.Errorf("%q: %d words, the standard has %d", s, got, want)
		}
		if a, b := CountWords(s+"\n"+s), 2*CountWords(s); a != b {
			t.Errorf("%q: twice is %d words, once %d", s, a, b/2)
		}
	})
}

func BenchmarkCountWords(b *testing.B) {
	text := strings.Repeat("It was a bright day, and the clocks weren't striking 13. Nobody had asked them to.\n", 6_500)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		CountWords(text)
	}
}
