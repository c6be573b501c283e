//go:build !cgo

package cpu

// kernelSets are the kernels that this machine can run, best first.
func kernelSets() []kernels { return []kernels{plain{}} }
