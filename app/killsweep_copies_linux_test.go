package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"longhand/app/draft"
	"longhand/app/store"
)

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
		if s.kills < n && s.r.IntN(3) == 0 {
			v, _ := s.kill("projects", "compact")
			v.lastOne()
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
		s.until(min(3, n-s.kills), func(string, bool) {}, "projects", "check", "--repair", "rebuild")
		s.kept += len(was)
		if is := s.state(s.home); !maps.Equal(is, was) {
			s.lost++
			s.t.Errorf("the repaired store holds %v, want %v", is, was)
		}
		s.intact()
	}
	s.nothingLeft()
}
