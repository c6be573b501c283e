package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"longhand/assets"
)

type modelsPullCmd struct {
	jsonFlag
	Name string `arg:"" help:"A name of the list, 'sample', 'recommended', or 'llama.cpp': the engine for this machine (llama.cpp-cpu, -cuda, -vulkan: that one)."`
}

func (c *modelsPullCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *modelsPullCmd) run(e *env) error {
	name := strings.ToLower(c.Name)
	switch name {
	case "llama.cpp":
		return e.pullEngine(c.JSON)
	case "recommended":
		a, _, ok := assets.Probe(e.ctx).Recommend()
		if !ok {
			return hinted{fmt.Errorf("app: pull: no model of the catalogue fits the free memory of this machine"), "longhand models list shows what each needs"}
		}
		name = a.Name
	}
	a, ok := assets.Find(name)
	if !ok {
		return hinted{fmt.Errorf("app: pull: the catalogue has no %q", c.Name), "longhand models list shows what it has; a file that you have is used with: longhand models import F.gguf"}
	}
	return e.pull(a, c.JSON)
}

// pullEngine fetches the build for the processor, which always works, and the
// one for this machine's GPU. Without the second the first still serves.
func (e *env) pullEngine(json bool) error {
	best := assets.Probe(e.ctx).Best()
	cpu, _ := assets.Find("llama.cpp-cpu")
	if err := e.pull(cpu, json); err != nil || best.Kind == "cpu" {
		return err
	}
	gpu, ok := assets.Find("llama.cpp-" + best.Kind)
	if !ok {
		return nil
	}
	if err := e.pull(gpu, json); err != nil {
		if e.ctx.Err() != nil {
			return err
		}
		fmt.Fprintf(e.stderr, "longhand: %v\nlonghand: the engine will run on the processor\n", err)
	}
	return nil
}

// pull fetches one artefact and says what is there now.
func (e *env) pull(a assets.Artefact, json bool) error {
	show := newBar(e.stderr, json)
	defer show.close()
	fetched := false
	for p, err := range (assets.Fetcher{Home: e.home}).Fetch(e.ctx, a) {
		if err != nil {
			return pullError(e, a, err)
		}
		show.progress(p)
		fetched = fetched || p.State == assets.Done && p.Source != ""
	}
	show.close()
	verb := "is installed"
	if !fetched {
		verb = "was installed already"
	}
	if a.Kind == "library" {
		ev := libraryEvent(e.home, a.Library)
		return e.say(json, "library", ev, fmt.Sprintf("%s %s %s.", a.Name, a.Version, verb))
	}
	m, err := e.entryOf(a.Name)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s (%s) %s.", m.Title, m.Name, verb)
	if m.Sample {
		text += " It is " + m.Note + "."
	}
	if fetched && m.HashFrom != nil && *m.HashFrom != "catalogue" {
		text += fmt.Sprintf(" Its hash was compared with what the %s said, not with the catalogue.", *m.HashFrom)
	}
	return e.say(json, "model", m, text)
}

func pullError(e *env, a assets.Artefact, err error) error {
	if e.ctx.Err() != nil {
		return err
	}
	hint := "check the network; what came is kept, run it again to go on"
	if a.Untested {
		hint += ". Nobody of ours has fetched this one yet: if it has moved, fetch the GGUF by hand and use longhand models import"
	}
	return hinted{err, hint}
}

// libraryState is one build of llama.cpp as programs see it.
type libraryState struct {
	Kind      string  `json:"kind"`
	Version   string  `json:"version"`
	Installed bool    `json:"installed"`
	Folder    *string `json:"folder"`
}

func libraryEvent(home, kind string) libraryState {
	folder, ok := assets.Library(home, kind)
	s := libraryState{Kind: kind, Version: assets.LlamaVersion, Installed: ok}
	if ok {
		s.Folder = &folder
	}
	return s
}

// offer asks once, with one key, whether to fetch the recommended model. It
// says nothing where there is a model for writing, or nobody to ask.
func (e *env) offer(list []entry, m entry, machine assets.Machine) error {
	refused := filepath.Join(e.home, "offered")
	before, _ := os.ReadFile(refused)
	writes := indexOf(list, func(m entry) bool { return m.Installed && !m.Sample }) >= 0
	if writes || strings.TrimSpace(string(before)) == m.Name || !terminal(e.stdin) || !terminal(e.stderr) {
		return nil
	}
	fmt.Fprintf(e.stderr, "The sample model shows how Longhand works, not how well it writes.\nFor this machine: %s\nFetch it now? [y/N] ", recommendation(m, machine))
	key := oneKey(e.stdin)
	fmt.Fprintln(e.stderr)
	if key != 'y' && key != 'Y' {
		fmt.Fprintf(e.stderr, "Later: longhand models pull %s\n", m.Name)
		return os.WriteFile(refused, []byte(m.Name+"\n"), 0o644)
	}
	a, _ := assets.Find(m.Name)
	return e.pull(a, false)
}

// oneKey reads one key without waiting for a line, where the terminal can.
func oneKey(r io.Reader) byte {
	if f, ok := r.(*os.File); ok {
		stty := func(args ...string) error {
			cmd := exec.Command("stty", args...)
			cmd.Stdin = f
			return cmd.Run()
		}
		if stty("-icanon", "min", "1") == nil {
			defer stty("icanon")
		}
	}
	var b [1]byte
	if n, _ := r.Read(b[:]); n == 0 {
		return 0
	}
	return b[0]
}
