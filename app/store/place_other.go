//go:build !linux

package store

// network names the file system of folder where it is one that locks and memory
// maps do not work on. Only Linux is asked.
func network(string) string { return "" }
