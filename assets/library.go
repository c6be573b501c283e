package assets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Kinds of llama.cpp builds, the fastest first.
var Kinds = []string{"cuda", "vulkan", "cpu"}

// LibraryFolder is where a build of llama.cpp lies, installed or not.
func LibraryFolder(home, kind string) string {
	return filepath.Join(home, "lib", "llama-"+LlamaVersion, kind)
}

// Library returns the folder of an installed build. A folder appears only when it is whole.
func Library(home, kind string) (folder string, ok bool) {
	folder = LibraryFolder(home, kind)
	_, err := os.Stat(filepath.Join(folder, libraryFile(runtime.GOOS, "llama")))
	return folder, err == nil
}

// VerifyLibrary compares every file of an installed build with the hashes
// noted when it was unpacked.
func VerifyLibrary(ctx context.Context, home, kind string) error {
	folder, ok := Library(home, kind)
	if !ok {
		return fmt.Errorf("assets: verify llama.cpp-%s: it is not installed", kind)
	}
	rec, err := readRecord(filepath.Join(folder, "longhand.json"))
	if err != nil {
		return fmt.Errorf("assets: verify llama.cpp-%s: %w", kind, err)
	}
	for _, f := range rec.Files {
		got, err := SHA256(ctx, f.Path, nil)
		if err != nil {
			return err
		}
		if got != f.SHA256 {
			return fmt.Errorf("assets: verify llama.cpp-%s: %s has changed since it was installed", kind, filepath.Base(f.Path))
		}
	}
	return nil
}

// RemoveLibrary deletes an installed build.
func RemoveLibrary(home, kind string) error {
	if _, ok := Library(home, kind); !ok {
		return fmt.Errorf("assets: remove llama.cpp-%s: it is not installed", kind)
	}
	if err := os.RemoveAll(LibraryFolder(home, kind)); err != nil {
		return fmt.Errorf("assets: remove llama.cpp-%s: %w", kind, err)
	}
	return nil
}

func libraryFile(goos, name string) string {
	switch goos {
	case "windows":
		return name + ".dll"
	case "darwin":
		return "lib" + name + ".dylib"
	}
	return "lib" + name + ".so"
}

// isLibrary takes what the engine loads and leaves Node's add-on and the tools.
func isLibrary(name string) bool {
	return strings.HasSuffix(name, ".dll") || strings.HasSuffix(name, ".dylib") || strings.HasSuffix(name, ".metal") ||
		strings.HasSuffix(name, ".so") || strings.Contains(name, ".so.")
}

// installLibrary unpacks a source's packages into one folder and renames it.
func (f Fetcher) installLibrary(ctx context.Context, a Artefact, s Source, report func(Progress) error) error {
	target := LibraryFolder(f.Home, a.Library)
	parent := filepath.Dir(target)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("assets: install %s: %w", a.Name, err)
	}
	// Left by a killed process; the lock says that nobody works in them.
	stale, _ := filepath.Glob(filepath.Join(parent, "."+a.Library+"-*"))
	for _, dir := range stale {
		os.RemoveAll(dir)
	}
	if err := f.space(parent, a.Name, 4*a.Bytes()); err != nil { // the packages and about three times their size unpacked
		return err
	}
	work, err := os.MkdirTemp(parent, "."+a.Library+"-*")
	if err != nil {
		return fmt.Errorf("assets: install %s: %w", a.Name, err)
	}
	defer os.RemoveAll(work)
	whole := filepath.Join(work, "whole")
	if err := os.Mkdir(whole, 0o755); err != nil {
		return fmt.Errorf("assets: install %s: %w", a.Name, err)
	}
	rec := Model{Name: a.Name, Title: a.Title, Licence: a.Licence, Version: a.Version, Source: s.Packs[0].String(), HashFrom: "package"}
	for i, p := range s.Packs {
		dir := filepath.Join(work, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("assets: install %s: %w", a.Name, err)
		}
		if err := f.unpackPack(ctx, a, p, dir, whole, report); err != nil {
			return err
		}
		os.RemoveAll(dir)
	}
	goos, _ := f.target()
	if err := plainNames(whole, goos); err != nil {
		return fmt.Errorf("assets: install %s: %w", a.Name, err)
	}
	if rec.Files, err = listFiles(ctx, whole); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(whole, "longhand.json"), rec); err != nil {
		return err
	}
	if err := os.RemoveAll(target); err == nil { // a folder without its library
		err = os.Rename(whole, target)
	}
	if err != nil {
		return fmt.Errorf("assets: install %s: %w", a.Name, err)
	}
	return nil
}

func (f Fetcher) unpackPack(ctx context.Context, a Artefact, p Pack, dir, whole string, report func(Progress) error) error {
	var archives []string
	var err error
	if p.Release {
		archives, err = f.releaseArchives(ctx, a, dir, report)
	} else {
		archives = make([]string, 1)
		archives[0], err = f.pack(ctx, p, dir, report)
	}
	if err != nil {
		return err
	}
	for _, path := range archives {
		if err := report(Progress{State: Unpacking, File: filepath.Base(path), Source: p.String()}); err != nil {
			return err
		}
		if _, err := unpack(ctx, path, p.Inside, whole, isLibrary); err != nil {
			return err
		}
	}
	return nil
}

// plainNames gives libllama and libggml the names by which they are opened,
// where a package has only libllama.v0.5.0.so or libllama.so.0.5.0.
func plainNames(dir, goos string) error {
	for _, name := range []string{"llama", "ggml"} {
		plain := libraryFile(goos, name)
		if _, err := os.Stat(filepath.Join(dir, plain)); err == nil {
			continue
		}
		found, err := filepath.Glob(filepath.Join(dir, strings.TrimSuffix(plain, filepath.Ext(plain))+".*"))
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("the package has no %s", plain)
		}
		if err := os.Symlink(filepath.Base(found[0]), filepath.Join(dir, plain)); err != nil {
			return err
		}
	}
	return nil
}

func listFiles(ctx context.Context, dir string) ([]Installed, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("assets: list %s: %w", dir, err)
	}
	var list []Installed
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		sum, err := SHA256(ctx, path, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, Installed{Path: e.Name(), Bytes: size(path), SHA256: sum})
	}
	return list, nil
}
