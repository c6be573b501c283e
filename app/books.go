package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"longhand/app/draft"
	"longhand/app/store"
)

// books opens the store, once. Where another Longhand has it, or the disk cannot
// be written, projects are read and written by their journals alone; the store
// takes that in when it is opened next.
func (e *env) books() (*store.Store, error) {
	s, fresh, err := e.openBooks()
	if fresh {
		e.mention(s.Notices())
	}
	return s, err
}

func (e *env) openBooks() (s *store.Store, fresh bool, err error) {
	e.opening.Lock() // the window asks from several goroutines
	defer e.opening.Unlock()
	if e.opened != nil {
		return e.opened, false, nil
	}
	s, err = store.Open(e.home, func() error { return grave(e.checked(false)) })
	if errors.Is(err, store.ErrHeld) {
		s, err = store.Beside(e.home), nil
	}
	if err != nil {
		return nil, false, storeHint(err)
	}
	e.opened = s
	return s, true, nil
}

// besides reads and writes by the journals alone from now on.
func (e *env) besides() *store.Store {
	e.opening.Lock()
	defer e.opening.Unlock()
	e.opened = store.Beside(e.home)
	return e.opened
}

// look opens the store for looking: where it is damaged, the disk full or not to
// be written, the journals tell.
func (e *env) look() (*store.Store, error) {
	s, err := e.books()
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrReadOnly) {
		fmt.Fprintln(e.stderr, "note: this is what the journals hold:", plain(err))
		return e.besides(), nil
	}
	return s, err
}

// closeBooks closes the store, after the day's backup. A backup that cannot be
// made is said; it does not make what was done fail.
func (e *env) closeBooks(always bool) error {
	e.opening.Lock()
	s := e.opened
	e.opened = nil
	e.opening.Unlock()
	if s == nil {
		return nil
	}
	if err := s.BackupDue(always); err != nil {
		fmt.Fprintln(e.stderr, "longhand: no backup was made:", plain(err))
	}
	e.mention(s.Notices())
	return s.Close()
}

// mention says what was found damaged and mended.
func (e *env) mention(all []store.Damage) {
	if e.tell != nil && len(all) > 0 {
		e.tell(all)
		return
	}
	for _, d := range all {
		fmt.Fprintln(e.stderr, "note:", d)
	}
}

// storeHint says what a person can do about a store that does not open.
func storeHint(err error) error {
	switch {
	case errors.Is(err, store.ErrDamaged):
		return hinted{err, "longhand projects check says what is damaged and repairs it; nothing was written over"}
	case errors.Is(err, store.ErrUnsafe):
		return hinted{err, "set LONGHAND_HOME to a folder on a disk of this machine that nothing synchronises"}
	case errors.Is(err, store.ErrFull):
		return hinted{err, "make room on the disk; what is written is safe, and can be read with longhand projects show"}
	case errors.Is(err, store.ErrNewer):
		return hinted{err, "use the newer Longhand; a backup from before is in the folder backups"}
	}
	return err
}

// damageLine is a line of the checking child, and of projects check --json.
type damageLine struct {
	Project draft.OrNull `json:"project"`
	Section *int         `json:"section"` // index
	File    draft.OrNull `json:"file"`
	Kind    string       `json:"kind"`
	ID      *int         `json:"section_id"`
	Title   draft.OrNull `json:"title"`
	Mended  draft.OrNull `json:"mended"` // where the rest is, so that nothing is lost
	Grave   bool         `json:"grave"`  // the store is not opened with it
}

func lineOf(d store.Damage) damageLine {
	l := damageLine{Project: draft.OrNull(d.Project), File: draft.OrNull(d.File), Kind: d.Kind, Title: draft.OrNull(d.Title), Mended: draft.OrNull(d.Mended), Grave: d.Grave}
	if d.Index >= 0 && d.Section > 0 {
		l.Section = &d.Index
	}
	if d.Section > 0 {
		l.ID = &d.Section
	}
	return l
}

func (l damageLine) damage() store.Damage {
	d := store.Damage{Project: string(l.Project), Title: string(l.Title), File: string(l.File), Kind: l.Kind, Mended: string(l.Mended), Grave: l.Grave, Index: -1}
	if l.Section != nil {
		d.Index = *l.Section
	}
	if l.ID != nil {
		d.Section = *l.ID
	}
	return d
}

// checkCmd is "longhand check", the child that opens the database first: a
// damaged one may take its process down.
type checkCmd struct {
	Deep bool `help:"Read histories and backups too."`
}

func (c *checkCmd) Run(e *env) error {
	n := 0
	for d, err := range store.Check(e.home, c.Deep) {
		if err != nil {
			return err
		}
		n++
		if err := e.line("damage", lineOf(d)); err != nil {
			return err
		}
	}
	return e.line("finished", checkDone{OK: n == 0, Damaged: n})
}

type checkDone struct {
	OK      bool `json:"ok"`
	Damaged int  `json:"damaged"`
}

// checked has the store checked in a child process. A child that dies is damage
// as well: the database would take this process down, too.
func (e *env) checked(deep bool) ([]store.Damage, error) {
	args := []string{"check"}
	if deep {
		args = append(args, "--deep")
	}
	cmd := exec.Command(childBinary(), args...) // it takes moments, also where the program is being ended
	cmd.Env = append(os.Environ(), "LONGHAND_HOME="+e.home)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("check the store: %w", err)
	}
	var all []store.Damage
	done := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var l struct {
			Event string `json:"event"`
			damageLine
		}
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			break
		}
		if done = l.Event == "finished"; !done {
			all = append(all, l.damage())
		}
	}
	err = cmd.Wait()
	if err == nil && done {
		return all, nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return all, errors.New(strings.TrimPrefix(firstLineOf(problems.String()), "longhand: "))
	}
	return append(all, store.Damage{File: "store", Index: -1, Kind: "the database cannot be opened (" + firstLineOf(problems.String()) + ")", Grave: true}), nil
}

func firstLineOf(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// grave is the error that keeps a damaged store from being opened.
func grave(all []store.Damage, err error) error {
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Grave {
			return fmt.Errorf("%w: %s", store.ErrDamaged, d)
		}
	}
	return nil
}

// book opens a project; 'last' is the one that was written last.
func (e *env) book(id string) (*store.Book, error) {
	s, err := e.books()
	if err == nil && id == "last" {
		id, err = e.lastProject()
	}
	if err != nil {
		return nil, err
	}
	b, err := s.Open(id)
	if err != nil {
		return nil, e.noDraft(id, err)
	}
	e.mention(s.Notices())
	return b, nil
}

// peek is a project as it stands.
func (e *env) peek(id string) (*draft.Project, error) {
	s, err := e.books()
	if err != nil {
		return nil, err
	}
	p, err := s.Peek(id)
	return p, e.noDraft(id, err)
}

func (e *env) noDraft(id string, err error) error {
	if errors.Is(err, store.ErrNone) {
		return hinted{fmt.Errorf("there is no draft %q", id), "longhand projects list names them; drafts lie in " + e.projectFolder("")}
	}
	return err
}

// cards are all projects, the one written last first.
func (e *env) cards() ([]store.Card, error) {
	s, err := e.books()
	if err != nil {
		return nil, err
	}
	all, err := s.Projects()
	e.mention(s.Notices())
	return all, err
}

// lastProject is the draft that was written last.
func (e *env) lastProject() (string, error) {
	all, err := e.cards()
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", hinted{fmt.Errorf("there is no draft to resume"), "begin one with: longhand draft --prompt \"...\""}
	}
	return all[0].ID, nil
}
