package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestResultsComeInOrderAndEnd(t *testing.T) {
	q := start(t)
	for _, n := range []int{0, 1, window - 1, window, window + 1, 1000} {
		i := 0
		for v, err := range Stream[token](t.Context(), q, "count", n) {
			if err != nil || v.ID != i {
				t.Fatalf("result %d of %d: %v, %v", i, n, v, err)
			}
			i++
		}
		if i != n {
			t.Fatalf("%d results where %d were sent", i, n)
		}
	}
}

func TestValuesSurviveTheWay(t *testing.T) {
	q := start(t)
	for _, s := range []string{"", "a\nb\r\x00\u2028\u2029<>&\"\\", "漢字 🙂", strings.Repeat("long ", 1<<18)} {
		got, err := One[string](t.Context(), q, "echo", s)
		if err != nil || got != s {
			t.Fatalf("%.20q came back as %.20q, %v", s, got, err)
		}
	}
	if v, err := One[[]int32](t.Context(), q, "echo", []int32(nil)); err != nil || v != nil {
		t.Fatal(v, err)
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	q := start(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			i := 0
			for v, err := range Stream[token](t.Context(), q, "count", 300) {
				if err != nil || v.ID != i {
					t.Errorf("result %d: %v, %v", i, v, err)
					return
				}
				i++
			}
		})
	}
	wg.Wait()
}

func TestErrorsOfTheHandlerSurvive(t *testing.T) {
	q := start(t)
	_, err := One[int](t.Context(), q, "fail", nil)
	if !errors.Is(err, errSpecial) || err.Error() != "toy: fail: something special" {
		t.Fatal(err)
	}
	if _, err = One[int](t.Context(), q, "nonsense", nil); errors.Is(err, errSpecial) || err.Error() != `toy: unknown call "nonsense"` {
		t.Fatal(err)
	}
	if _, err = One[int](t.Context(), q, "count", "text"); err == nil || !strings.Contains(err.Error(), "count") {
		t.Fatal("wrong parameters:", err)
	}
	if _, err = One[int](t.Context(), q, "echo", "text"); err == nil {
		t.Fatal("a result of another type was accepted")
	}
	if _, err = One[int](t.Context(), q, "count", 2); err == nil {
		t.Fatal("two results were accepted where one was expected")
	}
	if _, err = One[int](t.Context(), q, "infinite", nil); err == nil {
		t.Fatal("a result that cannot be sent was lost silently")
	}
	if _, err = One[int](t.Context(), q, "echo", func() {}); err == nil {
		t.Fatal("parameters that cannot be sent were lost silently")
	}
	if v, err := One[int](t.Context(), q, "echo", 5); v != 5 || err != nil {
		t.Fatal("the child is of no use any more:", v, err)
	}
}

