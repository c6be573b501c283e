package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// A toyModel keeps the contract of a *Model without native code: its tokens are
// bytes, and the next one depends on all before it, the seed, its place in the
// completion and the adapter. It writes whole characters of toyAlphabet.
type toyModel struct {
	turn    chan struct{}
	held    []int32
	options Options
	path    string
}

const (
	toyEnd      = 256
	toyAlphabet = "abcde .é漢🙂"
)

// openToy opens the model named in path, some of which do what a hostile file
// makes llama.cpp do.
func openToy(path string, o Options) (opened, error) {
	kind, rest, _ := strings.Cut(path, ":")
	switch kind {
	case "bad":
		return nil, errors.New("engine: open model bad: the file is cut")
	case "hostile":
		toyAbort()
	case "hostile once": // rest is a file that remembers
		if f, err := os.OpenFile(rest, os.O_CREATE|os.O_EXCL, 0o666); err == nil {
			f.Close()
			toyAbort()
		}
	case "stuck": // rest is who waits for it
		conn, err := net.Dial("tcp", rest)
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(conn, "here")
		io.Copy(io.Discard, conn)
	}
	return &toyModel{turn: make(chan struct{}, 1), options: o, path: path}, nil
}

func toyAbort() {
	fmt.Fprintln(os.Stderr, "toy.c:7: GGML_ASSERT(n > 0) failed")
	os.Exit(134)
}

func (m *toyModel) Info() Info {
	return Info{Path: m.path, Name: "toy", Context: m.options.Context, Adapter: m.options.Adapter, End: []int32{toyEnd}}
}

func (m *toyModel) Tokenize(_ context.Context, pieces ...Piece) (ids []int32, err error) {
	for _, p := range pieces {
		for i := range len(p.Text) {
			ids = append(ids, int32(p.Text[i]))
		}
	}
	return ids, nil
}

func (m *toyModel) Count(ctx context.Context, text string) (int, error) { return len(text), nil }

func (m *toyModel) Text(_ context.Context, ids []int32) (string, error) {
	var b []byte
	for _, id := range ids {
		b = append(b, byte(id))
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), nil
}

func (m *toyModel) Generate(ctx context.Context, r Request) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		select {
		case m.turn <- struct{}{}:
			defer func() { <-m.turn }()
		case <-ctx.Done():
			yield(Token{}, ctx.Err())
			return
		}
		begin := time.Now()
		line := append(append([]int32{}, r.Prompt...), r.Completion...)
		reused := 0
		for reused < min(len(line)-1, len(m.held)) && line[reused] == m.held[reused] {
			reused++
		}
		var text assembler
		for _, id := range r.Completion {
			text.add(string([]byte{byte(id)}))
		}
		for i := len(r.Completion); r.MaxTokens == 0 || i < r.MaxTokens; i++ {
			if err := ctx.Err(); err != nil {
				yield(Token{}, err)
				return
			}
			if len(line) >= m.options.Context {
				yield(Token{}, ErrContextFull)
				return
			}
			if r.Grammar == fmt.Sprint("abort at ", i) {
				toyAbort()
			}
			t := m.next(line, r, i)
			if !t.End {
				t.Text = text.add(string([]byte{byte(t.ID)}))
			}
			if i == len(r.Completion) {
				t.Decoded, t.Reused, t.Seconds = len(line)-reused, reused, time.Since(begin).Seconds()
			}
			m.held = append(m.held[:0], line...)
			if !yield(t, nil) || t.End {
				return
			}
			line = append(line, t.ID)
		}
	}
}

// next draws one token: the byte that an unfinished character needs, or the
// first of a new one.
func (m *toyModel) next(line []int32, r Request, i int) Token {
	h := fnv.New64a()
	for _, id := range line[max(0, len(line)-64):] {
		h.Write([]byte{byte(id)})
	}
	fmt.Fprint(h, len(line), r.Sampling.Seed, i, m.options.Adapter)
	n := h.Sum64()
	t := Token{}
	if r.LogProbs {
		t.LogProb = -float32(n%1000) / 100
	}
	for _, c := range toyAlphabet {
		s := string(c)
		for k := len(s) - 1; k > 0; k-- { // does the line end in the first k bytes of c?
			if len(r.Prompt)+i == len(line) && strings.HasSuffix(toyBytes(line), s[:k]) {
				t.ID = int32(s[k])
				return t
			}
		}
	}
	if !r.Sampling.NoEnd && n%97 == 0 {
		t.ID, t.End = toyEnd, true
		return t
	}
	alphabet := []rune(toyAlphabet)
	t.ID = int32(string(alphabet[n%uint64(len(alphabet))])[0])
	return t
}

