package model_test

import (
	"testing"

	"longhand/rl"
	"longhand/rl/cpu"
	"longhand/rl/model"
)

// processors are the CPU Device as it is chosen, with two threads, with weights that
// are dequantised at each use, and without a BLAS of the machine.
var processors = map[string]cpu.Options{
	"one thread":          {Threads: 1},
	"two threads":         {Threads: 2},
	"weights not held":    {Threads: 2, Resident: 1},
	"products of its own": {Threads: 2, BLAS: "own"},
	"products of gonum":   {Threads: 1, BLAS: "go"},
}

// TestGoldenCPU compares the CPU Device with PyTorch's scores, gradients and steps, at
// the bounds for float32.
func TestGoldenCPU(t *testing.T) {
	for name, o := range processors {
		for _, g := range readGoldens(t) {
			t.Run(g.name+", "+name, func(t *testing.T) {
				for _, how := range []model.Options{{MaxRows: 60}, {MaxRows: 24, Block: 7, Recompute: model.Always}} {
					d, err := cpu.New(o)
					if err != nil {
						t.Fatal(err)
					}
					off, err := g.compare(d, how, inFloat32, rl.Loss)
					if err != nil {
						t.Errorf("%d rows: %v", how.MaxRows, err)
					}
					t.Logf("%s, %d rows: %v", d.Name(), how.MaxRows, off)
					if err := d.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}
