package rewards

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
)

// subjects embeds a text by the words it holds of a few subjects, on top of what
// all texts share, as a causal model's vectors do.
type subjects struct{ dead bool }

func (s subjects) Embed(_ context.Context, texts []string) ([][]float32, error) {
	if s.dead {
		return nil, errors.New("it died")
	}
	out := make([][]float32, len(texts))
	for i, t := range texts {
		v := make([]float32, 64)
		for k := range v {
			v[k] = 5
		}
		for _, m := range scan(t) {
			if m.word && m.end-m.start >= 5 {
				v[m.hash%64] += 1
			}
		}
		out[i] = v
	}
	return out, nil
}

func TestParagraphsThatSayTheSame(t *testing.T) {
	var essay, science Sample
	for _, s := range Samples() {
		switch s.Name {
		case "essay":
			essay = s
		case "science":
			science = s
		}
	}
	blocks := strings.Split(strings.TrimSpace(essay.Text), "\n\n")
	// The same words in another order: no gram is repeated far enough to be seen.
	sentences := sentencesOf(blocks[1])
	turned := strings.Join(append(append([]string{}, sentences[2:]...), sentences[:2]...), " ")
	o := &Overlap{Embedder: subjects{}}
	for _, c := range []struct {
		name, text string
		want       float64
		spans      int
	}{
		{"nothing twice", essay.Text, 0, 0},
		{"another text", science.Text, 0, 0},
		{"one paragraph turned round", blocks[0] + "\n\n" + blocks[1] + "\n\n" + blocks[2] + "\n\n" + turned, float64(len(wordsIn(turned))) / float64(len(wordsIn(blocks[0]+" "+blocks[1]+" "+blocks[2]+" "+turned))), 1},
		{"one paragraph", blocks[0], 0, 0},
		{"nothing", "", 0, 0},
		{"a language that was not measured", "Ceci est un texte qui est long et dont la langue n'est pas de celles que l'on a mesurées, car il faut plusieurs textes pour cela.\n\nCeci est un texte qui est long et dont la langue n'est pas de celles que l'on a mesurées, car il faut plusieurs textes pour cela.", math.NaN(), 0},
	} {
		s, err := Format{Overlap: o}.Score(t.Context(), Prompt{}, Completion{c.text, true})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, x := range s.Spans {
			if strings.Contains(x.Why, "says again what paragraph 2 says") {
				n++
			}
		}
		if got := s.Part("format.overlap"); math.Abs(got-c.want) > 0.01 && !(math.IsNaN(got) && math.IsNaN(c.want)) || n != c.spans {
			t.Errorf("%s: %g, wanted %g; %d spans", c.name, got, c.want, n)
		}
	}
	if _, err := (Format{Overlap: &Overlap{Embedder: subjects{dead: true}}}).Score(t.Context(), Prompt{}, Completion{essay.Text, true}); err == nil {
		t.Error("a dead embedder embedded")
	}
	like, err := Calibrate(t.Context(), subjects{})
	if err != nil || len(like) != 1 || !(like["en"].Threshold > 0.1 && like["en"].Threshold < 1) {
		t.Errorf("%v: %v", like, err)
	}
	if _, err := (Format{Overlap: &Overlap{Embedder: &letters{}, Likeness: like}}).Score(t.Context(), Prompt{}, Completion{essay.Text, true}); err == nil {
		t.Error("another embedder than was measured")
	}
}

func wordsIn(text string) []mark {
	var all []mark
	for _, m := range scan(text) {
		if m.word {
			all = append(all, m)
		}
	}
	return all
}
