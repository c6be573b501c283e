package assets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// npmPack gets a package through npm, which knows the person's registry and proxy.
func npmPack(ctx context.Context, p Pack, dir string, report func(Progress) error) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("assets: fetch %s: npm is not installed", p.NPM)
	}
	err = command(ctx, p, dir, report, npm, "pack", p.NPM, "--ignore-scripts", "--pack-destination", dir)
	if err != nil {
		return "", err
	}
	return only(p, dir, "*.tgz")
}

// pipDownload gets a wheel through whichever pip is there.
func pipDownload(ctx context.Context, p Pack, dir string, report func(Progress) error) (string, error) {
	var failures []error
	for _, pip := range [][]string{{"pip3"}, {"pip"}, {"python3", "-m", "pip"}, {"python", "-m", "pip"}} {
		program, err := exec.LookPath(pip[0])
		if err != nil {
			continue
		}
		args := append(pip[1:len(pip):len(pip)], "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--dest", dir, p.Wheel)
		if err = command(ctx, p, dir, report, program, args...); err == nil {
			return only(p, dir, wheelPattern(p.Wheel))
		}
		if errors.Is(err, errStopped) || ctx.Err() != nil {
			return "", err
		}
		failures = append(failures, err)
	}
	if len(failures) == 0 {
		return "", fmt.Errorf("assets: fetch %s: pip is not installed", p.Wheel)
	}
	return "", failures[0]
}

// wheelPattern matches a wheel's file name: runs of "-_." are one "_" there.
func wheelPattern(spec string) string {
	name, version, _ := strings.Cut(spec, "==")
	return strings.NewReplacer("-", "_", ".", "_").Replace(name) + "-" + version + "-*.whl"
}

func only(p Pack, dir, pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("it left %d files named %s", len(found), pattern)
	}
	if err != nil {
		return "", fmt.Errorf("assets: fetch %s: %w", p, err)
	}
	return found[0], nil
}

// command runs a package manager in dir. Its progress cannot be seen, so the
// time is reported, which also lets the caller break off.
func command(ctx context.Context, p Pack, dir string, report func(Progress) error, name string, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var said tail
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	cmd.WaitDelay = 2 * time.Second
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "npm_config_progress=false", "PIP_NO_INPUT=1")
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("assets: fetch %s: %w", p, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var stopped error
	for {
		if stopped == nil {
			if stopped = report(Progress{State: Asking, Source: p.String(), Elapsed: time.Since(start), Total: p.Bytes}); stopped != nil {
				cancel()
			}
		}
		select {
		case err := <-done:
			if stopped != nil {
				return stopped
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("assets: fetch %s: %w: %s", p, err, said.lastLine())
			}
			return nil
		case <-tick.C:
		}
	}
}

// tail keeps the end of what a program printed.
type tail []byte

func (t *tail) Write(b []byte) (int, error) {
	*t = append(*t, b...)
	if n := len(*t); n > 4096 {
		*t = append((*t)[:0], (*t)[n-4096:]...)
	}
	return len(b), nil
}

// lastLine is the last line that says something of an error, or the last at all.
func (t tail) lastLine() string {
	lines := strings.Split(strings.TrimSpace(string(t)), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if s := strings.ToLower(lines[i]); strings.Contains(s, "error") && !strings.Contains(s, "a complete log") {
			return strings.TrimSpace(lines[i])
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}
