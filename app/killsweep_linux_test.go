package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"longhand/app/draft"
	"longhand/app/store"
)

// The kill sweep kills the program at random moments of everything that writes
// into the store, and looks at what is left. LONGHAND_KILLS_STORE=220 makes it
// long, with the real engine where that is at hand; LONGHAND_KILL_SEED draws the
// same moments again.
func TestKillSweep(t *testing.T) {
	kills, r := storeKills(), moments(t)
	var tolls []*toll
	for _, k := range []struct {
		name  string
		share int // of a hundred kills
		most  bool
		sweep func(*sweep, int)
	}{
		{"editing", 22, false, (*sweep).editing},
		{"drafting by records", 12, false, (*sweep).draftingRecords},
		{"backing up", 14, false, (*sweep).backingUp},
		{"restoring", 10, false, (*sweep).restoring},
		{"migrating", 10, false, (*sweep).migrating},
		{"importing", 6, false, (*sweep).importing},
		{"repairing", 6, false, (*sweep).repairing},
		{"drafting", 20, true, (*sweep).drafting},
	} {
		n := (kills*k.share + 99) / 100
		if k.most && kills < longSweep {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			s := &sweep{program: &program{t: t, home: t.TempDir()}, r: r, toll: &toll{kind: k.name}, takes: map[string]time.Duration{}, long: kills >= longSweep}
			t.Cleanup(func() { tolls = append(tolls, s.toll) })
			k.sweep(s, n)
		})
	}
	t.Log(table(tolls))
}

// longSweep is how many kills make a sweep that takes its time.
const longSweep = 50

func storeKills() int {
	if n, err := strconv.Atoi(os.Getenv("LONGHAND_KILLS_STORE")); err == nil && n > 0 {
		return n
	}
	return 9 // every kind rounds up
}

// A toll is what the kills of one kind cost.
type toll struct {
	kind   string
	kills  int
	kept   int           // texts that were acknowledged, all kills together
	lost   int           // of these, those that are gone: none may be
	oldest time.Duration // age of the oldest other text that is gone
	opens  int
	failed int // opens that failed: none may
	alarms int // damage that was told where there is none
}

func table(all []*toll) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-20s %6s %13s %6s %12s %6s %7s %7s\n", "kind", "kills", "acknowledged", "lost", "oldest lost", "opens", "failed", "alarms")
	sum := &toll{kind: "all"}
	for _, t := range append(all, sum) {
		fmt.Fprintf(&b, "%-20s %6d %13d %6d %12v %6d %7d %7d\n", t.kind, t.kills, t.kept, t.lost, t.oldest.Round(time.Millisecond), t.opens, t.failed, t.alarms)
		sum.kills, sum.kept, sum.lost, sum.oldest = sum.kills+t.kills, sum.kept+t.kept, sum.lost+t.lost, max(sum.oldest, t.oldest)
		sum.opens, sum.failed, sum.alarms = sum.opens+t.opens, sum.failed+t.failed, sum.alarms+t.alarms
	}
	return b.String()
}

// A sweep is the kills of one kind, on one home folder.
type sweep struct {
	*program
	*toll
	r     *rand.Rand
	takes map[string]time.Duration // how long a command takes, about
	long  bool

	expects []string // what is told that is in order
}

// A victim is the program, on its way to be killed.
type victim struct {
	*exec.Cmd
	s        *sweep
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

// cut is what the line leaves that was being written: it is told since damage
// looks the same.
var cut = []string{"its last records could not be read", "its last record is cut"}

// alarm counts the notes of damage on a victim's standard error.
func (s *sweep) alarm(problems string) {
	s.t.Helper()
	for line := range strings.Lines(problems) {
		note, ok := strings.CutPrefix(line, "note: ")
		if ok && !s.expected(note) {
			s.alarms++
			s.t.Errorf("told after a kill: %s", note)
		}
	}
}

// kill runs a command and kills it somewhere in the time that it takes.
func (s *sweep) kill(args ...string) (v *victim, killed bool) {
	s.t.Helper()
	what := strings.Join(args[:min(2, len(args))], " ")
	if s.takes[what] == 0 {
		s.takes[what] = 300 * time.Millisecond
	}
	v = s.victim(args...)
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
func (s *sweep) until(n int, each func(done bool), args ...string) {
	s.t.Helper()
	for n > 0 {
		v, killed := s.kill(args...)
		if killed {
			n--
		}
		each(!killed)
		v.lastOne()
		if s.t.Failed() {
			return
		}
	}
	s.run(args...)
	each(true)
}

// run runs a command to its end and returns what it prints.
func (s *sweep) run(args ...string) string {
	s.t.Helper()
	v := s.victim(args...)
	var out bytes.Buffer
	v.Stdout = &out
	if err := v.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.opens++
	v.end()
	v.lastOne()
	return out.String()
}

func (s *sweep) expected(note string) bool {
	return slices.ContainsFunc(slices.Concat(cut, s.expects), func(e string) bool { return strings.Contains(note, e) })
}

// intact has the checking child look at everything: grave damage is a failure,
// other damage a false alarm.
func (s *sweep) intact() {
	s.t.Helper()
	for line := range strings.Lines(s.run("check", "--deep")) {
		var l struct {
			Event string
			damageLine
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			s.t.Fatal(err)
		}
		switch {
		case l.Event == "damage" && l.Grave:
			s.failed++
			s.t.Errorf("damaged after a kill: %s", line)
		case l.Event == "damage" && !s.expected(l.damage().String()):
			s.alarms++
			s.t.Errorf("told as damage after a kill: %s", line)
		}
	}
}

// open opens the store here.
func (s *sweep) open(home string) *store.Store {
	s.t.Helper()
	s.opens++
	st, err := store.Open(home, nil)
	if err != nil {
		s.failed++
		s.t.Fatalf("the store does not open after a kill: %v", err)
	}
	return st
}

// state is every project as the store has it.
func (s *sweep) state(home string) map[string]string {
	s.t.Helper()
	st := s.open(home)
	cards, err := st.Projects()
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range cards {
		p, err := st.Peek(c.ID)
		if err != nil {
			s.t.Fatal(err)
		}
		out[c.ID] = likeness(p)
	}
	for _, d := range st.Notices() {
		s.alarm("note: " + d.String())
	}
	if err := st.Close(); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// likeness is all that a project holds. Versions that the store keeps by itself
// are records too, so that their number does not count.
func likeness(p *draft.Project) string {
	q := *p
	q.Seq = 0
	b, err := json.Marshal(q)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// journaled is a project as its journal alone has it.
func (s *sweep) journaled(id string) (*draft.Project, []draft.Record) {
	s.t.Helper()
	records, err := store.Read(filepath.Join(s.home, "projects", id))
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := draft.Extend(nil, records...)
	if err != nil {
		s.t.Fatal(err)
	}
	return p, records
}
