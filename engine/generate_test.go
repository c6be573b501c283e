package engine

import (
	"context"
	"strings"
	"testing"
)

// completion collects what Generate yields.
type completion struct {
	text   string
	ids    []int32
	tokens []Token
}

func collect(t testing.TB, m *Model, r Request) completion {
	t.Helper()
	var c completion
	var b strings.Builder
	for token, err := range m.Generate(context.Background(), r) {
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(token.Text)
		c.ids = append(c.ids, token.ID)
		c.tokens = append(c.tokens, token)
	}
	c.text = b.String()
	return c
}

// question tokenises a system text and one question.
func question(t testing.TB, m *Model, question string) []int32 {
	t.Helper()
	chat := m.Info().Chat
	pieces, _ := chat.Begin("You are a writer.")
	ids, err := m.Tokenize(context.Background(), append(pieces, chat.Ask(question, false, "")...)...)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestGenerateAnswersAQuestion(t *testing.T) {
	m := openSample(t, Options{})
	t.Logf("%+v", m.Info())
	c := collect(t, m, Request{Prompt: question(t, m, "Name three colours."), MaxTokens: 64})
	t.Logf("%q %+v", c.text, c.tokens[0])
	if c.text == "" {
		t.Fatal("nothing was written")
	}
}
