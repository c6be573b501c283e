package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// A SampleRequest asks for a group of completions of one prompt.
type SampleRequest struct {
	Prompt    []int32   `json:"prompt"`             // the whole transcript; decoded once for the group
	MaxTokens int       `json:"max_tokens"`         // of one completion, the end token included; at least 1
	Seed      uint64    `json:"seed"`               // the group's key: the t-th token of completion i is drawn with a number made from Seed, i and t alone
	Stop      []string  `json:"stop,omitempty"`     // the token that completes one of them is the last, too
	Sampling  *Sampling `json:"sampling,omitempty"` // nil: temperature 1, nothing cut off; &Sampling{} is greedy. Its Seed is not used
	Done      []int     `json:"done,omitempty"`     // completions that are not drawn, because the caller has them
}

// SampleOptions say how the completions are drawn.
type SampleOptions struct {
	Slots    int  `json:"slots"`     // completions at once; 0: one for each sequence the model was opened for, but the one that holds prompts
	LogProbs bool `json:"log_probs"` // Completion.LogProbs is wanted
}

// A Completion is one member of a group.
type Completion struct {
	Request  int       `json:"request"`             // index of its request
	Index    int       `json:"index"`               // within the group
	Tokens   []int32   `json:"tokens"`              // as sampled, the end token included if there was one
	LogProbs []float32 `json:"log_probs,omitempty"` // of each token: log softmax at temperature 1, untruncated, nothing banned
	Text     string    `json:"text"`                // control tokens have none; bytes that are no character are U+FFFD
	Finished bool      `json:"finished"`            // the last token is an end token or completes a stop string
}

// Sample draws n completions of every request and yields each as it ends. An
// error is the last thing yielded. Breaking off or cancelling ctx stops it at
// once and leaves the model usable.
//
// The prompt of a group is decoded once and its cells are shared by all. A slot
// whose completion ends takes the next one at once, in the order of requests. A
// completion begins when the prompt, if it is not there yet, and MaxTokens fit
// beside what the others may still need, so none is ever cut for want of room;
// a request for which there never is room makes it fail with ErrContextFull
// before anything is drawn. With Options.Split every slot has its own room, and
// gets a copy of the prompt's cells: a token then costs no look at the cells of
// the others, which is 5 % of the time at 16 slots of 70 tokens and grows.
//
// The transcript gives way, so that the result depends on nothing before the
// call: the same requests, slots, threads and adapter give the same bits. With
// other slots only the first token is sure to be the same: in a shared cache the
// cells of a completion then lie in another order, and a GPU chooses other
// kernels, which shows in the last bits of the logits and at times in a token.
// A split cache on a processor knows neither: there a completion, its
// log-probabilities and those of Logprobs are the same to the bit.
func (m *Model) Sample(ctx context.Context, requests []SampleRequest, n int, o SampleOptions) iter.Seq2[Completion, error] {
	return func(yield func(Completion, error) bool) {
		end, err := m.begin(ctx)
		if err != nil {
			yield(Completion{}, fmt.Errorf("engine: sample: %w", err))
			return
		}
		defer end()
		if err := m.drawGroups(ctx, requests, n, o, yield); err != nil && !errors.Is(err, errBroken) {
			yield(Completion{}, fmt.Errorf("engine: sample: %w", err))
		}
	}
}

func (m *Model) drawGroups(ctx context.Context, requests []SampleRequest, n int, o SampleOptions, yield func(Completion, error) bool) error {
	if n < 1 {
		return fmt.Errorf("groups of %d completions", n)
	}
	most := int(llama.NSeqMax(m.ctx)) - 1
	if o.Slots < 0 || o.Slots > most {
		return fmt.Errorf("%d slots; the model was opened for 1 to %d", o.Slots, most)
	}
	d := drawing{m: m, requests: requests, o: o, root: -1}
	for j, r := range requests {
		if err := m.checkSample(r); err != nil {
			return fmt.Errorf("request %d: %w", j, err)
		}
		for i := range n {
			if !slices.Contains(r.Done, i) {
				d.waiting = append(d.waiting, member{j, i})
			}
		}
	}
	if o.Slots == 0 {
		o.Slots = most
	}
	for i := range min(o.Slots, len(d.waiting)) {
		d.slots = append(d.slots, &slot{seq: llama.SeqId(i + 1)})
	}
	m.forget()
	defer d.drop()
	return d.run(ctx, yield)
}

func (m *Model) checkSample(r SampleRequest) error {
	switch {
	case len(r.Prompt) == 0:
		return errors.New("the prompt is empty")
	case r.MaxTokens < 1:
		return fmt.Errorf("completions of at most %d tokens", r.MaxTokens)
	case slices.Contains(r.Stop, ""):
		return errors.New("a stop string is empty")
	case len(r.Prompt)+r.MaxTokens > m.info.Context:
		return fmt.Errorf("%d tokens of prompt and %d more: %w", len(r.Prompt), r.MaxTokens, ErrContextFull)
	}
	if err := m.checkIDs(r.Prompt); err != nil {
		return err
	}
	if r.Sampling == nil {
		return nil
	}
	return errors.Join(m.checkIDs(r.Sampling.Ban), r.Sampling.check())
}

// memberSeed is the seed of completion i of a group.
func memberSeed(key uint64, i int) uint64 { return mix(mix(key) + (uint64(i)+1)*0xd1342543de82ef95) }
