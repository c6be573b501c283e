package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"longhand/app/store"
	"longhand/assets"
)

// checkHome looks whether the data folder can be written, is on this machine
// and has room.
func (e *env) checkHome(assets.Machine) []check {
	k := check{Name: "data", OK: true, Needed: true, Detail: e.home}
	if err := writeProbe(e.home); err != nil {
		k.OK, k.Detail, k.Hint = false, err.Error(), known("make the folder writable, or set LONGHAND_HOME to another one")
		return []check{k}
	}
	checks := []check{k}
	if kind := store.Remote(e.home); kind != "" {
		checks = append(checks, check{Name: "data", Detail: e.home + " is on a network file system (" + kind + "), where locks and memory maps are not reliable",
			Hint: known("set LONGHAND_HOME to a folder on this machine's own disk")})
	}
	disk := check{Name: "disk", OK: true}
	free, err := assets.FreeSpace(e.home)
	switch {
	case err != nil:
		disk.OK, disk.Detail = false, err.Error()
	case free < 1<<30:
		disk.OK, disk.Detail, disk.Hint = false, assets.Size(free)+" free", known("free some space: drafts need little, a model needs 1 to 20 GB")
	default:
		disk.Detail = assets.Size(free) + " free"
	}
	return append(checks, disk)
}

func writeProbe(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// checkModels looks whether there is a model, and whether the files are those
// that came.
func (e *env) checkModels(machine assets.Machine) []check {
	installed, err := assets.Models(e.home)
	if err != nil {
		return []check{{Name: "models", Needed: true, Detail: err.Error()}}
	}
	var names []string
	var damaged []check
	writes := false
	for _, m := range installed {
		if m.Missing {
			damaged = append(damaged, check{Name: "model", Detail: m.Name + ": its file is gone or has another size: " + m.Path(), Hint: known("longhand models remove " + m.Name)})
			continue
		}
		text := m.Name
		if m.Sample {
			text += " (the sample: it shows how Longhand works, not how well it writes)"
		}
		names = append(names, text)
		writes = writes || !m.Sample
	}
	k := check{Name: "models", OK: len(names) > 0, Needed: true, Detail: strings.Join(names, ", ")}
	if len(names) == 0 {
		k.Detail = "none is installed"
	}
	if a, _, ok := machine.Recommend(); ok && !writes {
		k.Hint = known(fmt.Sprintf("longhand models pull %s (%s, %s)", a.Name, a.Title, assets.Size(a.Bytes())))
	} else if len(names) == 0 {
		k.Hint = known("longhand models pull sample, or longhand models import F.gguf")
	}
	return append([]check{k}, damaged...)
}

// checkWindow looks at what only the window needs: commands work without it.
func (e *env) checkWindow(assets.Machine) []check {
	if runtime.GOOS != "linux" {
		return nil
	}
	display := check{Name: "display", OK: true, Detail: "DISPLAY=" + os.Getenv("DISPLAY")}
	if w := os.Getenv("WAYLAND_DISPLAY"); w != "" {
		display.Detail = "WAYLAND_DISPLAY=" + w
	} else if os.Getenv("DISPLAY") == "" {
		display.OK, display.Detail = false, "none: the window cannot open; every command works without it"
		display.Hint = known("start Longhand from a desktop session, or draft with: longhand draft --prompt …")
	}
	gl := check{Name: "libraries", OK: true, Detail: "libGL and libwayland-client are there"}
	var missing []string
	for _, name := range []string{"libGL.so.1", "libwayland-client.so.0"} {
		if !systemLibrary(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		gl.OK, gl.Detail = false, "the window needs "+strings.Join(missing, " and ")
		gl.Hint = known("on Debian and Ubuntu: apt-get install libgl1 libwayland-client0")
	}
	fonts := check{Name: "fonts", OK: true, Detail: "a font with Chinese, Japanese and Korean characters is installed"}
	if !cjkFont() {
		fonts.OK, fonts.Detail = false, "no font with Chinese, Japanese or Korean characters: the window shows boxes for them"
		fonts.Hint = known("on Debian and Ubuntu: apt-get install fonts-droid-fallback (or fonts-noto-cjk)")
	}
	return []check{display, gl, fonts}
}

func systemLibrary(name string) bool {
	dirs := append(filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")), "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/lib/*", "/usr/local/lib")
	for _, dir := range dirs {
		if found, _ := filepath.Glob(filepath.Join(dir, name)); len(found) > 0 {
			return true
		}
	}
	return false
}

// cjkFont asks fontconfig, and where it is not there looks for the usual files.
func cjkFont() bool {
	if out, err := exec.Command("fc-list", ":lang=zh", "file").Output(); err == nil {
		return len(strings.TrimSpace(string(out))) > 0
	}
	home, _ := os.UserHomeDir()
	for _, dir := range []string{"/usr/share/fonts", "/usr/local/share/fonts", filepath.Join(home, ".local/share/fonts"), filepath.Join(home, ".fonts")} {
		found := false
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			name := strings.ToLower(filepath.Base(path))
			for _, known := range []string{"cjk", "droidsansfallback", "wqy-", "wenkai", "sourcehan", "uming", "ukai", "nanum", "takao", "ipag"} {
				if strings.Contains(name, known) {
					found = true
					return filepath.SkipAll
				}
			}
			return nil
		})
		if found {
			return true
		}
	}
	return false
}
