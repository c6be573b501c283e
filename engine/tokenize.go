package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// Tokenize turns pieces into token ids. Nothing is added: a BOS token comes
// from the template's own pieces. A person's text never yields a control token.
//
// The pieces are tokenised as one text, as the models saw it in training,
// unless that would make a control token out of a person's text; then each
// piece is tokenised alone.
func (m *Model) Tokenize(ctx context.Context, pieces ...Piece) ([]int32, error) {
	m.reads.RLock()
	defer m.reads.RUnlock()
	if err := m.usable(ctx); err != nil {
		return nil, fmt.Errorf("engine: tokenize: %w", err)
	}
	var whole strings.Builder
	for _, p := range pieces {
		if strings.IndexByte(p.Text, 0) >= 0 {
			return nil, errors.New("engine: tokenize: the text holds a zero byte")
		}
		whole.WriteString(p.Text)
	}
	alone := make([]int32, 0, whole.Len()/3)
	for _, p := range pieces {
		alone = append(alone, m.tokens(p.Text, p.Special)...)
	}
	if len(pieces) < 2 {
		return alone, nil
	}
	joint := m.tokens(whole.String(), true)
	if slices.Equal(m.controls(joint), m.controls(alone)) {
		return joint, nil
	}
	return alone, nil
}

// Count is the number of tokens of a person's text.
func (m *Model) Count(ctx context.Context, text string) (int, error) {
	ids, err := m.Tokenize(ctx, Piece{Text: text})
	return len(ids), err
}

// Text turns token ids into text, as Generate would have yielded it: control
// tokens have none.
func (m *Model) Text(ctx context.Context, ids []int32) (string, error) {
	m.reads.RLock()
	defer m.reads.RUnlock()
	if err := m.usable(ctx); err != nil {
		return "", fmt.Errorf("engine: text: %w", err)
	}
	if err := m.checkIDs(ids); err != nil {
		return "", fmt.Errorf("engine: text: %w", err)
	}
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(m.piece(id))
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD"), nil
}

func (m *Model) tokens(text string, special bool) []int32 {
	if text == "" {
		return nil
	}
	found := llama.Tokenize(m.vocab, text, false, special)
	ids := make([]int32, len(found))
	for i, id := range found {
		ids[i] = int32(id)
	}
	return ids
}

// controls are the control tokens among ids, in order.
func (m *Model) controls(ids []int32) []int32 {
	var found []int32
	for _, id := range ids {
		if m.control[id] {
			found = append(found, id)
		}
	}
	return found
}

// piece is the text of one token, which may be part of a character.
func (m *Model) piece(id int32) string {
	buf := make([]byte, 32)
	n := llama.TokenToPiece(m.vocab, llama.Token(id), buf, 0, false)
	if n < 0 {
		buf = make([]byte, -n)
		n = llama.TokenToPiece(m.vocab, llama.Token(id), buf, 0, false)
	}
	return string(buf[:max(n, 0)])
}

func (m *Model) checkIDs(ids []int32) error {
	for _, id := range ids {
		if id < 0 || int(id) >= len(m.control) {
			return fmt.Errorf("token %d is not in the vocabulary of %d", id, len(m.control))
		}
	}
	return nil
}

// An assembler joins the bytes of tokens to whole characters.
type assembler struct{ pending []byte }

// add takes the bytes of the next token and returns the text that is complete.
// Bytes that cannot begin a character become U+FFFD.
func (a *assembler) add(piece string) string {
	a.pending = append(a.pending, piece...)
	whole := len(a.pending)
	for back := 1; back < utf8.UTFMax && back <= len(a.pending); back++ {
		i := len(a.pending) - back
		if utf8.RuneStart(a.pending[i]) {
			if !utf8.FullRune(a.pending[i:]) {
				whole = i
			}
			break
		}
	}
	text := strings.ToValidUTF8(string(a.pending[:whole]), "\uFFFD")
	a.pending = append(a.pending[:0], a.pending[whole:]...)
	return text
}
