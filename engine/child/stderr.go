package child

import (
	"regexp"
	"strings"
	"sync"
)

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// tailBytes leaves room for the report of Go's runtime, some 10 KiB, behind the
// line that says what is wrong.
const tailBytes = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[max(0, len(p)-tailBytes):]...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = t.buf[:copy(t.buf, t.buf[over:])]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// goReport begins what Go's runtime prints after a signal or a panic.
var goReport = regexp.MustCompile(`(?m)^(SIG[A-Z]+: .*)\nPC=|^goroutine \d+ `)

// reason is the last line of standard error, or the last before the report of
// Go's runtime: there llama.cpp says why it aborts. A signal that is no abort
// is a reason itself.
func reason(stderr string) string {
	signal := ""
	if at := goReport.FindStringSubmatchIndex(stderr); at != nil {
		if at[2] >= 0 {
			signal = stderr[at[2]:at[3]]
		}
		stderr = stderr[:at[0]]
	}
	if signal != "" && !strings.HasPrefix(signal, "SIGABRT") {
		return signal
	}
	stderr = strings.TrimSpace(stderr)
	last := strings.TrimSpace(stderr[strings.LastIndexByte(stderr, '\n')+1:])
	if last == "" {
		return signal
	}
	return last
}
