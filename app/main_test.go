//go:build !screenshot

package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain lets the test binary be the program: a child that a test starts is
// this file again, with the program's own arguments.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}
