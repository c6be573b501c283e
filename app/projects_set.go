package main

import (
	"errors"
	"fmt"

	"longhand/app/draft"
	"longhand/assets"
)

type projectsSetCmd struct {
	ID       string  `arg:"" help:"A project's id, or 'last'."`
	Title    *string `help:"Its title." placeholder:"T"`
	Training string  `enum:",on,off" default:"" help:"on: its prompts may be used for training. off: they may not." placeholder:"on|off"`
}

func (c *projectsSetCmd) Run(e *env) error {
	var records []draft.Record
	if c.Title != nil {
		records = append(records, draft.Title{Title: *c.Title})
	}
	if c.Training != "" {
		records = append(records, draft.Trains{May: c.Training == "on"})
	}
	if len(records) == 0 {
		return usage("say what to set: --title or --training")
	}
	b, err := e.book(c.ID)
	if err != nil {
		return err
	}
	return errors.Join(appendAll(b, records), b.Close())
}

type projectsCompactCmd struct{}

func (projectsCompactCmd) Run(e *env) error {
	s, err := e.whole()
	if err != nil {
		return err
	}
	before := s.Bytes()
	if err := s.Compact(); err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "The database takes %s; it took %s.\n", assets.Size(s.Bytes()), assets.Size(before))
	return nil
}
