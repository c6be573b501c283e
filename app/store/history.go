package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"longhand/app/draft"
)

// Kinds of versions.
const (
	Named   = "named"   // by the writer; kept for ever
	Auto    = "auto"    // from time to time, while a section is changed
	Before  = "before"  // before the model or a restored version takes the place
	Outside = "outside" // what another program made of a section that was changed here too: the writer chooses
)

// VersionInfo names a section as it once was.
type VersionInfo struct {
	N     int       `json:"n"`
	Kind  string    `json:"kind"`
	Name  string    `json:"name"`
	When  time.Time `json:"when"`
	Words int       `json:"words"`
	Sum   string    `json:"sum"`
}

// pendingVersion is a version that is not in the database yet.
type pendingVersion struct {
	section int
	info    VersionInfo
	was     draft.Section
}

// autoEvery is how old the last version of a section is before another is
// kept by itself.
const autoEvery = 10 * time.Minute

// due are the versions to be kept before a record is done.
func (b *Book) due(r draft.Record) []draft.Version {
	switch r := r.(type) {
	case draft.Edit:
		if r.By == draft.Model || r.Why == "restore" || r.Why == "outside" {
			return b.before(r.Section, r.Why)
		}
		if age := b.s.now().Sub(b.last(r.Section)); age >= autoEvery || age < 0 {
			return b.keep(r.Section, Auto, "")
		}
	case draft.SectionBegun:
		if r.Index >= 0 && r.Index < len(b.p.Sections) {
			return b.before(b.p.Sections[r.Index].ID, "write")
		}
	case draft.Become:
		return b.before(r.Section.ID, "become")
	case draft.Remove:
		return b.beforeAll(b.p.Sections[r.At:r.At+r.N], "remove")
	case draft.Undo, draft.Redo:
		return b.beforeTurning(r)
	case draft.Outline:
		return b.beforeAll(b.p.Sections, "plan")
	}
	return nil
}

// beforeTurning keeps sections that an undo or redo would take away whole: from
// then on another change cuts off the way back.
func (b *Book) beforeTurning(r draft.Record) (all []draft.Version) {
	i := len(b.p.Steps) - 1 - b.p.Undone
	if _, redo := r.(draft.Redo); redo {
		i++
	}
	if i < 0 || i >= len(b.p.Steps) {
		return nil
	}
	for _, op := range b.p.Steps[i].Ops() {
		switch op := op.(type) {
		case draft.Become:
			all = append(all, b.before(op.Section.ID, "undo")...)
		case draft.Remove:
			if op.At >= 0 && op.N >= 0 && op.At+op.N <= len(b.p.Sections) {
				all = append(all, b.beforeAll(b.p.Sections[op.At:op.At+op.N], "undo")...)
			}
		}
	}
	return all
}

func (b *Book) beforeAll(sections []draft.Section, what string) (all []draft.Version) {
	for _, s := range sections {
		all = append(all, b.before(s.ID, what)...)
	}
	return all
}

func (b *Book) before(section int, what string) []draft.Version {
	return b.keep(section, Before, what)
}

// keep asks for a version of a section that has text.
func (b *Book) keep(section int, kind, name string) []draft.Version {
	if k := b.p.Find(section); k < 0 || b.p.Sections[k].Text == "" {
		return nil
	}
	return []draft.Version{{Section: section, Kind: kind, Name: name, When: b.s.now().UTC().Format(time.RFC3339)}}
}

// last is when the last version of a section was kept.
func (b *Book) last(section int) time.Time {
	last := b.kept[section]
	if all, err := b.versionsOf(section); err == nil && len(all) > 0 && all[len(all)-1].When.After(last) {
		last = all[len(all)-1].When
	}
	return last
}

