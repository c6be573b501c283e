package main

import (
	"fmt"
	"os"

	"longhand/rl"
	"longhand/rl/cpu"
	"longhand/rl/model"
)

// openDevice opens the device that a job asks for. "auto" is a GPU where one can be used, else the processor.
func openDevice(job rl.Job) (d model.Device, onGPU bool, err error) {
	if job.Device != "cpu" {
		d, err := openCUDA(false)
		if err == nil {
			return d, true, nil
		}
		if job.Device == "cuda" {
			return nil, false, err
		}
		if foundCUDA() == nil { // there is a GPU, but it cannot be used: somebody will want to know why
			fmt.Fprintf(os.Stderr, "training on the processor: %v\n", err)
		}
	}
	c, err := cpu.New(cpu.Options{Threads: job.Threads, BLAS: job.BLAS})
	if err != nil {
		return nil, false, err
	}
	return c, false, nil
}
