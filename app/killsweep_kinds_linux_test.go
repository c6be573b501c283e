package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"longhand/app/draft"
	script "longhand/app/manuscript"
	"longhand/app/store"
	"longhand/engine/enginetest"
)

func (s *sweep) editing(n int) { s.sessions(n, (*author).edits) }

func (s *sweep) draftingRecords(n int) { s.sessions(n, (*author).drafts) }

// sessions kills "projects edit". Not every kill is looked at: the next session
// may find what two have left.
func (s *sweep) sessions(n int, next func(*author, *draft.Project) draft.Record) {
	var b *bench
	for k := 0; s.kills < n && !s.t.Failed(); k++ {
		if k%12 == 0 {
			b = s.bench(fmt.Sprint("p", k/12), next, "save")
		}
		b.write(3 + s.r.IntN(30))
		b.session()
		if s.r.IntN(3) > 0 || s.kills == n {
			b.verify()
		}
	}
}

// shows compares what "projects show" prints.
func (s *sweep) shows(id string, want *draft.Project) {
	s.t.Helper()
	var got []string
	for line := range strings.Lines(s.run("projects", "show", "--json", id)) {
		var l struct{ Event, Title, Text string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			s.t.Fatal(err)
		}
		if l.Event == "section" {
			got = append(got, l.Title+"\n"+l.Text)
		}
	}
	var texts []string
	for i, section := range want.Sections {
		texts = append(texts, want.Outline.Sections[i].Title+"\n"+section.Text)
	}
	if !slices.Equal(got, texts) {
		s.lost++
		s.t.Errorf("projects show prints\n%q\nwant\n%q", got, texts)
	}
}

// mirrored looks that the files for other programs are what the project is, and
// that nothing else lies beside them.
func (s *sweep) mirrored(id string, p *draft.Project) {
	s.t.Helper()
	files, err := os.ReadDir(filepath.Join(s.projectFolder(id), "text"))
	if err != nil {
		s.t.Fatal(err)
	}
	if len(files) != len(p.Sections) {
		s.t.Errorf("the mirror of %d sections has the files %v", len(p.Sections), files)
		return
	}
	for i, f := range files {
		raw, err := os.ReadFile(filepath.Join(s.projectFolder(id), "text", f.Name()))
		if err != nil || !strings.HasSuffix(string(bytes.TrimSpace(raw)), strings.TrimSpace(p.Sections[i].Text)) {
			s.t.Errorf("%s holds\n%s\nwant\n%s\n%v", f.Name(), raw, p.Sections[i].Text, err)
		}
	}
	for _, left := range []string{".longhand-*", "*.damaged*", "*/*.damaged*"} {
		if found, _ := filepath.Glob(filepath.Join(s.projectFolder(id), left)); len(found) > 0 {
			s.t.Errorf("left: %v", found)
		}
	}
}

// backingUp kills the day's backup and one that was asked for. What has the name
// of a backup is one.
func (s *sweep) backingUp(n int) {
	b := s.bench("b", (*author).edits, "save", "backup", "backup")
	file := filepath.Join(s.t.TempDir(), "all.longhand-backup")
	known := map[string]string{}
	for s.kills < n && !s.t.Failed() {
		b.write(3 + s.r.IntN(12))
		b.session()
		b.goodBackups(known)
		if s.kills < n {
			v, killed := s.kill("projects", "backup", file)
			v.lastOne()
			if _, err := os.Stat(file); err == nil || !killed {
				b.good(file, known, 0)
			}
		}
		if s.r.IntN(2) == 0 || s.kills >= n {
			b.verify()
		}
	}
	s.nothingLeft()
}

// goodBackups looks at the store's own backups.
func (b *bench) goodBackups(known map[string]string) {
	b.t.Helper()
	all := store.Beside(b.home).Backups()
	for i, f := range all {
		if i == 0 {
			b.good(f.Name, known, b.seq)
		} else {
			b.good(f.Name, known, 0)
		}
	}
	if len(all) == 0 && b.seq > 0 {
		b.lost++
		b.t.Error("a backup was acknowledged and there is none")
	}
}

