package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"longhand/assets"
)

// table lists models for people.
func (e *env) table(list []entry, machine assets.Machine) {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tMODEL\tSIZE\tMEMORY\tLICENCE\tSTATE")
	for _, m := range list {
		fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\t%s\t%s\n", m.Name, m.Title, m.Version, bytesOr(m.Bytes), bytesOr(m.Memory), textOr(m.Licence), state(m))
	}
	w.Flush()
	fmt.Fprintln(e.stdout)
	free := "memory free: " + assets.Size(machine.Free)
	if g := machine.GPUFree(); g > 0 {
		free = "free on the GPU: " + assets.Size(g) + "; " + free
	}
	if machine.Free > 0 {
		fmt.Fprintln(e.stdout, strings.ToUpper(free[:1])+free[1:]+". MEMORY is what a model needs with 8,192 tokens of context.")
	}
	fmt.Fprintln(e.stdout, "The sample model shows how Longhand works, not how well it writes.")
	fmt.Fprintln(e.stdout, "Untested: in the catalogue with its published hash, but not yet fetched and run by us.")
}

// state is everything there is to say about a model in a few words.
func state(m entry) string {
	var s []string
	switch {
	case m.Installed && m.Imported:
		s = append(s, "imported")
	case m.Installed:
		s = append(s, "installed")
	case m.Path != nil:
		s = append(s, "its file is gone")
	}
	if m.Recommended {
		s = append(s, "recommended")
	}
	if m.Sample {
		s = append(s, "sample")
	}
	if m.Fits != nil && !*m.Fits {
		s = append(s, "does not fit")
	}
	if m.Untested {
		s = append(s, "untested")
	}
	if m.HashFrom != nil && *m.HashFrom == "host" {
		s = append(s, "hash from its host")
	}
	return strings.Join(s, ", ")
}

func bytesOr(n *int64) string {
	if n == nil {
		return "?"
	}
	return assets.Size(*n)
}

func textOr(s *string) string {
	if s == nil {
		return "?"
	}
	return *s
}

// verify reads a model's files again and compares them with what was noted
// when they came.
func (e *env) verify(m *entry) (string, error) {
	if !m.Installed {
		m.Verified = new(bool)
		return "a file of it is gone or has another size: " + *m.Path, nil
	}
	good, compared := true, false
	for i, name := range m.Files {
		path := filepath.Join(filepath.Dir(*m.Path), name)
		show := newBar(e.stderr, false)
		sum, err := assets.SHA256(e.ctx, path, func(done int64) error {
			show.progress(assets.Progress{State: assets.Checking, File: name, Done: done, Total: *m.Bytes})
			return nil
		})
		show.close()
		if err != nil {
			return "", err
		}
		if want := m.Hashes[i]; want != nil {
			compared, good = true, good && strings.EqualFold(*want, sum)
		}
	}
	if !compared {
		return "there is no hash to compare it with", nil
	}
	m.Verified = &good
	if !good {
		return "damaged: its SHA-256 is not the one noted when it came", nil
	}
	return "whole", nil
}

// bar shows a fetch: a line that is redrawn on a terminal, a line for each
// step and tenth elsewhere, nothing with --json.
type bar struct {
	w     io.Writer
	live  bool
	quiet bool
	shown int // width of the line on the terminal
	last  string
	tenth int64
	begun time.Time
	from  int64 // bytes that were there when the rate began to be measured
	drawn time.Time
}

func newBar(w io.Writer, json bool) *bar {
	live := terminal(w)
	return &bar{w: w, live: live, quiet: json && !live}
}

func (b *bar) progress(p assets.Progress) {
	if b.quiet {
		return
	}
	step := string(p.State) + p.File + p.Source
	fresh := step != b.last
	if fresh {
		b.last, b.begun, b.from, b.tenth = step, time.Now(), p.Done, -1
	}
	if p.State == assets.Failed {
		b.say("%v; trying the next source", p.Problem)
		return
	}
	if p.State == assets.Done {
		b.close()
		return
	}
	if b.live {
		if fresh || time.Since(b.drawn) > 100*time.Millisecond {
			b.drawn = time.Now()
			b.draw(b.text(p))
		}
		return
	}
	tenth := int64(0)
	if p.Total > 0 && p.State == assets.Downloading {
		tenth = p.Done * 10 / p.Total
	}
	if fresh || tenth > b.tenth {
		b.tenth = tenth
		fmt.Fprintln(b.w, b.text(p))
	}
}

// text is a step in one line.
func (b *bar) text(p assets.Progress) string {
	what := p.File
	if what == "" || p.State == assets.Asking {
		what = p.Source
	}
	switch p.State {
	case assets.Waiting:
		return "another Longhand is fetching " + p.Artefact + "; waiting for it"
	case assets.Asking:
		s := "fetching " + what
		if p.Total > 0 {
			s += " (" + assets.Size(p.Total) + ")"
		}
		if p.Elapsed >= time.Second {
			s += fmt.Sprintf(" … %d s", int(p.Elapsed.Seconds()))
		}
		return s
	case assets.Downloading:
		return what + "  " + b.rate(p)
	}
	if p.Total > 0 {
		return fmt.Sprintf("%s %s  %d %%", p.State, what, p.Done*100/p.Total)
	}
	return string(p.State) + " " + what
}

// rate is the share done, the speed of this run and the time left.
func (b *bar) rate(p assets.Progress) string {
	if p.Total <= 0 {
		return assets.Size(p.Done)
	}
	share := p.Done * 100 / p.Total
	s := fmt.Sprintf("%s of %s", assets.Size(p.Done), assets.Size(p.Total))
	if b.live {
		full := int(share / 5)
		s = "[" + strings.Repeat("█", full) + strings.Repeat("·", 20-full) + "] " + s
	}
	s += fmt.Sprintf("  %d %%", share)
	if t := time.Since(b.begun).Seconds(); t > 1 && p.Done > b.from {
		speed := float64(p.Done-b.from) / t
		left := time.Duration(float64(p.Total-p.Done) / speed * float64(time.Second)).Round(time.Second)
		s += fmt.Sprintf("  %.1f MB/s  %v left", speed/1e6, left)
	}
	return s
}

func (b *bar) draw(text string) {
	pad := max(0, b.shown-len([]rune(text)))
	fmt.Fprintf(b.w, "\r%s%s", text, strings.Repeat(" ", pad))
	b.shown = len([]rune(text))
}

func (b *bar) say(format string, args ...any) {
	b.close()
	fmt.Fprintf(b.w, format+"\n", args...)
}

// close removes the live line.
func (b *bar) close() {
	if b.live && b.shown > 0 {
		fmt.Fprintf(b.w, "\r%s\r", strings.Repeat(" ", b.shown))
		b.shown = 0
	}
}
