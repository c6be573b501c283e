package draft

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCountWords(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "   \n": 0, "one": 1, "Two words.": 2, "don't stop": 2, "3.14 and 1,000": 3, "well-known": 2, "— … !": 0,
		"你好，世界": 4, "ひらがな": 4, "カタカナ語": 5, "한국어 문장": 2, "a 👍🏽 b": 2, "مرحبا بالعالم": 2, "naïve café": 2, "x": 1, "5": 1, "?": 0,
	} {
		if got := CountWords(text); got != want {
			t.Errorf("CountWords(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestEndsSentence(t *testing.T) {
	for text, want := range map[string]bool{
		"It ends.": true, "It ends": false, "Does it?": true, "It does!”": true, "He met Dr.": false, "in the U.S. army of J.": false,
		"1.": false, "Words\n2.": false, "chapter 3.": true, "她走了。": true, "e.g.": false, "So do I.": true, "": false, "...": true, "Well...": true, "*It ends.*": true, "a list:": false,
	} {
		if got := endsSentence(text); got != want {
			t.Errorf("endsSentence(%q) = %v", text, got)
		}
	}
}

func TestSentenceEnds(t *testing.T) {
	text := "One. Two! Dr. Three is here? “Four.” Five"
	var got []string
	at := 0
	for _, e := range sentenceEnds(text) {
		got = append(got, strings.TrimSpace(text[at:e]))
		at = e
	}
	want := "One.|Two!|Dr. Three is here?|“Four.”"
	if strings.Join(got, "|") != want {
		t.Errorf("%q", got)
	}
}

func TestGuard(t *testing.T) {
	g := newGuard(&Project{Outline: Outline{Sections: []SectionPlan{{Title: "The Old Harbour", Point: "Boats come in.", Beats: []string{"the boats at dawn"}}}},
		Sections: []Section{{Done: true, Text: "The boats came in at dawn with their nets full of silver. Nobody waved."}}})
	for _, c := range []struct {
		text        string
		first, line bool
		want        string
	}{
		{"The boats came in at dawn with their nets full of silver.", false, false, "again"},
		{"Then the boats came in at dawn with their nets full of fish.", false, false, "again"},
		{"Nobody waved.", false, false, "again"},
		{"The old harbour", true, true, "echo"},
		{"Sure, this is the text.", true, false, "preamble"},
		{"Here is the section you asked for:", true, true, "preamble"},
		{"### Another heading", false, true, "heading"},
		{"**Bold and alone**", false, true, "heading"},
		{"The next morning", true, true, "heading"},
		{"He said </think> and left.", false, false, "leak"},
		{"A turn ends <|im_end|> here.", false, false, "leak"},
		{"Gulls stood on the wall and watched the water.", true, false, ""},
		{"“Sure,” she said, and went on.", false, false, ""},
	} {
		if got := g.offence(c.text, c.first, c.line); got != c.want {
			t.Errorf("offence(%q) = %q, want %q", c.text, got, c.want)
		}
	}
	for range 12 {
		g.add("They are so good and so nice.")
	}
	if got := g.offence("They are so very good.", false, false); got != "loop" {
		t.Errorf("a circle is %q", got)
	}
}

func TestShareWords(t *testing.T) {
	for _, total := range []int{100, 999, 3000, 20001} {
		weights := []int{1, 2, 3, 2, 1, 3, 3}
		words := shareWords(total, weights)
		sum := 0
		for i, w := range words {
			sum += w
			if i > 0 && weights[i] > weights[i-1] && w <= words[i-1] {
				t.Errorf("%v for weights %v", words, weights)
			}
		}
		if sum != total {
			t.Errorf("shares of %d sum to %d", total, sum)
		}
	}
}

func TestPartSizes(t *testing.T) {
	for n := 41; n < 400; n++ {
		sum := 0
		for _, s := range partSizes(n) {
			sum += s
			if s < 4 || s > partSections {
				t.Fatalf("%d sections: a part of %d", n, s)
			}
		}
		if sum != n {
			t.Fatalf("%d sections: parts of %d", n, sum)
		}
	}
}

func TestWordsAsked(t *testing.T) {
	for prompt, want := range map[string]int{
		"Write an essay of 2,000 words about rain.": 2000, "a 1500-word story": 1500, "about 3 pages on bees": 1200, "写一篇3000字的文章": 3000, "写一部2万字的小说": 20000,
		"10k words": 10000, "2.5k words": 2500, "1.5万字": 15000, "Write about the 1960s.": 0, "in a few words": 0, "Ein Aufsatz mit 800 Wörtern": 800, "at most 500 words": 475, "Ein Aufsatz, 800 Wörter": 800, "un texte de 1200 mots": 1200, "99999999999999999999 words": 0,
	} {
		if got := WordsAsked(prompt); got != want {
			t.Errorf("WordsAsked(%q) = %d, want %d", prompt, got, want)
		}
	}
}

func TestOutlineScaleAndCheck(t *testing.T) {
	o := Outline{Sections: []SectionPlan{{Title: "A", Words: 100}, {Title: "B", Words: 200}, {Title: "C", Words: 33}}}
	o.Scale(1000)
	if o.Words() != 1000 {
		t.Errorf("scaled to %d", o.Words())
	}
	if err := o.Check(); err != nil {
		t.Error(err)
	}
	for _, bad := range []Outline{{}, {Sections: []SectionPlan{{Title: "", Words: 100}}}, {Sections: []SectionPlan{{Title: "a\nb", Words: 100}}}, {Sections: []SectionPlan{{Title: "a", Words: -1}}}} {
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}

// However a stream is cut into pieces, its tags and its text are the same.
func TestTagsInAnyChunking(t *testing.T) {
	const text = "a <b> c<think>plan < 3</think>\n<answer>The <i>text</i> </answ and so on</answer> rest <"
	join := func(chunk int) string {
		var r tagReader
		out := ""
		for at := 0; at < len(text); at += chunk {
			for _, p := range r.read(text[at:min(len(text), at+chunk)]) {
				if p.tag != "" {
					out += "[" + p.tag + "]"
				}
				out += p.text
			}
		}
		return out
	}
	want := join(len(text))
	for chunk := 1; chunk < 20; chunk++ {
		if got := join(chunk); got != want {
			t.Errorf("in pieces of %d: %q, not %q", chunk, got, want)
		}
	}
}

func FuzzPlanText(f *testing.F) {
	f.Add("A title\n\n1. One\n2. Two", 2)
	f.Add(" first\n2. second\n\nIn one sentence: All of it.\nWeight: 3", 2)
	f.Add("1. Chapter 1: \n2. \x00\xff", 0)
	f.Fuzz(func(t *testing.T, text string, beats int) {
		whole, titles := parseTitles(text, true)
		for _, s := range append(titles, whole) {
			if strings.Contains(s, "\n") || utf8.RuneCountInString(s) > utf8.RuneCountInString(text) {
				t.Errorf("title %q", s)
			}
		}
		_, weight, list := parseSection(text, max(0, min(beats, 4)))
		if weight < 1 || weight > 3 || len(list) > 4 {
			t.Errorf("weight %d, %d beats", weight, len(list))
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"event":"text","index":0,"text":"a"}`))
	f.Add([]byte(`{"event":"rewind","index":9,"chars":-1,"keep":-5}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := Unmarshal(line)
		if err != nil {
			return
		}
		Extend(nil, r)
		Extend(nil, append(plannedDraft(2, 100), r)...)
	})
}
