package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"longhand/engine/enginetest"
)

// drafting is the program, which is this test binary, writing a short draft
// with the sample model.
func drafting(t *testing.T) *exec.Cmd {
	t.Helper()
	library, model := enginetest.Native(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "draft", "--prompt", "A letter about the sea", "--words", "60", "--model", model, "--seed", "1", "--json")
	cmd.Env = append(os.Environ(), "LONGHAND_HOME="+t.TempDir(), "LONGHAND_LIBRARY="+library)
	return cmd
}

// drafted starts the program and tells on the channel whether it got so far
// that a model thinks or writes; it ends the program at the test's end.
func drafted(t *testing.T, cmd *exec.Cmd) <-chan bool {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		if cmd.SysProcAttr != nil && errors.Is(err, syscall.EPERM) {
			t.Skipf("skipped: this system gives no process a network of its own: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	writing := make(chan bool, 1)
	go func() {
		pieces := 0
		for s := bufio.NewScanner(out); pieces < 10 && s.Scan(); {
			if strings.HasPrefix(s.Text(), `{"event":"think"`) || strings.HasPrefix(s.Text(), `{"event":"text"`) {
				pieces++
			}
		}
		writing <- pieces == 10
	}()
	return writing
}

// TestDraftsWithoutANetwork drafts where there is no network at all, not even
// the machine's own loop.
func TestDraftsWithoutANetwork(t *testing.T) {
	cmd := drafting(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	if !<-drafted(t, cmd) {
		t.Error("nothing was written")
	}
}

// TestDraftingOpensNoConnection looks at the sockets of the program and its
// children from the start until a model writes.
func TestDraftingOpensNoConnection(t *testing.T) {
	cmd := drafting(t)
	writing := drafted(t, cmd)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	children := 0
	for {
		select {
		case text := <-writing:
			if !text || children == 0 {
				t.Errorf("something was written: %v; looks at the engine: %d", text, children)
			}
			return
		case <-tick.C:
			processes := family(cmd.Process.Pid)
			children += len(processes) - 1
			if found := sockets(processes); len(found) > 0 {
				t.Fatalf("open while drafting: %v", found)
			}
		}
	}
}

// TestSocketsAreSeen opens a socket, so that the test above means something.
func TestSocketsAreSeen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if len(sockets([]int{os.Getpid()})) == 0 {
		t.Error("a listening socket of this process was not seen")
	}
}

// sockets lists the network sockets of processes.
func sockets(processes []int) []string {
	inodes := map[string]bool{}
	for _, p := range processes {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p))
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
				inodes[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
			}
		}
	}
	var found []string
	for _, kind := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6"} {
		b, _ := os.ReadFile("/proc/net/" + kind)
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 9 && inodes[f[9]] {
				found = append(found, kind+" "+f[1]+" to "+f[2])
			}
		}
	}
	return found
}

// family is a process and its descendants.
func family(pid int) []int {
	list := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		for _, f := range strings.Fields(string(b)) {
			var child int
			fmt.Sscan(f, &child)
			list = append(list, family(child)...)
		}
	}
	return list
}

func tailOf(b []byte) []byte { return b[max(0, len(b)-600):] }
