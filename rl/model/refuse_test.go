package model_test

import (
	"math"
	"strings"
	"testing"

	"longhand/rl/checkpoint"
	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// TestRefusals wants each thing that the decoder does not compute refused by its name.
func TestRefusals(t *testing.T) {
	entry := func(key string, v any) func(*tiny) {
		return func(s *tiny) { s.entries = append(s.entries, checkpoint.Entry{Key: key, Value: v}) }
	}
	tensor := func(name string, rows, cols int) func(*tiny) {
		return func(s *tiny) {
			s.extra = append(s.extra, checkpoint.NewTensor(name, checkpoint.F32, rows, cols, make([]float32, rows*cols)))
		}
	}
	drop := func(name string) func(*tiny) { return func(s *tiny) { s.drop = name } }
	for _, c := range []struct {
		of     string
		change func(*tiny)
		want   string
	}{
		{"llama", entry("general.architecture", "gemma2"), `architecture "gemma2" is not supported`},
		{"llama", entry("general.type", "adapter"), `is of type "adapter"`},
		{"llama", entry("llama.logit_scale", float32(2)), "key llama.logit_scale"},
		{"llama", entry("llama.expert_count", uint32(8)), "key llama.expert_count"},
		{"llama", entry("llama.attention.sliding_window", uint32(4096)), "key llama.attention.sliding_window"},
		{"llama", entry("llama.attention.causal", false), "key llama.attention.causal"},
		{"llama", entry("llama.rope.scaling.type", "yarn"), `rope scaling "yarn"`},
		{"llama", entry("llama.rope.scaling.factor", float32(-2)), "factor -2"},
		{"llama", entry("llama.rope.freq_base", float32(math.NaN())), "base NaN"},
		{"llama", entry("llama.rope.dimension_count", uint32(3)), "dimension_count is 3"},
		{"llama", entry("llama.rope.dimension_count", uint32(6)), "dimension_count is 6"},
		{"llama", entry("llama.attention.value_length", uint32(8)), "values of 8"},
		{"llama", entry("llama.attention.head_count", uint32(0)), "key llama.attention.head_count "},
		{"llama", entry("llama.attention.head_count_kv", uint32(2)), "3 heads"},
		{"llama", entry("llama.attention.head_count_kv", []uint32{1, 1}), "key llama.attention.head_count_kv"},
		{"llama", entry("llama.block_count", uint32(1<<31)), "key llama.block_count"},
		{"llama", entry("llama.block_count", uint32(1<<20)), "1048576 layers"},
		{"llama", entry("llama.block_count", uint32(3)), "tensor blk.2.attn_k.weight is missing"},
		{"llama", entry("llama.block_count", uint32(1)), "tensor blk.1."},
		{"llama", entry("llama.attention.layer_norm_rms_epsilon", float32(0)), "layer_norm_rms_epsilon"},
		{"llama", entry("llama.feed_forward_length", uint32(21)), "is 20 x 12, not 21 x 12"},
		{"llama", drop("llama.context_length"), "key llama.context_length"},
		{"llama", drop("token_embd.weight"), "tensor token_embd.weight is missing"},
		{"llama", drop("output_norm.weight"), "tensor output_norm.weight is missing"},
		{"llama", drop("blk.1.ffn_up.weight"), "tensor blk.1.ffn_up.weight is missing"},
		{"llama", tensor("blk.0.attn_q.bias", 1, 12), "tensor blk.0.attn_q.bias"},
		{"llama", tensor("blk.0.ffn_gate.scale", 1, 1), "tensor blk.0.ffn_gate.scale"},
		{"llama", tensor("blk.0.ffn_gate_exps.weight", 4, 12), "tensor blk.0.ffn_gate_exps.weight"},
		{"llama", tensor("rope_factors_long.weight", 1, 2), "tensor rope_factors_long.weight"},
		{"qwen2", tensor("rope_freqs.weight", 1, 2), "tensor rope_freqs.weight"},
		{"qwen2", tensor("blk.0.attn_qkv.weight", 36, 12), "tensor blk.0.attn_qkv.weight"},
		{"qwen2", drop("blk.1.attn_k.bias"), "tensor blk.1.attn_k.bias is missing"},
		{"qwen3", tensor("output.bias", 1, 21), "tensor output.bias"},
		{"qwen3", tensor("blk.0.attn_v.bias", 1, 8), "tensor blk.0.attn_v.bias"},
		{"qwen3", drop("blk.0.attn_q_norm.weight"), "tensor blk.0.attn_q_norm.weight is missing"},
	} {
		s := shapes()[c.of]
		s.frequencies = false
		c.change(&s)
		_, err := tryOpen(t, s.write(t, 1), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 8})
		if err == nil || !strings.HasPrefix(err.Error(), "model: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: wanted %q, got %v", c.of, c.want, err)
		}
	}
}

