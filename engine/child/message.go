package child

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A request goes from the parent to the child.
type request struct {
	ID     uint64          `json:"id"`
	Call   string          `json:"call,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	More   int             `json:"more,omitempty"`
	Cancel bool            `json:"cancel,omitempty"`
}

// A reply goes from the child to the parent.
type reply struct {
	ID     uint64          `json:"id"`
	Result json.RawMessage `json:"result,omitempty"`
	End    bool            `json:"end,omitempty"`
	Error  *failure        `json:"error,omitempty"`
}

type failure struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
}

// maxLine bounds what one message may cost in memory. A transcript of a million
// tokens takes 8 MB.
const maxLine = 64 << 20

var errLong = fmt.Errorf("a line of more than %d MiB", maxLine>>20)

// readLine returns the next line without its end. A last line without an end
// was cut and counts as not sent. The slice is valid until the next call.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err == nil {
		return line[:len(line)-1], nil
	}
	var long []byte
	for errors.Is(err, bufio.ErrBufferFull) {
		if long = append(long, line...); len(long) > maxLine {
			return nil, errLong
		}
		line, err = r.ReadSlice('\n')
	}
	if err != nil {
		return nil, err
	}
	long = append(long, line...)
	return long[:len(long)-1], nil
}

var (
	headID     = []byte(`{"id":`)
	headResult = []byte(`,"result":`)
)

// parseReply reads one line of the child's. Results, which come thousands in a
// second, are taken apart by hand; the rest and everything unusual goes the
// general way, with the same outcome.
func parseReply(line []byte) (reply, error) {
	if id, body, ok := cutResult(line); ok {
		return reply{ID: id, Result: bytes.Clone(body)}, nil
	}
	var m reply
	if err := json.Unmarshal(line, &m); err != nil || m.ID == 0 || m.Result == nil && !m.End {
		return reply{}, fmt.Errorf("%.80q is no message", line)
	}
	return m, nil
}

func cutResult(line []byte) (id uint64, body []byte, ok bool) {
	rest, ok := bytes.CutPrefix(line, headID)
	if !ok {
		return 0, nil, false
	}
	n := 0
	for n < len(rest) && n < 18 && '0' <= rest[n] && rest[n] <= '9' {
		id = id*10 + uint64(rest[n]-'0')
		n++
	}
	body, ok = bytes.CutPrefix(rest[n:], headResult)
	if !ok || id == 0 || rest[0] == '0' || len(body) < 2 || body[len(body)-1] != '}' {
		return 0, nil, false
	}
	body = body[:len(body)-1]
	return id, body, json.Valid(body)
}

// appendResult writes the line that parseReply takes apart.
func appendResult(to *bytes.Buffer, id uint64, v any) error {
	to.Write(headID)
	to.Write(strconv.AppendUint(to.AvailableBuffer(), id, 10))
	to.Write(headResult)
	if err := encode(to, v); err != nil {
		return err
	}
	to.WriteByte('}')
	return nil
}

// encode appends v without the line's end that json.Encoder adds, and with
// <, > and & as they are.
func encode(to *bytes.Buffer, v any) error {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	to.Truncate(to.Len() - 1)
	return nil
}

// parseRequest reads one line of the parent's.
func parseRequest(line []byte) (request, error) {
	var m request
	if err := json.Unmarshal(line, &m); err != nil || m.ID == 0 {
		return request{}, fmt.Errorf("%.80q is no message", line)
	}
	return m, nil
}

// newReader has room for the lines of one wake-up.
func newReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 64<<10) }
