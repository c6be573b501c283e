package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"longhand/app/draft"
	"longhand/app/store"
)

// benchStoreCmd measures the store with a long book in it.
type benchStoreCmd struct {
	jsonFlag
	Words    int           `default:"100000" help:"Words of the book."`
	Sections int           `default:"500" help:"Its sections."`
	Versions int           `default:"2000" help:"Versions of sections, each after an edit."`
	Rest     time.Duration `default:"20s" help:"How long after opening its memory is read."`
	Repeat   int           `default:"5" help:"Openings; the median counts."`
}

func (c *benchStoreCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *benchStoreCmd) run(e *env) error {
	if c.Words < c.Sections || c.Sections < 1 || c.Versions < 0 || c.Repeat < 1 {
		return usage("--words must be at least --sections, both and --repeat at least 1")
	}
	home, err := os.MkdirTemp(e.home, "bench-store-") // where the store would lie, not in memory
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(e.home, 0o755); err == nil {
			home, err = os.MkdirTemp(e.home, "bench-store-")
		}
	}
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	there := &env{ctx: e.ctx, home: home, stdout: e.stdout, stderr: e.stderr}
	figures, err := c.measure(there)
	if err != nil {
		return errors.Join(err, there.closeBooks(false))
	}
	m := measured{Model: fmt.Sprintf("%d words in %d sections, %d versions", c.Words, c.Sections, c.Versions), Threads: runtime.GOMAXPROCS(0)}
	for _, f := range figures {
		if len(f.values) == 0 {
			continue
		}
		m.Name, m.Unit = f.name, f.unit
		if err := showStore(e, m, f.values, c.JSON); err != nil {
			return err
		}
	}
	return nil
}

// showStore prints the median of a figure, and its lowest and highest value.
func showStore(e *env, m measured, values []float64, asJSON bool) error {
	slices.Sort(values)
	m.Value, m.Low, m.High = values[len(values)/2], values[0], values[len(values)-1]
	if asJSON {
		return e.line("bench", m)
	}
	_, err := fmt.Fprintf(e.stdout, "%-22s %9.2f %-3s (%.2f to %.2f in %d)\n", m.Name, m.Value, m.Unit, m.Low, m.High, len(values))
	return err
}

func (c *benchStoreCmd) measure(e *env) ([]figure, error) {
	const id = "bench"
	since := func(t time.Time) float64 { return float64(time.Since(t).Microseconds()) / 1000 }
	s, err := e.books()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	book, err := s.Create(id, bookOf(id, c.Words, c.Sections)...)
	if err != nil {
		return nil, err
	}
	imported := since(began)
	began = time.Now()
	if err := book.Mirror(); err != nil {
		return nil, err
	}
	mirrored := since(began)
	saves, err := c.edits(book)
	if err != nil {
		return nil, err
	}
	if err := book.Close(); err != nil {
		return nil, err
	}
	began = time.Now()
	if err := e.closeBooks(true); err != nil {
		return nil, err
	}
	closed := since(began)
	opens := []float64{}
	for range c.Repeat {
		began := time.Now()
		if _, err := e.book(id); err != nil {
			return nil, err
		}
		opens = append(opens, since(began))
		if err := e.closeBooks(false); err != nil {
			return nil, err
		}
	}
	whole, base, err := sizeOf(e.home)
	if err != nil {
		return nil, err
	}
	memory, err := c.memory(e, id)
	if err != nil {
		return nil, err
	}
	return []figure{
		{"create", "ms", []float64{imported}}, {"first mirror", "ms", []float64{mirrored}}, {"open", "ms", opens}, {"autosave", "ms", saves}, {"autosave, 99 of 100", "ms", percentile(saves, 0.99)},
		{"close with backup", "ms", []float64{closed}}, {"files", "MB", []float64{whole}}, {"of these the database", "MB", []float64{base}}, {"anonymous memory", "MB", memory},
	}, nil
}

// percentile is the value that so large a share of others is not above.
func percentile(values []float64, share float64) []float64 {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(values))
	return []float64{sorted[int(share*float64(len(sorted)-1))]}
}

