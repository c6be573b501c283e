package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"longhand/app/draft"
	"longhand/app/store"
)

// projectsCmd is "longhand projects".
type projectsCmd struct {
	List    projectsListCmd    `cmd:"" help:"All projects, the one written last first."`
	Show    projectsShowCmd    `cmd:"" help:"A project's outline and state, or its text."`
	Backup  projectsBackupCmd  `cmd:"" help:"Write a backup of everything to a file, and prove that it can be restored."`
	Restore projectsRestoreCmd `cmd:"" help:"Put a backup in the place of what is there, which is kept aside."`
	Check   projectsCheckCmd   `cmd:"" help:"Read every file of the store, name what is damaged, and repair it."`
	Set     projectsSetCmd     `cmd:"" help:"Change a project's title, or whether its prompts may be used for training."`
	Compact projectsCompactCmd `cmd:"" help:"Give the disk back what was written over."`
	Edit    projectsEditCmd    `cmd:"" hidden:"" help:"Change a project by records, JSON lines on standard input."`
}

type projectsListCmd struct{ jsonFlag }

// projectLine is a line of projects list --json.
type projectLine struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Words   int    `json:"words"`
	Target  *int   `json:"target"`
	State   string `json:"state"`
	Updated string `json:"updated"` // RFC 3339
}

