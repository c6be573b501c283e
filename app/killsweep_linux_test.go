package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	t.Run("kinds", func(t *testing.T) {
		for _, k := range []struct {
			name  string
			share int // of a hundred kills
			sweep func(*sweep, int)
		}{
			{"editing", 22, (*sweep).editing},
			{"drafting by records", 12, (*sweep).draftingRecords},
			{"backing up", 14, (*sweep).backingUp},
			{"restoring", 10, (*sweep).restoring},
			{"migrating", 10, (*sweep).migrating},
			{"importing", 6, (*sweep).importing},
			{"repairing", 6, (*sweep).repairing},
			{"drafting", 20, (*sweep).drafting}, // with the engine, which takes its time
		} {
			long := kills >= longSweep
			if k.name == "drafting" && !long {
				continue
			}
			s := &sweep{r: rand.New(rand.NewPCG(r.Uint64(), 1)), toll: &toll{kind: k.name}, takes: map[string]time.Duration{}, long: long}
			tolls = append(tolls, s.toll)
			t.Run(k.name, func(t *testing.T) {
				if !long {
					t.Parallel() // they mostly wait for the disk
				}
				s.program = &program{t: t, home: t.TempDir()}
				k.sweep(s, (kills*k.share+99)/100)
			})
		}
	})
	t.Log(table(tolls))
}

// mostLost is how old text may be that a kill takes and nobody was promised.
const mostLost = 2 * time.Second

// longSweep is how many kills make a sweep that takes its time.
const longSweep = 50

func storeKills() int {
	if n, err := strconv.Atoi(os.Getenv("LONGHAND_KILLS_STORE")); err == nil && n > 0 {
		return n
	}
	return 9 // every kind rounds up
}

// TestWhatAKillLeaves opens stores as a kill leaves them that hits between two
// steps which are so near each other that no sweep meets it.
func TestWhatAKillLeaves(t *testing.T) {
	for what, left := range map[string]map[string]string{
		"the database's folder":             {"store/LOCK": "1", "store/MANIFEST-REWRITE": "x"},
		"a log without its length":          {"store/00009.mem": "", "store/000009.vlog": ""},
		"a table that is listed nowhere":    {"store/000099.sst": "half of it"},
		"a journal without a record":        {"projects/empty/journal.jsonl": ""},
		"a project that was being begun":    {"projects/.longhand-x/journal.jsonl": "{"},
		"a store that was being restored":   {".restored/store/MANIFEST": "x"},
		"a backup that was being written":   {"backups/2026-01-02.longhand-backup.part": "longhand"},
		"files that were being written":     {".longhand-1": "{", "projects/a/.longhand-2": "{", "projects/a/text/.longhand-3": "#"},
		"a check that was at its beginning": {".check-1/MANIFEST": "x"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := &sweep{program: &program{t: t, home: t.TempDir()}, r: rand.New(rand.NewPCG(1, 1)), toll: &toll{}}
			want := map[string]string{}
			if what != "the database's folder" { // that is a first start
				s.plant("a", (&author{r: s.r}).beginning("a")...)
				want = s.state(s.home)
			}
			for name, holds := range left {
				name = filepath.Join(s.home, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(holds), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			s.intact()
			if is := s.state(s.home); !maps.Equal(is, want) {
				t.Errorf("the store holds %v, want %v", is, want)
			}
			s.nothingLeft()
		})
	}
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

// nothingLeft looks that what kills leave goes away: at once, or in an hour.
func (s *sweep) nothingLeft() {
	s.t.Helper()
	old := time.Now().Add(-2 * time.Hour)
	copies, _ := filepath.Glob(filepath.Join(s.home, ".check-*"))
	for _, name := range copies {
		if err := os.Chtimes(name, old, old); err != nil {
			s.t.Fatal(err)
		}
	}
	s.run("projects", "list")
	st := s.open(s.home)
	cards, err := st.Projects()
	for _, c := range cards { // a project's own goes when it is opened
		var b *store.Book
		if err == nil {
			b, err = st.Open(c.ID)
		}
		if err == nil {
			err = b.Close()
		}
	}
	if err = errors.Join(err, st.Close()); err != nil {
		s.t.Fatal(err)
	}
	for _, left := range []string{".check-*", ".restored", ".longhand-*", "backups/*.part", "projects/.*", "projects/*/.*"} {
		if found, _ := filepath.Glob(filepath.Join(s.home, left)); len(found) > 0 {
			s.t.Errorf("left: %v", found)
		}
	}
}
