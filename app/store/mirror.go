package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"longhand/app/draft"
)

// The mirror of a project are Markdown files, one a section, beside a list of
// them with all that the text does not say. It is the second copy, and the way
// to work on a book with another program.
const (
	mirrorFolder = "text"
	mirrorList   = "project.json"
)

// mirror is the list.
type mirror struct {
	About    string          `json:"about"` // for who finds the file
	ID       string          `json:"id"`
	Seq      int             `json:"seq"` // records of the log that are in it
	Updated  time.Time       `json:"updated"`
	Title    string          `json:"title"`
	Request  draft.Request   `json:"request"`
	Target   int             `json:"target"`
	Notes    string          `json:"notes"`
	Private  bool            `json:"private"`
	Planned  bool            `json:"planned"`
	Done     bool            `json:"done"`
	Sections []mirrorSection `json:"sections"`
	Sum      string          `json:"sum"` // of the file with this sum empty
}

// mirrorSection is a section's line of the list.
type mirrorSection struct {
	ID   int      `json:"id"`
	File string   `json:"file"`
	Sums []string `json:"sums"` // of what Longhand wrote there; two while it is written

	Plan       draft.SectionPlan `json:"plan"`
	Target     int               `json:"target"`
	Done       bool              `json:"done"`
	Flags      []string          `json:"flags"`
	Scores     *draft.Scores     `json:"scores"`
	Model      draft.OrNull      `json:"model"`
	Adapter    draft.OrNull      `json:"adapter"`
	Paragraphs []mirrorParagraph `json:"paragraphs"`
}

// mirrorParagraph is what a paragraph's text does not say.
type mirrorParagraph struct {
	ID    int          `json:"id"`
	Spans []draft.Span `json:"spans"`
}

const mirrorAbout = "The sections of this project, written by Longhand. Their files in the folder text may be changed with any program; this list may not."

func fileSum(b string) string {
	h := sha256.Sum256([]byte(canonical(b)))
	return hex.EncodeToString(h[:8])
}

// Mirror writes what changed since the last time into the mirror.
func (b *Book) Mirror() error {
	b.committing.Lock()
	defer b.committing.Unlock()
	b.mu.Lock()
	if b.s.db == nil || b.changed.IsZero() {
		b.mu.Unlock()
		return nil
	}
	p, began := b.p.Clone(), b.changed
	b.whole = false
	b.mu.Unlock()
	if err := b.s.writeMirror(b.id, p); err != nil {
		return err
	}
	b.mu.Lock()
	if b.changed.Equal(began) {
		b.changed = time.Time{}
	}
	b.mu.Unlock()
	return nil
}

// writeMirror makes the mirror what p is. The list is written before the files
// with the old sums and the new, and after them with the new alone: whenever
// this is cut off, each file is one that Longhand wrote.
func (s *Store) writeMirror(id string, p *draft.Project) error {
	folder := filepath.Join(s.folder(id), mirrorFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("store: write the mirror: %w", err)
	}
	was, _ := readList(s.folder(id)) // what cannot be read is written anew
	now := listOf(p)
	now.Updated = s.now().UTC().Truncate(time.Second)
	texts := map[string]string{}
	before := map[string]mirrorSection{} // by file
	for _, l := range was.Sections {
		before[l.File] = l
	}
	both := now
	both.Sections = slices.Clone(now.Sections)
	same := len(was.Sections) > 0
	for i, l := range now.Sections {
		file := render(l.Plan.Title, p.Sections[i].Text)
		texts[l.File] = file
		old, had := before[l.File]
		if had && slices.Equal(old.Sums, l.Sums) && fileIs(filepath.Join(folder, l.File), l.Sums[0]) {
			delete(texts, l.File)
			continue
		}
		same = false
		if had {
			both.Sections[i].Sums = append(slices.Clone(l.Sums), old.Sums...)
		}
	}
	// Files of sections that moved or went stay known until they are gone.
	for name, l := range before {
		if !slices.ContainsFunc(now.Sections, func(n mirrorSection) bool { return n.File == name }) {
			both.Sections = append(both.Sections, l)
			same = false
		}
	}
	if !same {
		if err := writeList(s.folder(id), both); err != nil {
			return err
		}
	}
	for name, text := range texts {
		if err := replace(filepath.Join(folder, name), []byte(text)); err != nil {
			return err
		}
	}
	for name := range before {
		if !slices.ContainsFunc(now.Sections, func(n mirrorSection) bool { return n.File == name }) {
			os.Remove(filepath.Join(folder, name))
		}
	}
	if len(texts) > 0 {
		syncFolder(folder)
	}
	return writeList(s.folder(id), now)
}