// TestHostileNumbers gives each number of the header values that a shape cannot have: an
// error or a model, never a panic.
func TestHostileNumbers(t *testing.T) {
	s := shapes()["llama"]
	for _, e := range s.header() {
		var values []any
		switch e.Value.(type) {
		case uint32:
			values = []any{uint32(0), uint32(1), uint32(3), uint32(1 << 24), uint32(1<<32 - 1), uint64(1 << 63), int32(-1), "2", []uint32{4}}
		case float32:
			values = []any{float32(0), float32(-1), float32(math.Inf(1)), float32(math.NaN()), float32(1e-45), uint32(7), "2"}
		}
		for _, v := range values {
			hostile := s
			hostile.entries = []checkpoint.Entry{{Key: e.Key, Value: v}}
			if m, err := tryOpen(t, hostile.write(t, 1), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 8}); err == nil {
				m.Close()
			} else if !strings.HasPrefix(err.Error(), "model: ") {
				t.Errorf("%s = %v: %v", e.Key, v, err)
			}
		}
	}
}

// TestHarmlessKeys opens what says nothing else than the default.
func TestHarmlessKeys(t *testing.T) {
	s := shapes()["llama"]
	for key, v := range map[string]any{
		"llama.expert_count": uint32(0), "llama.attention.causal": true, "llama.vocab_size": uint32(5), "llama.rope.scaling.type": "none",
		"llama.tensor_data_layout": "Meta AI original pth", "tokenizer.ggml.model": "gpt2", "general.type": "model",
	} {
		s.entries = append(s.entries, checkpoint.Entry{Key: key, Value: v})
	}
	open(t, s.write(t, 1), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 8})
}

// TestLinearScaling: a factor of 2 at even positions is no factor at half of them.
func TestLinearScaling(t *testing.T) {
	for name, s := range shapes() {
		plain := open(t, s.write(t, 3), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 16})
		s.entries = []checkpoint.Entry{{Key: name + ".rope.scaling.type", Value: "linear"}, {Key: name + ".rope.scaling.factor", Value: float32(4)}}
		scaled := open(t, s.write(t, 3), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 16})
		s.entries = []checkpoint.Entry{{Key: name + ".rope.scaling.type", Value: "none"}, {Key: name + ".rope.scaling.factor", Value: float32(4)}}
		none := open(t, s.write(t, 3), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 16})
		groups := []model.Group{{Prompt: []int32{3, 1, 4}, Completions: [][]int32{{1, 5, 9}}}}
		var last []float64
		for _, m := range []*model.Model{plain, scaled, none} {
			scores, err := m.Score(groups, whole(groups))
			if err != nil {
				t.Fatal(err)
			}
			last = append(last, scores.Logp[0][2])
		}
		if last[0] == last[1] || last[0] != last[2] {
			t.Errorf("%s: log-probs plain, scaled, none: %v", name, last)
		}
	}
}