// version takes a version record in: the section as it is in p.
func (b *Book) version(p *draft.Project, v draft.Version) {
	when, err := time.Parse(time.RFC3339, v.When)
	if err != nil {
		when = b.s.now().UTC()
	}
	b.kept[v.Section] = when
	k := p.Find(v.Section)
	if b.s.db == nil || k < 0 {
		return
	}
	was := p.Sections[k]
	was.Paragraphs = slices.Clone(was.Paragraphs)
	if v.Text != "" {
		was = draft.SectionOf(v.Section, v.Text, draft.Human)
	}
	b.addVersion(v.Section, VersionInfo{Kind: v.Kind, Name: v.Name, When: when, Words: draft.CountWords(was.Text)}, was)
}

func (b *Book) addVersion(section int, info VersionInfo, was draft.Section) {
	all, err := b.versionsOf(section)
	if err != nil { // an index that cannot be read is not written over
		b.s.notice(Damage{Project: b.id, Section: section, Index: -1, File: databaseFolder, Kind: "the history is damaged: no version was kept"})
		return
	}
	info.N = 1
	if n := len(all); n > 0 {
		info.N = all[n-1].N + 1
	}
	was.Turns = nil
	b.history[section] = append(all, info)
	b.versions = append(b.versions, pendingVersion{section, info, was})
}

// replayVersions keeps the versions again that a journal asks for and the
// database lacks.
func (b *Book) replayVersions(records []draft.Record) {
	if b.s.db == nil {
		return
	}
	p := &draft.Project{}
	for _, r := range records {
		var err error
		if p, err = draft.Extend(p, r); err != nil {
			return
		}
		v, ok := r.(draft.Version)
		k := p.Find(v.Section)
		if !ok || k < 0 {
			continue
		}
		all, err := b.versionsOf(v.Section)
		if err == nil && !slices.ContainsFunc(all, func(i VersionInfo) bool {
			return i.When.Format(time.RFC3339) == v.When && i.Kind == v.Kind && i.Name == v.Name
		}) {
			b.version(p, v)
		}
	}
}

// putVersions adds the pending versions and their indexes to a commit.
func (b *Book) putVersions(c *commit, parts map[string]func() any) error {
	for name := range b.man.Parts {
		if name[0] == 'h' && name != partHead { // indexes stay, also of sections that were removed
			id, _ := strconv.Atoi(name[1:])
			parts[name] = func() any { return b.history[id] }
		}
	}
	for _, v := range c.versions {
		plain, err := json.Marshal(v.was)
		if err != nil {
			return fmt.Errorf("store: keep a version: %w", err)
		}
		key := versionKey(b.id, v.section, v.info.N)
		value, sum := wrap(key, kindVersion, plain)
		c.puts[key] = value
		for i := range b.history[v.section] {
			if b.history[v.section][i].N == v.info.N {
				b.history[v.section][i].Sum = sum
			}
		}
		name := historyPart(v.section)
		parts[name] = func() any { return b.history[v.section] }
		c.dirty[name] = true
	}
	return nil
}

