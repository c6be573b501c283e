package rewards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A reader is a Model with one token a byte that answers by what stands in the
// text: yes where it holds the last word of the question, A where the first text
// is the longer one. It counts what it decodes.
type reader struct {
	room     int
	decoded  int
	asked    int
	complete string
	lean     float64 // added to P(A): it favours a place
	dead     bool
}

func (r *reader) About() (string, int, uint64) { return "reader", r.room, 7_000_000_000 }
func (r *reader) Frame() (string, string)      { return "<u>", "<a>" }

func (r *reader) Tokenize(_ context.Context, open, text, closing string) ([]int32, error) {
	if r.dead {
		return nil, errors.New("it died")
	}
	var ids []int32
	for _, b := range []byte(open + text + closing) {
		ids = append(ids, int32(b))
	}
	if text == "Yes" || text == "No" || text == "A" || text == "B" {
		ids = []int32{int32(text[0])} // a word of one token
	}
	return ids, nil
}

func (r *reader) Choose(_ context.Context, prefix []int32, questions [][]int32, answers [][][]int32) ([][]float64, error) {
	text := func(ids []int32) string {
		b := make([]byte, len(ids))
		for i, id := range ids {
			b[i] = byte(id)
		}
		return string(b)
	}
	if len(prefix) > r.room {
		return nil, errors.New("the context is full")
	}
	r.decoded += len(prefix)
	whole := text(prefix)
	found := make([][]float64, len(questions))
	for i, q := range questions {
		r.asked++
		r.decoded += len(q)
		question := text(q)
		if strings.Contains(question, "which of the two") {
			_, texts, _ := strings.Cut(whole, "Text A:\n")
			a, b, _ := strings.Cut(texts, "\n\nText B:\n")
			p := 0.5 + r.lean
			if len(a) > len(b) {
				p += 0.3
			} else {
				p -= 0.3
			}
			found[i] = []float64{p, 1 - p}
			continue
		}
		question, _, _ = strings.Cut(question, "?")
		_, body, _ := strings.Cut(whole, "\nText:\n")
		word := question[strings.LastIndexByte(question, ' ')+1:]
		found[i] = []float64{0.1, 0.3}
		if strings.Contains(body, word) {
			found[i] = []float64{0.6, 0.2}
		}
		if word == "silence" {
			found[i] = []float64{0, 0}
		}
	}
	return found, nil
}

func (r *reader) Complete(context.Context, []int32, string, int) (string, error) {
	r.asked += 100
	return r.complete, nil
}

func TestChecklistByHand(t *testing.T) {
	m := &reader{room: 4000, complete: "Does the text speak of rivers?\nDoes the text speak of Rivers?\nDoes the text have 300 words?\nDoes the text speak of bri"}
	j := Checklist{Model: m, Lists: &Checklists{}, Quality: []string{"Is there a bridge?", "Is there silence?"}}
	p := Prompt{Text: "Write about rivers."}
	s, err := j.Score(t.Context(), p, Completion{"All rivers run.", true})
	// rivers: 0.6/0.8; bridge: 0.1/0.4; silence: it says neither
	if err != nil || !near(s.Value, (0.75+0.25)/2) || len(s.Parts) != 3 || !math.IsNaN(s.Parts[2].Value) {
		t.Fatalf("%+v: %v", s, err)
	}
	if s.Parts[0].Name != "writing: Does the text speak of rivers?" {
		t.Errorf("%+v", s.Parts)
	}
	if _, err := j.Score(t.Context(), p, Completion{"A bridge.", true}); err != nil || m.asked != 100+6 {
		t.Errorf("the prompt was read again: %d: %v", m.asked, err)
	}
	j.Lists.Set(p.Text, []string{"Is there a boat?"})
	if s, err := j.Score(t.Context(), p, Completion{"A boat.", true}); err != nil || len(s.Parts) != 3 || !near(s.Parts[0].Value, 0.75) {
		t.Errorf("a list that was given: %+v: %v", s, err)
	}
	for _, empty := range []string{"", " \n", "<think>a bridge of rivers"} {
		if s, err := j.Score(t.Context(), p, Completion{empty, true}); err != nil || s.Value != 0 {
			t.Errorf("%q: %+v: %v", empty, s, err)
		}
	}
	m.dead = true
	if _, err := j.Score(t.Context(), p, Completion{"A bridge.", true}); err == nil {
		t.Error("a dead judge judged")
	}
}

