package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"fyne.io/fyne/v2"
)

func TestEmphasis(t *testing.T) {
	for _, c := range [][2]string{
		{"plain", "plain"},
		{"It **knocked**, *lightly*.", "It [B:knocked], [I:lightly]."},
		{"**not closed", "**not closed"},
		{"2 * 3 * 4", "2 * 3 * 4"},
		{"a ** b ** c", "a ** b ** c"},
		{"***both*** one", "[BI:both] one"},
		{"", ""},
		{"![x](http://example.com/x.png)", "![x](http://example.com/x.png)"},
	} {
		got := ""
		for _, s := range emphasis(c[0], fyne.TextStyle{}) {
			switch {
			case s.style.Bold && s.style.Italic:
				got += "[BI:" + s.text + "]"
			case s.style.Bold:
				got += "[B:" + s.text + "]"
			case s.style.Italic:
				got += "[I:" + s.text + "]"
			default:
				got += s.text
			}
		}
		if got != c[1] {
			t.Errorf("%q is read as %s", c[0], got)
		}
	}
}

// oneEach measures every character as 1.
func oneEach(text string, _ fyne.TextStyle) float32 { return float32(utf8.RuneCountInString(text)) }

func TestLinesBreakBetweenWords(t *testing.T) {
	for _, c := range []struct {
		text, want string
		width      float32
	}{
		{"the quick brown fox", "the quick|brown fox", 10},
		{"a  b", "a  b", 10},
		{"unbreakable", "unbr|eaka|ble", 4},
		{"to be—or not", "to be—|or not", 7},
		{"well-known fact", "well-|known|fact", 6},
		{"漢字かな交じり文。続く", "漢字かな|交じり|文。続く", 4.5},
		{"", "", 10},
	} {
		var got []string
		for _, line := range setLines([]span{{text: c.text}}, c.width, oneEach) {
			s := ""
			for _, p := range line {
				s += p.text
			}
			got = append(got, strings.TrimRight(s, " "))
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%q is set as %s, want %s", c.text, s, c.want)
		}
	}
}

func TestLinesHoldTheTextAndKeepTheWidth(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		text := strings.ReplaceAll(randomText(r, r.IntN(300)), "\n", " ")
		width := float32(3 + r.IntN(40))
		got := ""
		for _, line := range setLines(emphasis(text, fyne.TextStyle{}), width, oneEach) {
			for i, p := range line {
				got += p.text
				if end := p.x + oneEach(strings.TrimRight(p.text, " "), p.style); end > width && i > 0 && len(line) < 3 && strings.Contains(strings.TrimSpace(p.text), " ") {
					t.Fatalf("seed %d: a line ends at %v of %v: %q", seed, end, width, p.text)
				}
			}
		}
		if want := strings.ReplaceAll(text, "*", ""); strings.ReplaceAll(got, "*", "") != want {
			t.Fatalf("seed %d:\n got %q\nwant %q", seed, got, want)
		}
	}
}

func TestShortened(t *testing.T) {
	for _, c := range [][2]string{{"short", "short"}, {"a title too long", "a title…"}, {"one, two three", "one, two…"}, {"一二三四五六七八九十", "一二三四五六七八…"}} {
		if got := shortened(c[0], 9, fyne.TextStyle{}, oneEach); got != c[1] {
			t.Errorf("%q is shortened to %q", c[0], got)
		}
	}
}

func TestListMarkers(t *testing.T) {
	for _, c := range [][3]string{{"- a", "•", "a"}, {"* a", "•", "a"}, {"12. a", "12.", "a"}, {"1984. It was", "", "1984. It was"}, {"-a", "", "-a"}, {"*a* b", "", "*a* b"}} {
		if m, rest := listMarker(c[0]); m != c[1] || rest != c[2] {
			t.Errorf("%q: %q, %q", c[0], m, rest)
		}
	}
}
