package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"longhand/app/draft"
)

// A victim is the program, on its way to be killed.
type victim struct {
	*exec.Cmd
	s        *sweep
	said     bytes.Buffer // where nobody else reads it
	problems bytes.Buffer
	family   *os.File // ends when the last of its processes is gone
	timer    *time.Timer
}

// victim makes a command line in a process group of its own. Every process of it
// inherits one end of a pipe.
func (s *sweep) victim(args ...string) *victim {
	s.t.Helper()
	v := &victim{Cmd: s.command(args...), s: s}
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.Close(); w.Close() })
	v.family, v.ExtraFiles = r, []*os.File{w}
	if s.model == "" { // the engine would ask for as many threads
		v.Env = append(v.Env, "GOMAXPROCS=2")
	}
	v.Stderr, v.SysProcAttr = &v.problems, &syscall.SysProcAttr{Setpgid: true}
	return v
}

// strike kills the victim after some time: it alone, or its children with it.
func (v *victim) strike(after time.Duration) {
	pid := v.Process.Pid
	if v.s.r.IntN(2) == 0 {
		pid = -pid
	}
	v.timer = time.AfterFunc(after, func() { syscall.Kill(pid, syscall.SIGKILL) })
}

// end waits for the victim and says whether it was killed.
func (v *victim) end() (killed bool) {
	v.s.t.Helper()
	err := v.Wait()
	if v.timer != nil {
		v.timer.Stop()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL && v.timer != nil {
		v.s.kills++
		killed = true
	} else if err != nil {
		v.s.failed++
		v.s.t.Errorf("%v: %v: %s", v.Args[1:], err, v.problems.String())
	}
	v.s.alarm(v.problems.String())
	v.ExtraFiles[0].Close()
	return killed
}

// lastOne waits until the victim's children are gone too.
func (v *victim) lastOne() {
	var b [1]byte
	v.family.Read(b[:])
}

// kill runs a command and kills it somewhere in the time that it takes.
func (s *sweep) kill(args ...string) (v *victim, killed bool) {
	s.t.Helper()
	what := strings.Join(args[:min(2, len(args))], " ")
	if s.takes[what] == 0 {
		s.takes[what] = 300 * time.Millisecond
	}
	v = s.victim(args...)
	v.Stdout = &v.said
	began := time.Now()
	if err := v.Start(); err != nil {
		s.t.Fatal(err)
	}
	v.strike(time.Duration(s.r.Int64N(int64(s.takes[what]))))
	if killed = v.end(); killed {
		s.takes[what] += s.takes[what] / 8
	} else {
		s.takes[what] = time.Since(began)
	}
	return v, killed
}

// until runs a command until it was killed so often, and then until it is done.
func (s *sweep) until(n int, each func(said string, done bool), args ...string) {
	s.t.Helper()
	for n > 0 {
		v, killed := s.kill(args...)
		if killed {
			n--
		}
		each(v.said.String(), !killed)
		v.lastOne()
		if s.t.Failed() {
			return
		}
	}
	each(s.run(args...), true)
}

// run runs a command to its end and returns what it prints.
func (s *sweep) run(args ...string) string {
	s.t.Helper()
	v := s.victim(args...)
	v.Stdout = &v.said
	if err := v.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.opens++
	v.end()
	v.lastOne()
	return v.said.String()
}

func (s *sweep) draw(most time.Duration) time.Duration { return time.Duration(s.r.Int64N(int64(most))) }

// shows compares what "projects show" prints.
func (s *sweep) shows(id string, want *draft.Project) {
	s.t.Helper()
	var got []string
	for line := range strings.Lines(s.run("projects", "show", "--json", id)) {
		var l struct{ Event, Title, Text string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			s.t.Fatal(err)
		}
		if l.Event == "section" {
			got = append(got, l.Title+"\n"+l.Text)
		}
	}
	var texts []string
	for i, section := range want.Sections {
		texts = append(texts, want.Outline.Sections[i].Title+"\n"+section.Text)
	}
	if !slices.Equal(got, texts) {
		s.lost++
		s.t.Errorf("projects show prints\n%q\nwant\n%q", got, texts)
	}
}

// mirrored looks that the files for other programs are what the project is, and
// that nothing else lies beside them.
func (s *sweep) mirrored(id string, p *draft.Project) {
	s.t.Helper()
	files, err := os.ReadDir(filepath.Join(s.projectFolder(id), "text"))
	if err != nil {
		s.t.Fatal(err)
	}
	if len(files) != len(p.Sections) {
		s.t.Errorf("the mirror of %d sections has the files %v", len(p.Sections), files)
		return
	}
	for i, f := range files {
		raw, err := os.ReadFile(filepath.Join(s.projectFolder(id), "text", f.Name()))
		if err != nil || !strings.HasSuffix(string(bytes.TrimSpace(raw)), strings.TrimSpace(p.Sections[i].Text)) {
			s.t.Errorf("%s holds\n%s\nwant\n%s\n%v", f.Name(), raw, p.Sections[i].Text, err)
		}
	}
	for _, left := range []string{".longhand-*", "*.damaged*", "*/*.damaged*"} {
		if found, _ := filepath.Glob(filepath.Join(s.projectFolder(id), left)); len(found) > 0 {
			s.t.Errorf("left: %v", found)
		}
	}
}
