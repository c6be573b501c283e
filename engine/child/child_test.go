package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// The tests run this test binary again as the child; the variable says which.
const role = "LONGHAND_CHILD_TEST"

var errSpecial = errors.New("something special")

var toy = Protocol{Version: "toy 1", Errors: map[string]error{"special": errSpecial}}

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "serve":
		if err := toy.Serve(context.Background(), os.Stdin, os.Stdout, handle); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "older":
		fmt.Println("toy 0")
		io.Copy(io.Discard, os.Stdin)
	case "exit":
		fmt.Fprintln(os.Stderr, "no such library")
		os.Exit(3)
	case "mute":
		io.Copy(io.Discard, os.Stdin)
	case "garbage":
		fmt.Println("toy 1")
		bufio.NewReader(os.Stdin).ReadString('\n')
		fmt.Println("ggml: found 1 device")
		io.Copy(io.Discard, os.Stdin)
	case "flood":
		fmt.Println("toy 1")
		for {
			fmt.Println(`{"id":1,"result":1}`)
		}
	case "parent":
		q, err := toy.Start(context.Background(), command("serve"))
		if err != nil {
			panic(err)
		}
		One[int](context.Background(), q, "connect", os.Getenv("LONGHAND_CHILD_ADDRESS"))
	}
}

func command(as string) Command {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	// Without the second the race detector lets every child wait at its end.
	return Command{Args: []string{exe}, Env: []string{role + "=" + as, "GORACE=atexit_sleep_ms=0"}}
}

// start returns a child that ends with the test.
func start(t testing.TB) *Process {
	q, err := toy.Start(context.Background(), command("serve"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

var sent, cancelled atomic.Int64

// handle is what the toy child can do.
func handle(ctx context.Context, c *Call) error {
	switch c.Method {
	case "echo":
		return c.Send(c.Params)
	case "count": // n results
		var n int
		if err := c.Decode(&n); err != nil {
			return err
		}
		for i := range n {
			if err := c.Send(token{i, " word"}); err != nil {
				return err
			}
		}
		return nil
	case "endless":
		for i := 0; ; i++ {
			if err := c.Send(token{i, " word"}); err != nil {
				cancelled.Add(1)
				return err
			}
			sent.Add(1)
		}
	case "sent":
		return c.Send(sent.Load())
	case "cancelled":
		return c.Send(cancelled.Load())
	case "fail":
		c.Send(1)
		return fmt.Errorf("toy: fail: %w", errSpecial)
	case "die":
		c.Send(1)
		fmt.Fprintln(os.Stderr, strings.Repeat("noise\n", 20000)+"GGML_ASSERT(x) failed")
		os.Exit(7)
	case "spin":
		c.Send(1)
		spin()
	case "connect": // and keep the connection as long as the process lives
		var address string
		if err := c.Decode(&address); err != nil {
			return err
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		fmt.Fprintln(conn, "here")
		spin()
	case "infinite":
		return c.Send(func() {})
	}
	return fmt.Errorf("toy: unknown call %q", c.Method)
}

type token struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
}

// spin is a native decode that does not end.
func spin() {
	for n := 0; ; n++ {
	}
}
