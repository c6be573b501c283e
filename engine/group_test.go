package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// groups collects completions by request and index.
func groups(t testing.TB, n int, requests []SampleRequest, seq iter.Seq2[Completion, error]) [][]Completion {
	t.Helper()
	found := make([][]Completion, len(requests))
	for j := range found {
		found[j] = make([]Completion, n)
	}
	for c, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		if found[c.Request][c.Index].Tokens != nil {
			t.Fatalf("completion %d of request %d came twice", c.Index, c.Request)
		}
		found[c.Request][c.Index] = c
	}
	return found
}

// furthest is the largest difference between a completion's log-probabilities
// and those that the model gives it in one pass.
func furthest(t testing.TB, m *Model, prompt []int32, c Completion) float64 {
	t.Helper()
	logps, err := m.Logprobs(context.Background(), prompt, c.Tokens)
	if err != nil || len(logps) != len(c.LogProbs) {
		t.Fatalf("%d log-probabilities for %d (%v)", len(logps), len(c.LogProbs), err)
	}
	worst := 0.0
	for i := range logps {
		worst = max(worst, math.Abs(float64(logps[i]-c.LogProbs[i])))
	}
	return worst
}

func TestAGroupIsWhatEachAloneWouldBe(t *testing.T) {
	t.Run("shared", func(t *testing.T) { groupAndAlone(t, Options{}) })
	t.Run("split", func(t *testing.T) { groupAndAlone(t, Options{Split: true, Context: 2048}) })
}

func groupAndAlone(t *testing.T, o Options) {
	m := openSample(t, o)
	ctx := context.Background()
	requests := []SampleRequest{
		{Prompt: question(t, m, "Describe a forest."), MaxTokens: 12, Seed: 1},
		{Prompt: question(t, m, "Name a colour and say why you like it."), MaxTokens: 12, Seed: 2},
	}
	const n = 2
	draw := SampleOptions{Slots: 3, LogProbs: true} // the last has to wait for a slot
	got := groups(t, n, requests, m.Sample(ctx, requests, n, draw))
	worst, same, tokens := 0.0, 0, 0
	for j, r := range requests {
		for i, c := range got[j] {
			if len(c.Tokens) == 0 || len(c.LogProbs) != len(c.Tokens) || i > 0 && slices.Equal(c.Tokens, got[j][0].Tokens) {
				t.Errorf("request %d, completion %d: %+v", j, i, c)
			}
			if text, _ := m.Text(ctx, c.Tokens); text != c.Text {
				t.Errorf("%q for the text %q", c.Text, text)
			}
			worst = max(worst, furthest(t, m, r.Prompt, c))
			m.forget()
			alone := collect(t, m, Request{Prompt: r.Prompt, MaxTokens: r.MaxTokens, Sampling: Sampling{Temperature: 1, Seed: memberSeed(r.Seed, i)}, LogProbs: true})
			first := alone.tokens[0]
			// The second prompt was decoded behind what it shares with the first.
			if c.Tokens[0] != first.ID || j == 0 && c.LogProbs[0] != first.LogProb {
				t.Errorf("request %d, completion %d begins with %d (%g), alone with %d (%g)", j, i, c.Tokens[0], c.LogProbs[0], first.ID, first.LogProb)
			}
			for k := range min(len(alone.ids), len(c.Tokens)) {
				if alone.ids[k] != c.Tokens[k] {
					break // a rounding decided a draw; behind it the texts differ
				}
				same++
			}
			tokens += len(c.Tokens)
		}
	}
	t.Logf("%d of %d tokens as drawn alone; log-probabilities off by at most %.3f nat", same, tokens, worst)
	if worst > 0.5 || same < tokens/3 {
		t.Error("the group is not what each alone would be")
	}
	if again := groups(t, n, requests, m.Sample(ctx, requests, n, draw)); !reflect.DeepEqual(got, again) {
		t.Error("the same again gave something else")
	}
}

