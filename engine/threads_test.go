package engine

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"longhand/engine/enginetest"
)

func TestThreadsLeaveTheWindowACore(t *testing.T) {
	cores := physicalCores()
	if cores < 1 || cores > runtime.NumCPU() {
		t.Errorf("%d cores of %d", cores, runtime.NumCPU())
	}
	for o, want := range map[Options]int{
		{}:                         cores,
		{Window: true}:             max(1, cores-1),
		{Threads: 3}:               3,
		{Threads: 3, Window: true}: 3,
	} {
		if got := threadCount(o); got != want {
			t.Errorf("%+v: %d threads instead of %d", o, got, want)
		}
	}
}

func TestCoresAreCountedOnce(t *testing.T) {
	folder := t.TempDir()
	for i, siblings := range []string{"0,4", "1,5", "2-3", "2-3", "0,4", "1,5"} {
		path := filepath.Join(folder, "cpu"+strconv.Itoa(i), "topology")
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "thread_siblings_list"), []byte(siblings+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(folder, "cpufreq"), 0o700); err != nil {
		t.Fatal(err)
	}
	if n := coresOf(folder); n != 3 {
		t.Errorf("%d cores instead of 3", n)
	}
	if n := coresOf(filepath.Join(folder, "none")); n != 0 {
		t.Errorf("%d cores in no folder", n)
	}
}

// tokensPerSecond is the speed of writing 32 tokens.
func tokensPerSecond(t testing.TB, m *Model, prompt []int32) float64 {
	t.Helper()
	const n = 32
	collect(t, m, Request{Prompt: prompt, MaxTokens: 1})
	start := time.Now()
	collect(t, m, Request{Prompt: prompt, MaxTokens: n, Sampling: Sampling{NoEnd: true}})
	return n / time.Since(start).Seconds()
}

// TestBusyCoreCostsLessThanHalf keeps one core busy, as a window or another
// program does, and asks for 40 % of the idle speed. With all cores at work
// llama.cpp's threads wait for the one that does not get its core.
func TestBusyCoreCostsLessThanHalf(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped in short mode: it measures speed")
	}
	if physicalCores() < 2 {
		t.Skip("skipped: one core cannot be left to a window")
	}
	library, path := enginetest.Native(t)
	m, err := Open(path, Options{Library: library, Context: 512, Window: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	prompt := question(t, m, "Tell a story.")
	idle, busy := 0.0, 0.0
	for range 4 { // the best of four: other programs only ever slow one down
		idle = max(idle, tokensPerSecond(t, m, prompt))
		var stop atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !stop.Load() {
			}
		}()
		busy = max(busy, tokensPerSecond(t, m, prompt))
		stop.Store(true)
		<-done
	}
	t.Logf("%d threads: %.0f tokens a second idle, %.0f beside a busy core (%.0f %%)", m.Info().Threads, idle, busy, 100*busy/idle)
	if busy < 0.4*idle {
		t.Errorf("a busy core leaves %.0f of %.0f tokens a second", busy, idle)
	}
}
