//go:build cuda

package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"longhand/rl"
	"longhand/rl/checkpoint"
)

func needCUDA(t *testing.T) {
	t.Helper()
	if err := foundCUDA(); err != nil {
		if os.Getenv("REQUIRE_CUDA") == "1" {
			t.Fatal(err)
		}
		t.Skipf("skipped: %v", err)
	}
}

// A job that does not say where is done on the card, two steps of it go where they go on the processor, and
// done again they give the same bits.
func TestReplayOnTheCard(t *testing.T) {
	needCUDA(t)
	dumps := map[string]map[string]checkpoint.Array{}
	for name, device := range map[string]string{"card": "auto", "again": "cuda", "processor": "cpu"} {
		j := replayJob(t)
		j.Device = device
		all, err := run(t, j, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s := all[0].(rl.Started); strings.HasPrefix(s.Device, "cuda: ") != (device != "cpu") {
			t.Errorf("%s is done on %s", device, s.Device)
		}
		d, _, err := checkpoint.ReadSafetensors(j.Dump)
		if err != nil {
			t.Fatal(err)
		}
		dumps[name] = d
	}
	var both, card, processor float64
	for name, want := range dumps["processor"] {
		got, again := dumps["card"][name], dumps["again"][name]
		for i := range want.F32 {
			if math.Float32bits(got.F32[i]) != math.Float32bits(again.F32[i]) {
				t.Fatalf("%s[%d] is %g, and done again %g", name, i, got.F32[i], again.F32[i])
			}
			if strings.HasPrefix(name, "grad.") {
				g, w := float64(got.F32[i]), float64(want.F32[i])
				both, card, processor = both+g*w, card+g*g, processor+w*w
			}
		}
	}
	if cosine := both / math.Sqrt(card*processor); !(cosine >= 0.999) {
		t.Errorf("the gradients' cosine is %g", cosine)
	}
}

// The two commands for a card that is new to us.
func TestTryingOutACard(t *testing.T) {
	needCUDA(t)
	var out bytes.Buffer
	if err := bench(&out, []string{"--shape", "small", "--prompts", "1", "--group", "2", "--prompt", "9", "--tokens", "8", "--steps", "1", "--gemm", "64", "--json"}); err != nil {
		t.Fatal(err)
	}
	var b benched
	if err := json.Unmarshal(out.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	if b.Rows != 23 || b.Tokens != 34 || !(b.Forward > 0 && b.Backward > 0 && b.TFLOPs > 0 && b.GEMM > 0) || b.Peak <= 0 || b.Kernels["Linear"] <= 0 || b.Kernels["AttentionBackward"] <= 0 {
		t.Errorf("%+v", b)
	}
	if err := bench(&out, []string{"--shape", "none"}); err == nil || !strings.Contains(err.Error(), "--shape is one of qwen2.5-0.5b") {
		t.Errorf("%v", err)
	}
	out.Reset()
	if err := selftest(&out); err != nil || !strings.Contains(out.String(), "\nAll checks passed.") || strings.Contains(out.String(), "FAILS") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := program([]string{"what"}); err == nil || !strings.Contains(err.Error(), "selftest") {
		t.Errorf("%v", err)
	}
}
