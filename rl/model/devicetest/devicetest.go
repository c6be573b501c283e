// Package devicetest holds every model.Device to the same plain float64 loops:
// Oracle is these loops as a Device, Run compares another one with it, method by
// method, on odd sizes, views, both kinds of buffers and every type of weight.
//
// To add a case, add an operation with its operands to the lists in cases_*.go.
// Run does the rest: it tries each combination of kinds, operands that are whole
// buffers, views inside larger ones and columns of a common one; what is only
// written holds NaN before; what is only read, and every cell around a view, must
// keep its bits; the same call twice must give the same bits; and an operand that
// is a row or a column too large must panic.
package devicetest

import (
	"errors"
	"testing"

	"longhand/rl/model"
)

// Tolerance is the largest error of a result, in parts of the largest value it is
// made of: where all is F32 and no weight is at hand, and else. With BF16 the device
// rounds weights, and what they are multiplied with, to BF16: the oracle gets both rounded.
type Tolerance struct {
	F32, Act float64
	BF16     bool
}

// InBF16 is what a device may be off by whose Act is BF16 and which sums in float32.
var InBF16 = Tolerance{F32: 2e-5, Act: 5e-3, BF16: true}

// of is the tolerance of a call on buffers of these kinds.
func (t Tolerance) of(weights bool, k kinds) float64 {
	if weights || k.in == model.Act || k.out == model.Act {
		return t.Act
	}
	return t.F32
}

// Case is something that a Device must do. Check says what it does instead, and off is the largest error
// that it found, in parts of the one that is allowed. It leaves the device as it was, but for a Last case, which uses it up.
type Case struct {
	Name  string
	Last  bool
	Check func(d model.Device, tol Tolerance) (off float64, err error)
}

// Cases are all there are, by name in the order of model.Device.
func Cases() []Case {
	all := memoryCases()
	for _, list := range [][]operation{rowOperations(), productOperations(), normOperations(), attentionOperations()} {
		for i, op := range list {
			if i == 0 || list[i-1].method != op.method {
				all = append(all, Case{Name: op.method})
			}
			c, before := &all[len(all)-1], all[len(all)-1].Check
			c.Check = func(d model.Device, tol Tolerance) (float64, error) {
				var most float64
				var first error
				if before != nil {
					most, first = before(d, tol)
				}
				off, err := op.check(d, tol)
				return max(most, off), errors.Join(first, err)
			}
		}
	}
	return all
}

// Run checks every case on devices that open makes, and closes them.
func Run(t *testing.T, open func(t *testing.T) model.Device, tol Tolerance) {
	d := open(t)
	free, _ := d.Memory()
	t.Logf("%s, %.1f GB free", d.Name(), float64(free)/1e9)
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			on := d
			if c.Last {
				on = open(t)
			}
			off, err := c.Check(on, tol)
			if err != nil {
				t.Error(err)
			}
			if off > 0 {
				t.Logf("the largest error is %.2f of the allowed", off)
			}
		})
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
