//go:build unix

package main

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestInterruptedDraftIsKept interrupts a draft as a terminal does, which tells
// the engine's process too, and goes on with it.
func TestInterruptedDraftIsKept(t *testing.T) {
	p := newProgram(t)
	out := filepath.Join(t.TempDir(), "draft.md")
	cmd := p.command("draft", "--json", "--prompt", "A small town by the sea", "--outline", outlined(t, 150), "--seed", "5", "--ctx", "2048", "--model", p.model, "--out", out)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var problems bytes.Buffer
	cmd.Stderr = &problems
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told, n, last := texts{}, 0, event{}
	eventsOf(t, pipe, func(e event) {
		told.apply(e)
		last = e
		if e.Event != "text" {
			return
		}
		if n++; n == 30 {
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
	})
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 130 || problems.String() != "longhand: interrupted; what was written is kept\n" {
		t.Fatalf("%v: %q", err, problems.String())
	}
	if last.Event != "error" {
		t.Errorf("the last event is %s", last.line)
	}
	records, _ := p.journal()
	kept := texts{}
	for _, e := range records {
		kept.apply(e)
	}
	if !equal(kept, told) {
		t.Errorf("kept %q, told %q", kept[0], told[0])
	}
	list, status, problem := p.draft("--resume", "last", "--out", out)
	if status != 0 || len(list) == 0 || list[len(list)-1].Event != "finished" {
		t.Fatalf("status %d: %s", status, problem)
	}
	sentences := kept[0][:strings.LastIndexAny(kept[0], ".!?")+1]
	for _, e := range list {
		told.apply(e)
	}
	if !strings.HasPrefix(told[0], sentences) {
		t.Errorf("what was kept, %q, was changed: %q", sentences, told[0])
	}
}
