package engine

import (
	"context"
	"errors"
	"reflect"
	"testing"
)

var toyGroups = []SampleRequest{
	{Prompt: []int32{'a'}, MaxTokens: 50, Seed: 1},
	{Prompt: []int32{'b', 'c'}, MaxTokens: 80, Seed: 2},
	{Prompt: []int32{'d'}, MaxTokens: 1, Seed: 3},
}

func TestProcessSamplesWhatTheModelSamples(t *testing.T) {
	p, m := startToy(t, Options{})
	for _, o := range []SampleOptions{{}, {LogProbs: true}} {
		want := groups(t, 4, toyGroups, m.Sample(t.Context(), toyGroups, 4, o))
		if got := groups(t, 4, toyGroups, p.Sample(t.Context(), toyGroups, 4, o)); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, not %+v", got, want)
		}
	}
	for _, err := range p.Sample(t.Context(), []SampleRequest{{Prompt: []int32{1}, MaxTokens: 1 << 20}}, 1, SampleOptions{}) {
		if !errors.Is(err, ErrContextFull) || err.Error() != "engine: sample: engine: the context is full" {
			t.Error(err)
		}
	}
	texts := []string{"one", "", "three"}
	want, _ := m.Embed(t.Context(), texts)
	if got, err := p.Embed(t.Context(), texts); err != nil || !reflect.DeepEqual(got, want) {
		t.Error(got, err)
	}
	if _, err := p.Embed(t.Context(), []string{"good", "bad"}); err == nil || err.Error() != "engine: embed: the text holds a zero byte" {
		t.Error(err)
	}
	if p.starts != 1 {
		t.Errorf("the child was started %d times", p.starts)
	}
}

func TestNothingIsDrawnTwiceAfterADeath(t *testing.T) {
	p, m := startToy(t, Options{})
	const n = 30
	want := groups(t, n, toyGroups, m.Sample(t.Context(), toyGroups, n, SampleOptions{LogProbs: true}))
	i, kills, killed := 0, 0, 0
	got := groups(t, n, toyGroups, func(yield func(Completion, error) bool) {
		for c, err := range p.Sample(t.Context(), toyGroups, n, SampleOptions{LogProbs: true}) {
			if i++; i%9 == 0 && p.PID() != killed {
				killed = p.PID()
				killProcess(t, p)
				kills++
			}
			if !yield(c, err) {
				return
			}
		}
	})
	if i != n*len(toyGroups) || kills == 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d completions after %d kills differ", i, kills)
	}
	if toyGroups[0].Done != nil {
		t.Error("the caller's requests were changed")
	}
}

func TestDeathThatReturnsEndsTheSampling(t *testing.T) {
	p, m := startToy(t, Options{})
	// Every child draws one and dies at the next: that is progress.
	abort := []SampleRequest{{Prompt: []int32{'x'}, MaxTokens: 9, Seed: 4, Stop: []string{"abort"}}}
	want := groups(t, 5, abort, m.Sample(t.Context(), []SampleRequest{{Prompt: []int32{'x'}, MaxTokens: 9, Seed: 4}}, 5, SampleOptions{}))
	if got := groups(t, 5, abort, p.Sample(t.Context(), abort, 5, SampleOptions{})); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, not %+v", got, want)
	}
	// Every child dies before it has one: that is not.
	abort[0].Stop[0] = "abort at once"
	for c, err := range p.Sample(t.Context(), abort, 5, SampleOptions{}) {
		if !errors.Is(err, ErrDied) || err.Error() != "engine: sample: the engine process died: toy.c:7: GGML_ASSERT(n > 0) failed (exit status 134)" {
			t.Errorf("%+v, %v", c, err)
		}
	}
}

func TestSamplingInAProcessCanBeStopped(t *testing.T) {
	p, _ := startToy(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range p.Sample(ctx, toyGroups, 1000, SampleOptions{}) {
		if last = err; err == nil {
			if n++; n == 5 {
				cancel()
			}
		}
	}
	if n < 5 || n > 200 || !errors.Is(last, context.Canceled) {
		t.Error(n, last)
	}
	for range p.Sample(t.Context(), toyGroups, 1000, SampleOptions{}) {
		break
	}
	if n, err := p.Count(t.Context(), "four"); n != 4 || err != nil || p.starts != 1 {
		t.Error(n, err, p.starts)
	}
}
