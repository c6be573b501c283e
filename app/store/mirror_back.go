package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"longhand/app/draft"
)

// fromMirror takes the mirror for the truth: it holds more than database and
// journal, which were lost or fell back to a backup. What was there of a section
// is kept as a version. The mirror is written at once: from now on it is behind.
func (b *Book) fromMirror(list mirror) error {
	// First the sections that bring the ids of their paragraphs: others get new ones.
	for _, known := range []bool{true, false} {
		for k, l := range list.Sections {
			if known != (b.has(l) && b.lacks(l)) {
				continue
			}
			if err := b.fromMirrored(k, l); err != nil {
				return err
			}
		}
	}
	if err := b.fromList(list); err != nil {
		return err
	}
	if err := b.Save(); err != nil {
		return err
	}
	b.stir()
	return b.Mirror()
}

// fromList takes what the list of the mirror says beside the texts.
func (b *Book) fromList(list mirror) error {
	p := b.Project()
	var all []draft.Record
	if list.Title != p.Outline.Title {
		all = append(all, draft.Title{Title: list.Title})
	}
	if list.Notes != p.Notes {
		all = append(all, draft.Note{Notes: list.Notes})
	}
	if list.Private != p.Private {
		all = append(all, draft.Trains{May: !list.Private})
	}
	for i, l := range list.Sections {
		k := p.Find(l.ID)
		if k < 0 {
			continue
		}
		if l.Plan.Title != p.Outline.Sections[k].Title || l.Plan.Point != p.Outline.Sections[k].Point {
			all = append(all, draft.Line{Section: l.ID, Plan: l.Plan})
		}
		if k != i && i < len(p.Sections) && len(list.Sections) == len(p.Sections) {
			move := draft.Move{From: k, To: i}
			all = append(all, move)
			var err error
			if p, err = draft.Extend(p, move); err != nil {
				return err
			}
		}
	}
	for _, r := range all {
		if err := b.Append(r); err != nil {
			return err
		}
	}
	return nil
}

// has says that a section's file is the one that Longhand wrote last.
func (b *Book) has(l mirrorSection) bool {
	return len(l.Sums) == 1 && fileIs(filepath.Join(b.s.folder(b.id), mirrorFolder, l.File), l.Sums[0])
}

// lacks says that a section is in the mirror alone.
func (b *Book) lacks(l mirrorSection) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.p.Find(l.ID) < 0
}

// fromMirrored takes the file of the section at k of the list.
func (b *Book) fromMirrored(k int, l mirrorSection) error {
	name := filepath.Join(b.s.folder(b.id), mirrorFolder, l.File)
	raw, err := os.ReadFile(name)
	p := b.Project()
	at := p.Find(l.ID)
	told := Damage{Project: b.id, Section: l.ID, Index: at, Title: l.Plan.Title, File: l.File, Kind: "rebuilt", Mended: "from the mirror"}
	if err != nil || !isText(raw) {
		told.Kind, told.Mended = "lost", ""
		if at >= 0 {
			told.Kind, told.Mended = "older", "the file of the mirror, which had more, cannot be read; the text is an earlier one"
		}
		if err == nil {
			_, err = putAside(name)
		} else if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		b.s.notice(told)
		return err
	}
	_, text, _ := parseAs(l.Plan.Title, "", string(raw))
	switch {
	case at < 0:
		b.s.notice(told)
		return b.placeMirrored(min(k, len(p.Sections)), l, text)
	case !slices.Contains(l.Sums, fileSum(string(raw))) && shrunk(p.Sections[at].Text, text):
		return b.keepBoth(told, p.Sections[at], text, false, name)
	}
	edit, changed := p.Sections[at].Change(text, draft.Human, "outside")
	if !changed {
		return nil
	}
	if s := l.section(text); b.has(l) { // as it was written here, with who wrote which words
		edit = draft.Edit{Section: l.ID, Cut: len(p.Sections[at].Paragraphs), Put: s.Paragraphs, Why: "outside"}
	}
	b.s.notice(told)
	return b.Append(edit)
}

// placeMirrored puts a section into the project that it lacks.
func (b *Book) placeMirrored(at int, l mirrorSection, text string) error {
	s := l.section(text)
	var edit draft.Edit
	late := slices.ContainsFunc(s.Paragraphs, func(q draft.Paragraph) bool { return q.ID == 0 })
	if late { // paragraphs get their ids from an edit
		s.Paragraphs, s.Text = nil, ""
		edit, late = s.Change(text, draft.Human, "outside")
	}
	err := b.Append(draft.Place{At: at, Sections: []draft.Whole{{Plan: l.Plan, Section: s}}})
	if err == nil && late {
		err = b.Append(edit)
	}
	return err
}