func TestAGroupOfOneIsGenerate(t *testing.T) {
	m := openSample(t, Options{})
	prompt := question(t, m, "Describe a harbour at night.")
	for name, s := range map[string]Sampling{
		"greedy":    {},
		"plain":     {Temperature: 1},
		"truncated": {Temperature: 0.8, TopK: 30, TopP: 0.9, DRY: DRY{Multiplier: 0.8}},
	} {
		r := SampleRequest{Prompt: prompt, MaxTokens: 12, Seed: 9, Sampling: &s}
		c := groups(t, 1, []SampleRequest{r}, m.Sample(t.Context(), []SampleRequest{r}, 1, SampleOptions{LogProbs: true}))[0][0]
		m.forget()
		s.Seed = memberSeed(9, 0)
		want := collect(t, m, Request{Prompt: prompt, MaxTokens: 12, Sampling: s, LogProbs: true})
		for i, token := range want.tokens {
			if i >= len(c.Tokens) || c.Tokens[i] != token.ID || c.LogProbs[i] != token.LogProb {
				t.Fatalf("%s: %q, not %q", name, c.Text, want.text)
			}
		}
		if len(c.Tokens) != len(want.tokens) || c.Text != want.text {
			t.Errorf("%s: %q, not %q", name, c.Text, want.text)
		}
	}
}

func TestFirstTokensFollowTheModel(t *testing.T) {
	m := openSample(t, Options{Sequences: 9})
	prompt := question(t, m, "Name an animal.")
	p := softmax(lastLogits(t, m, prompt), 1)
	const n = 4000
	counts := make([]float64, len(p))
	r := SampleRequest{Prompt: prompt, MaxTokens: 1, Seed: 11}
	for c, err := range m.Sample(t.Context(), []SampleRequest{r}, n, SampleOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		counts[c.Tokens[0]]++
	}
	if z := chiSquared(counts, p); math.Abs(z) > 4 {
		t.Errorf("%.1f deviations off", z)
	}
}

// numbered asks for completions of fixed lengths.
func numbered(prompt []int32, lengths ...int) (requests []SampleRequest) {
	for j, n := range lengths {
		requests = append(requests, SampleRequest{Prompt: prompt, MaxTokens: n, Seed: uint64(j), Sampling: &Sampling{Temperature: 1, NoEnd: true}})
	}
	return requests
}

// order is the order in which requests of one completion end.
func order(t testing.TB, m *Model, requests []SampleRequest, o SampleOptions) (ended []int) {
	t.Helper()
	for c, err := range m.Sample(t.Context(), requests, 1, o) {
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Tokens) != requests[c.Request].MaxTokens || c.Finished {
			t.Errorf("request %d has %d tokens, finished: %t", c.Request, len(c.Tokens), c.Finished)
		}
		ended = append(ended, c.Request)
	}
	return ended
}

func TestAFreeSlotIsTakenAtOnce(t *testing.T) {
	m := openSample(t, Options{Sequences: 4})
	prompt := question(t, m, "Tell a story.")
	// Beside the long one five of 5 tokens take 4 steps each, since the first
	// token comes with the prompt. One idle step would put the last behind it.
	if got := order(t, m, numbered(prompt, 22, 5, 5, 5, 5, 5), SampleOptions{Slots: 2}); !slices.Equal(got, []int{1, 2, 3, 4, 5, 0}) {
		t.Errorf("they ended in the order %v", got)
	}
	if got := order(t, m, numbered(prompt, 6, 4, 5, 1), SampleOptions{}); !slices.Equal(got, []int{1, 3, 2, 0}) {
		t.Errorf("in three slots they ended in the order %v", got)
	}
	split := openSample(t, Options{Split: true, Sequences: 4})
	if got := order(t, split, numbered(prompt, 22, 5, 5, 5, 5, 5), SampleOptions{Slots: 2}); !slices.Equal(got, []int{1, 2, 3, 4, 5, 0}) {
		t.Errorf("with cells of their own they ended in the order %v", got)
	}
	if at := lastPosition(m, transcript); at != len(prompt)-1 || len(m.held) != len(prompt) {
		t.Errorf("afterwards %d cells are in use and %d known, not the %d of the prompt", at+1, len(m.held), len(prompt))
	}
}

