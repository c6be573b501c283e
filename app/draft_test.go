package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// file writes a file and returns its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDraftWrongUsage(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"", "say what to write: --prompt, --prompt-file or --resume"},
		{"--words 300", "say what to write"},
		{"--prompt x --words 19", "--words must be between 20 and 1,000,000"},
		{"--prompt x --words=-1", "--words must be"},
		{"--prompt x --words 1000001", "--words must be"},
		{"--prompt x --words many", "--words"},
		{"--prompt x --temp 2.1", "--temp must be between 0 and 2"},
		{"--prompt x --ctx 2047", "--ctx must be at least 2048"},
		{"--prompt x --one-pass --plan-only", "--one-pass writes without an outline"},
		{"--prompt x --one-pass --outline o.json", "--one-pass writes without an outline"},
		{"--prompt x --prompt-file y", "can't be used together"},
		{"--prompt x --resume last", "can't be used together"},
		{"--prompt x --colour red", "unknown flag --colour"},
		{"--prompt x also", "unexpected argument also"},
	} {
		home := t.TempDir()
		status, out, problems := command(t, home, append([]string{"draft"}, strings.Fields(c.args)...)...)
		if status != 2 || out != "" || !isSentence(problems) || !strings.Contains(problems, c.says) {
			t.Errorf("draft %s: status %d, %q, wanted %q: %s", c.args, status, problems, c.says, out)
		}
		isUntouched(t, home)
	}
}

func TestDraftThatCannotBegin(t *testing.T) {
	outline := func(s string) string { return "--prompt x --outline " + file(t, "o.json", s) }
	for _, c := range []struct{ args, says, hint string }{
		{"--prompt x", "no model", "hint: longhand models"},
		{"--prompt x --model nobody", "nobody", "hint: "},
		{"--prompt x --model /nowhere/m.gguf", "m.gguf", "hint: "},
		{"--prompt-file " + file(t, "p", ""), "the prompt is empty", ""},
		{"--prompt-file " + file(t, "p", " \n\t\n"), "the prompt is empty", ""},
		{"--prompt-file " + file(t, "p", "\x7fELF\x02\xff\xfe"), "is not UTF-8 text", ""},
		{"--prompt-file " + file(t, "p", strings.Repeat("a wrong file ", 100_000)), "larger than 1 MiB", ""},
		{"--prompt-file /nowhere/p", "/nowhere/p: no such file or directory", ""},
		{"--prompt x --style " + file(t, "s", "\xff"), "is not UTF-8 text", ""},
		{"--prompt x --out " + filepath.Join(file(t, "f", ""), "d.md"), "cannot be written", ""},
		{"--prompt x --out /nowhere/d.md", "/nowhere/d.md cannot be written", ""},
		{"--prompt x --out " + t.TempDir(), "cannot be written", ""},
		{outline(`{"title": "T", "sections": [{`), "is not an outline", ""},
		{outline(`{"title": "T", "sections": 3}`), "is not an outline", ""},
		{outline(`{"title": "T"}`), "the outline holds no section", ""},
		{outline(`{"sections": [{"title": " ", "words": 100}]}`), "section 1 of the outline has no title", ""},
		{outline(`{"sections": [{"title": "A", "words": 100}, {"title": "B"}]}`), "section 2 of the outline wants 0 words", ""},
		{outline(`{"sections": [{"title": "A\n## B", "words": 100}]}`), "more than one line", ""},
		{"--resume last", "there is no draft to resume", "hint: begin one with"},
		{"--resume 20010101-000000-aaaa", `there is no draft "20010101-000000-aaaa"`, "hint: longhand projects list names them"},
	} {
		home := t.TempDir()
		status, out, problems := command(t, home, append([]string{"draft", "--json"}, strings.Fields(c.args)...)...)
		sentence, hint, _ := strings.Cut(problems, "hint: ")
		if status != 1 || !isSentence(sentence) || !strings.Contains(sentence, c.says) || (hint != "") != (c.hint != "") || !strings.Contains(problems, c.hint) {
			t.Errorf("draft %.120s: status %d, %q, wanted %q, %q", c.args, status, problems, c.says, c.hint)
		}
		list := events(t, out)
		if len(list) != 1 || list[0]["event"] != "error" {
			t.Errorf("draft %.120s: %s", c.args, out)
			continue
		}
		if _, ok := list[0]["hint"]; !ok || "longhand: "+list[0]["message"].(string)+"\n" != sentence || (list[0]["hint"] == nil) != (hint == "") {
			t.Errorf("draft %.120s: %s\n%s", c.args, out, problems)
		}
		isUntouched(t, home)
	}
}

