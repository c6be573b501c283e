package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The tests run this test binary again as the engine process; the variable says
// what it serves.
const role = "LONGHAND_ENGINE_TEST"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "toy":
		err = serve(context.Background(), os.Stdin, os.Stdout, openToy)
	case "idle":
		err = serve(context.Background(), os.Stdin, os.Stdout, openIdle)
	case "native":
		err = Serve(context.Background(), os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// self is the command that serves what as says.
func self(t testing.TB, as string) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(role, as)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or the race detector lets every child wait at its end
	return []string{exe}
}

// startToy returns a toy model in a child and the same one in this process.
func startToy(t testing.TB, o Options) (*Process, opened) {
	t.Helper()
	o.Context = 1 << 20
	p, err := Start(t.Context(), self(t, "toy"), "toy", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	m, err := openToy("toy", o)
	if err != nil {
		t.Fatal(err)
	}
	return p, m
}

// all collects the tokens, with what only one of two runs can have taken off.
func all(t testing.TB, seq iter.Seq2[Token, error]) (tokens []Token) {
	t.Helper()
	for token, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		token.Seconds, token.Decoded, token.Reused, token.Restarts = 0, 0, 0, 0
		tokens = append(tokens, token)
	}
	return tokens
}

func killProcess(t testing.TB, p *Process) {
	t.Helper()
	q, err := os.FindProcess(p.PID())
	if err == nil {
		err = q.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	<-p.child.Done()
}

var toyRequest = Request{Prompt: []int32{'x', 'y', 'z'}, MaxTokens: 300, LogProbs: true, Sampling: Sampling{Seed: math.MaxUint64, NoEnd: true}}

func TestProcessDoesWhatTheModelDoes(t *testing.T) {
	p, m := startToy(t, Options{})
	ctx := t.Context()
	if p.Info().Name != "toy" || !reflect.DeepEqual(p.Info(), m.Info()) {
		t.Fatal(p.Info())
	}
	pieces := []Piece{{"<|im_start|>\n", true}, {"漢字 & <b>", false}}
	got, err := p.Tokenize(ctx, pieces...)
	if want, _ := m.Tokenize(ctx, pieces...); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatal(got, err)
	}
	if text, err := p.Text(ctx, got); err != nil || text != "<|im_start|>\n漢字 & <b>" {
		t.Fatal(text, err)
	}
	if n, err := p.Count(ctx, "four"); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	if ids, err := p.Tokenize(ctx); err != nil || ids != nil {
		t.Fatal(ids, err)
	}
	logps, err := p.Logprobs(ctx, []int32{1}, []int32{1, 2, 0})
	if err != nil || !reflect.DeepEqual(logps, []float32{-1. / 7, -2. / 7, -math.MaxFloat32}) {
		t.Fatal(logps, err)
	}
	for _, r := range []Request{toyRequest, {Prompt: []int32{1}}, {Prompt: []int32{1}, Completion: []int32{2, 3}, MaxTokens: 2}} {
		if got, want := all(t, p.Generate(ctx, r)), all(t, m.Generate(ctx, r)); !reflect.DeepEqual(got, want) {
			t.Fatalf("%v, not %v", got, want)
		}
	}
	state := filepath.Join(t.TempDir(), "state")
	if err := errors.Join(p.SaveState(ctx, state), p.LoadState(ctx, state)); err != nil {
		t.Fatal(err)
	}
	if err := p.LoadState(ctx, state+"s"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Fatal(err)
	}
	if err := p.SetAdapter(ctx, "wrong"); err == nil || p.options.Adapter != "" || err.Error() != "engine: set adapter wrong: not made for this model" {
		t.Fatal(err)
	}
	if p.starts != 1 {
		t.Fatalf("the child was started %d times", p.starts)
	}
}