// TestRanksCloseWhereACompletionIsOver: what goes on lies in sequences that follow each other, each with its own
// cells, and draws what it would have drawn alone.
func TestRanksCloseWhereACompletionIsOver(t *testing.T) {
	m := openSample(t, Options{Split: true, Context: 1280, Sequences: 5})
	prompt := question(t, m, "Tell a story.")
	d := drawing{m: m, requests: numbered(prompt, 9, 9, 9, 9), root: -1}
	for i := range d.requests {
		d.slots, d.waiting = append(d.slots, &slot{seq: llama.SeqId(i + 1)}), append(d.waiting, member{i, 0})
	}
	for _, step := range []func() error{func() error { return d.fill(t.Context()) }, d.draw, func() error { return d.decode(t.Context()) }} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	on := []*slot{d.slots[1], d.slots[3]}
	d.free(d.slots[0])
	d.free(d.slots[2])
	if err := d.closeRanks(); err != nil {
		t.Fatal(err)
	}
	held := map[llama.SeqId]int{}
	for _, s := range on {
		held[s.seq] = lastPosition(m, int(s.seq)) + 1
	}
	if want := map[llama.SeqId]int{1: len(prompt) + 1, 2: len(prompt) + 1}; !reflect.DeepEqual(held, want) || lastPosition(m, 3) >= 0 || lastPosition(m, 4) >= 0 {
		t.Errorf("what goes on holds %v, not %v; sequences 3 and 4 hold %d and %d", held, want, lastPosition(m, 3)+1, lastPosition(m, 4)+1)
	}
	lengths := numbered(prompt, 3, 12, 2, 10)
	whole := groups(t, 1, lengths, m.Sample(t.Context(), lengths, 1, SampleOptions{LogProbs: true}))
	alone := groups(t, 1, lengths, m.Sample(t.Context(), lengths, 1, SampleOptions{Slots: 1, LogProbs: true}))
	if !reflect.DeepEqual(whole, alone) {
		t.Errorf("together %+v\nalone %+v", whole, alone)
	}
}

// lastPosition is the highest position that a sequence holds; -1: none.
func lastPosition(m *Model, seq int) int {
	at, err := llama.MemorySeqPosMax(m.memory, llama.SeqId(seq))
	if err != nil {
		return -1
	}
	return int(at)
}

func TestACompletionWaitsForRoom(t *testing.T) {
	m := openSample(t, Options{Sequences: 5, Context: 256})
	size := m.Info().Context
	prompt := question(t, m, "Tell a story.")
	requests := numbered(prompt, 40, 5, 6, 3)
	for _, j := range []int{0, 2} { // two that do not fit beside each other
		requests[j].Prompt = slices.Repeat(prompt, 1+size/2/len(prompt))[:size/2-10]
	}
	// The third is short, but has to wait for the first, and the last behind it.
	if got := order(t, m, requests, SampleOptions{}); !slices.Equal(got, []int{1, 0, 3, 2}) {
		t.Errorf("they ended in the order %v", got)
	}
	for _, r := range []SampleRequest{{Prompt: prompt, MaxTokens: size}, {Prompt: slices.Repeat(prompt, size/len(prompt)+1), MaxTokens: 1}} {
		for c, err := range m.Sample(t.Context(), append(numbered(prompt, 3), r), 1, SampleOptions{}) {
			if !errors.Is(err, ErrContextFull) || !strings.HasPrefix(err.Error(), "engine: sample: request 1: ") {
				t.Errorf("%+v, %v", c, err)
			}
		}
	}
}

