package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const novel = "# The Ferry\n\n## One\n\n### Morning\n\nThe ferry leaves at six.\n\nNobody is late.\n\n### Noon\n\n渡し船は来ない。\n\n## Two\n\n### Night\n\nIt comes back empty.\n"

// imported takes the novel in and returns its id.
func imported(t *testing.T, home string) string {
	t.Helper()
	status, out, problems := command(t, home, "import", "--json", file(t, "ferry.md", novel))
	list := events(t, out)
	if status != 0 || len(list) != 1 || list[0]["event"] != "imported" || list[0]["title"] != "The Ferry" || list[0]["sections"] != 3.0 || list[0]["words"] != 19.0 {
		t.Fatalf("status %d: %s%s", status, out, problems)
	}
	return list[0]["id"].(string)
}

// fed runs a command with an input.
func fed(t *testing.T, home, input string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	t.Setenv("LONGHAND_HOME", home)
	var out, problems bytes.Buffer
	status = run(args, strings.NewReader(input), &out, &problems)
	return status, out.String(), problems.String()
}

func text(t *testing.T, home, id string) string {
	t.Helper()
	status, out, problems := command(t, home, "projects", "show", "--text", id)
	if status != 0 {
		t.Fatalf("status %d: %s", status, problems)
	}
	return out
}

func TestProjectsAreListedAndShown(t *testing.T) {
	home := t.TempDir()
	if status, out, problems := command(t, home, "projects", "list"); status != 0 || out != "" || !strings.Contains(problems, "Nothing was written yet") {
		t.Errorf("of nothing: %d, %q, %q", status, out, problems)
	}
	id := imported(t, home)
	if got := text(t, home, id); got != novel {
		t.Errorf("what was taken in is shown as\n%s", got)
	}
	status, out, _ := command(t, home, "projects", "list", "--json")
	list := events(t, out)
	if status != 0 || len(list) != 1 || list[0]["event"] != "project" || list[0]["id"] != id || list[0]["title"] != "The Ferry" || list[0]["words"] != 19.0 || list[0]["state"] != "done" || len(list[0]["updated"].(string)) != len("2026-11-28T10:00:00Z") {
		t.Errorf("list: %d, %s", status, out)
	}
	status, out, _ = command(t, home, "projects", "show", "--json", "last")
	list = events(t, out)
	if status != 0 || len(list) != 4 || list[2]["title"] != "Noon" || list[2]["part"] != "One" || list[2]["index"] != 1.0 || list[2]["human"] != 8.0 || list[2]["text"] != "渡し船は来ない。" {
		t.Errorf("show: %d, %s", status, out)
	}
	if status, out, _ := command(t, home, "projects", "list"); status != 0 || !strings.Contains(out, "The Ferry  19 of 19  done") {
		t.Errorf("the table: %s", out)
	}
	if status, out, _ := command(t, home, "projects", "show", id); status != 0 || !strings.Contains(out, "Morning") || !strings.Contains(out, id+", 19 of 19 words, done") {
		t.Errorf("the project: %s", out)
	}
	if status, _, problems := command(t, home, "projects", "show", "nobody"); status != 1 || !strings.Contains(problems, `there is no draft "nobody"`) {
		t.Errorf("nobody: %d, %s", status, problems)
	}
}

// TestEditsByRecords changes a project as a script would.
func TestEditsByRecords(t *testing.T) {
	home := t.TempDir()
	id := imported(t, home)
	_, out, _ := command(t, home, "projects", "show", "--json", id)
	first := int(events(t, out)[1]["section_id"].(float64))
	status, out, problems := fed(t, home, fmt.Sprintf(`{"event":"version","section":%d,"kind":"named","name":"before","when":"2026-11-28T10:00:00Z"}
{"event":"edit","section":%[1]d,"at":1,"cut":1,"put":[{"text":"Ann is late."}],"by":"human","why":"typed"}
{"event":"save"}
{"event":"undo"}
{"event":"redo"}
`, first), "projects", "edit", id)
	list := events(t, out)
	if status != 0 || len(list) != 6 || list[3]["event"] != "saved" || list[5]["event"] != "kept" {
		t.Fatalf("status %d: %s%s", status, out, problems)
	}
	if got, want := text(t, home, id), strings.Replace(novel, "Nobody is late.", "Ann is late.", 1); got != want {
		t.Errorf("it became\n%s", got)
	}
	_, out, _ = command(t, home, "projects", "show", "--json", id)
	if n := events(t, out)[1]["versions"]; n != 2.0 { // the named one, and the one kept before the first change
		t.Errorf("it has %v versions", n)
	}
	status, out, problems = fed(t, home, `{"event":"edit","section":99}`, "projects", "edit", id)
	if list := events(t, out); status != 1 || list[len(list)-1]["event"] != "error" || !strings.Contains(problems, "there is no section with the id 99") {
		t.Errorf("a wrong record: %d, %s%s", status, out, problems)
	}
}

