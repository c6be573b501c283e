//go:build !unix

package main

import "time"

var clock = time.Now()

// processTime is the wall's time here.
func processTime() time.Duration { return time.Since(clock) }