// listOf is the list of a project's mirror.
func listOf(p *draft.Project) mirror {
	m := mirror{About: mirrorAbout, ID: p.ID, Seq: p.Seq, Title: p.Outline.Title, Request: p.Request, Target: p.Target, Notes: p.Notes, Private: p.Private,
		Planned: p.Planned, Done: p.Done, Sections: []mirrorSection{}}
	for i, s := range p.Sections {
		plan := p.Outline.Sections[i]
		l := mirrorSection{ID: s.ID, File: fileName(i+1, plan.Title), Plan: plan, Target: s.Target, Done: s.Done, Flags: s.Flags, Scores: s.Scores, Model: s.Model, Adapter: s.Adapter}
		l.Sums = []string{fileSum(render(plan.Title, s.Text))}
		for _, q := range s.Paragraphs {
			l.Paragraphs = append(l.Paragraphs, mirrorParagraph{q.ID, q.Spans})
		}
		m.Sections = append(m.Sections, l)
	}
	return m
}

func fileIs(path, sum string) bool {
	b, err := os.ReadFile(path)
	return err == nil && fileSum(string(b)) == sum
}

// readList reads a mirror's list and checks its sum.
func readList(folder string) (mirror, error) {
	var m mirror
	b, err := os.ReadFile(filepath.Join(folder, mirrorList))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return mirror{}, fmt.Errorf("store: %s: %w", mirrorList, err)
	}
	sum := m.Sum
	if want, err := m.sealed(); err != nil || want.Sum != sum || len(m.Sections) > 0 && m.ID == "" {
		return mirror{}, fmt.Errorf("store: %s: its sum is wrong", mirrorList)
	}
	return m, nil
}

// sealed is the list with its sum.
func (m mirror) sealed() (mirror, error) {
	m.Sum = ""
	b, err := json.Marshal(m)
	h := sha256.Sum256(b)
	m.Sum = hex.EncodeToString(h[:8])
	return m, err
}

