package rl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"longhand/engine/child"
)

// protocol is what Serve and Start agree on. A change of Job or of the events that an
// older side would misread raises the number.
var protocol = child.Protocol{Version: "longhand trainer 2"}

// The calls of the training process.
const (
	callTrain = "train" // a Job; its results are the events
	callGo    = "go"    // after the preflight has been looked at
	callStop  = "stop"  // after the step in hand
)

// Start runs a job in a training process, whose command must call Serve, and yields
// its events as Train does. The process waits after its preflight until the loop asks for the next
// event, so that a person can look at it first. Cancelling ctx stops it after the step in hand, with a checkpoint; the events of
// that still come, up to Finished. Breaking off the loop ends the process, within seconds; what came after
// the last checkpoint is lost. When the process dies the error says what it last said.
func Start(ctx context.Context, command []string, job Job) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if err := start(ctx, command, job, yield); err != nil && !errors.Is(err, errBroken) {
			yield(nil, err)
		}
	}
}

func start(ctx context.Context, command []string, job Job, yield func(Event, error) bool) error {
	if len(command) == 0 {
		return errors.New("rl: no command for the trainer")
	}
	// Else an abort of llama.cpp's calls the debugger for a stack trace.
	c, err := protocol.Start(ctx, child.Command{Args: command, Env: []string{"GGML_NO_BACKTRACE=1"}})
	if err != nil {
		return fmt.Errorf("rl: start the trainer %s: %w", filepath.Base(command[0]), err)
	}
	defer c.Close() //nolint:errcheck // how it ended does not matter any more
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { _, _ = child.One[struct{}](work, c, callStop, nil) })()
	for line, err := range child.Stream[json.RawMessage](work, c, callTrain, job) {
		if err != nil {
			return died(err)
		}
		ev, err := Unmarshal(line)
		if err != nil {
			return err
		}
		if ev != nil && !yield(ev, nil) {
			return errBroken
		}
		if p, ok := ev.(Preflight); ok && p.OK {
			next := callGo
			if ctx.Err() != nil { // else it might go on before it hears of the stop
				next = callStop
			}
			if _, err := child.One[struct{}](work, c, next, nil); err != nil {
				return died(err)
			}
		}
	}
	return nil
}

// died makes of a dead process a sentence of ours.
func died(err error) error {
	var d *child.Died
	if errors.As(err, &d) {
		return fmt.Errorf("rl: the trainer: %w", err)
	}
	return err
}
