package engine

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"longhand/engine/enginetest"
)

// startSample opens the sample model in a child.
func startSample(t testing.TB, o Options) *Process {
	t.Helper()
	library, path := enginetest.Native(t)
	o.Library = library
	o.Context = cmp.Or(o.Context, 1024)
	p, err := Start(context.Background(), self(t, "native"), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// oneThread does not wait for others on a machine that is busy.
var oneThread = Options{Threads: 1}

func TestNativeProcessWritesWhatTheModelWrites(t *testing.T) {
	m, p := openSample(t, oneThread), startSample(t, oneThread)
	if !reflect.DeepEqual(m.Info(), p.Info()) {
		t.Fatalf("%+v\n%+v", m.Info(), p.Info())
	}
	r := Request{Prompt: question(t, m, "Tell me a story about a ship 🚢 at sea."), MaxTokens: 60, LogProbs: true}
	for _, r.Sampling = range []Sampling{{}, {Temperature: 1, Seed: 7}} {
		if got, want := all(t, p.Generate(t.Context(), r)), all(t, m.Generate(t.Context(), r)); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v: %v, not %v", r.Sampling, got, want)
		}
	}
}

func TestNativeProcessSurvivesTwentyKills(t *testing.T) {
	m, p := openSample(t, oneThread), startSample(t, oneThread)
	r := Request{Prompt: question(t, m, "Tell me a story."), MaxTokens: 100, Sampling: Sampling{Temperature: 1, Seed: 3, NoEnd: true}}
	var got []Token
	var cuts []int // where a new child went on
	for token, err := range p.Generate(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		if token.Restarts > 0 {
			if token.Restarts != 1 || token.Decoded != len(r.Prompt)+len(got) {
				t.Fatalf("token %d: %+v", len(got), token)
			}
			cuts = append(cuts, len(got))
		}
		token.Seconds, token.Decoded, token.Reused, token.Restarts = 0, 0, 0, 0
		got = append(got, token)
		if len(cuts) < 20 && (len(cuts) == 0 || cuts[len(cuts)-1] == len(got)-1) {
			killProcess(t, p)
		}
	}
	if len(cuts) != 20 || len(got) != r.MaxTokens {
		t.Fatalf("%d restarts, %d tokens", len(cuts), len(got))
	}
	// A child decodes anew what a living one has in its cache, which may round
	// otherwise; so compare with a model that begins anew at the same places.
	for i, from := range cuts {
		r.Completion = nil
		for _, token := range got[:from] {
			r.Completion = append(r.Completion, token.ID)
		}
		r.MaxTokens = append(cuts, len(got))[i+1]
		if err := m.SetAdapter(t.Context(), ""); err != nil { // empties the cache
			t.Fatal(err)
		}
		if want := all(t, m.Generate(t.Context(), r)); !reflect.DeepEqual(got[from:r.MaxTokens], want) {
			t.Fatalf("from token %d: %v, not %v", from, got[from:r.MaxTokens], want)
		}
	}
}

func TestNativeProcessReturnsWhatIsWrongWithAFile(t *testing.T) {
	library, path := enginetest.Native(t)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"cut.gguf": b[:len(b)/2], "empty.gguf": nil, "text.gguf": []byte(strings.Repeat("no model ", 1000))} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, content, 0o666); err != nil {
			t.Fatal(err)
		}
		o := Options{Library: library}
		_, want := Open(file, o)
		p, err := Start(t.Context(), self(t, "native"), file, o)
		if err == nil {
			p.Close()
			t.Errorf("%s was opened", name)
		} else if want == nil || err.Error() != want.Error() {
			t.Errorf("%s: %v, not %v", name, err, want)
		}
	}
}

// BenchmarkNativeProcess compares a model in a child with one in this process,
// in pairs. Run it on a machine that does nothing else.
func BenchmarkNativeProcess(b *testing.B) {
	m, p := openSample(b, Options{}), startSample(b, Options{})
	r := Request{Prompt: question(b, m, "Tell me a story."), MaxTokens: 300, Sampling: Sampling{NoEnd: true}}
	speed := func(g func() []Token) float64 {
		begin := time.Now()
		n := len(g())
		return float64(n) / time.Since(begin).Seconds()
	}
	var ratios, here []float64
	for b.Loop() {
		in := speed(func() []Token { return all(b, m.Generate(b.Context(), r)) })
		out := speed(func() []Token { return all(b, p.Generate(b.Context(), r)) })
		ratios, here = append(ratios, out/in), append(here, in)
	}
	slices.Sort(ratios)
	slices.Sort(here)
	b.ReportMetric(here[len(here)/2], "tokens/s-in-process")
	b.ReportMetric(ratios[len(ratios)/2], "ratio-median")
	b.ReportMetric(ratios[0], "ratio-min")
	b.ReportMetric(ratios[len(ratios)-1], "ratio-max")
}
