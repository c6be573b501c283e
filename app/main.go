// Longhand plans in the open and drafts very long documents with a local
// model. This package is the command line, the window and the wiring between
// the packages that do the work; it alone knows where files lie and which
// process runs what.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/alecthomas/kong"

	"longhand/app/store"
)

// version is set by the linker.
var version = "dev"

// cli is the whole command line; each command stands in a file of its own.
type cli struct {
	Window   windowCmd   `cmd:"" default:"1" hidden:"" help:"Open the window."`
	Draft    draftCmd    `cmd:"" help:"Plan and write a long document."`
	Score    scoreCmd    `cmd:"" help:"Score a draft: length, format, repetition, writing."`
	Prefer   preferCmd   `cmd:"" help:"Learn your taste from what you kept and rejected."`
	Models   modelsCmd   `cmd:"" help:"List, recommend, fetch, import, verify and remove models."`
	Doctor   doctorCmd   `cmd:"" help:"Say what works on this machine and what to do if it does not."`
	Train    trainCmd    `cmd:"" help:"Train a model on your own prompts, by the rewards."`
	Export   exportCmd   `cmd:"" help:"Take a checkpoint out of Longhand."`
	Import   importCmd   `cmd:"" help:"Take a manuscript in: Markdown, text or DOCX, into sections by heading."`
	Projects projectsCmd `cmd:"" help:"List, show, back up, restore and check what was written."`
	Bench    benchCmd    `cmd:"" help:"Measure speed."`
	Engine   engineCmd   `cmd:"" hidden:"" help:"Serve a model to a parent process."`
	Check    checkCmd    `cmd:"" hidden:"" help:"Check the store for a parent process."`

	Version kong.VersionFlag `help:"Print the version."`
}

// env is what every command gets.
type env struct {
	ctx    context.Context
	home   string // folder of all data
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	opening sync.Mutex
	opened  *store.Store         // once it was asked for (books)
	window  bool                 // a window is open: the store stays open with it
	tell    func([]store.Damage) // how the window says what was mended; nil: on stderr
}

// An exitError ends the program with a status of its own.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// A hinted error says what a person can do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	home, err := homeFolder()
	if err != nil {
		fmt.Fprintln(stderr, "longhand:", err)
		return 1
	}
	var c cli
	status := -1
	parser := kong.Must(&c, kong.Name("longhand"), kong.Description("A writing assistant for very long documents. Nothing leaves this machine."),
		trainVars(), kong.Vars{"version": version}, kong.Writers(stdout, stderr), kong.Exit(func(s int) { status = s }), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	k, err := parser.Parse(args)
	if status >= 0 { // help or version was asked for
		return status
	}
	if err != nil {
		fmt.Fprintln(stderr, "longhand:", err)
		return 2
	}
	e := &env{ctx: ctx, home: home, stdin: stdin, stdout: stdout, stderr: stderr}
	err = k.Run(e)
	if e := e.closeBooks(false); err == nil {
		err = e
	}
	if err != nil {
		return e.fail(err)
	}
	return 0
}

// fail is the one place where a command's error is shown.
func (e *env) fail(err error) int {
	var x *exitError
	if errors.As(err, &x) && x.err == nil {
		return x.status
	}
	if errors.Is(err, context.Canceled) && e.ctx.Err() != nil {
		fmt.Fprintln(e.stderr, "longhand: interrupted; what was written is kept")
		return 130
	}
	fmt.Fprintln(e.stderr, "longhand:", err)
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintln(e.stderr, "hint:", h.hint)
	}
	if x != nil {
		return x.status
	}
	return 1
}

// homeFolder is where models, libraries and projects lie: LONGHAND_HOME, or
// the system's place for a program's data.
func homeFolder() (string, error) {
	if h := os.Getenv("LONGHAND_HOME"); h != "" {
		return filepath.Abs(h)
	}
	h, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no home folder; set LONGHAND_HOME: %w", err)
	}
	switch runtime.GOOS {
	case "windows":
		return filepath.Join(os.Getenv("LocalAppData"), "Longhand"), nil
	case "darwin":
		return filepath.Join(h, "Library", "Application Support", "Longhand"), nil
	}
	if x := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(x) {
		return filepath.Join(x, "longhand"), nil
	}
	return filepath.Join(h, ".local", "share", "longhand"), nil
}