func TestFiftyKillsChangeNothing(t *testing.T) {
	p, m := startToy(t, Options{})
	r := toyRequest
	r.MaxTokens = 9000
	want := all(t, m.Generate(t.Context(), r))
	rng := rand.New(rand.NewPCG(1, 2))
	kills, restarts, at, i := 0, 0, rng.IntN(100), 0
	for token, err := range p.Generate(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		if token.Restarts > 0 {
			restarts += token.Restarts
			at = i + rng.IntN(100)
			if token.Decoded != len(r.Prompt)+i || token.Seconds <= 0 {
				t.Fatalf("token %d after a restart: %+v", i, token)
			}
		}
		token.Restarts, token.Decoded, token.Reused, token.Seconds = 0, 0, 0, 0
		if !reflect.DeepEqual(token, want[i]) {
			t.Fatalf("token %d: %+v, not %+v", i, token, want[i])
		}
		if i == at && kills < 50 {
			killProcess(t, p)
			kills++
		}
		i++
	}
	if kills != 50 || restarts != kills || i != len(want) {
		t.Fatalf("%d tokens of %d, %d kills, %d restarts reported", i, len(want), kills, restarts)
	}
}

func TestRestartsBetweenCallsAreCounted(t *testing.T) {
	p, m := startToy(t, Options{})
	for range 2 {
		killProcess(t, p)
		if n, err := p.Count(t.Context(), "four"); n != 4 || err != nil {
			t.Fatal(n, err)
		}
	}
	killProcess(t, p)
	r := toyRequest
	want := all(t, m.Generate(t.Context(), r))
	for i := range 2 {
		restarts := []int{}
		for token, err := range p.Generate(t.Context(), r) {
			if err != nil || token.ID != want[len(restarts)].ID {
				t.Fatal(token, err)
			}
			restarts = append(restarts, token.Restarts)
		}
		sum := 0
		for _, n := range restarts {
			sum += n
		}
		if sum != []int{3, 0}[i] || sum != restarts[0] {
			t.Fatal(restarts)
		}
	}
}

func TestAdapterSurvivesADeath(t *testing.T) {
	p, m := startToy(t, Options{Adapter: "first"})
	base, _ := openToy("toy", Options{Context: 1 << 20})
	for _, adapter := range []string{"second", ""} {
		if err := errors.Join(p.SetAdapter(t.Context(), adapter), m.SetAdapter(t.Context(), adapter)); err != nil {
			t.Fatal(err)
		}
		killProcess(t, p)
		got, want := all(t, p.Generate(t.Context(), toyRequest)), all(t, m.Generate(t.Context(), toyRequest))
		if !reflect.DeepEqual(got, want) || p.Info().Adapter != adapter {
			t.Fatalf("%q was lost; the process has %q", adapter, p.Info().Adapter)
		}
		if without := all(t, base.Generate(t.Context(), toyRequest)); reflect.DeepEqual(got, without) != (adapter == "") {
			t.Fatal("the toy does not show its adapter")
		}
	}
}

func TestDeathThatReturnsEndsTheCall(t *testing.T) {
	p, m := startToy(t, Options{})
	want := all(t, m.Generate(t.Context(), toyRequest))
	r := toyRequest
	r.Grammar = "abort at 100"
	var last error
	i := 0
	for token, err := range p.Generate(t.Context(), r) {
		if last = err; err == nil {
			if token.ID != want[i].ID {
				t.Fatal(i, token)
			}
			i++
		}
	}
	// What a child had in hand when it died is lost, so it may be one less.
	if i > 100 || i < 99 || !errors.Is(last, ErrDied) || last.Error() != "engine: generate: the engine process died: toy.c:7: GGML_ASSERT(n > 0) failed (exit status 134)" {
		t.Fatal(i, last)
	}
	if got := all(t, p.Generate(t.Context(), toyRequest)); !reflect.DeepEqual(got, want) {
		t.Fatal("the process is of no use any more")
	}
}

func TestDeathAfterTheLastTokenIsNone(t *testing.T) {
	p, m := startToy(t, Options{})
	toTheEnd := Request{Prompt: []int32{1}}
	for _, r := range []Request{toyRequest, toTheEnd} {
		want := all(t, m.Generate(t.Context(), r))
		i := 0
		for _, err := range p.Generate(t.Context(), r) {
			if err != nil {
				t.Fatal(err)
			}
			if i++; i == len(want) {
				killProcess(t, p)
			}
		}
		if i != len(want) {
			t.Fatalf("%d tokens, not %d", i, len(want))
		}
	}
}

