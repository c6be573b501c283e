package engine

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"longhand/engine/enginetest"
)

// golden is what llama.cpp's own llama-completion wrote for the sample model:
// 256 tokens, greedy, one thread, batches of 2048 and 512.
//
//go:embed testdata/golden.txt
var golden string

const goldenPrompt = "<|im_start|>system\nYou are a writer.<|im_end|>\n<|im_start|>user\nDescribe a harbour at night.<|im_end|>\n<|im_start|>assistant\n"

func writeGolden(t *testing.T) string {
	m := openSample(t, Options{})
	ids, err := m.Tokenize(context.Background(), Piece{Text: goldenPrompt, Special: true})
	if err != nil {
		t.Fatal(err)
	}
	return collect(t, m, Request{Prompt: ids, MaxTokens: 256}).text
}

func agreement(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// TestRecordedTokensAreTheLikeliest holds on every processor: kernels round in
// their own ways and two nearly equal logits may change places, so that a text
// takes another turn, but a recorded token stays close to the likeliest.
func TestRecordedTokensAreTheLikeliest(t *testing.T) {
	m := openSample(t, Options{})
	ctx := context.Background()
	prompt, err := m.Tokenize(ctx, Piece{Text: goldenPrompt, Special: true})
	if err != nil {
		t.Fatal(err)
	}
	recorded := words(t, m, strings.TrimRight(golden, "\n"))[:128]
	logps, err := m.Logprobs(ctx, prompt, recorded)
	if err != nil {
		t.Fatal(err)
	}
	same, worst := 0, float32(0)
	for i, id := range recorded {
		best := collect(t, m, Request{Prompt: slices.Concat(prompt, recorded[:i]), MaxTokens: 1, LogProbs: true}).tokens[0]
		if best.ID == id {
			same++
		} else {
			worst = max(worst, best.LogProb-logps[i])
		}
	}
	t.Logf("%d of %d tokens are the likeliest; the others fall short by at most %.3f nat", same, len(recorded), worst)
	if same < len(recorded)*9/10 || worst > 0.7 {
		t.Error("the model does not write as recorded")
	}
}

// TestGreedyTextIsTheToolsOwn runs llama-completion with the same library
// build: LONGHAND_LLAMA_COMPLETION is its path, LONGHAND_LIBRARY its folder.
func TestGreedyTextIsTheToolsOwn(t *testing.T) {
	tool := os.Getenv("LONGHAND_LLAMA_COMPLETION")
	if tool == "" {
		t.Skip("skipped: LONGHAND_LLAMA_COMPLETION names no llama-completion")
	}
	_, path := enginetest.Native(t)
	cmd := exec.Command(tool, "-m", path, "-p", goldenPrompt, "-n", "256", "--temp", "0", "-no-cnv", "-t", "1", "-c", "1024",
		"--no-display-prompt", "--simple-io", "--no-warmup")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSuffix(strings.TrimRight(string(out), "\n"), " [end of text]")
	if got := strings.TrimRight(writeGolden(t), "\n"); got != want {
		t.Errorf("they agree for %d bytes\nhere  %q\nthere %q", agreement(got, want), got, want)
	}
}
