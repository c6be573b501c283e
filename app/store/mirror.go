package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
	Sum      string          `json:"sum"` // of the file up to this key
}

// mirrorSection is a section's line of the list.
type mirrorSection struct {
	ID   int      `json:"id"`
	File string   `json:"file"`
	Sums []string `json:"sums"` // of what Longhand wrote there; while it is written two, "" where it may be missing

	Plan       draft.SectionPlan `json:"plan"`
	Target     int               `json:"target"`
	Done       bool              `json:"done"`
	Flags      []string          `json:"flags"`
	Scores     *draft.Scores     `json:"scores"`
	Model      draft.OrNull      `json:"model"`
	Adapter    draft.OrNull      `json:"adapter"`
	Paragraphs json.RawMessage   `json:"paragraphs"` // []mirrorParagraph, which are seldom asked for
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
	if err := b.keepOutside(); err != nil {
		return err
	}
	b.mirroring.Lock()
	defer b.mirroring.Unlock()
	b.mu.Lock()
	if b.s.db == nil || b.changed.IsZero() {
		b.mu.Unlock()
		return nil
	}
	p, began := b.p.Clone(), b.changed
	b.whole = false
	log := b.log
	b.mu.Unlock()
	if err := log.sync(); err != nil { // the mirror is never ahead of the journal
		return err
	}
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
	both, texts := between(was, now, folder, p)
	if len(texts) > 0 || len(both.Sections) > len(now.Sections) || len(was.Sections) == 0 {
		if err := writeList(s.folder(id), both); err != nil {
			return err
		}
	}
	if err := replaceAll(folder, texts); err != nil {
		return err
	}
	for _, l := range both.Sections[len(now.Sections):] {
		os.Remove(filepath.Join(folder, l.File))
	}
	if len(texts) > 0 {
		syncFolder(folder)
	}
	return writeList(s.folder(id), now)
}

// between is the list of a mirror that is being written: each file with the sums
// of both lists, and behind them the files that go. texts are the files to be
// written. Its Seq is an older one, so that whoever opens the project sees that
// the writing was cut off.
func between(was, now mirror, folder string, p *draft.Project) (both mirror, texts map[string]string) {
	before := map[string]mirrorSection{} // by file
	for _, l := range was.Sections {
		before[l.File] = l
	}
	both, texts = now, map[string]string{}
	both.Sections, both.Seq = slices.Clone(now.Sections), min(was.Seq, now.Seq-1)
	for i, l := range now.Sections {
		old, had := before[l.File]
		delete(before, l.File)
		if had && slices.Equal(old.Sums, l.Sums) && fileIs(filepath.Join(folder, l.File), l.Sums[0]) {
			continue
		}
		texts[l.File] = render(l.Plan.Title, p.Sections[i].Text)
		if !had {
			old.Sums = []string{""}
		}
		both.Sections[i].Sums = append(slices.Clone(l.Sums), old.Sums...)
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		l := before[name]
		l.Sums = append(slices.Clone(l.Sums), "")
		both.Sections = append(both.Sections, l)
	}
	return both, texts
}

