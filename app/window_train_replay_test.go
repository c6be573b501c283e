package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"longhand/rl"
)

// recorded are the events of testdata/train.jsonl: a run of the sample model, as
//
//	longhand train --prompts p.jsonl --base sample --out out --steps 24 --group 4 --prompts-per-step 2
//	  --max-tokens 64 --rewards length=1,format=1 --seed 5 --lr 2e-4 --set threads=1 --json
//
// told it on a busy machine; p.jsonl held 12 prompts, half of them asking for
// 18 to 26 words, half for 32 to 42. Folders are shortened.
func recorded(t testing.TB) []rl.Event {
	t.Helper()
	b, err := os.ReadFile("testdata/train.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var events []rl.Event
	for i, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		e, err := rl.Unmarshal(line)
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if e != nil {
			events = append(events, e)
		}
	}
	return events
}

// madeRun is a run of any length with figures that are made up, for pictures and
// for what must hold however long it is: rewards that rise out of noise, texts
// that come closer to the length that was asked for.
func madeRun(steps int) []rl.Event {
	r := rand.New(rand.NewPCG(7, 7))
	noisy := func(v, noise float64) rl.Number { return rl.Number(v + noise*r.NormFloat64()) }
	share := func(v, noise float64) rl.Number {
		return rl.Number(math.Round(1e4*min(1, max(0, float64(noisy(v, noise))))) / 1e4)
	}
	events := []rl.Event{
		rl.Started{Dir: "out", Seed: 3, Device: "CPU, 2 threads, OpenBLAS SkylakeX", Model: "SmolLM2-135M-Instruct.Q4_1.gguf", Steps: steps},
		rl.Preflight{
			OK: true, Message: "llama of 135 million parameters, an adapter of 4.9 million; micro-batches of 2,048 tokens, nothing recomputed. About 22.4 s a step, 15 min for 40 steps; sampler and trainer differ by 0.065 nat a token.", Architecture: "llama", MemoryBytes: 1_310_000_000, MemoryFree: 9_130_000_000, SecondsPerStep: 22.4, Mismatch: 0.0652,
			Rollout: 3.1, Train: 6.4, Score: 0.6, Parameters: 134_515_008, Trained: 4_884_480, Prompts: 24, LearningRate: 5e-5, TokensPerStep: 5200, ProbeTokens: 512,
		},
	}
	tokens := 0
	for i := range steps {
		part := 1 - math.Exp(-3*float64(i)/float64(max(steps, 30)))
		s := rl.Step{
			Step: i, Loss: noisy(0, 0.004), RewardStd: share(0.18, 0.02), ZeroStd: share(0.06, 0.05),
			Length: noisy(205-58*part, 7), LengthMin: noisy(96-20*part, 14), LengthMax: noisy(320-90*part, 18), Clipped: share(0.12-0.11*part, 0.03),
			Entropy: noisy(2.31-0.3*part, 0.04), KL: share(0.002+0.02*part, 0.001), GradNorm: share(0.42, 0.06), LearningRate: 5e-5,
			Difference: share(0.066, 0.002), Importance: share(0.998, 0.001), MismatchK3: share(0.006, 0.0004), Relative: noisy(1.02, 0.03), Slope: noisy(1, 0.2), SlopeError: 0.2,
			Truncated: share(0.004, 0.001), Dead: share(0.05, 0.05), Rollout: noisy(331, 20), Train: noisy(158, 9), Seconds: noisy(22.6, 1.4), Micro: 4,
			Rewards: []rl.RewardStat{
				{Name: "length", Mean: share(0.44+0.42*part, 0.05), Std: 0.2},
				{Name: "format", Mean: share(0.71+0.18*part, 0.03), Std: 0.1},
				{Name: "writing", Mean: share(0.38+0.09*part, 0.025), Std: 0.08},
			},
		}
		for _, x := range s.Rewards {
			s.Reward += x.Mean
		}
		tokens += 32 * int(s.Length)
		s.NumTokens = tokens
		events = append(events, s)
		for k := range 2 {
			p := replayText[(i+5*k)%len(replayText)]
			events = append(events, rl.Sample{
				Step: i, Group: k, Index: 3, Finished: r.IntN(6) > 0, Tokens: 150 + r.IntN(90), Advantage: noisy(0.6-1.3*float64(k), 0.2),
				Prompt:     madePrompts[(i+k)%len(madePrompts)] + "\n\nWrite only its beginning, about 150 words.",
				Completion: p, Rewards: map[string]rl.Number{"length": share(0.5+0.4*part, 0.2), "format": share(0.8, 0.1), "writing": share(0.45, 0.1)},
			})
		}
		if i%10 == 9 || i == steps-1 {
			events = append(events, rl.Checkpoint{Step: i + 1, Dir: fmt.Sprintf("out/step-%04d", i+1)})
		}
	}
	return append(events, rl.Finished{Step: steps, Dir: fmt.Sprintf("out/step-%04d", steps), Seconds: rl.Number(22.6 * float64(steps))})
}

// madePrompts are requests as writers make them, short and long.
var madePrompts = []string{
	examples[0].prompt,
	examples[2].prompt,
	"Ein Reisebericht über eine Nachtzugfahrt durch die Alpen, für Leute, die sonst fliegen.",
	"An obituary for a village shop that closed after ninety-one years, told by the last person who bought something there, with what she bought, what was on the shelves when she was a child, who stood behind the counter in which decade, what the flood of 1953 did to the cellar, why the bread van stopped coming, and what will be in the building now; warm, dry, not sentimental, no lists.",
	"写一篇关于江南水乡茶馆的散文，写给没有去过的人看。",
}

func trainJob(steps int) rl.Job {
	j := rl.NewJob()
	j.Base, j.Out, j.Prompts, j.Steps = "/m/smol.gguf", "out", "p.jsonl", steps
	return j
}