// isSentence says that s is one line for a person.
func isSentence(s string) bool {
	return strings.HasPrefix(s, "longhand: ") && strings.Count(s, "\n") == 1 && strings.HasSuffix(s, "\n") && !strings.Contains(s, "goroutine")
}

// isUntouched looks that a draft which could not begin left none behind.
func isUntouched(t *testing.T, home string) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(home, "projects", "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v: %v", left, err)
	}
}

// TestPlannedThenWritten plans, takes the plan from the file, and writes it.
func TestPlannedThenWritten(t *testing.T) {
	p := newProgram(t)
	plan, out := filepath.Join(t.TempDir(), "plan.json"), filepath.Join(t.TempDir(), "draft.md")
	args := []string{"--prompt", "A guide to baking bread at home", "--model", p.model, "--seed", "4", "--ctx", "2048"}
	list, status, problems := p.draft(append(args, "--words", "250", "--plan-only", "--out", plan)...)
	if status != 0 || problems != "" {
		t.Fatalf("status %d: %s", status, problems)
	}
	thought, planned := 0, ""
	for _, e := range list {
		switch e.Event {
		case "think":
			thought++
		case "outline":
			planned = e.line
		case "section", "text", "finished":
			t.Errorf("--plan-only wrote: %s", e.line)
		}
	}
	if thought == 0 || planned == "" {
		t.Fatalf("%d times think, the outline is %q", thought, planned)
	}
	o, err := readOutline(plan, 0)
	if err != nil {
		t.Fatal(err)
	}
	if o.Words() != 250 || len(o.Sections) == 0 {
		t.Errorf("the plan is of %d words in %d sections", o.Words(), len(o.Sections))
	}
	o.Scale(120)

	second := newProgram(t)
	list, status, problems = second.draft(append(args, "--words", "120", "--outline", plan, "--out", out)...)
	if status != 0 || len(list) == 0 {
		t.Fatalf("status %d: %s", status, problems)
	}
	told, titles := texts{}, []string{}
	for _, e := range list {
		told.apply(e)
		switch e.Event {
		case "think":
			t.Errorf("it thinks though the outline is given: %s", e.line)
		case "section":
			titles = append(titles, e.Title)
		}
	}
	want := "# " + o.Title + "\n"
	for i, s := range o.Sections {
		want += "\n## " + s.Title + "\n\n" + strings.TrimSpace(told[i]) + "\n"
		if i >= len(titles) || titles[i] != s.Title {
			t.Errorf("section %d of %q is %q", i, titles, s.Title)
		}
	}
	if last := list[len(list)-1]; last.Event != "finished" || last.Words < 108 || last.Words > 132 {
		t.Errorf("it ends with %s", last.line)
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != want {
		t.Errorf("the file is\n%s\nthe events tell\n%s\n%v", b, want, err)
	}
}

// TestOnePass writes one section without a heading and without the tags.
func TestOnePass(t *testing.T) {
	p := newProgram(t)
	out := filepath.Join(t.TempDir(), "draft.md")
	list, status, problems := p.draft("--prompt", "A short note to a neighbour about a lost cat", "--one-pass", "--words", "60", "--model", p.model, "--seed", "2", "--ctx", "2048", "--out", out)
	if status != 0 {
		t.Fatalf("status %d: %s", status, problems)
	}
	told, done := texts{}, 0
	for _, e := range list {
		told.apply(e)
		if e.Event == "section_done" {
			done++
		}
	}
	text := strings.TrimSpace(told[0])
	for _, tag := range []string{"<think", "</think", "<answer", "</answer", "<|"} {
		if strings.Contains(text, tag) {
			t.Errorf("the text holds %s: %q", tag, text)
		}
	}
	if done != 1 || len(told) != 1 || text == "" || list[len(list)-1].Event != "finished" {
		t.Errorf("%d sections done, texts %v", done, told)
	}
	if b, err := os.ReadFile(out); err != nil || !strings.HasSuffix(string(b), "\n\n"+text+"\n") || strings.Contains(string(b), "## ") {
		t.Errorf("the file is %q: %v", b, err)
	}
}
