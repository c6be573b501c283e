package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"longhand/app/draft"
)

const (
	childEnv = "LONGHAND_STORE_CHILD" // what this process, a child of the tests, is to do
	homeEnv  = "LONGHAND_STORE_HOME"  // with the store there
)

// TestMain makes the test binary the child process too that a check, or an
// opening that might take the process down, is run in.
func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		os.Exit(child(what, os.Getenv(homeEnv)))
	}
	os.Exit(m.Run())
}

// said is a line of a child's output.
type said struct {
	Damage *Damage `json:"damage,omitempty"`
	State  *state  `json:"state,omitempty"`
	Err    string  `json:"err,omitempty"`
	Done   bool    `json:"done,omitempty"`
}

func child(what, home string) int {
	out := json.NewEncoder(os.Stdout)
	say := func(s said) {
		if out.Encode(s) != nil {
			os.Exit(3)
		}
	}
	err := error(nil)
	switch what {
	case "check":
		for d, e := range Check(home, true) {
			if err = e; err == nil {
				say(said{Damage: &d})
			}
		}
	case Rebuild, FromBackup:
		if _, err = Repair(home, what); err != nil {
			break
		}
		fallthrough
	case "open":
		var st state
		if st, err = openAll(home); err == nil {
			say(said{State: &st})
		}
	}
	if err != nil {
		say(said{Err: err.Error()})
	}
	say(said{Done: true})
	return 0
}

// inChild runs a child; died says that it did not come to its end.
func inChild(t testing.TB, what, home string) (found []Damage, st *state, err error, died string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+what, homeEnv+"="+home, "GORACE=atexit_sleep_ms=0") // a race detector waits a second at the end
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	end := cmd.Run()
	in := json.NewDecoder(&out)
	for {
		var s said
		if e := in.Decode(&s); errors.Is(e, io.EOF) || e != nil || s.Done {
			if !s.Done || end != nil {
				died = fmt.Sprintf("%v: %s", end, errs.String())
			}
			return found, st, err, died
		}
		if s.Damage != nil {
			found = append(found, *s.Damage)
		}
		if s.State != nil {
			st = s.State
		}
		if s.Err != "" {
			err = errors.New(s.Err)
		}
	}
}

// state is all that can be read from a store.
type state struct {
	Projects map[string]*bookState
	Settings map[string]json.RawMessage
	Runs     []Run
	Notices  []Damage
	Left     []Damage // what a check finds once the store is closed again
}

type bookState struct {
	Rest     string // of the project, without its sections
	Sections []sectionState
}

type sectionState struct {
	ID       int
	Text     string
	Whole    string // with all that belongs to it
	Versions []VersionInfo
	Old      []string // their texts
}

// openAll opens a store with every project, as the program would, closes it and
// checks it.
func openAll(home string) (state, error) {
	s, err := Open(home, nil)
	if err != nil {
		return state{}, err
	}
	st, err := readState(s)
	if err = errors.Join(err, s.Close()); err != nil {
		return st, err
	}
	for d, err := range Check(home, true) {
		if err != nil {
			return st, err
		}
		st.Left = append(st.Left, d)
	}
	return st, nil
}

func stateOfStore(t testing.TB, s *Store) state {
	t.Helper()
	st, err := readState(s)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func readState(s *Store) (state, error) {
	st := state{Projects: map[string]*bookState{}}
	cards, err := s.Projects()
	if err != nil {
		return st, err
	}
	for _, c := range cards {
		b, err := s.Open(c.ID)
		if err != nil {
			return st, err
		}
		if st.Projects[c.ID], err = readBook(b); err != nil {
			return st, err
		}
	}
	st.Settings, st.Runs, st.Notices = s.global.Settings, s.Runs(), s.Notices()
	return st, nil
}

func readBook(b *Book) (*bookState, error) {
	p := b.Project()
	out := &bookState{}
	for _, sec := range p.Sections {
		q := sectionState{ID: sec.ID, Text: sec.Text, Whole: asJSON(sec)}
		var err error
		if q.Versions, err = b.Versions(sec.ID); err != nil {
			return nil, err
		}
		for i, v := range q.Versions {
			was, err := b.Version(sec.ID, v.N)
			if err != nil {
				return nil, fmt.Errorf("version %d of section %d: %w", v.N, sec.ID, err)
			}
			q.Versions[i].Sum = "" // names the bytes, which hold the key
			q.Old = append(q.Old, was.Text)
		}
		out.Sections = append(out.Sections, q)
	}
	rest := *p
	rest.Sections = []draft.Section{}
	out.Rest = asJSON(rest)
	return out, nil
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
