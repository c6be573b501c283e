package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longhand/engine/enginetest"
)

// longest is how long one run of the program may take on a busy machine.
const longest = 4 * time.Minute

// A program is longhand in a process of its own, which is this test binary
// again (TestMain), on a home folder.
type program struct {
	t       *testing.T
	library string
	model   string
	home    string
}

func newProgram(t *testing.T) *program {
	library, model := enginetest.Native(t)
	return &program{t: t, library: library, model: model, home: t.TempDir()}
}

// command is a command line of the program that is not started yet.
func (p *program) command(args ...string) *exec.Cmd {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), longest)
	p.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	// One core, so one thread in llama.cpp: where others work too, two that wait
	// for each other are many times slower.
	cmd.Env = append(os.Environ(), "LONGHAND_LIBRARY="+p.library, "LONGHAND_HOME="+p.home, "GOMAXPROCS=1")
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// An event is a line of --json or of a journal, with the keys that tests use.
type event struct {
	Event   string
	ID      string
	Index   int
	Text    string
	Chars   int
	State   string
	Title   string
	Words   int
	Message string
	Resumed bool
	Again   bool
	line    string
}

// eventsOf parses JSON lines; one that a kill has cut is left out.
func eventsOf(t *testing.T, r io.Reader, each func(event)) {
	t.Helper()
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		e := event{line: line}
		if err := json.Unmarshal([]byte(line), &e); err != nil || !strings.HasPrefix(line, `{"event":"`+e.Event+`"`) {
			t.Fatalf("not an event: %q: %v", line, err)
		}
		each(e)
	}
}

// texts are the sections of a draft as its text and rewind events make them.
type texts map[int]string

func (s texts) apply(e event) {
	switch e.Event {
	case "text":
		s[e.Index] += e.Text
	case "rewind":
		if all := []rune(s[e.Index]); e.Chars < len(all) {
			s[e.Index] = string(all[:e.Chars])
		}
	}
}

func equal(a, b texts) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	for i := range b {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// draft runs "longhand draft --json" to its end and returns what it printed.
func (p *program) draft(args ...string) (list []event, status int, problems string) {
	p.t.Helper()
	cmd := p.command(append([]string{"draft", "--json"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	eventsOf(p.t, &out, func(e event) { list = append(list, e) })
	hasItsKeys(p.t, list)
	return list, cmd.ProcessState.ExitCode(), errs.String()
}

// keys are what each event is promised to have; more may be there.
var keys = map[string]string{
	"started":      "id resumed model model_sha256 adapter context seed device threads target out",
	"think":        "text",
	"outline":      "title sections",
	"section":      "index title target",
	"text":         "index text",
	"rewind":       "index chars",
	"engine":       "state prompt_tokens seconds",
	"section_done": "index words target flags forced_words scores",
	"finished":     "id words target sections flagged prompt_tokens tokens seconds tokens_per_second flags scores",
	"error":        "message hint",
}

// hasItsKeys looks that no key is left out and no list is null.
func hasItsKeys(t *testing.T, list []event) {
	t.Helper()
	for _, e := range list {
		var v map[string]any
		if err := json.Unmarshal([]byte(e.line), &v); err != nil || keys[e.Event] == "" {
			t.Errorf("a strange event: %s", e.line)
			continue
		}
		for _, k := range strings.Fields(keys[e.Event]) {
			value, ok := v[k]
			if !ok || value == nil && (k == "flags" || k == "sections") {
				t.Errorf("%s: %v in %s", k, value, e.line)
			}
		}
		if e.Event != "outline" {
			continue
		}
		for _, s := range v["sections"].([]any) {
			for _, k := range []string{"index", "part", "title", "point", "beats", "words"} {
				if value, ok := s.(map[string]any)[k]; !ok || value == nil && k == "beats" {
					t.Errorf("%s: %v in %v", k, value, s)
				}
			}
		}
	}
}

// journal returns the records of the one draft in the home folder.
func (p *program) journal() (list []event, raw []byte) {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.home, "projects", "*", "journal.jsonl"))
	if err != nil || len(files) > 1 {
		p.t.Fatalf("journals: %v: %v", files, err)
	}
	if len(files) == 0 {
		return nil, nil
	}
	if raw, err = os.ReadFile(files[0]); err != nil {
		p.t.Fatal(err)
	}
	eventsOf(p.t, bytes.NewReader(raw), func(e event) { list = append(list, e) })
	return list, raw
}

// outlined writes an outline of sections of so many words and returns its path.
func outlined(t *testing.T, words ...int) string {
	t.Helper()
	type section struct {
		Title string   `json:"title"`
		Point string   `json:"point"`
		Beats []string `json:"beats"`
		Words int      `json:"words"`
	}
	all := []section{
		{"The harbour at dawn", "Boats come back with the night's catch.", []string{"The boats come in", "The auction in the hall"}, 0},
		{"A walk along the wall", "The old sea wall keeps the town dry.", []string{"The stones and who laid them", "The storm of the last winter"}, 0},
		{"Evening in the square", "People meet when work is done.", []string{"The tables are set outside", "Songs until late"}, 0},
	}
	o := struct {
		Title    string    `json:"title"`
		Sections []section `json:"sections"`
	}{Title: "A Town by the Sea"}
	for i, n := range words {
		all[i].Words = n
		o.Sections = append(o.Sections, all[i])
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "outline.json")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}
