package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestDamageSweep damages one file of a store in one way, again and again, and
// does what the program does then. Each time everything must be there, or what
// is not must be told with its place. LONGHAND_DAMAGE=350 runs so many cases and
// 50 undamaged ones, LONGHAND_DAMAGE_SEED others.
func TestDamageSweep(t *testing.T) {
	cases, sound, large, seed := 24, 4, 0, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("LONGHAND_DAMAGE")); err == nil {
		cases, sound, large = n, 50, 24
	}
	if n, err := strconv.ParseUint(os.Getenv("LONGHAND_DAMAGE_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("seed %d", seed)
	all := shapes(t, seed, large)
	for _, sh := range all {
		sh.want = soundState(t, sh)
	}
	tally := &tally{rows: map[string]map[string]int{}, placed: map[string]int{}}
	t.Run("cases", func(t *testing.T) {
		for i := range cases + sound {
			c := newCase(all, seed, i, i%(cases/sound+1) == cases/sound)
			t.Run(c.name(), func(t *testing.T) {
				t.Parallel()
				outcome := c.run(t)
				t.Logf("%s: %v", outcome, c.told)
				tally.add(c, outcome)
			})
		}
	})
	t.Log(tally)
}

// soundState is what a shape holds, read from a copy as the program reads it.
func soundState(t *testing.T, sh *shape) state {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	copied(t, sh.home, home)
	_, st, err, died := inChild(t, "open", home)
	if err != nil || died != "" || len(st.Notices) > 0 || len(st.Left) > 0 {
		t.Fatalf("%s, undamaged: %v %s %+v", sh.name, err, died, st)
	}
	return *st
}

// damageCase is one copy of a shape and what is done to it.
type damageCase struct {
	n     int
	shape *shape
	kind  string
	file  string // "": nothing is damaged
	way   way
	r     *rand.Rand

	told  []Damage // by the check and at the opening
	place string   // how well a damaged table is named
	died  bool     // the check did
}

// newCase draws the i-th case: kinds of files and ways in turn, the rest by lot.
func newCase(all []*shape, seed uint64, i int, sound bool) *damageCase {
	c := &damageCase{n: i, r: rand.New(rand.NewPCG(seed, uint64(i)+100))}
	c.shape = all[c.r.IntN(len(all))]
	if sound {
		c.kind = "none"
		return c
	}
	c.kind = kindsOfFiles[i%len(kindsOfFiles)]
	c.way = ways[(i/len(kindsOfFiles)+i*5+int(seed))%len(ways)]
	var files []string
	for len(files) == 0 {
		c.shape = all[c.r.IntN(len(all))]
		names, err := filepath.Glob(filepath.Join(c.shape.home, "*"))
		for _, deep := range []string{"*/*", "*/*/*", "*/*/*/*"} {
			more, _ := filepath.Glob(filepath.Join(c.shape.home, deep))
			names = append(names, more...)
		}
		if err != nil {
			panic(err)
		}
		for _, name := range names {
			if kindOfFile(name) == c.kind {
				files = append(files, name)
			}
		}
	}
	name := files[c.r.IntN(len(files))]
	c.file, _ = filepath.Rel(c.shape.home, name)
	c.file = filepath.ToSlash(c.file)
	return c
}

func (c *damageCase) name() string {
	return strings.ReplaceAll(fmt.Sprintf("%d %s %s %s", c.n, c.shape.name, c.file, c.way.name), "/", "|")
}

// harm damages the copy and returns what was there.
func (c *damageCase) harm(t *testing.T, home string) []byte {
	path := filepath.Join(home, c.file)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for {
		used := usedBytes(t, path)
		if used == 0 && c.way.name != "remove" {
			c.way = ways[9] // there is nothing else to do to an empty file
		}
		if err := c.way.do(c.r, path, used); err != nil {
			t.Fatal(err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			return before
		}
		c.way = ways[c.r.IntN(len(ways))] // zeros were zeroed
	}
}

// run does to a damaged store what the program does.
func (c *damageCase) run(t *testing.T) (outcome string) {
	home := filepath.Join(t.TempDir(), "home")
	copied(t, c.shape.home, home)
	var before []byte
	if c.file != "" {
		before = c.harm(t, home)
	}
	is := sums(t, home)
	harmed, _ := os.ReadFile(filepath.Join(home, c.file)) // none: it was removed
	grave := c.check(t, home)
	c.unchanged(t, "the check", is, sums(t, home))
	c.places(t)
	how := "open"
	if grave {
		how = Rebuild
		if len(c.shape.backed.Projects) > 0 && c.r.IntN(6) == 0 && c.kind != "backup" && c.shape.name != "new" {
			c.fromBackup(t, home)
		}
	}
	_, st, err, died := inChild(t, how, home)
	if died != "" || err != nil {
		t.Errorf("%s after %v: %v %s", how, c.told, err, died)
		return "crash"
	}
	c.told = append(c.told, st.Notices...)
	if grave {
		c.keptAside(t, home, is)
	} else {
		c.keptBeside(t, filepath.Join(home, c.file), before, harmed)
	}
	silent, listed := c.compare(t, st, before, filepath.Join(home, c.file))
	for _, d := range st.Left {
		if c.kind != "backup" || d.File != c.file {
			t.Errorf("after %s the check finds %v", how, d)
		}
	}
	return c.outcome(t, grave, silent, listed)
}

// check checks the store in a child, as the program does; grave says that it must
// not be opened.
func (c *damageCase) check(t *testing.T, home string) (grave bool) {
	t.Helper()
	found, _, err, died := inChild(t, "check", home)
	if err != nil {
		t.Errorf("the check ends with %v", err)
	}
	if c.died = died != ""; c.died { // what the program says then
		t.Logf("the check died: %s", died)
		found = append(found, Damage{File: databaseFolder, Index: -1, Kind: "the check died: " + died, Grave: true})
		leftovers, _ := filepath.Glob(filepath.Join(home, copyPrefix+"*"))
		for _, name := range leftovers {
			os.RemoveAll(name)
		}
	}
	c.told = found
	return slices.ContainsFunc(found, func(d Damage) bool { return d.Grave })
}

func (c *damageCase) outcome(t *testing.T, grave, silent, listed bool) string {
	t.Helper()
	switch {
	case silent:
		return "silent"
	case c.file == "" && len(c.told) > 0:
		t.Errorf("undamaged, and told of %v", c.told)
		return "false alarm"
	case grave && listed:
		return "rebuilt, differences listed"
	case grave:
		return "rebuilt exactly"
	case listed:
		return "named, loss told"
	case len(c.told) > 0:
		return "named, all there"
	}
	return "intact"
}

func (c *damageCase) unchanged(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	for name, sum := range before {
		if after[name] != sum {
			t.Errorf("%s changed %s", what, name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s left %s", what, name)
		}
	}
}

// keptAside says that the damaged database lies in a folder of its own as it was.
func (c *damageCase) keptAside(t *testing.T, home string, before map[string]string) {
	t.Helper()
	aside := sums(t, filepath.Join(home, "replaced"))
	for name, sum := range before {
		if strings.HasPrefix(name, databaseFolder+"/") && aside[name] != sum {
			t.Errorf("%s was not kept as it was", name)
		}
	}
}

// fromBackup restores the backup in a copy, which must be what was backed up.
func (c *damageCase) fromBackup(t *testing.T, home string) {
	t.Helper()
	other := filepath.Join(t.TempDir(), "home")
	copied(t, home, other)
	_, st, err, died := inChild(t, FromBackup, other)
	if err != nil || died != "" {
		t.Errorf("from the backup: %v %s", err, died)
		return
	}
	for id, want := range c.shape.backed.Projects {
		if got := st.Projects[id]; got == nil || asJSON(got.Sections) != asJSON(want.Sections) {
			t.Errorf("from the backup: project %s is\n%v\nwant\n%v", id, asJSON(got), asJSON(want))
		}
	}
}

// tally counts the outcomes by kinds of files.
type tally struct {
	mu     sync.Mutex
	rows   map[string]map[string]int
	placed map[string]int
	died   int
}

var outcomes = []string{"cases", "intact", "named, all there", "named, loss told", "rebuilt exactly", "rebuilt, differences listed", "silent", "crash"}

func (y *tally) add(c *damageCase, outcome string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.rows[c.kind] == nil {
		y.rows[c.kind] = map[string]int{}
	}
	y.rows[c.kind][outcome]++
	y.rows[c.kind]["cases"]++
	if c.place != "" {
		y.placed[c.place]++
	}
	if c.died {
		y.died++
	}
}

func (y *tally) String() string {
	var b strings.Builder
	b.WriteString("\n| file | " + strings.Join(outcomes, " | ") + " |\n|---" + strings.Repeat("|---", len(outcomes)) + "|\n")
	sum := map[string]int{}
	kinds := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(kindsOfFiles), "none"))))
	for _, kind := range append(kinds, "all") {
		row := y.rows[kind]
		if kind == "all" {
			row = sum
		}
		b.WriteString("| " + kind)
		for _, o := range outcomes {
			fmt.Fprintf(&b, " | %d", row[o])
			if kind != "all" {
				sum[o] += row[o]
			}
		}
		b.WriteString(" |\n")
	}
	fmt.Fprintf(&b, "damaged tables: %v; checks that died: %d\n", y.placed, y.died)
	return b.String()
}
