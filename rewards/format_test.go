package rewards

import (
	"strings"
	"testing"
)

func structure(t *testing.T, p Prompt, c Completion) Score {
	t.Helper()
	s, err := Format{}.Score(t.Context(), p, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOnePassStructure(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
	}{
		{"<think>plan</think><answer>work</answer>", 1},
		{"<think>plan</think>\n\n<answer>\nwork", 1}, // the last tag is a stop string
		{" \n<think></think> <answer>work</answer>\n", 1},
		{"<think>plan</think><answer></answer>", 0},
		{"<think>plan</think><answer> \n", 0},
		{"<think>plan</think>", 0},
		{"<think>plan", 0},
		{"work", 0},
		{"", 0},
		{"<answer>work</answer>", 0},
		{"<answer>work</answer><think>plan</think>", 0},
		{"<think>plan</think>work", 0},
		{"Sure: <think>plan</think><answer>work</answer>", 0},
		{"<think>plan</think> so <answer>work</answer>", 0},
		{"<think>plan</think><answer>work</answer> Done.", 0},
		{"<think>a</think><think>b</think><answer>work</answer>", 0},
		{"<think>plan</think><answer>work</answer><answer>more</answer>", 0},
		{"<think>plan<answer>work</answer></think>", 0},
		{"<think>plan</think><answer>work</think></answer>", 0},
		{"plan</think><answer>work</answer>", 0},
		{"<THINK>plan</THINK><answer>work</answer>", 0},
	} {
		if got := structure(t, Prompt{Form: OnePass}, Completion{c.text, true}).Part("format.structure"); got != c.want {
			t.Errorf("%q: %g, wanted %g", c.text, got, c.want)
		}
		if got := structure(t, Prompt{Form: OnePass}, Completion{c.text, false}); got.Value != 0 {
			t.Errorf("%q, cut off: %g", c.text, got.Value)
		}
	}
	// The template may have opened the thinking.
	p := Prompt{Form: OnePass, Opened: "<think>\n"}
	if got := structure(t, p, Completion{"plan</think><answer>work</answer>", true}); got.Value != 1 {
		t.Errorf("opened by the template: %g", got.Value)
	}
	if got := structure(t, p, Completion{"<think>plan</think><answer>work</answer>", true}); got.Value != 0 {
		t.Errorf("opened twice: %g", got.Value)
	}
	if n := Words("<think>one two</think><answer># Title\nthree four five</answer>", OnePass); n != 3 {
		t.Errorf("the answer has %d words", n)
	}
}

func TestPlannedStructure(t *testing.T) {
	outline := []Heading{{Title: "The Beginning", Words: 40}, {Title: "What came of it"}, {Title: "3. The end", Words: 10}}
	body := distinct(0, 12)
	for _, c := range []struct {
		name, text string
		want       float64
	}{
		{"all", "# T\n\n## The Beginning\n" + body + "\n## What came of it\n" + body + "\n## The end\n" + body, 1},
		{"numbered, bold, underlined", "## 1. the beginning\n" + body + "\n\n**Chapter 2: What came of it**\n\n" + body + "\n\nThe End\n-------\n" + body, 1},
		{"one is missing", "## The Beginning\n" + body + "\n## The end\n" + body, 2. / 3},
		{"two are swapped", "## What came of it\n" + body + "\n## The Beginning\n" + body + "\n## The end\n" + body, 2. / 3},
		{"backwards", "## The end\n" + body + "\n## What came of it\n" + body + "\n## The Beginning\n" + body, 1. / 3},
		{"one is empty", "## The Beginning\n" + body + "\n## What came of it\n\n## The end\n" + body, 2. / 3},
		{"one is too short", "## The Beginning\none two three\n## What came of it\n" + body + "\n## The end\n" + body, 2. / 3},
		{"other sections between", "## Foreword\n" + body + "\n## The Beginning\n" + body + "\n### Aside\n" + body + "\n## What came of it\n" + body + "\n## The end\n" + body, 1},
		{"twice the same", "## The Beginning\n" + body + "\n## The Beginning\n" + body, 1. / 3},
		{"headings in code", "```\n## The Beginning\n## What came of it\n## The end\n```\n" + body, 0},
		{"no headings", body, 0},
	} {
		p := Prompt{Form: Planned, Outline: outline}
		if got := structure(t, p, Completion{c.text, true}).Part("format.form"); !near(got, c.want) {
			t.Errorf("%s: %g, wanted %g", c.name, got, c.want)
		}
	}
	s := structure(t, Prompt{Form: Planned, Outline: outline}, Completion{"## The Beginning\n" + body, true})
	if len(s.Spans) != 2 || !strings.Contains(s.Spans[0].Why, "What came of it") {
		t.Errorf("what is missing: %+v", s.Spans)
	}
	if got := structure(t, Prompt{Form: Planned}, Completion{body, true}).Part("format.form"); got != 1 {
		t.Errorf("without an outline: %g", got)
	}
}

func TestMarkdownSanity(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
	}{
		{"Plain text.", 1},
		{"# A\n\n## B\n\n### C\n\n## D\n\ntext", 1},
		{"# A\n\n### B\n\ntext", 0.9},
		{"### A\n\n## B\n\ntext", 1}, // it may begin anywhere
		{"```go\nx := 1\n```\ntext", 1},
		{"text\n```\nx := 1\n", 0.7},
		{"~~~\n```\n~~~\ntext", 1},
		{"In code `<|im_end|>` may stand.", 1},
		{"```\n<|im_end|> [INST]\n```\ntext", 1},
		{"The end.<|im_end|>", 0.7},
		{"The end.</s>", 0.7},
		{"a [INST] b [/INST] c", 0.6},
		{"So</think> it is.", 0.7},
		{"1 <2 and 3> 2, see [1].", 1},
		{"a <start_of_turn> b <|eot_id|> c <|x|> d <|y|> e <|z|> f <|w|>", 0.3},
	} {
		if got := structure(t, Prompt{}, Completion{c.text, true}).Part("format.markdown"); !near(got, c.want) {
			t.Errorf("%q: %g, wanted %g", c.text, got, c.want)
		}
	}
}

