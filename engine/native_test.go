package engine

import (
	"testing"

	"longhand/engine/enginetest"
)

// openSample opens the sample model with a small context, and with one thread
// unless told otherwise: on a shared machine two are slower (see busy_test.go).
func openSample(t testing.TB, o Options) *Model {
	t.Helper()
	library, path := enginetest.Native(t)
	o.Library = library
	if o.Context == 0 {
		o.Context = 1024
	}
	if o.Threads == 0 {
		o.Threads = 1
	}
	m, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}
