package rewards

import (
	"context"
	"math"
	"strings"
	"testing"
)

// near compares to the accuracy of hand-worked values.
func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 || math.IsNaN(a) && math.IsNaN(b) }

func TestLengthFormula(t *testing.T) {
	for _, c := range []struct {
		n, lower, upper, limit int
		want                   float64
	}{
		{0, 200, 400, 0, 0},
		{1, 200, 400, 0, 0.005},
		{100, 200, 400, 0, 0.5},
		{199, 200, 400, 0, 0.995},
		{200, 200, 400, 0, 1},
		{400, 200, 400, 0, 1},
		{401, 200, 400, 0, 399. / 400},
		{600, 200, 400, 0, 0.5},
		{799, 200, 400, 0, 1. / 400},
		{800, 200, 400, 0, 0},
		{100_000, 200, 400, 0, 0},
		{500, 200, 400, 500, 0},
		{450, 200, 400, 500, 0.5},
		{450, 200, 400, 400, 350. / 400}, // a limit at the upper end would divide by nothing
		{450, 200, 400, 300, 350. / 400},
		{0, 0, 400, 0, 1}, // no lower end
		{300, 300, 300, 0, 1},
		{299, 300, 300, 0, 299. / 300},
		{301, 300, 300, 0, 299. / 300},
		{0, 0, 0, 0, 1},
		{5, 0, 0, 0, 0},
	} {
		if got := LengthValue(c.n, c.lower, c.upper, c.limit); !near(got, c.want) {
			t.Errorf("%d words for [%d, %d], limit %d: %g, wanted %g", c.n, c.lower, c.upper, c.limit, got, c.want)
		}
	}
}

// of is a text of n words.
func of(n int) string { return strings.TrimSpace(strings.Repeat("word ", n)) }

func TestLengthOfCompletions(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Prompt
		c    Completion
		want float64
	}{
		{"inside", Prompt{Min: 10, Max: 20}, Completion{of(15), true}, 1},
		{"cut off", Prompt{Min: 10, Max: 20}, Completion{of(15), false}, 0},
		{"headings are not counted", Prompt{Min: 10, Max: 20}, Completion{"# " + of(9) + "\n\n" + of(5), true}, 0.5},
		{"nor are underlined ones", Prompt{Min: 10, Max: 20}, Completion{of(9) + "\n====\n\n" + of(5), true}, 0.5},
		{"thinking is not", Prompt{Min: 10, Max: 20}, Completion{"<think>" + of(30) + "</think>\n" + of(10), true}, 1},
		{"thinking without end", Prompt{Min: 10, Max: 20}, Completion{"<think>" + of(15), true}, 0},
		{"one pass counts the answer", Prompt{Min: 10, Max: 20, Form: OnePass}, Completion{"<think>" + of(30) + "</think><answer>" + of(10), true}, 1},
		{"an answer in the thinking", Prompt{Min: 10, Max: 20, Form: OnePass}, Completion{"<think><answer>" + of(15) + "</answer>", true}, 1}, // the format's business
		{"at least", Prompt{Min: 10}, Completion{of(12), true}, 10. / 11},
		{"at most", Prompt{Max: 20}, Completion{of(1), true}, 1},
		{"the other way round", Prompt{Min: 30, Max: 20}, Completion{of(20), true}, 1},
		{"read from the prompt", Prompt{Text: "Write about 20 words."}, Completion{of(9), true}, 0.5},
		{"the statement goes first", Prompt{Text: "Write about 20 words.", Min: 9, Max: 9}, Completion{of(9), true}, 1},
		{"unknown", Prompt{Text: "Write."}, Completion{of(9), true}, math.NaN()},
		{"Chinese", Prompt{Min: 4, Max: 6}, Completion{"今天天气。", true}, 1},
	} {
		s, err := Length{}.Score(t.Context(), c.p, c.c)
		if err != nil || !near(s.Value, c.want) {
			t.Errorf("%s: %g, wanted %g: %v", c.name, s.Value, c.want, err)
		}
	}
	s, _ := Length{}.Score(t.Context(), Prompt{Max: 3}, Completion{"# é\none ü\nthree four five", true})
	if len(s.Spans) != 1 || s.Spans[0].Start != 15 || s.Spans[0].End != 25 {
		t.Errorf("what is too much stands at %+v", s.Spans)
	}
	asked := Length{Range: func(context.Context, string) (Range, error) { return Range{Min: 5, Max: 10}, nil }}
	if s, err := asked.Score(t.Context(), Prompt{Text: "Write."}, Completion{of(20), true}); err != nil || s.Value != 0 {
		t.Errorf("a predicted range: %g: %v", s.Value, err)
	}
}

