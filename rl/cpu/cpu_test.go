package cpu

import (
	"testing"

	"longhand/rl/model"
	"longhand/rl/model/devicetest"
)

// machine is the BLAS and kernels that New chooses.
func machine(t testing.TB) (blas, kernels) {
	t.Helper()
	kern := kernelSets()[0]
	b, err := openBLAS("", kern)
	if err != nil {
		t.Fatal(err)
	}
	return b, kern
}

// TestDevice runs the suite on what this machine chooses, on every set of kernels that it can run, with
// each BLAS there is to fall back on, and with weights that stay quantised.
func TestDevice(t *testing.T) {
	best, fastest := machine(t)
	type choice struct {
		name string
		o    Options
		blas blas
		kern kernels
	}
	choices := []choice{
		{"as chosen", Options{Threads: 2}, best, fastest},
		{"one thread", Options{Threads: 1}, best, fastest},
		{"five threads", Options{Threads: 5}, best, fastest},
		{"quantised weights", Options{Threads: 2, Resident: 1}, best, fastest},
		{"gonum", Options{Threads: 2}, gonumBLAS{}, fastest},
	}
	for _, k := range kernelSets() {
		choices = append(choices, choice{k.name(), Options{Threads: 2}, best, k})
		if _, inGo := k.(plain); !inGo {
			choices = append(choices, choice{"own products, " + k.name(), Options{Threads: 2}, ownBLAS{k}, k})
		}
	}
	choices = append(choices, choice{"all in Go", Options{Threads: 2, Resident: 1}, gonumBLAS{}, plain{}})
	for _, c := range choices {
		t.Run(c.name, func(t *testing.T) {
			open := func(*testing.T) model.Device { return newDevice(c.o, c.blas, c.kern) }
			devicetest.Run(t, open, devicetest.Tolerance{F32: 1e-5, Act: 1e-5})
		})
	}
}