// good restores a backup elsewhere: it holds the project as it was at some time,
// and not before seq. What was looked at is not looked at again.
func (b *bench) good(file string, known map[string]string, seq int) {
	b.t.Helper()
	st, err := os.Stat(file)
	if err != nil {
		b.t.Fatal(err)
	}
	if stamp := fmt.Sprint(st.ModTime(), st.Size()); known[file] == stamp {
		return
	} else {
		known[file] = stamp
	}
	home := b.t.TempDir()
	defer os.RemoveAll(home)
	if _, err := store.Restore(home, file); err != nil {
		b.failed++
		b.t.Errorf("a backup does not restore: %v", err)
		return
	}
	other := b.open(home)
	defer other.Close()
	p, err := other.Peek(b.id)
	if err != nil {
		b.t.Error(err)
		return
	}
	_, records := b.journaled(b.id)
	if p.Seq < seq || p.Seq > len(records) {
		b.lost++
		b.t.Errorf("the backup holds %d records of %d, %d were acknowledged", p.Seq, len(records), seq)
		return
	}
	if want, err := draft.Extend(nil, records[:p.Seq]...); err != nil || likeness(want) != likeness(p) {
		b.t.Errorf("the backup holds another project than the first %d records make: %v", p.Seq, err)
	}
}

// nothingLeft looks that what kills leave goes away: at once, or in an hour.
func (s *sweep) nothingLeft() {
	s.t.Helper()
	old := time.Now().Add(-2 * time.Hour)
	copies, _ := filepath.Glob(filepath.Join(s.home, ".check-*"))
	for _, name := range copies {
		if err := os.Chtimes(name, old, old); err != nil {
			s.t.Fatal(err)
		}
	}
	s.run("projects", "list")
	for _, left := range []string{".check-*", ".restored", ".longhand-*", "backups/*.part", "projects/.*", "projects/*/.*"} {
		if found, _ := filepath.Glob(filepath.Join(s.home, left)); len(found) > 0 {
			s.t.Errorf("left: %v", found)
		}
	}
}

// restoring kills "projects restore". What was there is there or aside, and
// never mixed with what the backup has.
func (s *sweep) restoring(n int) {
	s.expects = []string{"journal.jsonl: missing; ", "a new store is ready", ": it was "} // a backup has no journals; differences
	var files [2]string
	var states [2]map[string]string
	a := &author{r: s.r}
	for i := range files {
		s.plant(fmt.Sprint("only", i), a.beginning(fmt.Sprint("only", i))...)
		s.plant(fmt.Sprint("both", i), a.beginning(fmt.Sprint("both", i))...)
		s.goesOn("both0", 5)
		files[i] = filepath.Join(s.t.TempDir(), fmt.Sprint(i, ".longhand-backup"))
		s.run("projects", "backup", files[i])
		states[i] = s.state(s.home)
	}
	for s.kills < n && !s.t.Failed() {
		if s.r.IntN(2) == 0 {
			s.goesOn("both0", 3)
		}
		was := s.state(s.home)
		if s.r.IntN(2) == 0 {
			s.goesOn("both0", 3) // which the database does not know yet
			p, _ := s.journaled("both0")
			was["both0"] = likeness(p)
		}
		to := s.r.IntN(2)
		v, killed := s.kill("projects", "restore", files[to])
		if s.r.IntN(2) == 0 {
			s.intact()
		}
		is := s.state(s.home)
		switch {
		case killed && maps.Equal(is, was):
		case maps.Equal(is, states[to]):
			s.isAside(was)
		default:
			s.lost++
			s.t.Errorf("the store holds the projects %v, neither those before nor those of the backup", slices.Sorted(maps.Keys(is)))
		}
		s.kept += len(was)
		s.intact()
		v.lastOne()
	}
	s.nothingLeft()
}

