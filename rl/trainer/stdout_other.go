//go:build !linux && !darwin

package main

import "os"

// takeStdout is standard output as it is.
func takeStdout() (*os.File, error) { return os.Stdout, nil }
