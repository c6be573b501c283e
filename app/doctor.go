package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"longhand/assets"
	"longhand/engine"
)

// doctorCmd says what works on this machine and what to do if it does not.
type doctorCmd struct {
	jsonFlag
	Probe string `hidden:"" help:"Load the libraries in this folder and print the devices they find." placeholder:"DIR"`
}

// check is one thing that was looked at.
type check struct {
	Name   string  `json:"name"`
	OK     bool    `json:"ok"`
	Detail string  `json:"detail"`
	Hint   *string `json:"hint"`
	Needed bool    `json:"needed"` // nothing can be drafted without it
}

func (c *doctorCmd) Run(e *env) error { return c.end(e, c.run(e)) }

func (c *doctorCmd) run(e *env) error {
	if c.Probe != "" {
		return e.probeDevices(c.Probe)
	}
	var broken []string
	machine := assets.Probe(e.ctx)
	for _, look := range []func(assets.Machine) []check{
		e.checkVersion, e.checkHome, e.checkStore, e.checkEngine, e.checkGPU, e.checkMemory, e.checkModels, e.checkWindow,
	} {
		for _, k := range look(machine) {
			if k.Needed && !k.OK {
				broken = append(broken, k.Name)
			}
			if err := e.showCheck(c.JSON, k); err != nil {
				return err
			}
		}
	}
	if len(broken) > 0 {
		return &exitError{status: 1, err: fmt.Errorf("app: doctor: needed and not working: %s", strings.Join(broken, ", "))}
	}
	return nil
}

func (e *env) showCheck(json bool, k check) error {
	if json {
		return e.line("check", k)
	}
	mark := "ok"
	if !k.OK && k.Needed {
		mark = "BROKEN"
	} else if !k.OK {
		mark = "note"
	}
	fmt.Fprintf(e.stdout, "%-7s %-12s %s\n", mark, k.Name, k.Detail)
	if k.Hint != nil {
		fmt.Fprintf(e.stdout, "%-20s → %s\n", "", *k.Hint)
	}
	return nil
}

func (e *env) checkVersion(assets.Machine) []check {
	return []check{{Name: "version", OK: true, Detail: fmt.Sprintf("longhand %s, llama.cpp %s, %s, %s/%s",
		version, assets.LlamaVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)}}
}

// checkEngine looks whether a build of llama.cpp is installed and lets it list
// its devices, in a child process: a broken driver can take a process down.
func (e *env) checkEngine(machine assets.Machine) []check {
	folder, kind, why, err := libraryFor(e.home, machine)
	if err != nil {
		return []check{{Name: "engine", Needed: true, Detail: plain(err), Hint: hintOf(err)}}
	}
	detail := "llama.cpp " + assets.LlamaVersion + ", " + kind
	if why != "" {
		detail += " (" + why + ")"
	}
	k := check{Name: "engine", OK: true, Needed: true, Detail: detail}
	devices, err := e.devices(folder)
	if err != nil {
		hint := fmt.Sprintf("longhand models remove llama.cpp-%s, then: longhand models pull llama.cpp-%s", kind, kind)
		if kind == "own" {
			hint = "LONGHAND_LIBRARY must name a folder with libllama and libggml of llama.cpp " + assets.LlamaVersion
		}
		return []check{k, {Name: "devices", Needed: true, Detail: plain(err), Hint: &hint}}
	}
	var list []string
	gpu := false
	for _, d := range devices {
		text := first(d.Description, d.Name) + " (" + d.Name + ")"
		if d.Total > 0 {
			text += fmt.Sprintf(", %s free of %s", assets.Size(int64(d.Free)), assets.Size(int64(d.Total)))
		}
		list = append(list, text)
		gpu = gpu || d.Kind == "gpu" || d.Kind == "igpu"
	}
	found := check{Name: "devices", OK: len(list) > 0, Needed: true, Detail: strings.Join(list, "; ")}
	if (kind == "cuda" || kind == "vulkan") && !gpu {
		found.OK, found.Needed = false, false
		found.Detail = "the " + kind + " build finds no GPU: " + found.Detail
		found.Hint = known("update the GPU's driver, or: longhand models remove llama.cpp-" + kind)
	}
	return []check{k, found}
}

// checkGPU says why CUDA and Vulkan are used or not.
func (e *env) checkGPU(machine assets.Machine) []check {
	k := check{Name: "gpu", OK: true}
	var list []string
	for _, c := range machine.Choices() {
		if c.Kind == "cpu" {
			continue
		}
		_, installed := assets.Library(e.home, c.Kind)
		switch {
		case c.OK && !installed && k.Hint == nil && c.Kind == machine.Best().Kind:
			k.OK, k.Hint = false, known("longhand models pull llama.cpp-"+c.Kind)
			list = append(list, c.Kind+" would serve but is not installed ("+c.Why+")")
		case c.OK:
			list = append(list, c.Kind+": "+c.Why)
		default:
			list = append(list, "no "+c.Kind+": "+c.Why)
		}
	}
	k.Detail = strings.Join(list, "; ")
	return []check{k}
}

func (e *env) checkMemory(machine assets.Machine) []check {
	k := check{Name: "memory", OK: true, Detail: assets.Size(machine.Free) + " free"}
	if machine.Free == 0 {
		k.Detail = "the system does not say how much is free"
	} else if machine.Free < 1<<30 {
		k.OK, k.Hint = false, known("close other programs: even a small model needs about 1 GB")
	}
	if g := machine.GPUFree(); g > 0 {
		k.Detail += ", " + assets.Size(g) + " on the GPU"
	}
	return []check{k}
}

// devices asks a child process what the libraries in folder can compute on.
func (e *env) devices(folder string) ([]engine.Device, error) {
	ctx, cancel := context.WithTimeout(e.ctx, 30*time.Second)
	defer cancel()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, childBinary(), "doctor", "--probe", folder)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("app: list devices: %w: %s", err, lastLine(said.String()))
	}
	var list []engine.Device
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		return nil, fmt.Errorf("app: list devices: %w", err)
	}
	return list, nil
}

// probeDevices is the child's side. What native code prints goes to standard error.
func (e *env) probeDevices(folder string) error {
	out := e.stdout
	if out == os.Stdout {
		f, err := takeStdout()
		if err != nil {
			return fmt.Errorf("app: doctor: take standard output: %w", err)
		}
		out = f
	}
	list, err := engine.Devices(folder)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(list)
}

func hintOf(err error) *string {
	var h hinted
	if errors.As(err, &h) {
		return &h.hint
	}
	return nil
}

// plain is an error without the package's name.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "app: ") }

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
