package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"longhand/app/draft"
)

// beginning is a draft of two sections as far as its first words.
func beginning() []draft.Record {
	plan := draft.Outline{Title: "Water", Sections: []draft.SectionPlan{
		{Title: "Rain", Point: "It falls.", Beats: []string{"Clouds"}, Words: 100, Flags: []string{}},
		{Index: 1, Title: "Rivers", Point: "They run.", Beats: []string{}, Words: 100, Flags: []string{}},
	}}
	return []draft.Record{
		draft.Started{ID: "d1", Model: "m.gguf", Seed: 7, Target: 200}, draft.Request{Prompt: "About \"water\" <& more>\n雨", Words: 200},
		plan, draft.PlanDone{Target: 200}, draft.SectionBegun{Title: "Rain", Target: 100}, draft.TurnBegun{Kind: "beat", Tokens: []int32{1, 2, 3}},
		draft.Text{Text: "It rains", Tokens: []int32{40}}, draft.Text{Text: ".\n\nUn été,", Tokens: []int32{41, 42}},
		draft.Rewind{Chars: 9, Keep: 5}, draft.Stands{Tokens: 5}, draft.Text{Text: " 雨が降る。", Tokens: []int32{43}},
	}
}

func write(t testing.TB, folder string, records ...draft.Record) {
	t.Helper()
	j, err := Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, records...)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func appendAll(t testing.TB, j *Journal, records ...draft.Record) {
	t.Helper()
	for _, r := range records {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

// open opens the journal and closes it when the test ends.
func open(t *testing.T, folder string) (*Journal, []draft.Record) {
	t.Helper()
	j, records, err := Continue(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, records
}

func contents(t *testing.T, folder string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, journalFile))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	want := beginning()
	write(t, folder, want...)
	got, err := Read(folder)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("read %+v, %v", got, err)
	}
	j, got := open(t, folder)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("opened %+v", got)
	}
	more := draft.Text{Text: " Then it stops.", Tokens: []int32{44}}
	appendAll(t, j, more)
	if got, err = Read(folder); err != nil || !reflect.DeepEqual(got, append(want, more)) {
		t.Errorf("after going on: %d records, %v", len(got), err)
	}
	if _, err := os.Stat(filepath.Join(folder, journalFile+".damaged")); err == nil {
		t.Error("something of a whole journal was set aside")
	}
	if _, err := Create(folder); err == nil {
		t.Error("a journal was begun over another")
	}
}

// TestAnybodyCanReadTheLines reads the journal as what it says it is: JSON
// lines, first key "event".
func TestAnybodyCanReadTheLines(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, beginning()...)
	text := ""
	for i, line := range bytes.Split(bytes.TrimSuffix(contents(t, folder), []byte("\n")), []byte("\n")) {
		var v struct {
			Event, Text, CRC string
			Chars            int
		}
		if err := json.Unmarshal(line, &v); err != nil || len(v.CRC) != 8 || !bytes.HasPrefix(line, []byte(`{"event":"`+v.Event+`"`)) {
			t.Fatalf("line %d: %v: %s", i+1, err, line)
		}
		switch v.Event {
		case "text":
			text += v.Text
		case "rewind":
			text = string([]rune(text)[:v.Chars])
		}
	}
	if text != "It rains. 雨が降る。" {
		t.Errorf("the lines tell %q", text)
	}
}

