package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"longhand/assets"
)

// modelsCmd is everything about model files and the engine's libraries.
type modelsCmd struct {
	List      modelsListCmd      `cmd:"" help:"List the models that are installed and those that can be fetched."`
	Recommend modelsRecommendCmd `cmd:"" help:"Name the best model for writing that fits this machine."`
	Pull      modelsPullCmd      `cmd:"" help:"Fetch a model (or 'sample', 'recommended', 'llama.cpp')."`
	Import    modelsImportCmd    `cmd:"" help:"Use a GGUF file that is already on this machine."`
	Verify    modelsVerifyCmd    `cmd:"" help:"Compare installed models with their hashes."`
	Remove    modelsRemoveCmd    `cmd:"" help:"Delete a model, or forget an imported one."`
}

// jsonFlag is shared by the commands below.
type jsonFlag struct {
	JSON bool `name:"json" help:"Events as JSON lines on standard output."`
}

func (j jsonFlag) end(e *env, err error) error { return e.told(j.JSON, err) }

type modelsListCmd struct{ jsonFlag }

func (c *modelsListCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *modelsListCmd) run(e *env) error {
	list, machine, err := e.models()
	if err != nil {
		return err
	}
	if c.JSON {
		for _, m := range list {
			if err := e.line("model", m); err != nil {
				return err
			}
		}
		return nil
	}
	e.table(list, machine)
	return nil
}

type modelsRecommendCmd struct {
	jsonFlag
	Offer bool `hidden:"" help:"Ask whether to fetch it, unless there is a model for writing or the answer was no."`
}

func (c *modelsRecommendCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *modelsRecommendCmd) run(e *env) error {
	list, machine, err := e.models()
	if err != nil {
		return err
	}
	i := indexOf(list, func(m entry) bool { return m.Recommended })
	if i < 0 {
		if c.Offer {
			return nil
		}
		return hinted{errors.New("app: recommend: no model of the catalogue fits the free memory of this machine"),
			"close other programs, or use the sample model: longhand models pull sample"}
	}
	m := list[i]
	switch {
	case c.JSON:
		return e.line("model", m)
	case c.Offer:
		return e.offer(list, m, machine)
	}
	fmt.Fprintln(e.stdout, recommendation(m, machine))
	if m.Installed {
		fmt.Fprintln(e.stdout, "It is installed.")
	} else {
		fmt.Fprintf(e.stdout, "Fetch it with: longhand models pull %s\n", m.Name)
	}
	return nil
}

// recommendation is one sentence with the model's size and what it needs.
func recommendation(m entry, machine assets.Machine) string {
	s := fmt.Sprintf("%s (%s), %s to fetch, needs %s of memory", m.Title, m.Name, assets.Size(*m.Bytes), assets.Size(*m.Memory))
	if _, _, where := machine.Fits(*m.Memory); where == "gpu" {
		s += fmt.Sprintf("; %s are free on the GPU", assets.Size(machine.GPUFree()))
	} else {
		s += fmt.Sprintf("; %s are free", assets.Size(machine.Free))
	}
	return s + ". Licence: " + *m.Licence + "."
}

type modelsImportCmd struct {
	jsonFlag
	File string `arg:"" placeholder:"F.gguf" help:"The model; of a split model the first file."`
	Copy bool   `help:"Copy it into Longhand's folder instead of using it where it lies."`
}

func (c *modelsImportCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *modelsImportCmd) run(e *env) error {
	show := newBar(e.stderr, c.JSON)
	defer show.close()
	name := ""
	for p, err := range assets.Import(e.ctx, e.home, c.File, c.Copy) {
		if err != nil {
			return err
		}
		show.progress(p)
		if p.State == assets.Done {
			name = p.File
		}
	}
	show.close()
	m, err := e.entryOf(name)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.line("model", m)
	}
	fmt.Fprintf(e.stdout, "%s can be used as --model %s.\n", m.Title, m.Name)
	return nil
}

type modelsVerifyCmd struct {
	jsonFlag
	Name string `arg:"" optional:"" help:"One model; all that are installed without it."`
}

func (c *modelsVerifyCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *modelsVerifyCmd) run(e *env) error {
	if kind, ok := strings.CutPrefix(strings.ToLower(c.Name), "llama.cpp-"); ok {
		if err := assets.VerifyLibrary(e.ctx, e.home, kind); err != nil {
			return err
		}
		return e.say(c.JSON, "library", libraryEvent(e.home, kind), c.Name+": whole")
	}
	list, _, err := e.models()
	if err != nil {
		return err
	}
	var bad []string
	found := false
	for _, m := range list {
		if !m.Installed && m.Path == nil || c.Name != "" && !m.named(c.Name) {
			continue
		}
		found = true
		text, err := e.verify(&m)
		if err != nil {
			return err
		}
		if m.Verified != nil && !*m.Verified {
			bad = append(bad, m.Name)
		}
		if err := e.say(c.JSON, "model", m, m.Name+": "+text); err != nil {
			return err
		}
	}
	if c.Name != "" && !found {
		return e.unknownModel(c.Name)
	}
	if len(bad) > 0 {
		return hinted{fmt.Errorf("app: verify: damaged: %s", strings.Join(bad, ", ")), "longhand models remove " + bad[0] + ", then pull or import it again"}
	}
	return nil
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

type modelsRemoveCmd struct {
	jsonFlag
	Name string `arg:"" help:"The model's name; llama.cpp-cpu, -cuda or -vulkan for an engine."`
}

func (c *modelsRemoveCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *modelsRemoveCmd) run(e *env) error {
	if kind, ok := strings.CutPrefix(strings.ToLower(c.Name), "llama.cpp-"); ok {
		if err := assets.RemoveLibrary(e.home, kind); err != nil {
			return err
		}
		return e.say(c.JSON, "library", libraryEvent(e.home, kind), c.Name+" was removed")
	}
	installed, err := assets.Models(e.home)
	if err != nil {
		return err
	}
	i := indexOf(installed, func(m assets.Model) bool { return namedModel(m, c.Name) })
	if i < 0 {
		return e.unknownModel(c.Name)
	}
	m := installed[i]
	if err := assets.RemoveModel(e.home, m); err != nil {
		return err
	}
	text := m.Name + " was removed"
	if m.Imported && !strings.HasPrefix(m.Path(), e.home) {
		text = m.Name + " was forgotten; its file stays at " + m.Path()
	}
	shown := newEntry(m)
	shown.Installed, shown.Path = false, nil
	return e.say(c.JSON, "model", shown, text)
}

// say writes one result, for programs or for people.
func (e *env) say(json bool, event string, v any, text string) error {
	if json {
		return e.line(event, v)
	}
	_, err := fmt.Fprintln(e.stdout, text)
	return err
}

func indexOf[T any](list []T, is func(T) bool) int {
	for i, v := range list {
		if is(v) {
			return i
		}
	}
	return -1
}