// TestLongTextsAreJudgedInParts with nothing left out or read twice.
func TestLongTextsAreJudgedInParts(t *testing.T) {
	text := ""
	for i := range 60 {
		text += fmt.Sprintf("Paragraph %d speaks of the river and of what lies along it.\n\n", i)
	}
	text += "The bridge comes last."
	m := &reader{room: 1500}
	parts, err := fit(t.Context(), m, text, 900)
	if err != nil || len(parts) < 4 {
		t.Fatalf("%v: %v", parts, err)
	}
	at := 0
	for _, s := range parts {
		if s.start != at || s.end-s.start > 900 || s.end < len(text) && text[s.end-2:s.end] != "\n\n" {
			t.Errorf("%v of %d", s, len(text))
		}
		at = s.end
	}
	if at != len(text) {
		t.Errorf("it ends at %d of %d", at, len(text))
	}
	j := Checklist{Model: m, Lists: &Checklists{}, Quality: []string{"Is there a river?", "Is there a bridge?"}}
	j.Lists.Set("p", []string{"Is there a bridge?"})
	s, err := j.Score(t.Context(), Prompt{Text: "p"}, Completion{text, true})
	if err != nil || !near(s.Parts[0].Value, 0.75) || s.Parts[1].Value < 0.6 || s.Parts[2].Value > 0.5 || len(s.Spans) == 0 {
		t.Errorf("%+v: %v", s, err)
	}
	if _, err := fit(t.Context(), m, strings.Repeat("今", 5000), 900); err != nil {
		t.Error(err)
	}
	if s, err := (Checklist{Model: &reader{room: 300}}).Score(t.Context(), Prompt{Text: strings.Repeat("p ", 500)}, Completion{text, true}); err != nil || s.Known() || s.Note == "" {
		t.Errorf("a judge without room: %+v: %v", s, err)
	}
}

func TestPairwiseInBothOrders(t *testing.T) {
	group := []Completion{{of(30), true}, {of(10), true}, {of(20), true}, {"", true}, {of(20), true}}
	for _, c := range []struct {
		lean float64
		want string // against the third, of 20 words
	}{{0, "1 0 0.5 0 0.5"}, {0.4, "0.5 0.5 0.5 0 0.5"}, {-0.4, "0.5 0.5 0.5 0 0.5"}, {0.1, "1 0 0.5 0 0.5"}} {
		seed := uint64(0)
		for ; ; seed++ { // one that draws the third
			if rand.New(rand.NewPCG(seed, 0x70616972)).IntN(5) == 2 {
				break
			}
		}
		scores, err := Pairwise{&reader{room: 4000, lean: c.lean}}.ScoreGroup(t.Context(), Prompt{Text: "p", Seed: seed}, group)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, s := range scores {
			got = append(got, fmt.Sprint(s.Value))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("lean %g: %v, wanted %s", c.lean, got, c.want)
		}
	}
	j := Pairwise{&reader{room: 700}}
	v, err := j.Compare(t.Context(), "p", of(300), of(100))
	if err != nil || !v.Cut || v.First < 0 {
		t.Errorf("texts beyond the context: %+v: %v", v, err)
	}
	if s, err := j.Score(t.Context(), Prompt{}, Completion{}); err != nil || s.Known() {
		t.Errorf("alone: %+v: %v", s, err)
	}
}

// letters embeds a text as the shares of its letters.
type letters struct{ calls int }

func (l *letters) Embed(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		l.calls++
		out[i] = make([]float32, 26)
		for _, r := range strings.ToLower(t) {
			if r >= 'a' && r <= 'z' {
				out[i][r-'a'] += 1 / float32(len(t))
			}
		}
	}
	return out, nil
}

// taste makes preferences of one who likes short sentences and the letter z.
func taste(n int, noise float64, seed uint64) []Preference {
	random := rand.New(rand.NewPCG(seed, 1))
	text := func(liked bool) string {
		var b strings.Builder
		size := 9 + random.IntN(9)
		if liked {
			size = 4 + random.IntN(6)
		}
		for range 12 {
			for range size {
				b.WriteString([]string{"river ", "the ", "stone ", "of ", "cold ", "evening ", "walks "}[random.IntN(7)])
				if liked && random.IntN(8) == 0 {
					b.WriteString("azure ")
				}
			}
			b.WriteString("ends. ")
		}
		return b.String()
	}
	var all []Preference
	for i := range n {
		p := Preference{Prompt: fmt.Sprint("prompt ", i/2), Kept: text(true), Rejected: text(false)}
		if random.Float64() < noise {
			p.Kept, p.Rejected = p.Rejected, p.Kept
		}
		all = append(all, p)
	}
	return all
}

