package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"longhand/assets"
)

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
		if u, err := url.Parse(p.Source); err == nil && u.Host != "" && p.File != "" {
			s = "fetching " + p.File + " from " + u.Host // an address is wider than a terminal
		}
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
