package main

import (
	"bufio"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"longhand/app/draft"
	"longhand/app/store"
)

type projectsBackupCmd struct {
	jsonFlag
	File string `arg:"" help:"The file to write." placeholder:"F"`
}

func (c *projectsBackupCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *projectsBackupCmd) run(e *env) error {
	if err := writable(c.File); err != nil {
		return err
	}
	s, err := e.whole()
	if err != nil {
		return err
	}
	name, err := filepath.Abs(c.File)
	if err != nil {
		return err
	}
	if err := s.Backup(name); err != nil {
		return err
	}
	all, err := s.Projects()
	if err != nil {
		return err
	}
	if c.JSON {
		return e.line("finished", struct {
			File     string `json:"file"`
			Projects int    `json:"projects"`
		}{name, len(all)})
	}
	fmt.Fprintf(e.stderr, "%s holds %s; it was restored once and compared.\n", c.File, plural(len(all), "project"))
	return nil
}

// whole opens the store with its database, or says who has it.
func (e *env) whole() (*store.Store, error) {
	s, err := e.books()
	if err == nil && !s.Whole() {
		return nil, heldHint(store.ErrHeld)
	}
	return s, err
}

// heldHint says what to do about a store that another Longhand has open.
func heldHint(err error) error {
	if errors.Is(err, store.ErrHeld) {
		return hinted{err, "close the other one, or wait until it is done"}
	}
	return storeHint(err)
}

type projectsRestoreCmd struct {
	jsonFlag
	File string `arg:"" type:"existingfile" help:"A backup." placeholder:"F"`
}

func (c *projectsRestoreCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *projectsRestoreCmd) run(e *env) error {
	aside, err := store.Restore(e.home, c.File)
	if err != nil {
		return heldHint(err)
	}
	return e.replaced(c.JSON, aside, true)
}

// replaced says what a new store holds, and where the old one went.
func (e *env) replaced(asJSON bool, aside string, whole bool) error {
	cards, found, err := e.renewed(aside, whole)
	if err != nil {
		return err
	}
	if asJSON {
		for _, d := range found {
			if err := e.line("difference", lineOf(d)); err != nil {
				return err
			}
		}
		return e.line("replaced", struct {
			Aside    string `json:"aside"`
			Projects int    `json:"projects"`
		}{aside, len(cards)})
	}
	e.mention(found)
	fmt.Fprintf(e.stderr, "%s. What was there before lies unchanged in %s.\n", there(len(cards)), aside)
	return nil
}

// renewed opens a store that took the place of another, has everything taken in
// that journals and mirrors hold, and compares it with the one before. In one that
// is a backup as a whole every journal begins anew: that need not be told.
func (e *env) renewed(aside string, whole bool) ([]store.Card, []store.Damage, error) {
	s, err := store.Open(e.home, nil) // it was made a moment ago
	if err != nil {
		return nil, nil, storeHint(err)
	}
	e.opening.Lock()
	e.opened = s
	e.opening.Unlock()
	cards, err := s.Projects()
	for _, c := range cards {
		var b *store.Book
		if err == nil {
			b, err = s.Open(c.ID)
		}
		if err == nil {
			err = b.Close()
		}
	}
	if err != nil {
		return nil, nil, err
	}
	found := s.Notices()
	if !whole { // journals stayed where they are: there is nothing to compare with, and the notices say what was taken in
		return cards, found, nil
	}
	found = nil
	for _, d := range store.Compare(idsOf(cards), peeker(store.Beside(aside)), peeker(s)) {
		found = append(found, difference(d))
	}
	return cards, found, nil
}

// there says how many projects there are.
func there(n int) string {
	if n == 1 {
		return "1 project is there"
	}
	return plural(n, "project") + " are there"
}

func idsOf(cards []store.Card) (out []string) {
	for _, c := range cards {
		out = append(out, c.ID)
	}
	return out
}

// peeker gives projects as they stand, nil where they cannot be read.
func peeker(s *store.Store) func(string) *draft.Project {
	return func(id string) *draft.Project {
		p, err := s.Peek(id)
		if err != nil {
			return nil
		}
		return p
	}
}

// difference is a section that a repair has changed, in words.
func difference(d store.Difference) store.Damage {
	n := func(words int) string {
		if words < 0 {
			return "not there"
		}
		return plural(words, "word")
	}
	return store.Damage{Project: d.Project, Section: d.Section, Index: -1, Title: d.Title, Kind: fmt.Sprintf("it was %s and is %s", n(d.Was), n(d.Is))}
}

type projectsCheckCmd struct {
	jsonFlag
	Repair string `enum:",rebuild,backup" default:"" help:"rebuild: a new store from the last good backup, journals and mirrors. backup: as it was at the last good backup. The damaged one is kept." placeholder:"rebuild|backup"`
}

func (c *projectsCheckCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *projectsCheckCmd) run(e *env) error {
	release, err := store.Hold(e.home) // what is written meanwhile would look like damage
	if err != nil {
		return heldHint(err)
	}
	found, err := e.checked(true)
	release()
	if err != nil {
		return err
	}
	bad := false
	for _, d := range found {
		bad = bad || d.Grave
		if c.JSON {
			err = e.line("damage", lineOf(d))
		} else {
			_, err = fmt.Fprintln(e.stdout, d)
		}
		if err != nil {
			return err
		}
	}
	if c.JSON {
		if err := e.line("finished", checkDone{OK: len(found) == 0, Damaged: len(found)}); err != nil {
			return err
		}
	}
	if !bad {
		if len(found) == 0 && !c.JSON {
			fmt.Fprintln(e.stdout, "All intact.")
		}
		return c.mend(e, found)
	}
	how := c.Repair
	if how == "" && !c.JSON {
		how = e.askRepair()
	}
	switch how {
	case "rebuild", "backup":
		aside, err := store.Repair(e.home, map[string]string{"rebuild": store.Rebuild, "backup": store.FromBackup}[how])
		if err != nil {
			return storeHint(err)
		}
		return e.replaced(c.JSON, aside, how == "backup")
	}
	return hinted{fmt.Errorf("%w; nothing was changed", store.ErrDamaged),
		"longhand projects check --repair rebuild makes a new store of all that can be had; --repair backup goes back to the last good backup; longhand projects show --text ID reads a project as its journal has it"}
}

// mend opens every project, which sets right what another copy holds.
func (c *projectsCheckCmd) mend(e *env, found []store.Damage) error {
	if len(found) == 0 {
		return nil
	}
	s, err := e.whole()
	if err != nil {
		return err
	}
	for _, d := range found {
		if d.Project == "" {
			continue
		}
		b, err := s.Open(d.Project)
		if err != nil {
			return err
		}
		if err := b.Close(); err != nil {
			return err
		}
	}
	notices := s.Notices()
	if !c.JSON {
		e.mention(notices)
	}
	return nil
}

// askRepair asks a person at a terminal what to do.
func (e *env) askRepair() string {
	if !terminal(e.stdin) || !terminal(e.stderr) {
		return ""
	}
	fmt.Fprint(e.stderr, "\nThe damaged store stays as it is, whatever you choose:\n"+
		"  r  rebuild: a new store from the last good backup, the journals and the mirrors\n"+
		"  b  backup: as it was at the last good backup\n"+
		"  l  leave it, and only look\n> ")
	answer, _ := bufio.NewReader(e.stdin).ReadString('\n') // no answer: leave it
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "r", "rebuild":
		return "rebuild"
	case "b", "backup":
		return "backup"
	}
	return ""
}
