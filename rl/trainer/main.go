// Command longhand-trainer is the training process: it opens a base on a device for
// training and in llama.cpp for rollouts, and does the jobs that its parent sends over standard input. Events
// go to standard output, one JSON object a line, the protocol's version first. The end of its input ends it, after the
// step in hand.
//
// It is a program of its own because it links what the others shall not: the kernels of
// the devices, and memory for a whole model twice.
package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/signal"
	"syscall"

	"longhand/rl"
)

func main() {
	// A parent that is gone closes both pipes; that must not end the step in hand.
	signal.Ignore(syscall.SIGPIPE)
	if err := program(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// program does what the arguments ask for: none, serve a parent; else try out a GPU.
func program(args []string) error {
	switch {
	case len(args) == 0:
		out, err := takeStdout()
		if err != nil {
			return err
		}
		return rl.Serve(context.Background(), os.Stdin, out, do)
	case args[0] == "selftest" && len(args) == 1:
		return selftest(os.Stdout)
	case args[0] == "bench":
		return bench(os.Stdout, args[1:])
	}
	return errors.New("longhand-trainer is started by longhand train; by hand it takes selftest, or bench --shape S, which try out a GPU")
}

// do does one job.
func do(ctx context.Context, job rl.Job) iter.Seq2[rl.Event, error] {
	return func(yield func(rl.Event, error) bool) {
		work := train
		if job.Replay != "" {
			work = replay
		}
		if err := work(ctx, job, yield); err != nil && !errors.Is(err, errBroken) {
			yield(nil, err)
		}
	}
}

// errBroken says that the caller broke off the loop.
var errBroken = errors.New("broken off")

// train opens all that a run needs, and runs it.
func train(ctx context.Context, job rl.Job, yield func(rl.Event, error) bool) (err error) {
	if job.Resume {
		if job, err = rl.Resumed(job); err != nil {
			return err
		}
	}
	if err := job.Check(); err != nil {
		return err
	}
	w := &workshop{job: job}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.open(context.WithoutCancel(ctx)); err != nil {
		if !yield(rl.Refused(err, w.free()), nil) {
			return errBroken
		}
		return err
	}
	for ev, err := range rl.Train(ctx, w.job, w.parts) {
		if err != nil {
			return err
		}
		if !yield(ev, nil) {
			return errBroken
		}
	}
	return nil
}