func TestStartRefusesWhatIsNoChild(t *testing.T) {
	for as, want := range map[string]string{
		"older": `it speaks "toy 0" where this program speaks "toy 1"`,
		"exit":  "the process died: no such library (exit status 3)",
	} {
		_, err := toy.Start(t.Context(), command(as))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", as, err)
		}
	}
	if _, err := toy.Start(t.Context(), Command{Args: []string{"/nowhere/longhand"}}); err == nil {
		t.Error("started what is not there")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := toy.Start(ctx, command("mute")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	noGoroutines(t)
}

func TestChildThatBreaksTheProtocolIsKilled(t *testing.T) {
	q, err := toy.Start(t.Context(), command("garbage"))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	_, err = One[int](t.Context(), q, "echo", 1)
	var died *Died
	if !errors.As(err, &died) || died.State != `"ggml: found 1 device" is no message` {
		t.Fatal(err)
	}

	q, err = toy.Start(t.Context(), command("flood"))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	next, stop := iter.Pull2(Stream[int](t.Context(), q, "any", nil))
	defer stop()
	next()
	<-q.Done()
	for {
		if _, err, ok := next(); !ok {
			t.Fatal("the stream ended without an error")
		} else if err != nil {
			if !errors.As(err, &died) || !strings.Contains(died.State, "more than it was allowed") {
				t.Fatal(err)
			}
			return
		}
	}
}

func TestDeathJoinsTheEndOfStandardError(t *testing.T) {
	q := start(t)
	for _, err := range Stream[int](t.Context(), q, "die", nil) {
		if err == nil {
			continue
		}
		var died *Died
		if !errors.As(err, &died) || err.Error() != "the process died: GGML_ASSERT(x) failed (exit status 7)" || len(died.Stderr) != tailBytes {
			t.Fatal(err)
		}
	}
	<-q.Done()
	if _, err := One[int](t.Context(), q, "echo", 1); !errors.As(err, new(*Died)) {
		t.Fatal("a call after the death:", err)
	}
}

func TestKilledChild(t *testing.T) {
	q := start(t)
	for _, err := range Stream[int](t.Context(), q, "spin", nil) {
		if err == nil {
			kill(t, q.PID())
			continue
		}
		var died *Died
		if !errors.As(err, &died) || runtime.GOOS != "windows" && died.State != "signal: killed" {
			t.Fatal(err)
		}
	}
	q.Close()
	noGoroutines(t)
}

func TestEndOfInputEndsABusyChild(t *testing.T) {
	c := command("serve")
	cmd := exec.Command(c.Args[0])
	cmd.Env = append(os.Environ(), append(c.Env, "GOMAXPROCS=1")...)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	fmt.Fprintln(in, `{"id":1,"call":"spin"}`)
	for _, want := range []string{"toy 1\n", `{"id":1,"result":1}` + "\n"} {
		if line, err := r.ReadString('\n'); line != want {
			t.Fatal(line, err)
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil { // hangs where the child goes on
		t.Fatal(err)
	}
}

func TestKilledParentTakesTheChildWithIt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := command("parent")
	parent := exec.Command(c.Args[0])
	parent.Env = append(os.Environ(), append(c.Env, "LONGHAND_CHILD_ADDRESS="+l.Addr().String())...)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); line != "here\n" {
		t.Fatal(line, err)
	}
	parent.Process.Kill()
	parent.Wait()
	if _, err := r.ReadByte(); err == nil { // hangs where the child goes on
		t.Fatal("the child wrote something")
	}
}

func TestPausedReaderPausesTheChild(t *testing.T) {
	q := start(t)
	next, stop := iter.Pull2(Stream[token](t.Context(), q, "endless", nil))
	defer stop()
	ahead := func(want int64) {
		t.Helper()
		var n int64
		for n < want {
			n = must(One[int64](t.Context(), q, "sent", nil))
		}
		for range 100 { // time to run away
			n = must(One[int64](t.Context(), q, "sent", nil))
		}
		if n != want {
			t.Fatalf("the child sent %d results; %d were allowed", n, want)
		}
	}
	next()
	ahead(window)
	for range window/2 - 1 {
		next()
	}
	ahead(window + window/2)
}

func TestBreakingOffCancelsTheCall(t *testing.T) {
	q := start(t)
	for range Stream[token](t.Context(), q, "endless", nil) {
		break
	}
	for must(One[int](t.Context(), q, "cancelled", nil)) != 1 {
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range Stream[token](ctx, q, "endless", nil) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Fatal(last)
	}
	for must(One[int](t.Context(), q, "cancelled", nil)) != 2 {
	}
}

func TestCloseWhileStreaming(t *testing.T) {
	for _, method := range []string{"endless", "spin"} {
		q := start(t)
		var last error
		for _, err := range Stream[any](t.Context(), q, method, nil) {
			if last = err; err == nil {
				q.Close()
			}
		}
		if !errors.Is(last, os.ErrClosed) {
			t.Fatal(method, last)
		}
		if _, err := One[int](t.Context(), q, "echo", 1); !errors.Is(err, os.ErrClosed) {
			t.Fatal(err)
		}
		q.Close()
	}
	noGoroutines(t)
}

func kill(t testing.TB, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// noGoroutines waits for the package's goroutines to be gone.
func noGoroutines(t testing.TB) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		all := string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(all, "child.(*Process)") && !strings.Contains(all, "child.(*lines)") {
			return
		}
		if time.Now().After(end) {
			t.Fatal("goroutines are left over:\n", all)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// BenchmarkResults is the cost of a result, both processes together.
func BenchmarkResults(b *testing.B) {
	q := start(b)
	b.ResetTimer()
	for _, err := range Stream[token](b.Context(), q, "count", b.N) {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "results/s")
}

// BenchmarkCall is a question and its answer.
func BenchmarkCall(b *testing.B) {
	q := start(b)
	for b.Loop() {
		must(One[int](b.Context(), q, "echo", 1))
	}
}
