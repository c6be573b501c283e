package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"longhand/app/draft"
	"longhand/app/store"
	"longhand/rl"
)

// finishedDraft writes the journal of a draft of two sections, of which the second has a flag.
func finishedDraft(t *testing.T, home, id string, last ...draft.Record) {
	t.Helper()
	log, err := store.Create(filepath.Join(home, "projects", id))
	if err != nil {
		t.Fatal(err)
	}
	outline := draft.Outline{Title: "Bees", Sections: []draft.SectionPlan{
		{Title: "In spring", Point: "What they find", Beats: []string{"The first flowers"}, Words: 40, Flags: []string{}},
		{Index: 1, Title: "In winter", Beats: []string{}, Words: 40, Flags: []string{}},
	}}
	records := append([]draft.Record{
		draft.Started{ID: id, Target: 80}, draft.Request{Prompt: "Write about bees."}, draft.Think{Text: "Spring first </think>, then winter."}, draft.Thought{}, outline, draft.PlanDone{Target: 80},
		draft.SectionBegun{Index: 0, Target: 40}, draft.Text{Index: 0, Text: "The bees fly out at ten degrees. They find the willows, and later the cherries."}, draft.SectionDone{Index: 0, Flags: []string{}},
		draft.SectionBegun{Index: 1, Target: 40}, draft.Text{Index: 1, Text: "They hang together and tremble."},
	}, last...)
	for _, r := range records {
		if err := log.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// A short draft is an example as a whole, a long one gives its sections, a flagged section none, and what the trainer
// reads of them is what was written.
func TestExportExamples(t *testing.T) {
	home := t.TempDir()
	finishedDraft(t, home, "a", draft.SectionDone{Index: 1, Flags: []string{}}, draft.Finished{ID: "a"})
	finishedDraft(t, home, "b", draft.SectionDone{Index: 1, Flags: []string{"loop"}}, draft.Finished{ID: "b"})
	finishedDraft(t, home, "c")
	out := filepath.Join(home, "examples.jsonl")
	status, _, told := command(t, home, "export", "examples", "--form", "one_pass", "--out", out)
	if status != 0 || !strings.Contains(told, "2 examples from 2 drafts") {
		t.Fatalf("%d, %s", status, told)
	}
	all, err := rl.ReadExamples(out)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if want := "<think>\nSpring first , then winter.\nIn spring (about 40 words): What they find\n- The first flowers\nIn winter (about 40 words)\n</think>\n<answer>\n# Bees\n\n## In spring\n\nThe bees"; all[0].Prompt != "Write about bees.\n\nAbout 20 words." || !strings.HasPrefix(all[0].Completion, want) {
		t.Errorf("%q\n%q", all[0].Prompt, all[0].Completion)
	}
	if want := "Write about bees.\n\nWrite only the section “In spring”, about 15 words. Its point: What they find"; all[1].Prompt != want {
		t.Errorf("%q", all[1].Prompt)
	}
	if want := "<think>\nIn spring (about 40 words): What they find\n- The first flowers\n</think>\n<answer>\nThe bees fly out"; !strings.HasPrefix(all[1].Completion, want) || !strings.HasSuffix(all[1].Completion, "\n</answer>") {
		t.Errorf("%q", all[1].Completion)
	}
	if status, _, told := command(t, home, "export", "examples", "--longest", "10", "--out", out, "a"); status != 0 || !strings.Contains(told, "1 example from 1 draft") {
		t.Errorf("%d, %s", status, told)
	}
	if status, _, told := command(t, home, "export", "examples", "--out", out, "c"); status != 1 || !strings.Contains(told, "draft c: it is not finished") {
		t.Errorf("%d, %s", status, told)
	}
	if b, err := os.ReadFile(out); err != nil || strings.Count(string(b), "\n") != 1 || !strings.Contains(string(b), `"completion":"They hang together`) {
		t.Errorf("%s, %v", b, err)
	}
}
