package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"longhand/engine/enginetest"
)

// headerEnd is where the tensor data of a GGUF file begins, roughly.
func headerEnd(t testing.TB, path string) (head []byte, size int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r := &countingReader{r: f}
	h, err := parseGGUF(r, uint64(info.Size()))
	if err != nil {
		t.Fatal(err)
	}
	head = make([]byte, info.Size()-int64(h.bytes))
	if _, err := f.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	return head, info.Size()
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

const sizeSeed = 1 << 32

var (
	sizes = []string{"llama.block_count", "llama.context_length", "llama.embedding_length", "llama.feed_forward_length",
		"llama.attention.head_count", "llama.attention.head_count_kv", "llama.rope.dimension_count", "llama.vocab_size",
		"llama.rope.freq_base", "llama.attention.layer_norm_rms_epsilon", "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
		"tokenizer.ggml.padding_token_id", "tokenizer.ggml.unknown_token_id", "general.quantization_version", "general.file_type"}
	extremes = []uint32{0, 1, 2, 3, 7, 511, 513, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1, 0x7f800000, 0x7fc00000}
)

// mutate changes a few bytes of a header: mostly of the first 4 KiB, where the
// sizes stand, and of the last 20 KiB, where the tensors are described.
//
// From sizeSeed on, each seed sets one of the sizes to a value that no model has.
func mutate(head []byte, seed uint64) (at []int, values []byte) {
	if seed >= sizeSeed {
		n := int(seed - sizeSeed)
		key, value := sizes[n/len(extremes)], extremes[n%len(extremes)]
		where := bytes.Index(head, []byte(key)) + len(key) + 4
		if where < len(key)+4 {
			return nil, nil
		}
		for i := range 4 {
			at, values = append(at, where+i), append(values, byte(value>>(8*i)))
		}
		return at, values
	}
	r := rand.New(rand.NewPCG(seed, 77))
	for range 1 + r.IntN(3) {
		where := r.IntN(4096)
		switch r.IntN(3) {
		case 0:
			where = len(head) - 1 - r.IntN(20000)
		case 1:
			where = r.IntN(len(head))
		}
		value := byte(r.IntN(256))
		if r.IntN(2) == 0 {
			value = head[where] ^ 1<<r.IntN(8)
		}
		at, values = append(at, where), append(values, value)
	}
	return at, values
}

// TestMutatedHeadersAreRefusedOrOpen changes the sample's header 1,000 times.
// What the check here takes is opened in a child process: llama.cpp may refuse
// it, but must not take the process down more than rarely.
func TestMutatedHeadersAreRefusedOrOpen(t *testing.T) {
	library, path := enginetest.Native(t)
	if list := os.Getenv("LONGHAND_TEST_MUTANTS"); list != "" {
		openMutants(t, library, list)
		return
	}
	head, size := headerEnd(t, path)
	copied := filepath.Join(t.TempDir(), "mutant.gguf")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	const mutants = 1000
	var taken []uint64
	seeds := make([]uint64, mutants, mutants+len(sizes)*len(extremes))
	for i := range cap(seeds) {
		if i < mutants {
			seeds[i] = uint64(i)
		} else {
			seeds = append(seeds, sizeSeed+uint64(i-mutants))
		}
	}
	for _, seed := range seeds {
		changed := slices.Clone(head)
		at, values := mutate(head, seed)
		for i := range at {
			changed[at[i]] = values[i]
		}
		h, err := parseGGUF(bytes.NewReader(changed), uint64(size))
		if err == nil {
			err = h.checkShape()
		}
		if err == nil {
			taken = append(taken, seed)
		}
	}
	if testing.Short() {
		t.Logf("%d of %d were refused", len(seeds)-len(taken), len(seeds))
		t.Skip("skipped in short mode: opening the others takes a minute")
	}
	crashed := 0
	for rest := taken; len(rest) > 0; {
		done, out := runMutants(t, copied, rest)
		if done < len(rest) {
			crashed++
			at, values := mutate(head, rest[done])
			t.Logf("mutant %d, bytes %v = %v, ended the process: %s", rest[done], at, values, out)
			done++
		}
		rest = rest[done:]
	}
	t.Logf("of %d mutants %d were refused here, %d opened or were refused by llama.cpp, %d ended the process", len(seeds), len(seeds)-len(taken), len(taken)-crashed, crashed)
	if crashed > len(seeds)/100 {
		t.Errorf("%d of %d mutants ended the process", crashed, len(seeds))
	}
}

// runMutants opens mutants in a child process and says how many it got through.
func runMutants(t *testing.T, copied string, seeds []uint64) (done int, out string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestMutatedHeadersAreRefusedOrOpen$", "-test.v")
	cmd.Env = append(os.Environ(), "LONGHAND_TEST_MUTANTS="+copied)
	cmd.Stdin = strings.NewReader(strings.Trim(fmt.Sprint(seeds), "[]") + "\n")
	var errors bytes.Buffer
	cmd.Stderr = &errors
	stdout, err := cmd.Output()
	done = strings.Count(string(stdout), "mutant done")
	if err == nil && done != len(seeds) {
		t.Fatalf("the child got through %d of %d", done, len(seeds))
	}
	tail := strings.TrimSpace(errors.String())
	return done, tail[:min(300, len(tail))]
}

// openMutants is the child's side.
func openMutants(t *testing.T, library, copied string) {
	in := bufio.NewReader(os.Stdin)
	f, err := os.OpenFile(copied, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, path := enginetest.Native(t)
	head, _ := headerEnd(t, path)
	for {
		var seed uint64
		if _, err := fmt.Fscan(in, &seed); err != nil {
			return
		}
		// Undo what a mutant before left, in this child or in one that died.
		if _, err := f.WriteAt(head, 0); err != nil {
			t.Fatal(err)
		}
		at, values := mutate(head, seed)
		for i := range at {
			if _, err := f.WriteAt(values[i:i+1], int64(at[i])); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := Open(copied, Options{Library: library, Context: 256, Threads: 1}); err == nil {
			attempt(m, Request{Prompt: []int32{1, 2, 3}, MaxTokens: 2})
			m.Close()
		}
		fmt.Println("mutant done")
	}
}
