package rewards

import (
	"context"
	"math"
	"strings"
	"unicode"
)

// statistics are how many features of a text are counted, not embedded.
const statistics = 12

// Features are what a personal head sees of a text: the mean of its paragraphs'
// embeddings, each of length 1, and a few statistics of its style.
func Features(ctx context.Context, e Embedder, text string) ([]float64, error) {
	lines, _ := linesOf(text)
	marks := scan(text)
	paragraphs := paragraphsOf(lines, marks)
	x := styleOf(text, lines, marks, paragraphs)
	if e == nil {
		return x, nil
	}
	var texts []string
	for _, p := range paragraphs {
		texts = append(texts, text[p.start:p.end])
	}
	if len(texts) == 0 {
		texts = []string{""}
	}
	vectors, err := e.Embed(ctx, texts)
	if err != nil {
		return nil, err
	}
	mean := make([]float64, len(vectors[0]))
	for _, v := range vectors {
		sum := 0.0
		for _, y := range v {
			sum += float64(y) * float64(y)
		}
		if sum == 0 {
			continue
		}
		for k, y := range v {
			mean[k] += float64(y) / math.Sqrt(sum) / float64(len(vectors))
		}
	}
	return append(x, mean...), nil
}

// styleOf are statistics of style, each of the order of 1.
func styleOf(text string, lines []line, marks []mark, paragraphs []paragraph) []float64 {
	takeRoles(marks)
	words, letters, sentences, small, questions, commas, quotes := 0., 0., 0., 0., 0., 0., 0.
	kinds := newTable(1000)
	different := 0.
	for _, m := range marks {
		if m.word {
			words++
			letters += float64(m.end - m.start)
			if m.role.small != 0 {
				small++
			}
			if kinds.add(m.hash) == 1 {
				different++
			}
			continue
		}
		switch r := firstRune(text[m.start:m.end]); {
		case r == '?' || r == '？':
			questions++
			sentences++
		case strings.ContainsRune(stops, r):
			sentences++
		case r == ',' || r == '，' || r == ';' || r == '、':
			commas++
		case unicode.In(r, unicode.Pi, unicode.Pf) || r == '"':
			quotes++
		}
	}
	items, headings := countKind(lines, itemLine), countKind(lines, headingLine)
	n, s := max(words, 1), max(sentences, 1)
	again := repeats(text, lines, marks)
	return []float64{
		math.Log1p(words) / 7,
		letters / n / 5,
		math.Log(n/s) / 3,
		math.Log(n/float64(max(1, len(paragraphs)))) / 5,
		small / n,
		different / math.Sqrt(n) / 10,
		questions / s,
		commas / s,
		math.Log1p(quotes),
		math.Log1p(items),
		math.Log1p(headings),
		again.value,
	}
}

func countKind(lines []line, kind lineKind) float64 {
	n := 0.0
	for _, l := range lines {
		if l.kind == kind {
			n++
		}
	}
	return n
}