// TestMisuse wants an error where a call makes no sense, and the model usable after it.
func TestMisuse(t *testing.T) {
	s := shapes()["qwen2"]
	m := open(t, s.write(t, 1), devicetest.NewOracle(), model.Options{Rank: 2, MaxRows: 16})
	groups := draw(s.vocabulary, 1, 2, 1)
	micro := whole(groups)
	score := func(g model.Group) error {
		_, err := m.Forward([]model.Group{g}, []model.Part{{To: len(g.Completions)}})
		return err
	}
	forward := func(p ...model.Part) error {
		_, err := m.Forward(groups, p)
		return err
	}
	for what, err := range map[string]error{
		"Backward without a Forward":        m.Backward(nil),
		"the prompt of group 0 is empty":    score(model.Group{Completions: [][]int32{{1}}}),
		"completion 1 of group 0 is empty":  score(model.Group{Prompt: []int32{1}, Completions: [][]int32{{1}, {}}}),
		"has token 19, the vocabulary 19":   score(model.Group{Prompt: []int32{1}, Completions: [][]int32{{19}}}),
		"has token -1":                      score(model.Group{Prompt: []int32{-1}, Completions: [][]int32{{1}}}),
		"has 17 rows":                       score(model.Group{Prompt: make([]int32, 3), Completions: [][]int32{make([]int32, 15)}}),
		"the micro-batch is empty":          forward(),
		"part {Group:1 From:0 To:1} is not": forward(model.Part{Group: 1, To: 1}),
		"part {Group:0 From:1 To:1} is not": forward(model.Part{From: 1, To: 1}),
		"part {Group:0 From:0 To:9} is not": forward(model.Part{To: 9}),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "model: ") || !strings.Contains(err.Error(), what) {
			t.Errorf("wanted %q, got %v", what, err)
		}
	}
	if _, err := m.Forward(groups, micro); err != nil {
		t.Fatal(err)
	}
	g := gradientOf(groups, micro)
	if err := m.Backward(g[:1]); err == nil {
		t.Error("a gradient of one completion too few")
	}
	if err := m.Backward([][]float64{g[0], g[1][1:]}); len(g[1]) > 1 && err == nil {
		t.Error("a gradient of one token too few")
	}
	if err := m.Backward([][]float64{g[0], append(g[1][1:], math.Inf(1))}); err == nil {
		t.Error("an infinite gradient")
	}
	if err := m.Backward(gradientOf(groups, micro)); err != nil {
		t.Error(err)
	}
	if err := m.Backward(gradientOf(groups, micro)); err == nil {
		t.Error("a second Backward of one Forward")
	}
}

// TestAdapterOfAnother wants adapters refused that do not fit the model, and one taken that fits.
func TestAdapterOfAnother(t *testing.T) {
	s := shapes()["llama"]
	path := s.write(t, 1)
	first := open(t, path, devicetest.NewOracle(), model.Options{Rank: 2, Alpha: 3, MaxRows: 40})
	stir(t, first, 6)
	good, err := first.Adapter()
	if err != nil {
		t.Fatal(err)
	}
	try := func(change func(*checkpoint.Adapter), o model.Options) (*model.Model, error) {
		a := *good
		a.Pairs = append([]checkpoint.Pair(nil), good.Pairs...)
		change(&a)
		o.Adapter, o.MaxRows = &a, 40
		return tryOpen(t, path, devicetest.NewOracle(), o)
	}
	for want, err := range map[string]error{
		"is for qwen2, the model is llama": second(try(func(a *checkpoint.Adapter) { a.Architecture = "qwen2" }, model.Options{})),
		"changes token_embd.weight":        second(try(func(a *checkpoint.Adapter) { a.Pairs[0].Name = "token_embd.weight" }, model.Options{})),
		"or does so twice":                 second(try(func(a *checkpoint.Adapter) { a.Pairs[1] = a.Pairs[0] }, model.Options{})),
		"pair for blk.0.attn_q.weight":     second(try(func(a *checkpoint.Adapter) { a.Pairs[0].A = a.Pairs[0].A[1:] }, model.Options{})),
		"has rank 2, not 4":                second(try(func(*checkpoint.Adapter) {}, model.Options{Rank: 4})),
		"has alpha 3, not 4":               second(try(func(*checkpoint.Adapter) {}, model.Options{Alpha: 4})),
		"has alpha NaN":                    second(try(func(a *checkpoint.Adapter) { a.Alpha = float32(math.NaN()) }, model.Options{})),
		"has rank 0":                       second(try(func(a *checkpoint.Adapter) { a.Rank = 0 }, model.Options{})),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("wanted %q, got %v", want, err)
		}
	}
	groups := draw(s.vocabulary, 1, 3, 2)
	want, _ := first.Score(groups, whole(groups))
	same, err := try(func(*checkpoint.Adapter) {}, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := same.Score(groups, whole(groups)); got.Logp[0][0] != want.Logp[0][0] || same.Info().Alpha != 3 {
		t.Error("the given adapter scores otherwise")
	}
	// A pair that is not given is drawn, with B zero: the function is the given adapter's.
	part, err := try(func(a *checkpoint.Adapter) { a.Pairs = a.Pairs[:5] }, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range part.Params() {
		sum := 0.0
		for _, v := range p.Value() {
			sum += v * v
		}
		if drawn := strings.HasSuffix(p.Name, "_a"); (sum > 0) != (drawn || i < 10) {
			t.Errorf("%s: %g", p.Name, sum)
		}
	}
}

func second(_ *model.Model, err error) error { return err }
