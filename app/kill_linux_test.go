package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kills is how often a draft is killed.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("LONGHAND_KILLS")); err == nil && n > 0 {
		return n
	}
	return 3
}

// moments draws when to kill; the seed that is printed gives them again.
func moments(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano()) % 1_000_000
	if n, err := strconv.ParseUint(os.Getenv("LONGHAND_KILL_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("the moments are those of LONGHAND_KILL_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// undisturbed is about how many texts the draft prints that is killed here.
const undisturbed = 700

// killable is the draft that is killed here.
func killable(t *testing.T, p *program) []string {
	return []string{"--prompt", "A small town by the sea through one day", "--outline", outlined(t, 260, 240), "--seed", "11", "--ctx", "2048", "--model", p.model}
}

// A murder is a draft that is killed again and again, and what was seen of it.
type murder struct {
	*program
	printed texts          // by all runs
	counts  map[string]int // of events, by kind
	lost    map[string]int // of these, those that a kill cut off between journal and print
}

// TestKilledDraftGoesOn kills the whole program with SIGKILL and resumes the
// draft until it is done. What is written after a kill is not what would have
// been written without it: the engine decodes at once what it had decoded token
// by token, and rounds otherwise. With exact arithmetic it is (app/draft).
func TestKilledDraftGoesOn(t *testing.T) {
	p, r := newProgram(t), moments(t)
	args := killable(t, p)
	out := filepath.Join(t.TempDir(), "draft.md")
	m := &murder{program: p, printed: texts{}, counts: map[string]int{}, lost: map[string]int{}}
	first := append([]string{"draft", "--json", "--out", out}, args...)
	again := []string{"draft", "--json", "--out", out, "--resume", "last"}
	left := undisturbed
	for k := kills(); ; k-- {
		command := again
		if _, raw := p.journal(); raw == nil {
			command = first
		}
		before, raw := p.journal()
		after, at := never, 0
		wait := time.Duration(r.IntN(30_000)) * time.Microsecond
		switch {
		case k > 0 && r.IntN(6) == 0:
			after, wait = atOnce, 40*wait // somewhere in the start
		case k > 0:
			after = r.IntN(max(1, min(2*left/(k+1), left*3/4)))
		}
		run, killed := m.run(command, after, wait)
		for _, e := range run {
			if e.Event == "text" {
				at++
			}
		}
		left = max(left-at, 1)
		m.startsWhereItStood(before, run)
		records, now := p.journal()
		if !bytes.HasPrefix(now, raw) {
			t.Fatalf("the journal of %d bytes was changed where it was written before", len(raw))
		}
		m.holdsWhatWasPrinted(records, run)
		t.Logf("killed %v after %d events, %d texts; %d records", killed, len(run), at, len(records))
		if !killed {
			break
		}
	}
	m.isWhole(out, 2)
}

// What run takes for a number of texts.
const (
	never  = -1
	atOnce = -2
)

// run starts the program and kills it so long after so many texts.
func (m *murder) run(args []string, after int, wait time.Duration) (list []event, killed bool) {
	m.t.Helper()
	cmd := m.command(args...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	n := 0
	strike := func() { time.AfterFunc(wait, func() { cmd.Process.Kill() }) }
	if after == atOnce {
		strike()
	}
	eventsOf(m.t, out, func(e event) {
		list = append(list, e)
		if e.Event == "text" {
			n++
		}
		if after >= 0 && (e.Event == "text" || e.Event == "started") && n == after {
			strike()
		}
	})
	hasItsKeys(m.t, list)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL && after != never {
		return list, true
	}
	if err != nil {
		m.t.Fatalf("%v: %s", err, problems.String())
	}
	return list, false
}

// startsWhereItStood compares what a run tells first with the journal that it
// found, and takes what it printed into the account.
func (m *murder) startsWhereItStood(before []event, run []event) {
	m.t.Helper()
	stood := texts{}
	for _, e := range before {
		stood.apply(e)
	}
	same, told := false, 0
	for _, e := range run {
		m.printed.apply(e)
		m.counts[e.Event]++
		if e.Event == "text" || e.Event == "rewind" {
			told++
		}
		// The section in hand is told by a rewind and the sentence behind it.
		if told <= 2 {
			same = same || equal(m.printed, stood)
		}
	}
	if told >= 2 && !same {
		m.t.Errorf("the run does not begin with the texts of the journal that it found")
	}
	if len(run) > 0 && run[0].Resumed != (len(before) > 0) {
		m.t.Errorf("the run begins with %s", run[0].line)
	}
}

// holdsWhatWasPrinted compares the journal with all that was printed. It may be
// one record ahead: the one that the kill kept from being printed.
func (m *murder) holdsWhatWasPrinted(records, run []event) {
	m.t.Helper()
	now, ahead := texts{}, texts{}
	counts := map[string]int{}
	for _, e := range records {
		counts[e.Event]++
		if e.Event == "text" && e.Text != "" || e.Event == "rewind" {
			ahead = maps.Clone(now)
		}
		now.apply(e)
	}
	for _, kind := range []string{"section_done", "finished"} {
		if d := counts[kind] - m.counts[kind]; d < 0 || d > m.lost[kind]+1 || d > m.lost[kind] && records[len(records)-1].Event != kind {
			m.t.Errorf("%d %s in the journal, %d printed", counts[kind], kind, m.counts[kind])
		} else {
			m.lost[kind] = d
		}
	}
	if equal(m.printed, now) || equal(m.printed, ahead) {
		return
	}
	// Or it was killed while it told the section in hand again.
	if n := len(run); n > 0 && n <= 4 && run[0].Resumed && run[n-1].Event == "rewind" {
		return
	}
	for i := range now {
		if m.printed[i] != now[i] {
			m.t.Errorf("section %d: printed …%q, the journal has …%q", i, tailOf([]byte(m.printed[i])), tailOf([]byte(now[i])))
		}
	}
}

// isWhole looks at the finished draft.
func (m *murder) isWhole(out string, sections int) {
	m.t.Helper()
	records, _ := m.journal()
	counts := map[string]int{}
	for _, e := range records {
		counts[fmt.Sprint(e.Event, e.Index)]++
	}
	for i := range sections {
		if n := counts[fmt.Sprint("section_done", i)]; n != 1 {
			m.t.Errorf("section %d was done %d times", i, n)
		}
	}
	if n := m.counts["section_done"] + m.lost["section_done"]; n != sections {
		m.t.Errorf("%d times section_done for %d sections", n, sections)
	}
	if n := m.counts["finished"] + m.lost["finished"]; n != 1 {
		m.t.Errorf("finished %d times", n)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		m.t.Fatal(err)
	}
	if want := onPaper(m.printed); string(b) != want {
		m.t.Errorf("the file is not what was printed:\n%s\nprinted:\n%s", b, want)
	}
}

// TestKilledEngineIsStartedAgain kills the engine's process under the program,
// which goes on.
func TestKilledEngineIsStartedAgain(t *testing.T) {
	p, r := newProgram(t), moments(t)
	cmd := p.command(append([]string{"draft", "--json"}, killable(t, p)...)...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all, want, killed, restarted, open := texts{}, kills(), 0, 0, false
	wait := r.IntN(undisturbed/(want+1)) + 1
	var standing []texts
	var final event
	eventsOf(t, out, func(e event) {
		all.apply(e)
		final = e
		if e.Event == "engine" && e.State == "restarted" {
			restarted++
			open = false
			wait = r.IntN(max(1, undisturbed*8/10/want)) + 1
		}
		if e.Event != "text" || open || killed == want {
			return
		}
		if wait--; wait > 0 {
			return
		}
		children := family(cmd.Process.Pid)[1:]
		if len(children) != 1 {
			t.Errorf("the program has the children %v", children)
			return
		}
		if err := syscall.Kill(children[0], syscall.SIGKILL); err != nil {
			t.Error(err)
			return
		}
		killed++
		open = true
		standing = append(standing, maps.Clone(all))
	})
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	t.Logf("%d kills, %d restarts; %s", killed, restarted, final.line)
	if killed != want || restarted != killed || final.Event != "finished" {
		t.Errorf("%d kills of %d, %d restarts, the last event is %s", killed, want, restarted, final.Event)
	}
	// Text that stood at a kill stands in the end, but for the sentence in hand,
	// which may be refused, and the end of a section, which may be trimmed.
	records, _ := p.journal()
	for i, then := range standing {
		for k, text := range then {
			kept := text[:strings.LastIndexAny(text, ".!?")+1]
			if !strings.HasPrefix(all[k], kept) && !strings.HasPrefix(kept, all[k]) {
				t.Errorf("kill %d: section %d was changed: …%q", i, k, tailOf([]byte(kept)))
			}
		}
	}
	rewindsHaveReasons(t, records)
}

// rewindsHaveReasons looks that each rewind in a journal is a sentence that is
// written again, or the trimming of a turn or a section that ends there.
func rewindsHaveReasons(t *testing.T, records []event) {
	t.Helper()
	for i, e := range records {
		if e.Event != "rewind" || e.Again {
			continue
		}
		if next := records[min(i+1, len(records)-1)].Event; next != "turn_done" && next != "section_done" && next != "rewind" {
			t.Errorf("record %d takes text back, and %s follows", i, next)
		}
	}
}

// onPaper is the draft of outlined's outline as a file.
func onPaper(s texts) string {
	file := "# A Town by the Sea\n"
	for i, title := range []string{"The harbour at dawn", "A walk along the wall", "Evening in the square"} {
		if s[i] != "" {
			file += "\n## " + title + "\n\n" + strings.TrimSpace(s[i]) + "\n"
		}
	}
	return file
}