func (c *projectsListCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *projectsListCmd) run(e *env) error {
	if _, err := e.look(); err != nil {
		return err
	}
	all, err := e.cards()
	if err != nil {
		return err
	}
	if c.JSON {
		for _, p := range all {
			if err := e.line("project", lineOfCard(p)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(e.stderr, "Nothing was written yet. Begin with: longhand draft --prompt \"...\"")
		return nil
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTITLE\tWORDS\tSTATE\tWRITTEN")
	for _, p := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.ID, shortTitle(p.Title), ofTarget(p.Words, p.Target), p.State, time.Unix(p.Updated, 0).Format("2 Jan 2006 15:04"))
	}
	return w.Flush()
}

func lineOfCard(p store.Card) projectLine {
	l := projectLine{ID: p.ID, Title: p.Title, Words: p.Words, State: string(p.State), Updated: time.Unix(p.Updated, 0).UTC().Format(time.RFC3339)}
	if p.Target > 0 {
		l.Target = &p.Target
	}
	return l
}

// shortTitle keeps a title to what fits a line beside the rest.
func shortTitle(s string) string {
	const most = 48
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func ofTarget(words, target int) string {
	if target > 0 {
		return grouped(words) + " of " + grouped(target)
	}
	return grouped(words)
}

type projectsShowCmd struct {
	jsonFlag
	ID   string `arg:"" help:"A project's id, or 'last'."`
	Text bool   `help:"Print the text as Markdown instead."`
}

// sectionLine is a line of projects show --json.
type sectionLine struct {
	Index    int           `json:"index"`
	ID       int           `json:"section_id"`
	Part     string        `json:"part"`
	Title    string        `json:"title"`
	Point    string        `json:"point"`
	Words    int           `json:"words"`
	Target   int           `json:"target"`
	State    string        `json:"state"`
	Flags    []string      `json:"flags"`
	Scores   *draft.Scores `json:"scores"`
	Versions int           `json:"versions"`
	Human    int           `json:"human"` // characters by a person
	Model    int           `json:"model"`
	Edited   int           `json:"edited"`
	Text     string        `json:"text"`
}

func (c *projectsShowCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *projectsShowCmd) run(e *env) error {
	s, err := e.look()
	if err == nil && c.ID == "last" {
		c.ID, err = e.lastProject()
	}
	if err != nil {
		return err
	}
	p, err := s.Peek(c.ID)
	if err != nil {
		return e.noDraft(c.ID, err)
	}
	switch {
	case c.JSON:
		return c.lines(e, p)
	case c.Text:
		_, err = fmt.Fprint(e.stdout, p.Markdown())
		return err
	}
	return e.showProject(c.ID, p)
}

func (c *projectsShowCmd) lines(e *env, p *draft.Project) error {
	card := projectLine{ID: p.ID, Title: p.Outline.Title, Words: p.Words(), State: string(store.StateOf(p)), Updated: ""}
	if p.Target > 0 {
		card.Target = &p.Target
	}
	if all, err := e.cards(); err == nil {
		for _, a := range all {
			if a.ID == p.ID {
				card = lineOfCard(a)
			}
		}
	}
	if err := e.line("project", card); err != nil {
		return err
	}
	for _, l := range e.sections(c.ID, p) {
		if err := e.line("section", l); err != nil {
			return err
		}
	}
	return nil
}

// sections are a project's sections as lines.
func (e *env) sections(id string, p *draft.Project) (out []sectionLine) {
	versions := map[int]int{}
	if e.opened != nil && e.opened.Whole() {
		versions = e.opened.Counts(id)
	}
	for i, s := range p.Sections {
		plan := p.Outline.Sections[i]
		l := sectionLine{Index: i, ID: s.ID, Part: plan.Part, Title: plan.Title, Point: plan.Point, Words: draft.CountWords(s.Text), Target: max(s.Target, plan.Words),
			State: "planned", Flags: append([]string{}, s.Flags...), Scores: s.Scores, Versions: versions[s.ID], Text: s.Text}
		switch {
		case s.Done:
			l.State = "done"
		case s.Begun:
			l.State = "writing"
		}
		for _, q := range s.Paragraphs {
			for _, span := range q.Spans {
				switch span.By {
				case draft.Human:
					l.Human += span.Chars
				case draft.Model:
					l.Model += span.Chars
				default:
					l.Edited += span.Chars
				}
			}
		}
		out = append(out, l)
	}
	return out
}

func (e *env) showProject(id string, p *draft.Project) error {
	title := p.Outline.Title
	if title == "" {
		title = shortTitle(p.Request.Prompt)
	}
	fmt.Fprintf(e.stdout, "%s\n%s, %s words, %s\n", title, id, ofTarget(p.Words(), p.Target), store.StateOf(p))
	if p.Started.Model != "" {
		fmt.Fprintf(e.stdout, "model %s\n", filepath.Base(p.Started.Model))
	}
	if p.Private {
		fmt.Fprintln(e.stdout, "its prompts are not used for training")
	}
	fmt.Fprintf(e.stdout, "files in %s\n", e.projectFolder(id))
	if len(p.Sections) == 0 {
		return nil
	}
	fmt.Fprintln(e.stdout)
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tSECTION\tWORDS\tSTATE\tVERSIONS")
	part := ""
	for _, l := range e.sections(id, p) {
		if l.Part != part {
			part = l.Part
			fmt.Fprintf(w, "\t%s\t\t\t\n", shortTitle(part))
		}
		state := l.State
		if len(l.Flags) > 0 {
			state += " (" + strings.Join(l.Flags, ", ") + ")"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\n", l.Index+1, shortTitle(l.Title), ofTarget(l.Words, l.Target), state, l.Versions)
	}
	return w.Flush()
}

// projectsEditCmd changes a project by records as a journal has them. A line
// {"event":"kept","seq":n} answers each that no kill can lose any more, and
// {"event":"saved","seq":n} the line {"event":"save"}, with what came before in
// the database and on the disk.
type projectsEditCmd struct {
	ID string `arg:"" help:"A project's id, or 'last'."`
}

func (c *projectsEditCmd) Run(e *env) error { return e.told(true, c.run(e)) }

func (c *projectsEditCmd) run(e *env) error {
	b, err := e.book(c.ID)
	if err != nil {
		return err
	}
	if err := e.line("opened", seqLine{b.Seq()}); err != nil {
		return err
	}
	in := json.NewDecoder(e.stdin)
	for e.ctx.Err() == nil {
		var raw json.RawMessage
		if err := in.Decode(&raw); err != nil {
			break // the end of the input, or of what can be read
		}
		if err := c.line(e, b, raw); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return b.Close()
}

type seqLine struct {
	Seq int `json:"seq"`
}

func (c *projectsEditCmd) line(e *env, b *store.Book, raw json.RawMessage) error {
	var kind struct{ Event string }
	if err := json.Unmarshal(raw, &kind); err != nil {
		return err
	}
	switch kind.Event {
	case "save":
		if err := b.Save(); err != nil {
			return err
		}
		return e.line("saved", seqLine{b.Seq()})
	case "backup":
		if err := e.opened.BackupDue(true); err != nil {
			return err
		}
		return e.line("saved", seqLine{b.Seq()})
	}
	r, err := draft.Unmarshal(raw)
	if err != nil {
		return err
	}
	if err := b.Append(r); err != nil {
		return err
	}
	return e.line("kept", seqLine{b.Seq()})
}
