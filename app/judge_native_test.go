package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longhand/engine"
	"longhand/engine/enginetest"
	"longhand/rewards"
)

// openJudge opens the sample model in this process, with one thread.
func openJudge(t testing.TB, context int) engine.Plain {
	t.Helper()
	library, path := enginetest.Native(t)
	m, err := engine.Open(path, engine.Options{Library: library, Context: context, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return engine.Plain{Engine: m}
}

// TestTheSampleModelJudges: every question has an answer, the same each time, and
// a text that is not there is worth nothing. How well it judges is another matter:
// longhand bench judge.
func TestTheSampleModelJudges(t *testing.T) {
	p := openJudge(t, 1024)
	set, err := rewards.Parse("length=1,format=1,writing=1", rewards.With{Judge: p})
	if err != nil {
		t.Fatal(err)
	}
	prompt := rewards.Prompt{Text: "Write two or three sentences about a river in spring, about 30 words."}
	text := "In spring the river wakes. It carries the last ice past the mill, and children run along the bank to see who is faster, they or the water."
	first, err := set.Score(t.Context(), prompt, rewards.Completion{Text: text, Finished: true})
	if err != nil {
		t.Fatal(err)
	}
	again, err := set.Score(t.Context(), prompt, rewards.Completion{Text: text, Finished: true})
	if err != nil {
		t.Fatal(err)
	}
	writing := first.Rewards[2]
	if !(writing.Value > 0 && writing.Value < 1) || len(writing.Parts) < 6 || !strings.Contains(writing.Note, "hardly better than chance") || again.Rewards[2].Value != writing.Value {
		t.Errorf("%+v, then %g", writing, again.Rewards[2].Value)
	}
	for _, q := range writing.Parts {
		if !(q.Value > 0 && q.Value < 1) {
			t.Errorf("%s: %g", q.Name, q.Value)
		}
	}
	t.Logf("%+v", writing.Parts)
	if empty, err := set.Score(t.Context(), prompt, rewards.Completion{Finished: true}); err != nil || empty.Total != 0 {
		t.Errorf("an empty text: %g: %v", empty.Total, err)
	}
	v, err := rewards.Pairwise{Model: p}.Compare(t.Context(), prompt.Text, text, "River river river river.")
	if err != nil || !(v.First > 0 && v.First < 1 && v.Second > 0 && v.Second < 1) {
		t.Errorf("%+v: %v", v, err)
	}
}

// essayOf is an honest text of at least so many words.
func essayOf(words int) string {
	var b strings.Builder
	for _, s := range rewards.Samples() {
		if rewards.Language(s.Text) == "en" && rewards.CountWords(b.String()) < words {
			b.WriteString(s.Text + "\n")
		}
	}
	return b.String()
}

// BenchmarkChecklist measures what ten questions about a text of 1,500 words cost
// beside one decode of it. It takes the time of this process alone, since the
// model runs in it with one thread: a busy machine changes little.
func BenchmarkChecklist(b *testing.B) {
	p := openJudge(b, 4096)
	text := essayOf(1500)
	open, _ := p.Frame()
	ids, err := p.Tokenize(b.Context(), open, text, "")
	if err != nil {
		b.Fatal(err)
	}
	lists := &rewards.Checklists{}
	lists.Set("Write.", []string{"Does the text speak of bread, and does it say how a dough is made?", "Does the text tell of someone who receives a letter that was not for him?", "Does the text give figures, and does it say where they come from?", "Does the text address its readers and tell them what to do next?"})
	judge := rewards.Checklist{Model: p, Lists: lists}
	decode, ask := time.Duration(0), time.Duration(0)
	for b.Loop() {
		began := processTime()
		if _, err := p.Complete(b.Context(), ids, "", 1); err != nil {
			b.Fatal(err)
		}
		middle := processTime()
		s, err := judge.Score(b.Context(), rewards.Prompt{Text: "Write."}, rewards.Completion{Text: text, Finished: true})
		if err != nil || len(s.Parts) != 10 || !s.Known() {
			b.Fatal(s, err)
		}
		decode, ask = decode+middle-began, ask+processTime()-middle
	}
	ratio := ask.Seconds() / decode.Seconds()
	b.ReportMetric(float64(len(ids)), "tokens")
	b.ReportMetric(decode.Seconds()/float64(b.N), "decode-s")
	b.ReportMetric(ask.Seconds()/float64(b.N), "checklist-s")
	b.ReportMetric(ratio, "ratio")
	if ratio > 1.3 {
		b.Errorf("ten questions cost %.2f decodes of the text", ratio)
	}
}

// TestCheatsDoNotPayWithTheSampleModel is the suite of package rewards with a
// judge and an embedder. It takes minutes.
func TestCheatsDoNotPayWithTheSampleModel(t *testing.T) {
	if os.Getenv("LONGHAND_LONG") != "1" {
		t.Skip("skipped: it takes minutes; LONGHAND_LONG=1 runs it")
	}
	p := openJudge(t, 4096)
	set, err := rewards.Parse("length=1,format=1,writing=1", rewards.With{Judge: p, Embedder: p})
	if err != nil {
		t.Fatal(err)
	}
	honest, good := map[string]rewards.Sample{}, map[string]float64{}
	for _, s := range rewards.Samples() {
		honest[s.Name] = s
	}
	files, err := filepath.Glob(filepath.Join("..", "rewards", "testdata", "cheats", "*.txt"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d cheats: %v", len(files), err)
	}
	total := func(t *testing.T, s rewards.Sample, p rewards.Prompt) float64 {
		scores, err := set.Score(t.Context(), p, rewards.Completion{Text: s.Text, Finished: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-28s total %.3f: length %.2f, format %.2f, writing %.3f, overlap %.2f", s.Name, scores.Total, scores.Value("length"), scores.Value("format"), scores.Value("writing"), scores.Rewards[1].Part("format.overlap"))
		return scores.Total
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cheat, err := rewards.ParseSample(strings.TrimSuffix(filepath.Base(name), ".txt"), string(b))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(cheat.Name, func(t *testing.T) {
			h := honest[cheat.Honest]
			if _, ok := good[h.Name]; !ok {
				good[h.Name] = total(t, h, h.Prompt)
			}
			if bad := total(t, cheat, h.Prompt); bad > good[h.Name]-0.05 {
				t.Errorf("the honest text has %.3f, the cheat %.3f", good[h.Name], bad)
			}
		})
	}
}