// bookOf is a project of so many words in so many sections.
func bookOf(id string, words, sections int) []draft.Record {
	r := rand.New(rand.NewPCG(1, 2))
	var all []draft.Whole
	for i := range sections {
		s := draft.SectionOf(0, benchText(r, words/sections), draft.Model)
		s.Begun, s.Done, s.Target = true, true, words/sections
		all = append(all, draft.Whole{Plan: draft.SectionPlan{Title: "Section " + strconv.Itoa(i+1) + ", " + benchText(r, 4), Point: benchText(r, 12), Beats: []string{benchText(r, 5), benchText(r, 5)}, Words: words / sections}, Section: s})
	}
	return []draft.Record{draft.Started{ID: id, Target: words}, draft.Request{Prompt: "A book to measure with", Words: words}, draft.Title{Title: "A Book"}, draft.PlanDone{Target: words}, draft.Place{Sections: all}}
}

// benchText is text of so many words that compresses about as prose does.
func benchText(r *rand.Rand, words int) string {
	var b strings.Builder
	for i := range words {
		n := 0
		switch {
		case i > 0 && i%60 == 0:
			b.WriteString(".\n\n")
		case i > 0:
			b.WriteByte(' ')
		}
		// Zipf's law over 4,000 words: a word's letters are a function of its rank.
		for n = int(4000 * r.Float64() * r.Float64() * r.Float64()); ; n /= 19 {
			b.WriteString([]string{"a", "sto", "re", "li", "ne", "the", "mo", "un", "ta", "in", "ri", "ver", "o", "sea", "ke", "per", "wa", "y", "lo"}[n%19])
			if n < 19 {
				break
			}
		}
	}
	return b.String() + "."
}

// edits changes a paragraph, keeps the section as a version, and saves, again
// and again. What is returned is how long each save took, from the change on.
func (c *benchStoreCmd) edits(b *store.Book) (saves []float64, err error) {
	r := rand.New(rand.NewPCG(3, 4))
	sections := b.Project().Sections
	for i := range c.Versions {
		s := sections[r.IntN(len(sections))]
		began := time.Now()
		if err := b.Append(draft.Edit{Section: s.ID, At: 0, Cut: 1, Put: []draft.Paragraph{{Text: benchText(r, 55)}}, By: draft.Human, Why: "typed"}); err != nil {
			return nil, err
		}
		if err := b.Save(); err != nil {
			return nil, err
		}
		saves = append(saves, float64(time.Since(began).Microseconds())/1000)
		if err := b.Name(s.ID, "version "+strconv.Itoa(i)); err != nil {
			return nil, err
		}
	}
	return saves, nil
}

// sizeOf is what the files in a folder take on the disk, in all and in the database.
func sizeOf(home string) (whole, base float64, err error) {
	err = filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		whole += float64(st.Size()) / 1e6
		if filepath.Base(filepath.Dir(path)) == "store" {
			base += float64(st.Size()) / 1e6
		}
		return nil
	})
	return whole, base, err
}

// memory is the anonymous memory of a process of ours that has the book open,
// some time after it opened it. Only Linux tells.
func (c *benchStoreCmd) memory(e *env, id string) ([]float64, error) {
	if runtime.GOOS != "linux" {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, childBinary(), "projects", "edit", id)
	cmd.Env = append(os.Environ(), "LONGHAND_HOME="+e.home)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"event":"opened"`) {
		return nil, fmt.Errorf("the child does not open the book: %s", lines.Text())
	}
	select {
	case <-time.After(c.Rest):
	case <-e.ctx.Done():
		return nil, e.ctx.Err()
	}
	mb, err := anonymous(cmd.Process.Pid)
	in.Close()
	return []float64{mb}, errors.Join(err, cmd.Wait())
}

// anonymous is the anonymous memory of a process, in MB.
func anonymous(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1000, err
		}
	}
	return 0, errors.New("the system does not tell a process's anonymous memory")
}