// goesOn writes more into a journal than the database knows.
func (s *sweep) goesOn(id string, n int) {
	s.t.Helper()
	a := &author{r: s.r}
	p, _ := s.journaled(id)
	j, _, err := store.Continue(s.projectFolder(id))
	if err != nil {
		s.t.Fatal(err)
	}
	for range n {
		r := a.edits(p)
		line, err := draft.Marshal(r)
		if err == nil {
			r, err = draft.Unmarshal(line)
		}
		if err == nil {
			p, err = draft.Extend(p, r)
		}
		if err == nil {
			err = j.Append(r)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// isAside looks for the projects in the folders where restored stores leave what
// they took the place of.
func (s *sweep) isAside(want map[string]string) {
	s.t.Helper()
	found := false
	all, _ := filepath.Glob(filepath.Join(s.home, "replaced*"))
	for _, folder := range all {
		same := true
		for id, want := range want {
			p, err := store.Beside(folder).Peek(id)
			same = same && err == nil && likeness(p) == want
		}
		found = found || same
		if err := os.RemoveAll(folder); err != nil {
			s.t.Fatal(err)
		}
	}
	if !found {
		s.lost++
		s.t.Errorf("what was there before is in none of %v", all)
	}
}

// migrating kills the first start after the version that had journals alone.
func (s *sweep) migrating(n int) {
	for round := 0; s.kills < n && !s.t.Failed(); round++ {
		s.home = s.t.TempDir()
		want := map[string]string{}
		for i := range 5 {
			id := fmt.Sprint("d", i)
			s.plant(id, (&author{r: s.r}).beginning(id)...)
			s.goesOn(id, s.r.IntN(s.size(20)<<i))
		}
		if s.long && round == 1 {
			s.longJournal("d4")
		}
		for i := range 5 {
			p, _ := s.journaled(fmt.Sprint("d", i))
			want[p.ID] = likeness(p)
		}
		s.plant("empty") // killed before its first record
		s.until(min(7, n-s.kills), func(done bool) {
			if done || s.r.IntN(3) == 0 {
				s.intact()
			}
		}, "projects", "list")
		s.kept += len(want)
		if is := s.state(s.home); !maps.Equal(is, want) {
			s.lost++
			s.t.Errorf("the store holds the projects %v, or others of that name", slices.Sorted(maps.Keys(is)))
		}
		s.nothingLeft()
	}
}

// size is smaller in a short sweep.
func (s *sweep) size(n int) int {
	if s.long {
		return n
	}
	return n / 4
}

// longJournal makes a journal long enough that it begins anew after the backup.
func (s *sweep) longJournal(id string) {
	s.t.Helper()
	j, _, err := store.Continue(s.projectFolder(id))
	if err != nil {
		s.t.Fatal(err)
	}
	text := strings.Repeat((&author{r: s.r}).words(100)+"\n\n", 1200)
	for range 36<<20/len(text) + 1 {
		for _, r := range []draft.Record{draft.Text{Text: text}, draft.Rewind{}} {
			if err := j.Append(r); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// importing kills "import": a manuscript is there as a whole or not at all.
func (s *sweep) importing(n int) {
	a, raw := &author{r: s.r}, bytes.NewBufferString("# A Long Book\n")
	for i := range 40 {
		fmt.Fprintf(raw, "\n## Chapter %d\n\n%s\n", i, strings.Repeat(a.words(60)+".\n\n", 100))
	}
	file := filepath.Join(s.t.TempDir(), "big.md")
	if err := os.WriteFile(file, raw.Bytes(), 0o644); err != nil {
		s.t.Fatal(err)
	}
	m, err := script.Read(file, raw.Bytes())
	if err != nil {
		s.t.Fatal(err)
	}
	want, err := draft.Extend(nil, recordsOf("x", m)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.until(n, func(done bool) {
		s.intact()
		st := s.open(s.home)
		defer st.Close()
		cards, err := st.Projects()
		if err != nil {
			s.t.Error(err)
		}
		for _, c := range cards {
			if p, err := st.Peek(c.ID); err != nil || c.State != store.Done || p.Markdown() != want.Markdown() {
				s.t.Errorf("a part of a manuscript: %+v, %v", c, err)
			}
		}
		for _, d := range st.Notices() {
			s.alarm("note: " + d.String())
		}
	}, "import", file)
	s.nothingLeft()
}

// repairing damages the store and kills the repair.
func (s *sweep) repairing(n int) {
	s.expects = []string{"a new store is ready", ": it was "}
	a := &author{r: s.r}
	for i := range 3 {
		id := fmt.Sprint("r", i)
		s.plant(id, a.beginning(id)...)
		s.goesOn(id, 30)
	}
	for s.kills < n && !s.t.Failed() {
		was := s.state(s.home)
		tables, _ := filepath.Glob(filepath.Join(s.home, "store", "*.sst"))
		if len(tables) == 0 {
			s.t.Fatal("the database has no table to be damaged")
		}
		if err := os.Truncate(tables[0], 50); err != nil {
			s.t.Fatal(err)
		}
		s.until(min(3, n-s.kills), func(bool) {}, "projects", "check", "--repair", "rebuild")
		s.kept += len(was)
		if is := s.state(s.home); !maps.Equal(is, was) {
			s.lost++
			s.t.Errorf("the repaired store holds %v, want %v", is, was)
		}
		s.intact()
	}
	s.nothingLeft()
}

// drafting kills the real engine's drafts, in the start or behind some text, and
// goes on with them.
func (s *sweep) drafting(n int) {
	s.library, s.model = enginetest.Native(s.t)
	first := []string{"draft", "--json", "--prompt", "A small town by the sea", "--outline", outlined(s.t, 30, 20, 20), "--ctx", "2048", "--model", s.model}
	id := ""
	for s.kills < n && !s.t.Failed() {
		args := first
		if id != "" {
			args = []string{"draft", "--json", "--resume", id}
		}
		id = s.draftOnce(id, args)
	}
	s.nothingLeft()
}

// A line that the program printed, and when it was read.
type printed struct {
	event
	at time.Time
}

// draftOnce runs a draft, kills it and looks at what is left. It returns the
// draft's id while there is more to write.
func (s *sweep) draftOnce(id string, args []string) string {
	s.t.Helper()
	told := texts{} // as it stood
	if id != "" {
		p, _ := s.journaled(id)
		told = textsOfProject(p)
	}
	v := s.victim(args...)
	out, err := v.StdoutPipe()
	if err == nil {
		err = v.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	after, n := s.r.IntN(120), 0
	if s.r.IntN(5) == 0 {
		v.strike(s.draw(time.Second))
	}
	var lines []printed
	eventsOf(s.t, out, func(e event) {
		lines = append(lines, printed{e, time.Now()})
		if n++; n == after && v.timer == nil {
			v.strike(s.draw(30 * time.Millisecond))
		}
		if e.Event == "started" {
			id = e.ID
		}
	})
	killed, end := v.end(), time.Now()
	if s.t.Failed() {
		s.t.Logf("%d lines were printed, the last: %+v", len(lines), lines[max(0, len(lines)-5):])
	}
	s.intact()
	if id != "" && len(lines) > 0 {
		s.tells(id, told, lines, end)
	}
	v.lastOne()
	if !killed || len(lines) > 0 && lines[len(lines)-1].Event == "finished" {
		return ""
	}
	return id
}

// tells compares what was printed with the store.
func (s *sweep) tells(id string, told texts, lines []printed, end time.Time) {
	s.t.Helper()
	p, records := s.journaled(id)
	s.shows(id, p)
	done := map[int]string{}
	at, found, wrote, before := 0, -1, false, madeBy(s.t, records)
	for i, l := range lines {
		told.apply(l.event)
		if l.Event == "section_done" {
			done[l.Index] = told[l.Index]
		}
		if l.Event == "text" || l.Event == "rewind" {
			at = i
		}
		wrote = wrote || l.Event == "text"
		if slices.ContainsFunc(before, func(b texts) bool { return equal(b, told) }) {
			found = i
		}
	}
	for k, text := range done {
		if s.kept++; p.Sections[k].Text != text || !p.Sections[k].Done {
			s.lost++
			s.t.Errorf("section %d was done as\n%q\nand is\n%q", k, text, p.Sections[k].Text)
		}
	}
	// What goes on is told again by a rewind and the sentence behind it: between
	// the two the journal never stood.
	if found >= at || !wrote {
		return
	}
	if age := end.Sub(lines[found+1].at); age > s.oldest {
		s.oldest = age
	}
	if s.oldest > 2*time.Second {
		s.t.Errorf("text was lost that had been there for %v: printed\n%q\nthe journal has\n%q", s.oldest, fmt.Sprint(told), fmt.Sprint(before[len(before)-1]))
	}
}

// madeBy are the states of a draft's texts that its records have made, the last few.
func madeBy(t *testing.T, records []draft.Record) (out []texts) {
	t.Helper()
	p := &draft.Project{}
	for i, r := range records {
		if _, err := draft.Extend(p, r); err != nil {
			t.Fatal(err)
		}
		if i >= len(records)-6 {
			out = append(out, textsOfProject(p))
		}
	}
	return out
}

func textsOfProject(p *draft.Project) texts {
	now := texts{}
	for i, s := range p.Sections {
		now[i] = s.Text
	}
	return now
}