func TestACompletionEndsWhereItShould(t *testing.T) {
	m := openSample(t, Options{})
	greedy := &Sampling{}
	ask := SampleRequest{Prompt: question(t, m, "Describe a lighthouse."), MaxTokens: 40, Sampling: greedy}
	one := func(r SampleRequest) Completion {
		t.Helper()
		list := []SampleRequest{r}
		return groups(t, 1, list, m.Sample(t.Context(), list, 1, SampleOptions{}))[0][0]
	}
	whole := one(ask)
	if whole.Finished || len(whole.Tokens) != 40 || whole.LogProbs != nil {
		t.Fatalf("%+v", whole)
	}
	for _, stop := range []string{whole.Text[20:45], whole.Text[70:71], whole.Text[:1]} {
		ask.Stop = []string{"not in it", stop}
		c := one(ask)
		before, _ := m.Text(t.Context(), c.Tokens[:len(c.Tokens)-1])
		if !c.Finished || !strings.HasPrefix(whole.Text, c.Text) || !strings.Contains(c.Text, stop) || strings.Contains(before, stop) {
			t.Errorf("stop %q: %q, finished: %t", stop, c.Text, c.Finished)
		}
	}
	c := one(SampleRequest{Prompt: question(t, m, "Say only the word yes."), MaxTokens: 200, Sampling: greedy})
	if last := c.Tokens[len(c.Tokens)-1]; !c.Finished || !m.eog[last] || strings.Contains(c.Text, "<|") {
		t.Errorf("it should have come to an end: %+v", c)
	}
	for want, r := range map[string]SampleRequest{
		"the prompt is empty":        {MaxTokens: 1},
		"at most 0 tokens":           {Prompt: ask.Prompt},
		"a stop string is empty":     {Prompt: ask.Prompt, MaxTokens: 1, Stop: []string{""}},
		"is not in the vocabulary":   {Prompt: []int32{-1}, MaxTokens: 1},
		"a temperature of -1":        {Prompt: ask.Prompt, MaxTokens: 1, Sampling: &Sampling{Temperature: -1}},
		"token 1073741824 is not in": {Prompt: ask.Prompt, MaxTokens: 1, Sampling: &Sampling{Ban: []int32{1 << 30}}},
	} {
		for _, err := range m.Sample(t.Context(), []SampleRequest{r}, 1, SampleOptions{}) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", want, err)
			}
		}
	}
	for _, o := range []SampleOptions{{Slots: 4}, {Slots: -1}} {
		for _, err := range m.Sample(t.Context(), []SampleRequest{ask}, 1, o) {
			if err == nil || !strings.Contains(err.Error(), "the model was opened for 1 to 3") {
				t.Error(err)
			}
		}
	}
}

func TestSeedsBelongToTheCompletion(t *testing.T) {
	m := openSample(t, Options{Sequences: 7})
	requests := []SampleRequest{
		{Prompt: question(t, m, "Describe a forest."), MaxTokens: 3, Seed: 5},
		{Prompt: question(t, m, "Describe a city."), MaxTokens: 3, Seed: 6},
	}
	const n = 6
	want := groups(t, n, requests, m.Sample(t.Context(), requests, n, SampleOptions{LogProbs: true}))
	for slots := 1; slots < 6; slots += 2 {
		got := groups(t, n, requests, m.Sample(t.Context(), requests, n, SampleOptions{Slots: slots, LogProbs: true}))
		for j := range want {
			for i, c := range want[j] {
				if got[j][i].Tokens[0] != c.Tokens[0] || got[j][i].LogProbs[0] != c.LogProbs[0] {
					t.Errorf("%d slots: completion %d of request %d begins with another token", slots, i, j)
				}
			}
		}
	}
	requests[0].Done = []int{0, 2, 3}
	for c, err := range m.Sample(t.Context(), requests, n, SampleOptions{LogProbs: true}) {
		if err != nil || c.Request == 0 && slices.Contains(requests[0].Done, c.Index) {
			t.Fatalf("%+v, %v", c, err)
		}
		if w := want[c.Request][c.Index]; c.Tokens[0] != w.Tokens[0] || c.LogProbs[0] != w.LogProbs[0] {
			t.Errorf("without those that are done, completion %d of request %d begins with another token", c.Index, c.Request)
		}
	}
}

