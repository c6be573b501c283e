package rl

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestEventsAreLines(t *testing.T) {
	for _, ev := range []Event{
		Started{Dir: "out", Seed: 7, Device: "CPU", Model: "m.gguf", ModelSHA256: "ab", Step: 3, Steps: 5},
		Preflight{OK: true, Message: "<fits> & runs", Architecture: "llama", MemoryBytes: 1 << 40},
		Warmup{Step: 1, Loss: 2.5}, Step{Step: 4, Reward: 0.25, Rewards: []RewardStat{{"length", 0.5, 0.1}, {"format", 1, 0}}},
		Step{}, Sample{Rewards: map[string]Number{"length": 1}}, Checkpoint{2, "out/c"}, Eval{Rewards: map[string]Number{}}, Finished{Step: 5, Dir: "d"},
	} {
		line, err := Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(line), `{"event":"`+ev.event()+`",`) || strings.Contains(string(line), "\n") {
			t.Errorf("%s", line)
		}
		back, err := Unmarshal(line)
		if err != nil || !reflect.DeepEqual(back, ev) {
			t.Errorf("%+v came back as %+v, %v", ev, back, err)
		}
	}
	for line, ok := range map[string]bool{`{"event":"later","x":1}`: true, `{}`: true, `{"event":"step","step":"x"}`: false, `x`: false} {
		if ev, err := Unmarshal([]byte(line)); (err == nil) != ok || ev != nil && ok {
			t.Errorf("%s: %v, %v", line, ev, err)
		}
	}
}

// The keys of a step, in the design's order, with null for what is unknown.
func TestStepKeys(t *testing.T) {
	unknown := Number(math.NaN())
	line, err := Marshal(Step{Step: 2, Loss: -0.5, Reward: 0.75, RewardStd: unknown, Rewards: []RewardStat{{"length", 1, unknown}, {"writing", 0.5, 0.25}}, KL: unknown, Slope: Number(math.Inf(1))})
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{
		`"event":"step"`, `"step":2`, `"loss":-0.5`, `"reward":0.75`, `"reward_std":null`, `"rewards/length/mean":1`, `"rewards/length/std":null`, `"rewards/writing/mean":0.5`, `"rewards/writing/std":0.25`,
		`"frac_reward_zero_std":`, `"completions/mean_length":`, `"completions/clipped_ratio":`, `"entropy":`, `"kl":null`, `"grad_norm":`, `"learning_rate":`, `"num_tokens":`,
		`"sampling/sampling_logp_difference/mean":`, `"sampling/importance_sampling_ratio/mean":`, `"mismatch_k3":`, `"adapter_slope":null`, `"is_truncated_share":`,
		`"rollout_tokens_per_second":`, `"train_tokens_per_second":`, `"step_time":`,
	} {
		i := strings.Index(string(line)[at:], want)
		if i < 0 {
			t.Fatalf("%s is not behind %q in %s", want, line[:at], line)
		}
		at += i
	}
	back, err := Unmarshal(line)
	if s, ok := back.(Step); err != nil || !ok || len(s.Rewards) != 2 || s.Rewards[1] != (RewardStat{"writing", 0.5, 0.25}) || !math.IsNaN(float64(s.KL)) {
		t.Errorf("%+v, %v", back, err)
	}
}