func TestLongBenchWrite(t *testing.T) {
	for _, c := range []struct {
		wanted, written int
		want            float64
	}{
		{1000, 1000, 100},
		{1000, 4000, 0},
		{1000, 5000, 0},
		{1000, 2500, 50},
		{1000, 500, 50},
		{900, 300, 0},
		{1000, 0, 0},
		{0, 1000, 0},
		{300, 200, 75},
	} {
		if got := SL(c.wanted, c.written); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("S_l(%d, %d) = %g, wanted %g", c.wanted, c.written, got, c.want)
		}
	}
	for _, c := range []struct {
		text string
		want int
	}{
		{"", 0},
		{"It's don't 42 x3 3rd snake_case", 4}, // It s don t
		{"naïve café", 0},
		{"Go语言很好 hello", 5}, // four characters, and hello; Go touches one
		{"今天。天气!ok", 5},
		{"a-b—c", 3},
	} {
		if got := CountLongBench(c.text); got != c.want {
			t.Errorf("%q: %d, wanted %d", c.text, got, c.want)
		}
	}
}

func TestWantedLengths(t *testing.T) {
	for _, c := range []struct {
		prompt    string
		low, high int
	}{
		// English
		{"Write an essay of 2000 words about tea.", 1800, 2200},
		{"Write a 2,000-word essay.", 1800, 2200},
		{"Write about 500 words on bees.", 450, 550},
		{"an article of approximately 1.5k words", 1350, 1650},
		{"a 10k word novella", 9000, 11000},
		{"at least 800 words", 800, 880},
		{"Use no more than 300 words, please.", 270, 300},
		{"no fewer than 1000 words", 1000, 1100},
		{"Write 600 words or more", 600, 660},
		{"Write 600 words or less", 540, 600},
		{"600 words minimum", 600, 660},
		{"600 words max.", 540, 600},
		{"The story should not exceed 1,200 words", 1080, 1200},
		{"between 500 and 700 words", 500, 700},
		{"500-700 words", 500, 700},
		{"500 to 700 words", 500, 700},
		{"5-6k words", 5000, 6000},
		{"five hundred words", 450, 550},
		{"two thousand five hundred words", 2250, 2750},
		{"twenty-five words", 23, 28},
		{"under 250 words", 225, 250},
		{"a two-page letter", 600, 1000},
		{"at most 3 pages", 810, 1500},
		{"a page about cats", 0, 0},
		{"a post of 280 characters", 42, 51},
		{"Summarise the 10,000-word report in 300 words", 270, 330},
		{"Write five chapters of 2,000 words each", 9000, 11000},
		{"Write 3 sections, each 400 words, in total 1200 words", 1080, 1320},
		{"Explain the words love and hate", 0, 0},
		{"A story in your own words", 0, 0},
		{"In 2024 there were 12 words", 0, 0},
		{"at most 10 words", 9, 10},
		// German
		{"Schreibe einen Aufsatz mit etwa 800 Wörtern.", 720, 880},
		{"mindestens 1.000 Wörter", 1000, 1100},
		{"höchstens 500 Wörter", 450, 500},
		{"nicht mehr als 500 Wörter", 450, 500},
		{"zwischen 300 und 400 Wörtern", 300, 400},
		{"300 bis 400 Wörter", 300, 400},
		{"zweitausendfünfhundert Wörter", 2250, 2750},
		{"höchstens 3 Seiten", 810, 1500},
		{"drei Kapitel mit je 1000 Wörtern", 2700, 3300},
		{"einen Text von 600 Zeichen", 90, 110},
		// French
		{"un texte d'environ 1 500 mots", 1350, 1650},
		{"au moins 400 mots", 400, 440},
		{"400 mots maximum", 360, 400},
		{"entre 300 et 500 mots", 300, 500},
		{"deux mille mots", 1800, 2200},
		{"en deux pages", 600, 1000},
		// Spanish
		{"un ensayo de 1.200 palabras", 1080, 1320},
		{"al menos 500 palabras", 500, 550},
		{"como máximo 500 palabras", 450, 500},
		{"entre 200 y 300 palabras", 200, 300},
		{"mil palabras", 900, 1100},
		// Italian
		{"un racconto di circa 700 parole", 630, 770},
		{"almeno 700 parole", 700, 770},
		{"non più di 700 parole", 630, 700},
		{"duemila parole", 1800, 2200},
		// Portuguese
		{"um texto de 900 palavras", 810, 990},
		{"pelo menos 900 palavras", 900, 990},
		{"no máximo 900 palavras", 810, 900},
		{"entre 100 e 200 palavras", 100, 200},
		// Dutch
		{"een verhaal van ongeveer 600 woorden", 540, 660},
		{"minstens 600 woorden", 600, 660},
		{"maximaal 600 woorden", 540, 600},
		{"vijfhonderd woorden", 450, 550},
		// Chinese, Japanese, Korean
		{"写一篇800字的作文", 720, 880},
		{"至少800字", 800, 880},
		{"不少于1000字", 1000, 1100},
		{"不超过500字", 450, 500},
		{"500字以内", 450, 500},
		{"1000字以上", 1000, 1100},
		{"大约两千五百字", 2250, 2750},
		{"写3千字的故事", 2700, 3300},
		{"写一篇1.5万字的小说", 13500, 16500},
		{"800到1000字", 800, 1000},
		{"800-1000字左右", 800, 1000},
		{"字数要求：不少于1500字", 1500, 1650},
		{"字数在2000左右", 1800, 2200},
		{"写5章，每章2000字", 9000, 11000},
		{"写两页的报告", 600, 1000},
		{"二千字以内でまとめてください", 1800, 2000},
		{"800字程度で書いてください", 720, 880},
		{"500단어 이상의 글을 써 주세요", 500, 550},
		{"汉字的历史", 0, 0},
		{"Write 500 words in 中文", 450, 550},
	} {
		r, ok := Wanted(c.prompt)
		if r.Min != c.low || r.Max != c.high || ok != (c.high > 0) {
			t.Errorf("%q: [%d, %d] %v, wanted [%d, %d]", c.prompt, r.Min, r.Max, ok, c.low, c.high)
		}
		if all := []rune(c.prompt); ok && (r.End <= r.Start || r.End > len(all) || !strings.ContainsAny(string(all[r.Start:r.End]), "0123456789") && r.End-r.Start < 2) {
			t.Errorf("%q: it says so in [%d, %d]", c.prompt, r.Start, r.End)
		}
	}
}

func FuzzWanted(f *testing.F) {
	for _, s := range []string{"10 000 words", "１０００字", "一万二千字", "٢٠٠ words", "1,,2 words", "千字", "99999999999999999 words", "-5 words", "1.2.3.4 k words to 5 words each"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := Wanted(s)
		again, _ := Wanted(s)
		if again != r || ok && (r.Min < 0 || r.Max < r.Min || r.Max == 0 || r.Max > maxWords || r.Start < 0 || r.End > len(s)) {
			t.Errorf("%q: %+v %v, then %+v", s, r, ok, again)
		}
	})
}