// TestSpansAreInCodePoints puts characters of all lengths before what is wrong.
func TestSpansAreInCodePoints(t *testing.T) {
	text := "é 😀 今天 שלום\n\nThe end.<|im_end|>\n"
	s := structure(t, Prompt{}, Completion{text, true})
	if len(s.Spans) != 1 || string([]rune(text)[s.Spans[0].Start:s.Spans[0].End]) != "<|im_end|>" {
		t.Errorf("%+v", s.Spans)
	}
	text = "<think>é</think>\n<answer>今</s>"
	s = structure(t, Prompt{Form: OnePass}, Completion{text, true})
	if len(s.Spans) != 1 || string([]rune(text)[s.Spans[0].Start:s.Spans[0].End]) != "</s>" {
		t.Errorf("%+v", s.Spans)
	}
}

func BenchmarkLengthAndFormat(b *testing.B) {
	var text strings.Builder
	for i := 0; CountWords(text.String()) < 100_000; i++ {
		for _, s := range readSamples(b, "honest") {
			if s.Name != "zhongwen" {
				// Letters in turn make each round other words.
				text.WriteString(strings.ReplaceAll(s.Text, "e", string(rune('a'+i%26))) + "\n\n")
			}
		}
	}
	c := Completion{text.String(), true}
	p := Prompt{Text: "Write a book.", Min: 90_000, Max: 120_000}
	b.Logf("%d words", CountWords(c.Text))
	before := cpuTime()
	for b.Loop() {
		if _, err := pure.Score(b.Context(), p, c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpuTime()-before).Seconds()*1000/float64(b.N), "cpu-ms/op") // on a busy machine the time of the wall says little
}

// TestProseChecks makes one thing wrong at a time with an honest text.
func TestProseChecks(t *testing.T) {
	var essay Sample
	for _, s := range Samples() {
		if s.Name == "essay" {
			essay = s
		}
	}
	blocks := strings.Split(strings.TrimSpace(essay.Text), "\n\n")
	for _, c := range []struct {
		part, prompt, text string
		low, high          float64
	}{
		{"format.paragraphs", "", strings.Join(blocks, " "), 0.5, 0.5},
		{"format.paragraphs", "", essay.Text, 1, 1},
		{"format.lists", "", "- " + strings.Join(sentencesOf(strings.Join(blocks, " ")), "\n- "), 0.4, 0.4},
		{"format.lists", "Write a list of reasons.", "- " + strings.Join(sentencesOf(strings.Join(blocks, " ")), "\n- "), 1, 1},
		{"format.copied", blocks[0] + " " + blocks[1], essay.Text, 0.4, 0.9},
		{"format.copied", "Why should people walk to work?", essay.Text, 1, 1},
		{"format.language", "Schreibe einen Aufsatz über den Weg zur Arbeit und was man dabei sieht.", essay.Text, 0.19, 0.21},
		{"format.language", "Schreibe einen Aufsatz auf Englisch über den Weg zur Arbeit und was man dabei sieht.", essay.Text, 1, 1},
		{"format.language", "Übersetze den Text über den Weg zur Arbeit und was man dabei sieht.", essay.Text, 1, 1},
		{"format.language", "請用英文寫一篇文章", essay.Text, 1, 1},
		{"format.language", "写一篇关于步行上班的文章", essay.Text, 0.19, 0.21},
		{"format.stuffed", "", strings.ReplaceAll(strings.ReplaceAll(essay.Text, "the ", "the tramway "), ", ", ", tramway, "), 0.3, 0.95},
		{"format.salad", "", strings.ReplaceAll(essay.Text, " a ", " a the "), 0.3, 0.8},
		{"format.novelty", "", strings.Repeat(blocks[1]+"\n\n", 9), 0.19, 0.21},
		{"format.ending", "", essay.Text + "\nAnd this is a sentence that somebody did not bring to its", 0.85, 0.85},
		{"format.ending", "", essay.Text + "\nYours, Ida", 1, 1},
		{"format.ending", "", essay.Text + "\nMore of what is said here can be read at https://example.org/walking", 1, 1},
		// A short text is not judged.
		{"format.prose", "", "the the the the a of to a of the and and", 1, 1},
	} {
		s := structure(t, Prompt{Text: c.prompt}, Completion{c.text, true})
		if got := s.Part(c.part); !(got >= c.low && got <= c.high) {
			t.Errorf("%s, %.30q, %.30q: %g, wanted %g to %g", c.part, c.prompt, c.text, got, c.low, c.high)
		}
	}
}