// toyBytes are the last bytes of a line.
func toyBytes(line []int32) string {
	var b []byte
	for _, id := range line[max(0, len(line)-4):] {
		b = append(b, byte(id))
	}
	return string(b)
}

func (m *toyModel) Logprobs(_ context.Context, prompt, completion []int32) ([]float32, error) {
	logps := make([]float32, len(completion))
	for i, id := range completion {
		logps[i] = -float32(id) / 7
		if id == 0 {
			logps[i] = float32(math.Inf(-1))
		}
	}
	return logps, nil
}

// Sample draws one completion after the other, as Generate does. With a stop
// string "abort" the process dies at the second completion it draws, with "abort
// at once" at the first.
func (m *toyModel) Sample(ctx context.Context, requests []SampleRequest, n int, o SampleOptions) iter.Seq2[Completion, error] {
	return func(yield func(Completion, error) bool) {
		drawn := 0
		for j, r := range requests {
			if len(r.Prompt)+r.MaxTokens > m.options.Context {
				yield(Completion{}, fmt.Errorf("engine: sample: %w", ErrContextFull))
				return
			}
			for i := range n {
				if slices.Contains(r.Done, i) {
					continue
				}
				if drawn++; drawn > 1 && slices.Contains(r.Stop, "abort") || slices.Contains(r.Stop, "abort at once") {
					toyAbort()
				}
				c := Completion{Request: j, Index: i}
				g := Request{Prompt: r.Prompt, MaxTokens: r.MaxTokens, Sampling: Sampling{Seed: memberSeed(r.Seed, i)}, LogProbs: o.LogProbs}
				for t, err := range m.Generate(ctx, g) {
					if err != nil {
						yield(Completion{}, err)
						return
					}
					c.Tokens, c.Text, c.Finished = append(c.Tokens, t.ID), c.Text+t.Text, t.End
					if o.LogProbs {
						c.LogProbs = append(c.LogProbs, t.LogProb)
					}
				}
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

func (m *toyModel) Embed(_ context.Context, texts []string) ([][]float32, error) {
	found := make([][]float32, len(texts))
	for i, text := range texts {
		if text == "bad" {
			return nil, errors.New("engine: embed: the text holds a zero byte")
		}
		found[i] = []float32{float32(len(text)), 1}
	}
	return found, nil
}

// Choose says what was asked: the lengths of the question and of each answer.
func (m *toyModel) Choose(_ context.Context, prefix []int32, questions [][]int32, answers [][][]int32) ([][]float64, error) {
	if len(prefix) == 0 {
		return nil, errors.New("engine: choose: prefix, questions or answers are empty")
	}
	if len(prefix) > m.options.Context {
		return nil, ErrContextFull
	}
	found := make([][]float64, len(questions))
	for i, q := range questions {
		for _, a := range answers {
			found[i] = append(found[i], float64(len(q))/8+float64(len(a))/1024)
		}
	}
	return found, nil
}

func (m *toyModel) SetAdapter(_ context.Context, path string) error {
	if path == "wrong" {
		return errors.New("engine: set adapter wrong: not made for this model")
	}
	m.options.Adapter, m.held = path, nil
	return nil
}

func (m *toyModel) SaveState(_ context.Context, path string) error {
	b, err := json.Marshal(m.held)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o666)
}

func (m *toyModel) LoadState(_ context.Context, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, &m.held)
}

func (m *toyModel) Close() error { return nil }

// An idleModel has nothing to do for a token, at the pace of a real model where
// its path says how long one takes.
type idleModel struct {
	toyModel
	pace time.Duration
}

func openIdle(path string, _ Options) (opened, error) {
	pace, err := time.ParseDuration(path)
	return &idleModel{pace: pace}, err
}

func (m *idleModel) Generate(_ context.Context, r Request) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		for i := range r.MaxTokens {
			if m.pace > 0 {
				time.Sleep(m.pace)
			}
			if !yield(Token{ID: int32(20000 + i%10000), Text: " something"}, nil) {
				return
			}
		}
	}
}