func TestSampleCanBeStopped(t *testing.T) {
	m := openSample(t, Options{})
	prompt := question(t, m, "Tell a story.")
	want := collect(t, m, Request{Prompt: prompt, MaxTokens: 12}).text
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := 0
	var last error
	for _, err := range m.Sample(ctx, numbered(prompt, 400, 4, 400), 1, SampleOptions{}) {
		if last = err; err == nil {
			ended++
			cancel()
		}
	}
	if ended != 1 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d completions, then %v", ended, last)
	}
	for range m.Sample(t.Context(), numbered(prompt, 400, 4, 400), 1, SampleOptions{}) {
		break
	}
	for seq := 1; seq < 4; seq++ {
		if at := lastPosition(m, seq); at >= 0 {
			t.Errorf("sequence %d still holds %d cells", seq, at+1)
		}
	}
	m.forget()
	if got := collect(t, m, Request{Prompt: prompt, MaxTokens: 12}).text; got != want {
		t.Errorf("afterwards %q, not %q", got, want)
	}
}

func TestSampleHasTheAdapter(t *testing.T) {
	m := openSample(t, Options{})
	folder := t.TempDir()
	randomAdapter(t, filepath.Join(folder, "adapter.gguf"), "llama", 576, 1, 0.03)
	requests := []SampleRequest{{Prompt: question(t, m, "Describe a mountain."), MaxTokens: 8, Seed: 4}}
	draw := func(adapter string) []Completion {
		t.Helper()
		if err := m.SetAdapter(t.Context(), adapter); err != nil {
			t.Fatal(err)
		}
		return groups(t, 3, requests, m.Sample(t.Context(), requests, 3, SampleOptions{LogProbs: true}))[0]
	}
	base := draw("")
	with := draw(folder)
	if with[0].LogProbs[0] == base[0].LogProbs[0] {
		t.Error("the adapter changes nothing")
	}
	for i, c := range with {
		if worst := furthest(t, m, requests[0].Prompt, c); worst > 0.5 {
			t.Errorf("completion %d: log-probabilities off by %g with the adapter", i, worst)
		}
	}
	if again := draw(""); !reflect.DeepEqual(again, base) {
		t.Error("without the adapter it is not what it was before")
	}
}

func TestNativeProcessSamplesThroughAKill(t *testing.T) {
	m, p := openSample(t, oneThread), startSample(t, oneThread)
	var requests []SampleRequest
	for j := range 3 {
		requests = append(requests, SampleRequest{Prompt: question(t, m, fmt.Sprintf("Tell story number %d.", j)), MaxTokens: 4 + 4*j, Seed: uint64(j), Sampling: &Sampling{Temperature: 1, NoEnd: true}})
	}
	o := SampleOptions{LogProbs: true}
	want := groups(t, 2, requests, m.Sample(t.Context(), requests, 2, o))
	if got := groups(t, 2, requests, p.Sample(t.Context(), requests, 2, o)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, not %+v", got, want)
	}
	kills, killed := 0, 0
	got := groups(t, 2, requests, func(yield func(Completion, error) bool) {
		for c, err := range p.Sample(t.Context(), requests, 2, o) {
			if pid := p.PID(); kills < 2 && pid != killed { // one that is dead may still be heard
				killProcess(t, p)
				kills, killed = kills+1, pid
			}
			if !yield(c, err) {
				return
			}
		}
	})
	for j := range want {
		for i, c := range got[j] {
			if len(c.Tokens) != requests[j].MaxTokens || c.Tokens[0] != want[j][i].Tokens[0] {
				t.Errorf("completion %d of request %d: %+v, not %+v", i, j, c, want[j][i])
			}
			if worst := furthest(t, m, requests[j].Prompt, c); worst > 0.5 {
				t.Errorf("completion %d of request %d: log-probabilities off by %g", i, j, worst)
			}
		}
	}
	if p.starts != kills+1 {
		t.Errorf("the child was started %d times", p.starts)
	}
}
