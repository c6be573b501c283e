package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"longhand/app/draft"
)

// line writes v as one JSON object whose first key is "event".
func (e *env) line(event string, v any) error {
	b, err := eventJSON(event, v)
	if err != nil {
		return err
	}
	_, err = e.stdout.Write(append(b, '\n'))
	return err
}

func eventJSON(event string, v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	body := bytes.TrimSpace(buf.Bytes())
	if len(body) < 2 || body[0] != '{' {
		return nil, fmt.Errorf("app: event %s is not an object", event)
	}
	head := []byte(`{"event":"` + event + `"`)
	if len(body) > 2 {
		head = append(head, ',')
	}
	return append(head, body[1:]...), nil
}

// event writes a draft's event.
func (e *env) event(ev draft.Event) error {
	b, err := draft.Marshal(ev)
	if err != nil {
		return err
	}
	_, err = e.stdout.Write(append(b, '\n'))
	return err
}

// told shows the failure of a command that speaks JSON lines also as its last line.
func (e *env) told(asJSON bool, err error) error {
	if err == nil || !asJSON {
		return err
	}
	var h hinted
	hint := draft.OrNull("")
	if errors.As(err, &h) {
		hint = draft.OrNull(h.hint)
	}
	e.line("error", struct {
		Message string       `json:"message"`
		Hint    draft.OrNull `json:"hint"`
	}{err.Error(), hint})
	return err
}

// terminal says whether a person watches f.
func terminal(f any) bool {
	file, ok := f.(*os.File)
	if !ok {
		return false
	}
	st, err := file.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