func TestHeadLearnsATaste(t *testing.T) {
	e := &letters{}
	h, err := TrainHead(t.Context(), e, "letters", taste(60, 0.05, 1))
	if err != nil || h.Enough() != "" || h.HeldOut.Of != 60 || h.HeldOut.Share() < 0.8 {
		t.Fatalf("%v, held out %v: %v", h.Enough(), h.HeldOut, err)
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var again Head
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, p := range taste(50, 0, 99) {
		r := Personal{&again, e}
		kept, err := r.Score(t.Context(), Prompt{}, Completion{p.Kept, true})
		if err != nil {
			t.Fatal(err)
		}
		rejected, err := r.Score(t.Context(), Prompt{}, Completion{p.Rejected, true})
		if err != nil {
			t.Fatal(err)
		}
		if kept.Value > rejected.Value && kept.Value > 0 && kept.Value < 1 {
			right++
		}
	}
	if right < 45 {
		t.Errorf("of 50 new pairs %d are right", right)
	}
}

func TestHeadSaysWhenItKnowsNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		pairs []Preference
		says  string
	}{
		{"none", nil, "no preferences yet"},
		{"few", taste(9, 0, 1), "9 preferences, 16 are needed"},
		{"chance", taste(60, 0.5, 2), "right in"},
		{"one prompt alone", func() []Preference {
			all := taste(40, 0, 1)
			for i := range all {
				all[i].Prompt = "the same"
			}
			return all
		}(), "right in"},
		{"choices between equals", []Preference{{"p", "a", "a"}}, "no preferences yet"},
	} {
		h, err := TrainHead(t.Context(), &letters{}, "letters", c.pairs)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Personal{h, &letters{}}.Score(t.Context(), Prompt{}, Completion{"A text.", true})
		if err != nil || s.Known() || !strings.HasPrefix(s.Note, "not enough data") || !strings.Contains(s.Note, c.says) {
			t.Errorf("%s: %+v: %v", c.name, s, err)
		}
	}
	if s, err := (Personal{}).Score(t.Context(), Prompt{}, Completion{}); err != nil || s.Known() {
		t.Errorf("no head: %+v: %v", s, err)
	}
	for _, bad := range []string{`{"weights":[1]}`, `{"weights":[1],"middle":[0],"scale":[0],"known":[1],"pairs":1}`, `3`, `{"weights":[1],"middle":[0],"scale":[1],"pairs":1}`} {
		var h Head
		if json.Unmarshal([]byte(bad), &h) == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

// TestHeadIsAtItsOptimum: the gradient of the loss is zero there.
func TestHeadIsAtItsOptimum(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	rows := make([][]float64, 12)
	for i := range rows {
		rows[i] = make([]float64, 5)
		for k := range rows[i] {
			rows[i][k] = random.NormFloat64()
		}
	}
	for _, penalty := range []float64{0.01, 1, 100} {
		w := fitWeights(products(rows), rows, indexes(len(rows)), penalty)
		for k := range w {
			slope := penalty * w[k]
			for _, d := range rows {
				slope -= sigmoid(-dot(w, d)) * d[k]
			}
			if math.Abs(slope) > 1e-4 {
				t.Errorf("penalty %g: slope %g", penalty, slope)
			}
		}
	}
}

func BenchmarkTrainHead(b *testing.B) {
	pairs := taste(200, 0.1, 1)
	var rows [][]float64
	var fold []int
	for i := range pairs {
		random := rand.New(rand.NewPCG(uint64(i), 1))
		row := make([]float64, 588)
		for k := range row {
			row[k] = random.NormFloat64() + 0.1
		}
		rows, fold = append(rows, row), append(fold, i/2)
	}
	begin, cpu := time.Now(), cpuTime()
	for b.Loop() {
		h := &Head{}
		h.choose(rows, fold, 100)
		fitWeights(products(rows), rows, indexes(len(rows)), h.Penalty)
	}
	b.ReportMetric(time.Since(begin).Seconds()*1000/float64(b.N), "ms/op")
	b.ReportMetric((cpuTime()-cpu).Seconds()*1000/float64(b.N), "cpu-ms/op")
}

func TestIntervals(t *testing.T) {
	for _, c := range []struct {
		right     float64
		of        int
		low, high float64
	}{{0, 0, 0, 1}, {5, 10, 0.2366, 0.7634}, {10, 10, 0.7225, 1}, {0, 10, 0, 0.2775}, {60, 100, 0.5020, 0.6906}} {
		low, high := Accuracy{c.right, c.of}.Interval()
		if math.Abs(low-c.low) > 1e-4 || math.Abs(high-c.high) > 1e-4 {
			t.Errorf("%g of %d: %.4f to %.4f, wanted %.4f to %.4f", c.right, c.of, low, high, c.low, c.high)
		}
	}
}

func TestReductions(t *testing.T) {
	for _, c := range []struct{ prompt, want string }{
		{"Write a story.", ""},
		{"Write a story about a bear, in the first person, with a sad end. Use short sentences.",
			"Write a story about a bear, with a sad end. Use short sentences.|Write a story about a bear, in the first person, Use short sentences.|Write a story about a bear, in the first person, with a sad end."},
		{"写一篇散文，主题是厨房，要有细节。", "写一篇散文，要有细节。|写一篇散文，主题是厨房。"},
		{"", ""},
	} {
		if got := strings.Join(Reductions(c.prompt), "|"); got != c.want {
			t.Errorf("%q:\n%s\nwanted\n%s", c.prompt, got, c.want)
		}
	}
}
