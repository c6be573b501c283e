package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// places says that what a check names lies in the damaged file.
func (c *damageCase) places(t *testing.T) {
	t.Helper()
	for _, d := range c.told {
		if d.File != c.file && d.File != databaseFolder {
			t.Errorf("%s is damaged, and told is %v", c.file, d)
		}
		switch c.kind {
		case "table":
			if in := c.shape.owners[filepath.Base(c.file)]; d.Project != "" && !in[d.Project][d.Section] {
				t.Errorf("%v: that table holds %v", d, in)
			}
		case "journal", "mirror list":
			if id := strings.Split(c.file, "/")[1]; d.Project != id {
				t.Errorf("%v: the file is of project %s", d, id)
			}
		case "mirror text":
			if !c.isOf(d) {
				t.Errorf("%v is not the section of the file", d)
			}
		}
	}
	if c.kind == "table" && len(c.told) > 0 {
		c.place = c.placed(c.told)
		if strings.HasPrefix(c.place, "lost") {
			t.Logf("%s: %v: holds %v", c.place, c.told, c.shape.owners[filepath.Base(c.file)])
		}
	}
}

// isOf says that the section is the one of the mirror's file.
func (c *damageCase) isOf(d Damage) bool {
	list, err := readList(filepath.Join(c.shape.home, filepath.Dir(filepath.Dir(c.file))))
	return err == nil && d.Project == strings.Split(c.file, "/")[1] && slices.ContainsFunc(list.Sections, func(l mirrorSection) bool {
		return l.ID == d.Section && l.File == filepath.Base(c.file)
	})
}

// placed says how well a damaged table is named.
func (c *damageCase) placed(found []Damage) string {
	has := false
	for _, in := range c.shape.owners[filepath.Base(c.file)] {
		for id := range in {
			has = has || id != 0
		}
	}
	switch {
	case slices.ContainsFunc(found, func(d Damage) bool { return d.Section != 0 }):
		return "named with sections"
	case slices.ContainsFunc(found, func(d Damage) bool { return d.Project != "" }):
		return "named with the project"
	case has && !strings.HasPrefix(c.way.name, "flip") && c.way.name != "zero range": // of which a part may be hit that is used no more
		return "lost, and named by the file alone"
	case has:
		return "named by the file alone"
	}
	return "named by the file, which holds no section"
}

// compare looks for what is not as it was, and whether it was told.
func (c *damageCase) compare(t *testing.T, st *state, before []byte, path string) (silent, listed bool) {
	t.Helper()
	miss := func(project string, section int, format string, args ...any) {
		t.Helper()
		if c.tells(project, section) {
			listed = true
			return
		}
		silent = true
		t.Errorf("project %s, section %d: %s; told was only %v", project, section, fmt.Sprintf(format, args...), c.told)
	}
	if asJSON(st.Settings) != asJSON(c.shape.want.Settings) || asJSON(st.Runs) != asJSON(c.shape.want.Runs) {
		silent = true
		t.Errorf("settings and runs are %s %s", asJSON(st.Settings), asJSON(st.Runs))
	}
	if c.cutBetween(before, path) {
		t.Log("the cut fell between two records: nobody can see that")
		return silent, listed
	}
	for id := range st.Projects {
		if c.shape.want.Projects[id] == nil {
			t.Errorf("there is a project %s", id)
		}
	}
	for id, want := range c.shape.want.Projects {
		got := st.Projects[id]
		if got == nil {
			miss(id, 0, "it is gone")
			continue
		}
		c.compareBook(t, id, got, want, miss)
	}
	return silent, listed
}

func (c *damageCase) compareBook(t *testing.T, id string, got, want *bookState, miss func(string, int, string, ...any)) {
	t.Helper()
	if got.Rest != want.Rest {
		miss(id, 0, "apart from its sections it is\n%s\nwant\n%s", got.Rest, want.Rest)
	}
	for i, w := range want.Sections {
		k := slices.IndexFunc(got.Sections, func(s sectionState) bool { return s.ID == w.ID })
		if k < 0 {
			miss(id, w.ID, "it is gone")
			continue
		}
		if k != i {
			miss(id, 0, "section %d is the %d-th, want the %d-th", w.ID, k, i)
		}
		c.compareSection(t, id, got.Sections[k], w, miss)
	}
	for _, g := range got.Sections {
		if !slices.ContainsFunc(want.Sections, func(s sectionState) bool { return s.ID == g.ID }) {
			miss(id, g.ID, "it is there")
		}
	}
}

func (c *damageCase) compareSection(t *testing.T, id string, g, w sectionState, miss func(string, int, string, ...any)) {
	t.Helper()
	switch {
	case g.Text != w.Text:
		miss(id, w.ID, "its text is\n%q\nwant\n%q", g.Text, w.Text)
		if c.kind == "mirror text" && w.Text != "" && !slices.Contains(g.Old, w.Text) {
			t.Errorf("project %s, section %d: what was there is not in the history", id, w.ID)
		}
	case g.Whole != w.Whole:
		miss(id, w.ID, "it is\n%s\nwant\n%s", g.Whole, w.Whole)
	}
	a, b := asJSON(g.Versions), asJSON(w.Versions)
	if a == b && slices.Equal(g.Old, w.Old) {
		return
	}
	miss(id, w.ID, "its versions are\n%s\nwant\n%s", a, b)
	for n, v := range w.Versions { // told or not, a version that was there stays
		if c.kind == "mirror text" && (n >= len(g.Versions) || asJSON(g.Versions[n]) != asJSON(v) || g.Old[n] != w.Old[n]) {
			t.Errorf("project %s, section %d: version %d is gone", id, w.ID, v.N)
		}
	}
}

// keptBeside says that a file which was written anew is kept as it was found, or
// what of it cannot be read.
func (c *damageCase) keptBeside(t *testing.T, path string, before, harmed []byte) {
	t.Helper()
	if len(c.told) == 0 || bytes.HasPrefix(before, harmed) { // nothing in it but what was there before
		return
	}
	switch c.kind {
	case "journal", "mirror list", globalFile:
	case "mirror text":
		if isText(harmed) { // taken in, or in the history
			return
		}
	default:
		return
	}
	kept, _ := filepath.Glob(path + ".damaged*")
	if !slices.ContainsFunc(kept, func(name string) bool {
		b, err := os.ReadFile(name)
		return err == nil && len(b) > 0 && bytes.HasSuffix(harmed, b)
	}) {
		t.Errorf("%s was written anew, and what was in it is not kept", c.file)
	}
}

// tells says that the difference is told. A file of the mirror is a section's
// own; from any other the whole project may be lost.
func (c *damageCase) tells(project string, section int) bool {
	return slices.ContainsFunc(c.told, func(d Damage) bool {
		if d.Project != project {
			return false
		}
		return d.Section == section || d.Section == 0 || c.kind == "mirror text" && section == 0
	})
}

// cutBetween says that a journal was cut at the end of a record that the
// database does not know yet. That is what the journal was some time before.
func (c *damageCase) cutBetween(before []byte, path string) bool {
	if c.kind != "journal" || !strings.HasPrefix(c.way.name, "cut") {
		return false
	}
	after, err := os.ReadFile(path)
	return err == nil && len(after) > 0 && len(after) < len(before) && bytes.HasPrefix(before, after) && after[len(after)-1] == '\n' && len(c.told) == 0
}
