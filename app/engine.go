package main

import (
	"fmt"
	"os"

	"longhand/engine"
)

// engineCmd is the child's side of engine.Start.
type engineCmd struct{}

func (*engineCmd) Run(e *env) error {
	out := e.stdout
	if out == os.Stdout {
		f, err := takeStdout()
		if err != nil {
			return fmt.Errorf("app: engine: take standard output: %w", err)
		}
		out = f
	}
	return engine.Serve(e.ctx, e.stdin, out)
}
