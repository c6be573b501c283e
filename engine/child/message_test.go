package child

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestReadLine(t *testing.T) {
	long := strings.Repeat("x", 1<<17)
	r := bufio.NewReaderSize(strings.NewReader("a\n\n"+long+"\nlast\ncut"), 16)
	for _, want := range []string{"a", "", long, "last"} {
		if line, err := readLine(r); err != nil || string(line) != want {
			t.Fatalf("%.20q, %v", line, err)
		}
	}
	if _, err := readLine(r); err != io.EOF {
		t.Fatal("a line that was cut:", err)
	}
	if _, err := readLine(newReader(endless{})); err != errLong {
		t.Fatal(err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// The short way through parseReply must not differ from the general one.
func FuzzParseReply(f *testing.F) {
	for _, s := range []string{
		`{"id":1,"result":{"id":5,"text":" a"}}`, `{"id":1,"result":null}`, `{"id":1,"end":true}`, `{"id":0,"result":1}`,
		`{"id":7,"end":true,"error":{"code":"c","message":"m"}}`, `{"id":1,"result":1,"end":true}`, `{"id":01,"result":1}`,
		`{"id":99999999999999999999,"result":1}`, `{"id":1,"result":1}}`, `{"id":1,"result":}`, `{"id":1,"result": 1 }`, "", "garbage",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := parseReply(line)
		var want reply
		bad := json.Unmarshal(line, &want) != nil || want.ID == 0 || want.Result == nil && !want.End
		if bad != (err != nil) {
			t.Fatalf("%q: %v", line, err)
		}
		if !bad {
			got.Result, want.Result = bytes.TrimSpace(got.Result), bytes.TrimSpace(want.Result)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%q: %+v, not %+v", line, got, want)
			}
		}
		parseRequest(line)
	})
}

func TestResultLine(t *testing.T) {
	var buf bytes.Buffer
	if err := appendResult(&buf, 12, token{3, "<b>\n"}); err != nil {
		t.Fatal(err)
	}
	if buf.String() != `{"id":12,"result":{"id":3,"text":"<b>\n"}}` {
		t.Fatal(buf.String())
	}
}
