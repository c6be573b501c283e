//go:build unix

package engine

import (
	"syscall"
	"testing"
)

// BenchmarkProcessToken is what a token costs on its way from a Model to the
// caller, with nothing for the model to do: time, and processor time of both
// processes. At a real model's pace a token wakes up both.
func BenchmarkProcessToken(b *testing.B) {
	for _, pace := range []string{"0s", "5ms"} {
		b.Run("pace="+pace, func(b *testing.B) {
			p, err := Start(b.Context(), self(b, "idle"), pace, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			before := cpu(b, syscall.RUSAGE_SELF)
			b.ResetTimer()
			for _, err := range p.Generate(b.Context(), Request{Prompt: []int32{1}, MaxTokens: b.N}) {
				if err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			used := cpu(b, syscall.RUSAGE_SELF) - before
			before = cpu(b, syscall.RUSAGE_CHILDREN)
			p.Close()
			used += cpu(b, syscall.RUSAGE_CHILDREN) - before // with its start, some 10 ms
			b.ReportMetric(used*1e6/float64(b.N), "cpu-us/token")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// cpu is the processor time so far, in seconds.
func cpu(b *testing.B, who int) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
