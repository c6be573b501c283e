package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// A state file holds the transcript's cache, so that a draft goes on after a
// restart without decoding its context again:
//
//	magic, length of the head, head in JSON, token ids, llama.cpp's state, CRC
//
// llama.cpp trusts what it is given, so identity and checksum are compared
// before it sees the file.
const stateMagic = "longhand state 1\n"

type stateHead struct {
	Model  string `json:"model"` // see Model.identity
	Tokens int    `json:"tokens"`
	Bytes  int    `json:"bytes"`
}

var stateSums = crc32.MakeTable(crc32.Castagnoli)

// SaveState writes the transcript's cache to a file, beside it first.
func (m *Model) SaveState(ctx context.Context, path string) error {
	end, err := m.begin(ctx)
	if err == nil {
		defer end()
		err = m.saveState(path)
	}
	if err != nil {
		return fmt.Errorf("engine: save state %s: %w", filepath.Base(path), err)
	}
	return nil
}

func (m *Model) saveState(path string) error {
	if len(m.held) == 0 {
		return errors.New("nothing has been decoded")
	}
	state := make([]byte, llama.StateSeqGetSize(m.ctx, transcript))
	if n := llama.StateSeqGetData(m.ctx, state, transcript); n == 0 || n > uint64(len(state)) {
		return errors.New("llama.cpp gave no state")
	} else {
		state = state[:n]
	}
	head, err := json.Marshal(stateHead{m.stateIdentity(), len(m.held), len(state)})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".state-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	defer f.Close()
	sum := crc32.New(stateSums)
	w := io.MultiWriter(f, sum)
	for _, part := range []any{[]byte(stateMagic), uint32(len(head)), head, m.held, state} {
		if err := binary.Write(w, binary.LittleEndian, part); err != nil {
			return err
		}
	}
	if err := binary.Write(f, binary.LittleEndian, sum.Sum32()); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// LoadState puts a saved transcript into the cache in place of what is there.
// A state of another model, adapter or setting is refused.
func (m *Model) LoadState(ctx context.Context, path string) error {
	end, err := m.begin(ctx)
	if err == nil {
		defer end()
		err = m.loadState(path)
	}
	if err != nil {
		return fmt.Errorf("engine: load state %s: %w", filepath.Base(path), err)
	}
	return nil
}

func (m *Model) loadState(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	ids, state, err := parseState(data, m.stateIdentity())
	if err != nil {
		return err
	}
	if len(ids) > m.info.Context {
		return ErrContextFull
	}
	if err := m.checkIDs(ids); err != nil {
		return err
	}
	mark := nativeLog.mark()
	m.forget()
	if n := llama.StateSeqSetData(m.ctx, state, transcript); n == 0 {
		m.forget()
		return errors.New(nativeLog.since(mark))
	}
	m.held = append(m.held, ids...)
	return nil
}

// parseState takes a state file apart and checks it.
func parseState(data []byte, identity string) (ids []int32, state []byte, err error) {
	rest, ok := bytes.CutPrefix(data, []byte(stateMagic))
	if !ok {
		return nil, nil, errors.New("not a state file")
	}
	damaged := errors.New("the file is cut or damaged")
	if len(rest) < 8 || crc32.Checksum(data[:len(data)-4], stateSums) != binary.LittleEndian.Uint32(data[len(data)-4:]) {
		return nil, nil, damaged
	}
	n := binary.LittleEndian.Uint32(rest)
	if rest = rest[4 : len(rest)-4]; uint64(n) > uint64(len(rest)) {
		return nil, nil, damaged
	}
	var head stateHead
	if err := json.Unmarshal(rest[:n], &head); err != nil {
		return nil, nil, damaged
	}
	rest = rest[n:]
	if head.Model != identity {
		return nil, nil, errors.New("it was made with another model, adapter or setting")
	}
	if head.Tokens < 1 || head.Tokens > len(rest)/4 || head.Bytes != len(rest)-4*head.Tokens {
		return nil, nil, damaged
	}
	ids = make([]int32, head.Tokens)
	if err := binary.Read(bytes.NewReader(rest), binary.LittleEndian, ids); err != nil {
		return nil, nil, damaged
	}
	return ids, rest[4*head.Tokens:], nil
}

// stateIdentity names all that the cached keys and values depend on.
func (m *Model) stateIdentity() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n", m.identity, m.adapterIdentity)
	return fmt.Sprintf("%x", sum.Sum(nil)[:16])
}

// fileIdentity names a file's content cheaply: its length, its first 16 MiB,
// where the header is, and its last.
func fileIdentity(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	const part = 16 << 20
	sum := sha256.New()
	fmt.Fprintln(sum, info.Size())
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, part)); err != nil {
		return "", err
	}
	if _, err := io.Copy(sum, io.NewSectionReader(f, max(0, info.Size()-part), part)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}
