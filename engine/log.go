package engine

import (
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/hybridgroup/yzma/pkg/llama"
)

// llama.cpp tells the reason of a failure to its log and nowhere else; the
// caller gets a null pointer. So the last lines are kept and joined to the
// error. Nothing reaches standard error.

// logLines is how many lines are kept: a failing load ends within a dozen.
const logLines = 64

const noReason = "llama.cpp gave no reason"

type logLine struct {
	level llama.LogLevel
	text  string
}

// logRing keeps the last warnings and errors of llama.cpp.
type logRing struct {
	mu    sync.Mutex
	lines [logLines]logLine
	n     int  // lines ever kept
	open  bool // the last kept line goes on in the next call
}

var nativeLog logRing

var logCallback = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(level int32, text *byte, _ uintptr) uintptr {
		if llama.LogLevel(level) >= llama.LogLevelWarn {
			nativeLog.add(llama.LogLevel(level), cString(text))
		}
		return 0
	})
})

func (r *logRing) add(level llama.LogLevel, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if level == llama.LogLevelContinue {
		if r.open {
			last := &r.lines[(r.n-1)%logLines]
			last.text += text
			r.open = !strings.HasSuffix(text, "\n")
		}
		return
	}
	r.lines[r.n%logLines] = logLine{level, text}
	r.n++
	r.open = !strings.HasSuffix(text, "\n")
}

// mark is a place in the log to hand to since.
func (r *logRing) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// since joins the errors logged after mark, or the warnings if there are none.
func (r *logRing) since(mark int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	mark = max(mark, r.n-logLines)
	for _, level := range []llama.LogLevel{llama.LogLevelError, llama.LogLevelWarn} {
		var found []string
		for i := mark; i < r.n; i++ {
			if line := r.lines[i%logLines]; line.level == level {
				if text := strings.TrimSpace(line.text); text != "" {
					found = append(found, text)
				}
			}
		}
		if len(found) > 0 {
			return strings.Join(found[max(0, len(found)-4):], "; ")
		}
	}
	return noReason
}

func cString(p *byte) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return strings.Clone(unsafe.String(p, n))
}