func TestABackupIsRestored(t *testing.T) {
	home := t.TempDir()
	id := imported(t, home)
	saved := filepath.Join(t.TempDir(), "all.longhand-backup")
	status, _, problems := command(t, home, "projects", "backup", saved)
	if status != 0 || !strings.Contains(problems, "holds 1 project") {
		t.Fatalf("status %d: %s", status, problems)
	}
	other := imported(t, home)
	status, _, problems = command(t, home, "projects", "restore", saved)
	if status != 0 || !strings.Contains(problems, "1 project is there") {
		t.Fatalf("status %d: %s", status, problems)
	}
	if text(t, home, id) != novel {
		t.Error("the restored project is another")
	}
	if status, _, _ := command(t, home, "projects", "show", other); status != 1 {
		t.Error("what the backup does not have is still there")
	}
	if _, err := os.Stat(filepath.Join(home, "replaced", "projects", other, "journal.jsonl")); err != nil {
		t.Error("what was there is not kept: ", err)
	}
	// On a new machine.
	fresh := t.TempDir()
	if status, _, problems := command(t, fresh, "projects", "restore", saved); status != 0 || text(t, fresh, id) != novel {
		t.Errorf("elsewhere: %d, %s", status, problems)
	}
	for _, wrong := range []struct{ content, says string }{{"nothing", "is not a backup"}, {"longhand backup 1\n", "is cut"}, {"longhand backup 1\n" + strings.Repeat("x", 100), "is damaged"}} {
		if status, _, problems := command(t, home, "projects", "restore", file(t, "b", wrong.content)); status != 1 || !strings.Contains(problems, wrong.says) {
			t.Errorf("%q: %d, %s", wrong.content, status, problems)
		}
	}
	if text(t, home, id) != novel {
		t.Error("a wrong backup did something")
	}
}

// TestADamagedStoreIsRepaired cuts every table of the database.
func TestADamagedStoreIsRepaired(t *testing.T) {
	home := t.TempDir()
	id := imported(t, home)
	if status, out, problems := command(t, home, "projects", "check"); status != 0 || out != "All intact.\n" {
		t.Fatalf("before: %d, %s%s", status, out, problems)
	}
	tables, err := filepath.Glob(filepath.Join(home, "store", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("%v, %v", tables, err)
	}
	for _, name := range tables {
		if err := os.Truncate(name, 700); err != nil {
			t.Fatal(err)
		}
	}
	if _, out, _ := command(t, home, "doctor", "--json"); !strings.Contains(out, `"name":"store","ok":false`) {
		t.Errorf("doctor: %s", out)
	}
	status, _, problems := command(t, home, "draft", "--resume", id)
	if status != 1 || !strings.Contains(problems, "the store is damaged") || !strings.Contains(problems, "hint: longhand projects check") {
		t.Errorf("draft: %d, %s", status, problems)
	}
	if status, out, problems := command(t, home, "projects", "show", "--text", id); status != 0 || out != novel || !strings.Contains(problems, "this is what the journals hold") {
		t.Errorf("show: %d, %s%s", status, out, problems)
	}
	status, out, problems := command(t, home, "projects", "check", "--json")
	list := events(t, out)
	if status != 1 || len(list) < 3 || list[0]["event"] != "damage" || list[len(list)-2]["event"] != "finished" || list[len(list)-2]["ok"] != false || list[0]["grave"] != true {
		t.Errorf("check: %d, %s%s", status, out, problems)
	}
	for _, name := range tables {
		if st, err := os.Stat(name); err != nil || st.Size() != 700 {
			t.Errorf("%s was touched: %v", name, err)
		}
	}
	if status, out, problems := command(t, home, "projects", "check", "--repair", "rebuild"); status != 0 {
		t.Fatalf("repair: %d, %s%s", status, out, problems)
	}
	if text(t, home, id) != novel {
		t.Error("the rebuilt project is another")
	}
	if status, out, _ := command(t, home, "projects", "check"); status != 0 || out != "All intact.\n" {
		t.Errorf("after: %d, %s", status, out)
	}
	if kept, _ := filepath.Glob(filepath.Join(home, "replaced*", "store", "*.sst")); len(kept) != len(tables) {
		t.Errorf("kept: %v", kept)
	}
}

// TestWithTheStoreHeldADraftGoesOn has another Longhand hold the store: reading
// works, and what is written is taken in later.
func TestWithTheStoreHeldADraftGoesOn(t *testing.T) {
	home := t.TempDir()
	id := imported(t, home)
	e := &env{ctx: t.Context(), home: home, stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	if _, err := e.whole(); err != nil {
		t.Fatal(err)
	}
	if text(t, home, id) != novel {
		t.Error("it cannot be read")
	}
	other := imported(t, home)
	if status, _, problems := command(t, home, "projects", "backup", filepath.Join(home, "b")); status != 1 || !strings.Contains(problems, "another Longhand has the store open") || !strings.Contains(problems, "hint: close the other one") {
		t.Errorf("backup: %d, %s", status, problems)
	}
	if err := e.closeBooks(false); err != nil {
		t.Fatal(err)
	}
	status, out, _ := command(t, home, "projects", "list", "--json")
	if list := events(t, out); status != 0 || len(list) != 2 || text(t, home, other) != novel {
		t.Errorf("afterwards: %d, %s", status, out)
	}
}

func TestImportSaysWhatItCannotRead(t *testing.T) {
	for _, c := range []struct{ name, content, says string }{
		{"a.odt", "x", ".docx"}, {"a.docx", "x", "a.docx is not a Word document"}, {"a.md", " \n", "holds no text"}, {"a.txt", "a\x00b", "not text"},
	} {
		home := t.TempDir()
		if status, out, problems := command(t, home, "import", file(t, c.name, c.content)); status != 1 || out != "" || !isSentence(problems) || !strings.Contains(problems, c.says) {
			t.Errorf("%s: %d, %s%s", c.name, status, out, problems)
		}
		isUntouched(t, home)
	}
	if status, _, problems := command(t, t.TempDir(), "import", "/nowhere.md"); status != 1 || !strings.Contains(problems, "no such file") {
		t.Errorf("%d, %s", status, problems)
	}
}
