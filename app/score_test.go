package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"longhand/rewards"
)

// honestFile writes a text of the rewards' samples and its prompt.
func honestFile(t *testing.T, name string) (prompt, draft string) {
	t.Helper()
	for _, s := range rewards.Samples() {
		if s.Name == name {
			return file(t, "p.txt", s.Prompt.Text), file(t, "d.md", s.Text)
		}
	}
	t.Fatalf("there is no sample %q", name)
	return "", ""
}

func TestScoreAsJSON(t *testing.T) {
	prompt, draft := honestFile(t, "essay")
	status, out, problems := command(t, t.TempDir(), "score", "--prompt-file", prompt, "--draft", draft, "--no-judge", "--json")
	if status != 0 || problems != "" || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, `{"event":"score",`) {
		t.Fatalf("status %d, %q: %s", status, problems, out)
	}
	var s scored
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	if s.Words != 579 || s.MinWords == nil || *s.MinWords != 450 || *s.MaxWords != 600 || !(*s.Total > 0.99) || s.Rewards["writing"] != nil || *s.Rewards["length"] != 1 || s.Judge != nil {
		t.Errorf("%+v", s)
	}
	var keys map[string]any
	if err := json.Unmarshal([]byte(out), &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"words", "min_words", "max_words", "total", "rewards", "parts", "spans", "judge"} {
		if _, ok := keys[k]; !ok {
			t.Errorf("no key %s", k)
		}
	}
	structure, repetition := s.Parts["format.structure"], s.Parts["format.repetition"]
	if structure == nil || repetition == nil || math.Abs(*s.Rewards["format"]-*structure*(1-*repetition)) > 1e-12 {
		t.Errorf("format is not structure x (1 - repetition): %s", out)
	}
	if spans, ok := keys["spans"].([]any); !ok || len(spans) != 0 {
		t.Errorf("spans: %v", keys["spans"])
	}
}

func TestScoreSpansPointIntoTheDraft(t *testing.T) {
	text := "# Ein Titel — 😀\n\nDer erste Absatz steht hier.\n\nDer erste Absatz steht hier.\n\nDas Ende.<|im_end|>\n"
	status, out, _ := command(t, t.TempDir(), "score", "--prompt-file", file(t, "p", "Schreibe 10 bis 20 Wörter."), "--draft", file(t, "d.md", text), "--no-judge", "--json")
	var s scored
	if err := json.Unmarshal([]byte(out), &s); status != 0 || err != nil {
		t.Fatalf("status %d: %s", status, out)
	}
	found := map[string]bool{}
	for _, p := range s.Spans {
		found[p.Reward+": "+string([]rune(text)[p.Start:p.End])] = p.Why != ""
	}
	if !found["format: <|im_end|>"] || !found["format: Der erste Absatz steht hier."] || s.Words != 13 {
		t.Errorf("%d words, %v", s.Words, found)
	}
}

