package rewards

import (
	"fmt"
	"strings"
	"testing"
)

// distinct are n words, each another, from the k-th on.
func distinct(k, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%dx ", k+i)
	}
	return b.String()
}

func repeated(text string) repetition {
	lines, _ := linesOf(text)
	return repeats(text, lines, scan(text))
}

func TestRepetitionByHand(t *testing.T) {
	for _, c := range []struct {
		name, text          string
		grams, local, lines float64
		penalty             float64
	}{
		{"nothing", "", 0, 0, 0, 0},
		{"too short for a gram", "a b c", 0, 0, 0, 0},
		{"all different", distinct(0, 50), 0, 0, 0, 0},
		// abcd bcda cdab dabc abcd: one of five, four words later
		{"once again", "a b c d a b c d", 0.2, 0.2, 0, 0.8 * (0.7*0.12 + 0.3*0.2)},
		{"in another case, as two lines", "A b c d\na B c d", 0.2, 0.2, 0, 0.8 * (0.7*0.12 + 0.3*0.2)},
		{"a line twice", "a b c d\n  a b c d  ", 0.2, 0.2, 0.5, 0.8*(0.7*0.12+0.3*0.2) + 0.4*0.5},
		{"signs are words", "a, b. a, b.", 0.2, 0.2, 0, 0.8 * (0.7*0.12 + 0.3*0.2)},
		{"scene breaks are no lines", "a b\n\n* * *\n\nc d\n\n* * *\n\ne", 0, 0, 0, 0},
		// 68 words, 65 grams
		{"64 words later", "a b c d " + distinct(0, 60) + "a b c d", 1. / 65, 1. / 65, 0, 0.8 * 0.3 / 65},
		{"65 words later", "a b c d " + distinct(0, 61) + "a b c d", 1. / 66, 0, 0, 0},
		// 8 of 100 grams are free: 103 words, of which 11 in a row stand twice
		{"what is free", distinct(0, 11) + distinct(100, 81) + distinct(0, 11), 0.08, 0, 0, 0},
		{"one more is not", distinct(0, 12) + distinct(100, 79) + distinct(0, 12), 0.09, 0, 0, 0.8 * 0.7 * 0.01},
		{"nine times", strings.Repeat("a b c d\n", 9), 29. / 33, 29. / 33, 8. / 9, 0.8*(0.7*(29./33-0.08)+0.3*29/33) + 0.4*8/9},
		// a character is half a word: eight are a gram
		{"Chinese", "今天下雨我在家今天下雨我在家", 0, 0, 0, 0},
		{"Chinese, eight", "今天下雨我在家里今天下雨我在家里", 1. / 9, 1. / 9, 0, 0.8 * (0.7*(1./9-0.08) + 0.3/9)},
	} {
		r := repeated(c.text)
		if !near(r.grams, c.grams) || !near(r.local, c.local) || !near(r.lines, c.lines) || !near(r.penalty, c.penalty) {
			t.Errorf("%s: g %g, l %g, d %g, penalty %g; wanted %g, %g, %g, %g", c.name, r.grams, r.local, r.lines, r.penalty, c.grams, c.local, c.lines, c.penalty)
		}
		if want := clamp(c.penalty / 0.75); !near(r.value, want) {
			t.Errorf("%s: %g, wanted %g", c.name, r.value, want)
		}
	}
	if r := repeated(strings.Repeat("a b c d\n", 200)); r.value != 1 {
		t.Errorf("the same line over and over: %g", r.value)
	}
}

func TestRepetitionInWindows(t *testing.T) {
	// The share of the repeated grams is the mean of the windows, not the whole's.
	clean, loop := distinct(0, 2000), strings.Repeat("a b c d ", 500)
	if r := repeated(clean + loop); !near(r.grams, 0.5*(1997-4)/1997) {
		t.Errorf("half of it is a loop: %g", r.grams)
	}
	// What each window has once, the book has twice.
	r := repeated(clean + clean)
	if r.grams != 0 || !near(r.far, 0.5) || !near(r.value, 0.5*(1-freeFar)) || len(r.places) == 0 {
		t.Errorf("a text twice: g %g, far %g, %g", r.grams, r.far, r.value)
	}
	if r := repeated(clean + distinct(5000, 2000)); r.far != 0 || r.value != 0 {
		t.Errorf("two different texts: far %g, %g", r.far, r.value)
	}
}
