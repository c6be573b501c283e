package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// traced runs a command under strace and returns every socket for a network
// that it or a child of it asked for, however shortly it lived.
func traced(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("skipped: strace, which sees every call, is not installed")
	}
	name := filepath.Join(t.TempDir(), "calls")
	cmd.Args = append([]string{strace, "-f", "--seccomp-bpf", "-qq", "-e", "trace=socket,connect", "-o", name, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = strace
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") {
			t.Skipf("skipped: this system lets no process be traced: %s", tailOf(out))
		}
		t.Fatalf("%v: %s", err, tailOf(out))
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "AF_") && !strings.Contains(line, "AF_UNIX") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// TestAWholeDraftAsksForNoSocket writes a draft to its end.
func TestAWholeDraftAsksForNoSocket(t *testing.T) {
	p := newProgram(t)
	out := filepath.Join(t.TempDir(), "draft.md")
	args := []string{"draft", "--prompt", "A small town by the sea", "--outline", outlined(t, 60), "--seed", "5", "--ctx", "2048", "--model", p.model, "--out", out}
	if found := traced(t, p.command(args...)); len(found) > 0 {
		t.Errorf("asked for while drafting: %v", found)
	}
	if b, err := os.ReadFile(out); err != nil || len(b) < 100 {
		t.Errorf("the draft is %q: %v", b, err)
	}
}

// TestAWholeDraftWithoutANetwork writes a draft to its end where there is none.
func TestAWholeDraftWithoutANetwork(t *testing.T) {
	p := newProgram(t)
	cmd := p.command("draft", "--json", "--prompt", "A small town by the sea", "--outline", outlined(t, 60), "--seed", "5", "--ctx", "2048", "--model", p.model)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.Output()
	if cmd.Process == nil {
		t.Skipf("skipped: this system gives no process a network of its own: %v", err)
	}
	if err != nil || !strings.Contains(string(out), `{"event":"finished"`) {
		t.Errorf("%v: %s", err, tailOf(out))
	}
}

const dialed = "LONGHAND_TEST_DIAL"

// TestASocketOfAChildIsSeen traces a process that connects for a moment, so
// that the test above means something. It is that process, too.
func TestASocketOfAChildIsSeen(t *testing.T) {
	if address := os.Getenv(dialed); address != "" {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestASocketOfAChildIsSeen$")
	cmd.Env = append(os.Environ(), dialed+"="+l.Addr().String())
	if found := traced(t, cmd); !strings.Contains(strings.Join(found, "\n"), "connect(") {
		t.Errorf("a connection was not seen: %v", found)
	}
}