// section is a section as the mirror has it. Where the file is what Longhand
// wrote, paragraphs keep their ids and origins.
func (l mirrorSection) section(text string) draft.Section {
	s := draft.SectionOf(l.ID, text, draft.Human)
	var said []mirrorParagraph
	if slices.Contains(l.Sums, fileSum(render(l.Plan.Title, text))) && json.Unmarshal(l.Paragraphs, &said) == nil && len(said) == len(s.Paragraphs) {
		for i, q := range said {
			s.Paragraphs[i].ID = q.ID
			s.Paragraphs[i].Spans = draft.FitSpans(q.Spans, s.Paragraphs[i].Text)
		}
	}
	s.Target, s.Begun, s.Done, s.Flags, s.Scores, s.Model, s.Adapter = l.Target, true, l.Done || text != "", l.Flags, l.Scores, l.Model, l.Adapter
	return s
}

// adopt makes a project of a mirror whose journal and database are gone.
func (s *Store) adopt(id string) error {
	list, err := readList(s.folder(id))
	if err != nil {
		return err
	}
	first := []draft.Record{draft.Started{ID: id, Target: list.Target}, list.Request, draft.Title{Title: list.Title}, draft.Note{Notes: list.Notes}, draft.Trains{May: !list.Private}}
	if list.Planned {
		first = append(first, draft.PlanDone{Target: list.Target})
	}
	b, err := s.Create(id, first...)
	if err != nil {
		return err
	}
	if err = b.fromMirror(list); err == nil && list.Done {
		err = b.Append(draft.Finished{ID: id, Target: list.Target, Words: b.Project().Words(), Sections: len(list.Sections), Flags: []string{}})
	}
	return errors.Join(err, b.Close())
}

// keepOutside keeps what other programs made of files while the project is open,
// before the mirror is written over them: as versions, since whoever shows the
// project does not expect it to change.
func (b *Book) keepOutside() error {
	b.mu.Lock()
	idle := b.s.db == nil || b.changed.IsZero()
	p := b.p.Clone()
	b.mu.Unlock()
	list, err := readList(b.s.folder(b.id))
	if idle || err != nil {
		return nil // there is nothing to write, or no list that says what is ours
	}
	kept := false
	for _, l := range list.Sections {
		name := filepath.Join(b.s.folder(b.id), mirrorFolder, l.File)
		raw, err := os.ReadFile(name)
		if err != nil || slices.Contains(l.Sums, fileSum(string(raw))) {
			continue
		}
		var one bool
		if one, err = b.keepFile(p, l, name, raw); err != nil {
			return err
		}
		kept = kept || one
	}
	if kept {
		return b.Save()
	}
	return nil
}

// keepFile keeps what another program made of a section's file: as a version, or,
// where it cannot be one, under another name.
func (b *Book) keepFile(p *draft.Project, l mirrorSection, name string, raw []byte) (kept bool, err error) {
	k := p.Find(l.ID)
	told := Damage{Project: b.id, Section: l.ID, Index: k, Title: l.Plan.Title, File: l.File}
	if k < 0 || !isText(raw) {
		aside, err := putAside(name)
		told.Kind, told.Mended = "changed outside", "it is kept as "+aside
		if err == nil {
			b.s.notice(told)
		}
		return false, err
	}
	_, text, _ := parseAs(l.Plan.Title, p.Sections[k].Text, string(raw))
	if t := strings.TrimSpace(text); t == "" || t == strings.TrimSpace(p.Sections[k].Text) || b.knows(l.ID, text) {
		return false, nil
	}
	told.Kind, told.Mended = "changed outside while the project was open", "the text here stays; the other is in the section's history, to be restored if you prefer it"
	if err = b.keepText(l.ID, l.File, text); err == nil {
		b.s.notice(told)
	}
	return true, err
}

// keepText keeps another program's text as a version.
func (b *Book) keepText(section int, file, text string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.put(draft.Version{Section: section, Kind: Outside, Name: file, When: b.s.now().UTC().Format(time.RFC3339), Text: text})
}

// mirrored says that a project's folder holds files of a mirror.
func mirrored(folder string) bool {
	all, _ := filepath.Glob(filepath.Join(folder, mirrorFolder, "*.md"))
	return len(all) > 0
}

// putAside gives a damaged file another name, which it returns.
func putAside(name string) (string, error) {
	aside := freeName(name + ".damaged")
	if err := os.Rename(name, aside); err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return filepath.Base(aside), nil
}
