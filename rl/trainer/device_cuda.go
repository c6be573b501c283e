//go:build cuda

package main

import (
	"longhand/rl/cuda"
	"longhand/rl/model"
)

// foundCUDA says why there is no GPU; nil where there is one.
func foundCUDA() error { return cuda.Found() }

// openCUDA opens the GPU; with kernels its Times are by method.
func openCUDA(kernels bool) (model.Device, error) {
	d, err := cuda.New(cuda.Options{Kernels: kernels})
	if err != nil {
		return nil, err
	}
	return d, nil
}
