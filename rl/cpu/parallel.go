package cpu

import (
	"sync"
	"sync/atomic"
)

// each calls f for 0 to n-1 from up to as many workers as there are threads. A free worker
// takes the next number, so nothing that f writes may depend on who writes it.
func (d *Device) each(n int, f func(worker, i int)) {
	workers := min(d.threads, n)
	if workers <= 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	var next atomic.Int64
	work := func(worker int) {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(worker, i)
		}
	}
	var others sync.WaitGroup
	for w := 1; w < workers; w++ {
		others.Go(func() { work(w) })
	}
	work(0)
	others.Wait()
}

// grain is the cells that a worker takes at once where each costs about a load: few
// enough for its own cache, and many against the cost of starting.
const grain = 1 << 15

// eachRows calls f for runs of rows that together are all of them.
func (d *Device) eachRows(rows, cols int, f func(from, to int)) {
	if rows == 0 || cols == 0 {
		return
	}
	run := max(1, grain/cols)
	d.each((rows+run-1)/run, func(_, i int) { f(i*run, min(rows, (i+1)*run)) })
}

// eachSpan is eachRows for n cells in a row.
func (d *Device) eachSpan(n int, f func(from, to int)) {
	d.each((n+grain-1)/grain, func(_, i int) { f(i*grain, min(n, (i+1)*grain)) })
}