func writeList(folder string, m mirror) error {
	m, err := m.sealed()
	if err != nil {
		return fmt.Errorf("store: write the mirror: %w", err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(m); err != nil {
		return fmt.Errorf("store: write the mirror: %w", err)
	}
	return replace(filepath.Join(folder, mirrorList), b.Bytes())
}

// readMirror compares the mirror with what Longhand wrote there. A section that
// another program changed is taken in; where it was changed here as well, the
// other text becomes a version, and a notice asks the writer. What is no text
// any more is damage: it is set aside and written anew.
func (b *Book) readMirror() error {
	list, err := readList(b.s.folder(b.id))
	if errors.Is(err, fs.ErrNotExist) {
		b.stir()
		return nil
	}
	if err != nil {
		b.s.notice(Damage{Project: b.id, File: mirrorList, Kind: "damaged", Mended: "the list of the mirror was written anew"})
		if _, err := os.Stat(filepath.Join(b.s.folder(b.id), mirrorList)); err == nil {
			name := filepath.Join(b.s.folder(b.id), mirrorList)
			if err := os.Rename(name, freeName(name+".damaged")); err != nil {
				return fmt.Errorf("store: %w", err)
			}
		}
		return b.readUnlisted()
	}
	if list.Seq > b.Project().Seq {
		return b.fromMirror(list)
	}
	for _, l := range list.Sections {
		if err := b.readMirrored(l); err != nil {
			return err
		}
	}
	return b.Save()
}

// fromMirror takes the mirror for the truth: it holds more than database and
// journal, which were lost or fell back to a backup. What was there of a section
// is kept as a version.
func (b *Book) fromMirror(list mirror) error {
	for k, l := range list.Sections {
		raw, err := os.ReadFile(filepath.Join(b.s.folder(b.id), mirrorFolder, l.File))
		told := Damage{Project: b.id, Section: l.ID, Title: l.Plan.Title, File: l.File, Kind: "rebuilt", Mended: "from the mirror"}
		if err != nil || !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
			told.Kind, told.Mended = "lost", ""
			b.s.notice(told)
			continue
		}
		_, text, _ := parse(string(raw))
		p := b.Project()
		at := p.Find(l.ID)
		if at < 0 {
			w := draft.Whole{Plan: l.Plan, Section: l.section(text)}
			if err := b.Append(draft.Place{At: min(k, len(p.Sections)), Sections: []draft.Whole{w}}); err != nil {
				return err
			}
		} else if edit, changed := p.Sections[at].Change(text, draft.Human, "outside"); changed {
			if err := b.Append(edit); err != nil {
				return err
			}
		} else {
			continue
		}
		b.s.notice(told)
	}
	b.stir()
	return b.Save()
}

// section is a section as the mirror has it. Where the file is what Longhand
// wrote, paragraphs keep their ids and origins.
func (l mirrorSection) section(text string) draft.Section {
	s := draft.SectionOf(l.ID, text, draft.Human)
	if slices.Contains(l.Sums, fileSum(render(l.Plan.Title, text))) && len(l.Paragraphs) == len(s.Paragraphs) {
		for i, q := range l.Paragraphs {
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

// stir has the mirror written at the next rest.
func (b *Book) stir() {
	b.mu.Lock()
	b.changed = b.s.now()
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// readUnlisted looks at the files of a mirror that has lost its list: those that
// are not what the project holds are kept aside, since nobody knows whether
// another program changed them.
func (b *Book) readUnlisted() error {
	b.stir()
	for _, l := range listOf(b.Project()).Sections {
		name := filepath.Join(b.s.folder(b.id), mirrorFolder, l.File)
		if _, err := os.Stat(name); err != nil || fileIs(name, l.Sums[0]) {
			continue
		}
		aside := freeName(name + ".damaged")
		if err := os.Rename(name, aside); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		b.s.notice(Damage{Project: b.id, Section: l.ID, Title: l.Plan.Title, File: l.File, Kind: "differs", Mended: "it is kept as " + filepath.Base(aside) + "; the project's own text stays"})
	}
	return nil
}

// readMirrored looks at the file of one section.
func (b *Book) readMirrored(l mirrorSection) error {
	name := filepath.Join(b.s.folder(b.id), mirrorFolder, l.File)
	raw, err := os.ReadFile(name)
	p := b.Project()
	k := p.Find(l.ID)
	told := Damage{Project: b.id, Section: l.ID, Title: l.Plan.Title, File: l.File}
	switch {
	case k < 0:
		return nil // it was removed here; the file goes with the next mirror
	case errors.Is(err, fs.ErrNotExist):
		told.Kind, told.Mended = "missing", "the file was written anew"
		b.s.notice(told)
		b.stir()
		return nil
	case err != nil:
		return fmt.Errorf("store: read the mirror: %w", err)
	case slices.Contains(l.Sums, fileSum(string(raw))), fileSum(string(raw)) == fileSum(render(p.Outline.Sections[k].Title, p.Sections[k].Text)):
		return nil
	case !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 || len(raw) > mostSection:
		told.Kind, told.Mended = "damaged", "the file is no text any more; it was kept aside and written anew"
		b.s.notice(told)
		b.stir()
		return os.Rename(name, freeName(name+".damaged"))
	}
	title, text, headed := parse(string(raw))
	here := !slices.Contains(l.Sums, fileSum(render(p.Outline.Sections[k].Title, p.Sections[k].Text)))
	shrunk := draft.CountWords(text)*2 < draft.CountWords(p.Sections[k].Text)
	if here || shrunk {
		return b.keepBoth(told, p.Sections[k], text, here, name)
	}
	if edit, changed := p.Sections[k].Change(text, draft.Human, "outside"); changed {
		if err := b.Append(edit); err != nil {
			return err
		}
	}
	if headed && title != p.Outline.Sections[k].Title {
		plan := p.Outline.Sections[k]
		plan.Title = title
		if err := b.Append(draft.Line{Section: l.ID, Plan: plan}); err != nil {
			return err
		}
	}
	told.Kind, told.Mended = "changed outside", "the change was taken in; what was there is kept in the section's history"
	b.s.notice(told)
	return nil
}

// mostSection is the longest file that is taken for a section.
const mostSection = 16 << 20

// keepBoth keeps another program's text beside the project's own.
func (b *Book) keepBoth(told Damage, s draft.Section, text string, here bool, file string) error {
	told.Kind, told.Mended = "changed on both sides", "the text here stays; the other is in the section's history, to be restored if you prefer it"
	if !here {
		told.Kind, told.Mended = "shrunk outside", "most of the text is gone from the file; the text here stays, the other is in the section's history"
	}
	if b.knows(s.ID, text) {
		return nil
	}
	if err := b.Append(draft.Version{Section: s.ID, Kind: Outside, Name: filepath.Base(file), When: b.s.now().UTC().Format(time.RFC3339), Text: text}); err != nil {
		return err
	}
	b.s.notice(told)
	if err := b.Save(); err != nil {
		return err
	}
	b.stir()
	return nil
}

// knows says that the last version of a section is this text from outside.
func (b *Book) knows(section int, text string) bool {
	all, err := b.Versions(section)
	if err != nil || len(all) == 0 || all[len(all)-1].Kind != Outside {
		return false
	}
	was, err := b.Version(section, all[len(all)-1].N)
	return err == nil && strings.TrimSpace(was.Text) == strings.TrimSpace(text)
}

// replace writes beside and renames, on the disk before it returns.
func replace(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".longhand-*")
	if err != nil {
		return fmt.Errorf("store: write %s: %w", name, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("store: write %s: %w", name, err)
	}
	return nil
}

// syncFolder puts a folder's names on the disk, where the system can.
func syncFolder(name string) {
	if d, err := os.Open(name); err == nil {
		d.Sync()
		d.Close()
	}
}

// leftovers removes what a kill left of a file that was being written.
func leftovers(folder string) {
	all, _ := filepath.Glob(filepath.Join(folder, ".longhand-*"))
	for _, name := range all {
		if strings.HasPrefix(filepath.Base(name), ".longhand-") {
			os.Remove(name)
		}
	}
}