func TestScoreReport(t *testing.T) {
	prompt, draft := honestFile(t, "report")
	outline := file(t, "o.json", `{"title": "The Night Bus Trial", "sections": [{"title": "Summary", "words": 100}, {"title": "Who rode", "words": 150}, {"title": "Complaints", "words": 150}]}`)
	status, out, problems := command(t, t.TempDir(), "score", "--prompt-file", prompt, "--draft", draft, "--no-judge", "--min-words", "100", "--max-words", "300", "--outline", outline)
	for _, want := range []string{"length   0.00  655 words, wanted 100 to 300", "0.67  has the form that was asked for", "missing: section “Complaints”", "words beyond 300: “"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if status != 0 || problems != "" {
		t.Errorf("status %d: %s", status, problems)
	}
	// A prompt without a length, and one pass with the answer in the thinking.
	_, out, _ = command(t, t.TempDir(), "score", "--prompt-file", file(t, "p", "Write."), "--draft", file(t, "d", "<think>All of it is here."), "--no-judge", "--one-pass")
	if !strings.Contains(out, "the prompt asks for no length") || !strings.Contains(out, "format   0.00") || !strings.Contains(out, "total    0.00") {
		t.Errorf("%s", out)
	}
}

func TestScorePromptFiles(t *testing.T) {
	draft := file(t, "d.md", "One two three four five.")
	for _, c := range []struct {
		prompt string
		length string
	}{
		{`{"prompt": "Write.", "min_words": 10, "max_words": 20}`, "0.5"},
		{"\ufeff{\"prompt\": \"Write.\", \"min_words\": 5}\n\n", "1"},
		{"{\n \"prompt\": \"Write 10 to 20 words.\"\n}", "0.5"},
		{`{"prompt": "Write."}`, "null"},
		{"Write 10 to 20 words about {\"braces\"}.", "0.5"},
	} {
		status, out, problems := command(t, t.TempDir(), "score", "--prompt-file", file(t, "p", c.prompt), "--draft", draft, "--no-judge", "--json")
		if status != 0 || !strings.Contains(out, `"length":`+c.length+",") {
			t.Errorf("%q: status %d: %s%s", c.prompt, status, out, problems)
		}
	}
}

func TestScoreThatCannotBegin(t *testing.T) {
	prompt, draft := file(t, "p", "Write."), file(t, "d", "Text.")
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 2, "missing flags"},
		{"--prompt-file " + prompt, 2, "missing flags"},
		{"--prompt-file " + prompt + " --draft " + draft + " --min-words 10 --max-words 5", 2, "are a range"},
		{"--prompt-file " + prompt + " --draft " + draft + " --min-words=-1", 2, "are a range"},
		{"--prompt-file " + prompt + " --draft " + draft + " --one-pass --outline o.json", 2, "without an outline"},
		{"--prompt-file /nowhere/p --draft " + draft, 1, "/nowhere/p"},
		{"--prompt-file " + prompt + " --draft /nowhere/d", 1, "/nowhere/d"},
		{"--prompt-file " + prompt + " --draft " + t.TempDir(), 1, "is a folder"},
		{"--prompt-file " + prompt + " --draft " + file(t, "x", "\xff\xfe"), 1, "is not UTF-8 text"},
		{"--prompt-file " + file(t, "e", " \n") + " --draft " + draft, 1, "the prompt is empty"},
		{"--prompt-file " + file(t, "j", `{"prompt": 3}`) + " --draft " + draft, 1, "is not a prompt in JSON"},
		{"--prompt-file " + file(t, "k", "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}") + " --draft " + draft, 1, "several prompts"},
		{"--prompt-file " + file(t, "l", `{"prompt": "a", "min_words": 9, "max_words": 3}`) + " --draft " + draft, 1, "are not a range"},
		{"--prompt-file " + prompt + " --draft " + draft + " --head /nowhere/h", 1, "/nowhere/h"},
		{"--prompt-file " + prompt + " --draft " + draft + " --head " + file(t, "h", "{"), 1, "unexpected end"},
		{"--prompt-file " + prompt + " --draft " + draft + " --model nobody", 1, "nobody"},
	} {
		status, out, problems := command(t, t.TempDir(), append([]string{"score", "--json"}, strings.Fields(c.args)...)...)
		if status != c.status || !strings.Contains(problems, c.says) || strings.Contains(problems, "goroutine") {
			t.Errorf("score %s: status %d, %q, wanted %d, %q", c.args, status, problems, c.status, c.says)
		}
		if c.status == 1 && (!strings.HasPrefix(out, `{"event":"error","message":`) || strings.Count(out, "\n") != 1) {
			t.Errorf("score %s: %s", c.args, out)
		}
	}
	// Without any model it scores what it can.
	status, out, problems := command(t, t.TempDir(), "score", "--prompt-file", prompt, "--draft", draft)
	if status != 0 || !strings.Contains(problems, "scored without a judge: ") || !strings.Contains(out, "format   1.00") {
		t.Errorf("status %d, %q: %s", status, problems, out)
	}
}

func TestWeakJudgesAreNamed(t *testing.T) {
	home := t.TempDir()
	e := &env{ctx: t.Context(), home: home}
	model := file(t, "judge.gguf", "GGUF")
	if why := e.weakJudge(model, aboutModel{135_000_000}); !strings.Contains(why, "135 million") {
		t.Errorf("a small one: %q", why)
	}
	if why := e.weakJudge(model, aboutModel{8_000_000_000}); why != "" {
		t.Errorf("a large one: %q", why)
	}
	for _, c := range []struct {
		right float64
		weak  bool
	}{{55, true}, {90, false}} {
		if err := e.keepJudge(model, func(j *measuredJudge) { j.Accuracy = rewards.Accuracy{Right: c.right, Of: 100} }); err != nil {
			t.Fatal(err)
		}
		if why := e.weakJudge(model, aboutModel{8_000_000_000}); (why != "") != c.weak || c.weak && !strings.Contains(why, "55 % of 100") {
			t.Errorf("right in %g %%: %q", c.right, why)
		}
	}
	like := rewards.Likeness{"en": {Mean: []float32{1, 2}, Threshold: 0.9}}
	if err := e.keepJudge(model, func(j *measuredJudge) { j.Likeness = like }); err != nil || len(e.likeness(model)) != 1 || e.judges()[mustSum(t, e, model)].Accuracy.Of != 100 {
		t.Errorf("%v: %v", e.judges(), err)
	}
	if err := os.WriteFile(filepath.Join(home, "judges.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if e.likeness(model) != nil {
		t.Error("a broken file is of use")
	}
}

func mustSum(t *testing.T, e *env, path string) string {
	t.Helper()
	sum, err := e.sha256(path)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// aboutModel is a judge of so many parameters that is asked for nothing else.
type aboutModel struct{ parameters uint64 }

func (m aboutModel) About() (string, int, uint64) {
	return fmt.Sprint("judge of ", m.parameters), 4096, m.parameters
}
