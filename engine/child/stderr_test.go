package child

import (
	"strings"
	"testing"
)

func TestReason(t *testing.T) {
	const report = "PC=0x40866e m=0 sigcode=0\n\ngoroutine 1 gp=0x1 m=0 mp=0x5 [running]:\nmain.main()\n\nrax 0x0\n"
	for stderr, want := range map[string]string{
		"":                  "",
		" \n\n":             "",
		"one line":          "one line",
		"noise\nthe last\n": "the last",
		"noise\nggml.c:1: GGML_ASSERT(x) failed\nSIGABRT: abort\n" + report:               "ggml.c:1: GGML_ASSERT(x) failed",
		"terminate called after throwing\n  what():  cut file\nSIGABRT: abort\n" + report: "what():  cut file",
		"SIGABRT: abort\n" + report:                              "SIGABRT: abort",
		"load: done\nSIGSEGV: segmentation violation\n" + report: "SIGSEGV: segmentation violation",
		"panic: index out of range [3]\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:5 +0x1\nexit 2\n": "panic: index out of range [3]",
	} {
		if got := reason(stderr); got != want {
			t.Errorf("%q: %q, not %q", stderr, got, want)
		}
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var all tail
	want := ""
	for i := range 5000 {
		s := strings.Repeat(string(rune('a'+i%26)), i%100)
		all.Write([]byte(s))
		want += s
	}
	if all.String() != want[len(want)-tailBytes:] {
		t.Fatal("not the end")
	}
	all.Write([]byte(want))
	if all.String() != want[len(want)-tailBytes:] {
		t.Fatal("not the end of a long write")
	}
}