// listOf is the list of a project's mirror.
func listOf(p *draft.Project) mirror {
	m := mirror{About: mirrorAbout, ID: p.ID, Seq: p.Seq, Title: p.Outline.Title, Request: p.Request, Target: p.Target, Notes: p.Notes, Private: p.Private,
		Planned: p.Planned, Done: p.Done, Sections: []mirrorSection{}}
	for i, s := range p.Sections {
		plan := p.Outline.Sections[i]
		l := mirrorSection{ID: s.ID, File: fileName(i+1, plan.Title), Plan: plan, Target: s.Target, Done: s.Done, Flags: s.Flags, Scores: s.Scores, Model: s.Model, Adapter: s.Adapter}
		l.Sums = []string{fileSum(render(plan.Title, s.Text))}
		said := make([]mirrorParagraph, len(s.Paragraphs))
		for i, q := range s.Paragraphs {
			said[i] = mirrorParagraph{q.ID, q.Spans}
		}
		l.Paragraphs, _ = json.Marshal(said) // numbers and words
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
	at := bytes.LastIndex(b, []byte(mirrorSum))
	if at < 0 || !bytes.Equal(b[at:], sumLine(b[:at])) {
		return mirror{}, fmt.Errorf("store: %s: its sum is wrong", mirrorList)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return mirror{}, fmt.Errorf("store: %s: %w", mirrorList, err)
	}
	if len(m.Sections) > 0 && m.ID == "" {
		return mirror{}, fmt.Errorf("store: %s: it names no project", mirrorList)
	}
	if i := slices.IndexFunc(m.Sections, func(l mirrorSection) bool {
		return !filepath.IsLocal(l.File) || l.File != filepath.Base(l.File) || filepath.Ext(l.File) != ".md"
	}); i >= 0 {
		return mirror{}, fmt.Errorf("store: %s: section %d has no file of its own", mirrorList, m.Sections[i].ID)
	}
	return m, nil
}

// mirrorSum begins the last line of the list.
const mirrorSum = `,
 "sum": "`

// sumLine ends a list with the sum of what stands before.
func sumLine(before []byte) []byte {
	h := sha256.Sum256(before)
	return fmt.Appendf(nil, "%s%x\"\n}\n", mirrorSum, h[:8])
}

func writeList(folder string, m mirror) error {
	m.Sum = ""
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(m); err != nil {
		return fmt.Errorf("store: write the mirror: %w", err)
	}
	b.Truncate(bytes.LastIndex(b.Bytes(), []byte(mirrorSum)))
	b.Write(sumLine(b.Bytes()))
	return replace(filepath.Join(folder, mirrorList), b.Bytes())
}

// readMirror compares the mirror with what Longhand wrote there. A section that
// another program changed is taken in; where it was changed here as well, the
// other text becomes a version, and a notice asks the writer. What is no text
// any more is damage: it is set aside and written anew.
func (b *Book) readMirror() error {
	list, err := readList(b.s.folder(b.id))
	if id := b.Project().ID; err == nil && list.ID != id {
		err = fmt.Errorf("store: %s: it is of project %s", mirrorList, list.ID)
	}
	if errors.Is(err, fs.ErrNotExist) && !mirrored(b.s.folder(b.id)) {
		b.stir()
		return nil
	}
	if err != nil {
		told := Damage{Project: b.id, Index: -1, File: mirrorList, Kind: "missing", Mended: "the list of the mirror was written anew"}
		if !errors.Is(err, fs.ErrNotExist) {
			told.Kind = "damaged"
			if _, err := putAside(filepath.Join(b.s.folder(b.id), mirrorList)); err != nil {
				return err
			}
		}
		b.s.notice(told)
		return b.readUnlisted()
	}
	if list.Seq > b.Project().Seq {
		return b.fromMirror(list)
	}
	p := b.Project()
	for _, l := range list.Sections {
		changed, err := b.readMirrored(p, l)
		if err != nil {
			return err
		}
		if changed {
			p = b.Project()
		}
	}
	cut := slices.ContainsFunc(list.Sections, func(l mirrorSection) bool { return len(l.Sums) > 1 })
	if cut || list.Seq < p.Seq { // it was cut off, or never got so far
		b.stir()
	}
	return b.Save()
}

// stir has the mirror written at the next rest.
func (b *Book) stir() {
	b.mu.Lock()
	b.changed = b.s.now()
	b.mu.Unlock()
	b.wakeUp()
}

// readUnlisted looks at the files of a mirror that has lost its list: those that
// are not what the project holds are kept aside, since nobody knows whether
// another program changed them.
func (b *Book) readUnlisted() error {
	b.stir()
	for k, l := range listOf(b.Project()).Sections {
		name := filepath.Join(b.s.folder(b.id), mirrorFolder, l.File)
		if _, err := os.Stat(name); err != nil || fileIs(name, l.Sums[0]) {
			continue
		}
		aside, err := putAside(name)
		if err != nil {
			return err
		}
		b.s.notice(Damage{Project: b.id, Section: l.ID, Index: k, Title: l.Plan.Title, File: l.File, Kind: "differs", Mended: "it is kept as " + aside + "; the project's own text stays"})
	}
	return nil
}

// readMirrored looks at the file of one section of p. changed says that the
// project is not p any more.
func (b *Book) readMirrored(p *draft.Project, l mirrorSection) (changed bool, err error) {
	name := filepath.Join(b.s.folder(b.id), mirrorFolder, l.File)
	raw, err := os.ReadFile(name)
	k := p.Find(l.ID)
	told := Damage{Project: b.id, Section: l.ID, Title: l.Plan.Title, Index: k, File: l.File}
	switch {
	case k < 0:
		return false, nil // it was removed here; the file goes with the next mirror
	case errors.Is(err, fs.ErrNotExist):
		told.Kind, told.Mended = "missing", "the file was written anew"
		if !slices.Contains(l.Sums, "") {
			b.s.notice(told)
		}
		b.stir()
		return false, nil
	case err != nil:
		return false, fmt.Errorf("store: read the mirror: %w", err)
	}
	sum, mine := fileSum(string(raw)), fileSum(render(p.Outline.Sections[k].Title, p.Sections[k].Text))
	switch {
	case sum == mine:
		return false, nil
	case slices.Contains(l.Sums, sum): // the mirror is behind
		b.stir()
		return false, nil
	case !isText(raw):
		told.Kind, told.Mended = "damaged", "the file is no text any more; it was kept aside and written anew"
		b.s.notice(told)
		b.stir()
		_, err := putAside(name)
		return false, err
	}
	_, text, _ := parseAs(l.Plan.Title, p.Sections[k].Text, string(raw))
	here := !slices.Contains(l.Sums, mine)
	switch {
	case strings.TrimSpace(text) == strings.TrimSpace(p.Sections[k].Text) && here, strings.TrimSpace(text) == "" && p.Sections[k].Text != "":
		told.Kind, told.Mended = "changed outside", "the text here stays, and the file was written anew: it held none, or the same"
		b.s.notice(told)
		b.stir()
		return false, nil
	case here, shrunk(p.Sections[k].Text, text):
		return true, b.keepBoth(told, p.Sections[k], text, here, name)
	}
	told.Kind, told.Mended = "changed outside", "the change was taken in; what was there is kept in the section's history"
	b.s.notice(told)
	b.stir() // also where the heading alone is gone
	return true, b.takeOutside(p, k, string(raw))
}

// isText says that a file can be a section.
func isText(raw []byte) bool {
	return utf8.Valid(raw) && bytes.IndexByte(raw, 0) < 0 && len(raw) <= mostSection
}

// shrunk says that so much is gone of a text that another program's mistake, or
// a cut file, is likelier than a change.
func shrunk(was, is string) bool { return draft.CountWords(is)*2 < draft.CountWords(was) }

// takeOutside makes section k what another program made of its file.
func (b *Book) takeOutside(p *draft.Project, k int, file string) error {
	title, text, headed := parseAs(p.Outline.Sections[k].Title, p.Sections[k].Text, file)
	if edit, changed := p.Sections[k].Change(text, draft.Human, "outside"); changed {
		if err := b.Append(edit); err != nil {
			return err
		}
	}
	plan := p.Outline.Sections[k]
	if !headed || title == heading(plan.Title) {
		return nil
	}
	plan.Title = title
	return b.Append(draft.Line{Section: p.Sections[k].ID, Plan: plan})
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
	if err := b.keepText(s.ID, filepath.Base(file), text); err != nil {
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
	return replaceAll(filepath.Dir(name), map[string]string{filepath.Base(name): string(b)})
}

// replaceAll writes files beside and renames them, some at a time. Of these all
// are written before the first is synced: the system puts them on the disk in one
// go.
func replaceAll(folder string, texts map[string]string) error {
	const most = 200 // open files
	for some := range slices.Chunk(slices.Sorted(maps.Keys(texts)), most) {
		if err := replaceSome(folder, some, texts); err != nil {
			return fmt.Errorf("store: write %s: %w", folder, err)
		}
	}
	return nil
}

func replaceSome(folder string, names []string, texts map[string]string) (err error) {
	beside := make([]*os.File, 0, len(names))
	defer func() {
		if err == nil {
			return
		}
		for _, f := range beside {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	for _, name := range names {
		f, err := os.CreateTemp(folder, ".longhand-*")
		if err != nil {
			return err
		}
		beside = append(beside, f)
		if _, err = f.WriteString(texts[name]); err == nil {
			err = f.Chmod(0o644)
		}
		if err != nil {
			return err
		}
	}
	for _, f := range beside {
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	for i, f := range beside {
		if err := os.Rename(f.Name(), filepath.Join(folder, names[i])); err != nil {
			return err
		}
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
		os.RemoveAll(name)
	}
}
