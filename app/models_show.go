package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"longhand/assets"
)

// table lists models for people.
func (e *env) table(list []entry, machine assets.Machine) {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tMODEL\tSIZE\tMEMORY\tLICENCE\tSTATE")
	for _, m := range list {
		fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\t%s\t%s\n", m.Name, m.Title, m.Version, bytesOr(m.Bytes), bytesOr(m.Memory), textOr(m.Licence), state(m))
	}
	w.Flush()
	fmt.Fprintln(e.stdout)
	free := "memory free: " + assets.Size(machine.Free)
	if g := machine.GPUFree(); g > 0 {
		free = "free on the GPU: " + assets.Size(g) + "; " + free
	}
	if machine.Free > 0 {
		fmt.Fprintln(e.stdout, strings.ToUpper(free[:1])+free[1:]+". MEMORY is what a model needs with 8,192 tokens of context.")
	}
	fmt.Fprintln(e.stdout, "The sample model shows how Longhand works, not how well it writes.")
	fmt.Fprintln(e.stdout, "Untested: in the catalogue with its published hash, but not yet fetched and run by us.")
}

// state is everything there is to say about a model in a few words.
func state(m entry) string {
	var s []string
	switch {
	case m.Installed && m.Imported:
		s = append(s, "imported")
	case m.Installed:
		s = append(s, "installed")
	case m.Path != nil:
		s = append(s, "its file is gone")
	}
	if m.Recommended {
		s = append(s, "recommended")
	}
	if m.Sample {
		s = append(s, "sample")
	}
	if m.Fits != nil && !*m.Fits {
		s = append(s, "does not fit")
	}
	if m.Untested {
		s = append(s, "untested")
	}
	if m.HashFrom != nil && *m.HashFrom == "host" {
		s = append(s, "hash from its host")
	}
	return strings.Join(s, ", ")
}

func bytesOr(n *int64) string {
	if n == nil {
		return "?"
	}
	return assets.Size(*n)
}

func textOr(s *string) string {
	if s == nil {
		return "?"
	}
	return *s
}
