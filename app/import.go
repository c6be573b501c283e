package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"longhand/app/draft"
	script "longhand/app/manuscript"
)

// importCmd is "longhand import".
type importCmd struct {
	jsonFlag
	File string `arg:"" help:"A manuscript: .md, .txt or .docx." placeholder:"F"`
}

// mostImported is the largest file that is taken for a manuscript.
const mostImported = 64 << 20

func (c *importCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *importCmd) run(e *env) error {
	b, err := readMost(c.File, mostImported)
	if err != nil {
		return err
	}
	m, err := script.Read(filepath.Base(c.File), b)
	if err != nil {
		return err
	}
	s, err := e.books()
	if err != nil {
		return err
	}
	id := newID()
	book, err := s.Create(id, recordsOf(id, m)...)
	if err != nil {
		return storeHint(err)
	}
	words, sections := book.Project().Words(), len(m.Sections)
	if err := book.Close(); err != nil {
		return err
	}
	if c.JSON {
		return e.line("imported", struct {
			ID       string `json:"id"`
			Title    string `json:"title"`
			Sections int    `json:"sections"`
			Words    int    `json:"words"`
		}{id, m.Title, sections, words})
	}
	fmt.Fprintf(e.stderr, "%s: “%s”, %s words in %s\n", id, m.Title, grouped(words), plural(sections, "section"))
	fmt.Fprintln(e.stdout, id)
	return nil
}

// recordsOf is a project that holds a manuscript: every word a person's.
func recordsOf(id string, m script.Manuscript) []draft.Record {
	var all []draft.Whole
	words := 0
	for _, s := range m.Sections {
		n := draft.CountWords(s.Text)
		words += n
		section := draft.SectionOf(0, s.Text, draft.Human)
		section.Begun, section.Done, section.Target = true, true, n
		all = append(all, draft.Whole{Plan: draft.SectionPlan{Part: s.Part, Title: s.Title, Beats: []string{}, Flags: []string{}, Words: n}, Section: section})
	}
	return []draft.Record{
		draft.Started{ID: id, Target: words}, draft.Request{Prompt: m.Title, Words: words}, draft.Title{Title: m.Title},
		draft.PlanDone{Target: words}, draft.Place{Sections: all, Final: true}, draft.Finished{ID: id, Words: words, Target: words, Sections: len(all), Flags: []string{}},
	}
}

// readMost reads a file of at most so many bytes.
func readMost(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d MB", name, most>>20)
	}
	return b, err
}
