//go:build !unix

package main

import "time"

var start = time.Now()

// processTime is the wall's time here.
func processTime() time.Duration { return time.Since(start) }