func TestStartSaysWhyThereIsNoModel(t *testing.T) {
	for path, want := range map[string]string{
		"bad":     "engine: open model bad: the file is cut",
		"hostile": "engine: open hostile: the engine process died: toy.c:7: GGML_ASSERT(n > 0) failed (exit status 134)",
	} {
		_, err := Start(t.Context(), self(t, "toy"), path, Options{})
		if err == nil || err.Error() != want || errors.Is(err, ErrDied) != (path == "hostile") {
			t.Errorf("%s: %v", path, err)
		}
	}
	p, err := Start(t.Context(), self(t, "toy"), "hostile once:"+filepath.Join(t.TempDir(), "memory"), Options{})
	if err != nil {
		t.Fatal("one death was too much:", err)
	}
	p.Close()
	if _, err := Start(t.Context(), []string{"/nowhere/longhand"}, "toy", Options{}); err == nil || !strings.HasPrefix(err.Error(), "engine: open toy: child: start /nowhere/longhand: ") {
		t.Error(err)
	}
	if _, err := Start(t.Context(), nil, "toy", Options{}); err == nil {
		t.Error("started nothing")
	}
}

func TestOpeningCanBeCancelled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opening := make(chan error)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = bufio.NewReader(conn).ReadString('\n')
		}
		cancel()
		opening <- err
	}()
	if _, err := Start(ctx, self(t, "toy"), "stuck:"+l.Addr().String(), Options{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := <-opening; err != nil {
		t.Fatal(err)
	}
}

func TestContextFullSurvivesTheWay(t *testing.T) {
	p, err := Start(t.Context(), self(t, "toy"), "toy", Options{Context: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n := 0
	var last error
	for _, err := range p.Generate(t.Context(), toyRequest) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 7 || !errors.Is(last, ErrContextFull) || last.Error() != ErrContextFull.Error() || p.starts != 1 {
		t.Fatal(n, last, p.starts)
	}
}

func TestSuspendedGenerateLeavesRoomForCounting(t *testing.T) {
	p, m := startToy(t, Options{})
	want := all(t, m.Generate(t.Context(), toyRequest))
	i := 0
	for token, err := range p.Generate(t.Context(), toyRequest) {
		if err != nil || token.ID != want[i].ID {
			t.Fatal(token, err)
		}
		if n, err := p.Count(t.Context(), token.Text); n != len(token.Text) || err != nil {
			t.Fatal(n, err)
		}
		if i == 50 {
			killProcess(t, p) // found by Count, then by Generate
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d tokens, not %d", i, len(want))
	}
}

func TestNextRequestWaitsForTheOneBrokenOff(t *testing.T) {
	p, m := startToy(t, Options{})
	want := all(t, m.Generate(t.Context(), toyRequest))
	endless := toyRequest
	endless.MaxTokens = 0
	for range 20 {
		for range p.Generate(t.Context(), endless) {
			break
		}
		if got := all(t, p.Generate(t.Context(), toyRequest)); !reflect.DeepEqual(got, want) {
			t.Fatal(got)
		}
	}
}

func TestCloseEndsAGenerate(t *testing.T) {
	p, _ := startToy(t, Options{})
	endless := toyRequest
	endless.MaxTokens = 0
	var last error
	for _, err := range p.Generate(t.Context(), endless) {
		if last = err; err == nil {
			p.Close()
		}
	}
	if !errors.Is(last, os.ErrClosed) {
		t.Fatal(last)
	}
	if _, err := p.Count(t.Context(), "x"); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
	p.Close()
}

func TestServeWantsAModelFirst(t *testing.T) {
	var out strings.Builder
	in := strings.NewReader("")
	if err := serve(t.Context(), in, &out, openToy); err != nil || out.String() != protocol.Version+"\n" {
		t.Fatal(out.String(), err)
	}
	s := service{open: openToy}
	if _, err := s.get(); err == nil {
		t.Fatal("a model before it is opened")
	}
	if _, err := s.openOnce(openParams{Path: "toy"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.openOnce(openParams{Path: "toy"}); err == nil {
		t.Fatal("two models")
	}
}
