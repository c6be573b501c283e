package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestBenchSampleMeasuresWhatItSays(t *testing.T) {
	p := newProgram(t)
	out, err := p.command("bench", "sample", "--model", p.model, "--slots", "2", "--prompt", "8", "--tokens", "20", "--threads", "1", "--repeat", "1", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range bytes.Lines(out) {
		var m measured
		if err := json.Unmarshal(line, &m); err != nil || !bytes.HasPrefix(line, []byte(`{"event":"bench"`)) {
			t.Fatalf("%q: %v", line, err)
		}
		if m.Value <= 0 || m.Slots != 2 || m.Depth != 8 || m.Tokens != 40 || m.Threads != 1 || m.Unit != "tokens/s" {
			t.Errorf("%+v", m)
		}
		names = append(names, m.Name)
	}
	if strings.Join(names, ", ") != "sample, sample, whole" {
		t.Errorf("%q", names)
	}
	for _, bad := range [][]string{{"--slots", "0"}, {"--tokens", "1"}, {"--prompt", "0"}, {"--shape", "cube"}} {
		cmd := p.command(append([]string{"bench", "sample", "--model", p.model}, bad...)...)
		if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 2 {
			t.Errorf("%q ended with %v", bad, err)
		}
	}
}