// TestATornLineIsSetAside cuts the journal after every byte of its last two
// lines: what a kill in the middle of a write, or a power cut, leaves.
func TestATornLineIsSetAside(t *testing.T) {
	whole := t.TempDir()
	want := beginning()
	write(t, whole, want...)
	all := contents(t, whole)
	lines := bytes.SplitAfter(all, []byte("\n"))
	ends := []int{0}
	for _, l := range lines {
		ends = append(ends, ends[len(ends)-1]+len(l))
	}
	for cut := ends[len(want)-2]; cut <= len(all); cut++ {
		n := len(want) - 2 // whole records before the cut
		for n < len(want) && ends[n+1] <= cut {
			n++
		}
		folder := t.TempDir()
		path := filepath.Join(folder, journalFile)
		if err := os.WriteFile(path, all[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		j, got, err := Continue(folder)
		if err != nil || len(got) != n || !reflect.DeepEqual(got, want[:n]) {
			t.Fatalf("cut at %d: %d records, want %d: %v", cut, len(got), n, err)
		}
		appendAll(t, j, draft.Text{Text: "on"})
		j.Close()
		if got, err = Read(folder); err != nil || len(got) != n+1 {
			t.Fatalf("cut at %d, then a record: %d records, want %d: %v", cut, len(got), n+1, err)
		}
		aside, err := os.ReadFile(path + ".damaged")
		if torn := all[ends[n]:cut]; !bytes.Equal(aside, torn) || (err == nil) != (len(torn) > 0) {
			t.Fatalf("cut at %d: set aside %q, want %q: %v", cut, aside, torn, err)
		}
	}
}

// TestAFlippedBitEndsTheJournal changes one bit anywhere in the middle.
func TestAFlippedBitEndsTheJournal(t *testing.T) {
	whole := t.TempDir()
	want := beginning()
	write(t, whole, want...)
	all := contents(t, whole)
	for at := range all {
		bad := bytes.Clone(all)
		bad[at] ^= 1 << (at % 8)
		n := bytes.Count(all[:at], []byte("\n"))
		good := bytes.LastIndexByte(all[:at], '\n') + 1
		got, _, err := read(bytes.NewReader(bad), mark{})
		if err != nil || len(got) != n || !reflect.DeepEqual(got, want[:n:n]) && n > 0 {
			t.Fatalf("byte %d: %d records, want %d: %v", at, len(got), n, err)
		}
		if at%16 > 0 {
			continue
		}
		folder := t.TempDir()
		path := filepath.Join(folder, journalFile)
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		j, _, err := Continue(folder)
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		j.Close()
		if aside, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(aside, bad[good:]) || !bytes.Equal(contents(t, folder), all[:good]) {
			t.Fatalf("byte %d: %d bytes set aside of %d, %d left of %d: %v", at, len(aside), len(bad)-good, len(contents(t, folder)), good, err)
		}
	}
}

func TestOneWriterAtATime(t *testing.T) {
	folder := t.TempDir()
	j, err := Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Continue(folder); err == nil || !strings.Contains(err.Error(), "another Longhand is writing this draft") {
		t.Errorf("a second writer: %v", err)
	}
	appendAll(t, j, beginning()...)
	if _, err := Read(folder); err != nil {
		t.Errorf("a reader beside the writer: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, folder)
	if _, _, err := Continue(folder); err == nil {
		t.Error("a second writer beside one that goes on")
	}
}

func TestWithoutAJournal(t *testing.T) {
	if _, _, err := Continue(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("read: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(file, "draft")); err == nil || !strings.HasPrefix(err.Error(), "store: create a draft:") {
		t.Errorf("create below a file: %v", err)
	}
}

// TestAnUnknownKindIsRefused keeps a newer version's journal whole.
func TestAnUnknownKindIsRefused(t *testing.T) {
	folder := t.TempDir()
	b := append(seal([]byte(`{"event":"started","id":"d"}`)), seal([]byte(`{"event":"tomorrow"}`))...)
	if err := os.WriteFile(filepath.Join(folder, journalFile), b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Continue(folder); err == nil || !strings.Contains(err.Error(), `line 2: draft: read a record: unknown kind "tomorrow"`) {
		t.Errorf("opened: %v", err)
	}
	if !bytes.Equal(contents(t, folder), b) {
		t.Error("the journal was changed")
	}
}

// FuzzRead reads anything, and reads again what it took for whole.
func FuzzRead(f *testing.F) {
	folder := f.TempDir()
	write(f, folder, beginning()...)
	b, err := os.ReadFile(filepath.Join(folder, journalFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add(seal([]byte(`{"event":"text","index":-1,"text":"\ud800"}`)))
	f.Add([]byte("\n\n{}\n"))
	f.Add([]byte(`,"crc":"00000000"}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, end, err := read(bytes.NewReader(b), mark{})
		if err != nil {
			return
		}
		good := end.Bytes
		if good < 0 || good > int64(len(b)) || bytes.Count(b[:good], []byte("\n")) != len(records) {
			t.Fatalf("%d records in %d bytes of %d", len(records), good, len(b))
		}
		again, again2, err := read(bytes.NewReader(b[:end.Bytes]), mark{})
		if err != nil || again2 != end || !reflect.DeepEqual(again, records) {
			t.Fatalf("read again: %d records, %d bytes: %v", len(again), again2.Bytes, err)
		}
		if p, err := draft.Replay(records); err == nil { // what fits together can be told
			_ = fmt.Sprint(p.Markdown(), p.Tell())
		}
	})
}

// BenchmarkAppend writes what drafting writes, a token at a time; it has less
// than 10 µs of a token's time.
func BenchmarkAppend(b *testing.B) {
	j, err := Create(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	r := draft.Text{Index: 12, Text: " because", Tokens: []int32{3912}}
	for b.Loop() {
		if err := j.Append(r); err != nil {
			b.Fatal(err)
		}
	}
}