// versionsOf is a section's history, the oldest first.
func (b *Book) versionsOf(section int) ([]VersionInfo, error) {
	if all, ok := b.history[section]; ok {
		return all, nil
	}
	name := historyPart(section)
	entry, ok := b.man.Parts[name]
	if !ok || b.s.db == nil {
		return nil, nil
	}
	plain, sum, err := b.s.get(partKey(b.id, name, entry.Rev), kindPart)
	if err == nil && sum != entry.Sum {
		err = errEnvelope
	}
	var all []VersionInfo
	if err == nil {
		err = json.Unmarshal(plain, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("store: the history of section %d of %s: %w", section, b.id, err)
	}
	b.history[section] = all
	return all, nil
}

// Versions lists what a section once was, the oldest first.
func (b *Book) Versions(section int) ([]VersionInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, err := b.versionsOf(section)
	return slices.Clone(all), err
}

// Version is a section as it once was.
func (b *Book) Version(section, n int) (draft.Section, error) {
	b.mu.Lock()
	for _, v := range slices.Concat(b.storing, b.versions) {
		if v.section == section && v.info.N == n {
			b.mu.Unlock()
			return v.was, nil
		}
	}
	b.mu.Unlock()
	if b.s.db == nil {
		return draft.Section{}, ErrNone
	}
	var was draft.Section
	plain, _, err := b.s.get(versionKey(b.id, section, n), kindVersion)
	if err == nil {
		err = json.Unmarshal(plain, &was)
	}
	return was, err
}

// Name keeps a section as it is under a name.
func (b *Book) Name(section int, name string) error {
	if err := b.Append(draft.Version{Section: section, Kind: Named, Name: name, When: b.s.now().UTC().Format(time.RFC3339)}); err != nil {
		return err
	}
	return b.Save()
}

// Restore makes a section what it was. As it is now it is kept first.
func (b *Book) Restore(section, n int) error {
	was, err := b.Version(section, n)
	if err != nil {
		return err
	}
	b.mu.Lock()
	k, cut, last := b.p.Find(section), 0, len(b.p.Sections)
	if k >= 0 {
		cut = len(b.p.Sections[k].Paragraphs)
	}
	b.mu.Unlock()
	if k < 0 { // it was removed: it comes back at the end
		was.Done = true
		title, _, _ := strings.Cut(strings.TrimSpace(was.Text), "\n")
		plan := draft.SectionPlan{Title: firstLine(title), Beats: []string{}, Flags: []string{}, Words: draft.CountWords(was.Text)}
		return b.Append(draft.Place{At: last, Sections: []draft.Whole{{Plan: plan, Section: was}}})
	}
	return b.Append(draft.Edit{Section: section, Cut: cut, Put: was.Paragraphs, Why: "restore"})
}

// Prune lets versions go by their age: named and outside ones stay; of the
// others all of the last day, one an hour of the last week, one a day of the
// last three months, one a week before that.
func (b *Book) Prune(now time.Time) error {
	b.committing.Lock()
	defer b.committing.Unlock()
	if b.s.db == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.versions) > 0 {
		return nil // another time
	}
	var dels []string
	for _, name := range b.man.names('h') {
		id, _ := strconv.Atoi(name[1:]) // names gives numbers
		all, err := b.versionsOf(id)
		if err != nil {
			return err
		}
		kept := thinned(all, now)
		if len(kept) == len(all) {
			continue
		}
		for _, v := range all {
			if !slices.ContainsFunc(kept, func(k VersionInfo) bool { return k.N == v.N }) {
				dels = append(dels, versionKey(b.id, id, v.N))
			}
		}
		b.history[id] = kept
		b.dirty[name] = true
	}
	if len(dels) == 0 {
		return nil
	}
	c, err := b.prepare()
	if err != nil {
		return err
	}
	b.dirty = map[string]bool{}
	// The index goes first: a version without a line is no damage, a line
	// without a version is.
	if err := b.s.write(c.puts, append(c.dels, dels...), map[string][]byte{manifestKey(b.id): c.manifest}); err != nil {
		for name := range c.dirty {
			b.dirty[name] = true
		}
		return err
	}
	b.man = c.man
	return nil
}

// thinned are the versions that stay.
func thinned(all []VersionInfo, now time.Time) []VersionInfo {
	var out []VersionInfo
	last := ""
	for i, v := range all {
		age := now.Sub(v.When)
		slot := ""
		switch {
		case v.Kind == Named || v.Kind == Outside || age < 24*time.Hour || i == len(all)-1:
			out = append(out, v)
			continue
		case age < 7*24*time.Hour:
			slot = v.When.UTC().Format("2006-01-02T15")
		case age < 91*24*time.Hour:
			slot = v.When.UTC().Format("2006-01-02")
		default:
			year, week := v.When.UTC().ISOWeek()
			slot = fmt.Sprint(year, "W", week)
		}
		if slot != last {
			out = append(out, v)
		}
		last = slot
	}
	return out
}
