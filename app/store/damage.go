package store

import "fmt"

// Damage is something of the store that is not as it was written. Where Mended
// is not "", nothing is lost: it says where the rest was taken from, or what
// became of it.
type Damage struct {
	Project string // "" where it is not a project's
	Section int    // id; 0: it is not a section's
	Index   int    // of the section in the project; -1: unknown
	Title   string // of the section
	File    string // "": unknown
	Kind    string
	Mended  string
	Grave   bool // the database cannot be opened, or would be written over what is damaged
}

// String is the damage as a sentence.
func (d Damage) String() string {
	out := ""
	if d.Project != "" {
		out = "project " + d.Project
	}
	if d.Title != "" {
		out += fmt.Sprintf(", section “%s”", d.Title)
	} else if d.Section != 0 {
		out += fmt.Sprintf(", section %d", d.Section)
	}
	if d.File != "" {
		if out != "" {
			out += ": "
		}
		out += d.File
	}
	out += ": " + d.Kind
	if d.Mended != "" {
		out += "; " + d.Mended
	}
	return out
}
