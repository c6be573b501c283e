package engine

import (
	"context"
	"errors"
	"iter"
	"strings"
)

// Plain is a *Model or *Process with methods of plain Go types: packages that do
// not import the engine declare the ones they need as an interface of their own,
// as the judges of the rewards do. It is meant for a model that judges: one with
// no adapter, in a context of its own.
type Plain struct {
	Engine interface {
		Info() Info
		Tokenize(ctx context.Context, pieces ...Piece) ([]int32, error)
		Generate(ctx context.Context, r Request) iter.Seq2[Token, error]
		Choose(ctx context.Context, prefix []int32, questions [][]int32, answers [][][]int32) ([][]float64, error)
		Logprobs(ctx context.Context, prompt, completion []int32) ([]float32, error)
		Embed(ctx context.Context, texts []string) ([][]float32, error)
	}
}

// About is the model's name, its context in tokens and its number of parameters.
func (p Plain) About() (name string, context int, parameters uint64) {
	info := p.Engine.Info()
	return info.Name, info.Context, info.Parameters
}

// Frame is what stands before and after one user turn, up to the text that the
// model answers with. A base model has no turns; its answer follows "Answer:".
func (p Plain) Frame() (open, closing string) {
	chat := p.Engine.Info().Chat
	if chat.Source == "none" {
		return chat.Start, "\nAnswer:"
	}
	return chat.Start + chat.User.Before, chat.User.After + chat.Assistant.Before + chat.NoThink
}

// Tokenize turns a text between two strings of the template into ids. A zero
// byte of the text, which no tokenizer takes, becomes a blank.
func (p Plain) Tokenize(ctx context.Context, open, text, closing string) ([]int32, error) {
	var pieces []Piece
	for _, piece := range []Piece{{open, true}, {strings.ReplaceAll(text, "\x00", " "), false}, {closing, true}} {
		if piece.Text != "" {
			pieces = append(pieces, piece)
		}
	}
	if len(pieces) == 0 {
		return nil, nil
	}
	return p.Engine.Tokenize(ctx, pieces...)
}

// Complete is the greedy continuation of a prompt, at most so many tokens, in
// the language of a GBNF grammar if there is one.
func (p Plain) Complete(ctx context.Context, prompt []int32, grammar string, maxTokens int) (string, error) {
	var text strings.Builder
	for t, err := range p.Engine.Generate(ctx, Request{Prompt: prompt, MaxTokens: maxTokens, Grammar: grammar, Fork: true}) {
		if errors.Is(err, ErrContextFull) {
			break
		}
		if err != nil {
			return "", err
		}
		text.WriteString(t.Text)
	}
	return text.String(), nil
}

// Choose is the engine's: the probability of each answer to each question.
func (p Plain) Choose(ctx context.Context, prefix []int32, questions [][]int32, answers [][][]int32) ([][]float64, error) {
	return p.Engine.Choose(ctx, prefix, questions, answers)
}

// Logprobs is the engine's: the log-probability of each token of a completion.
func (p Plain) Logprobs(ctx context.Context, prompt, completion []int32) ([]float32, error) {
	return p.Engine.Logprobs(ctx, prompt, completion)
}

// Embed is the engine's: one vector for each text.
func (p Plain) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	clean := make([]string, len(texts))
	for i, t := range texts {
		clean[i] = strings.ReplaceAll(t, "\x00", " ")
	}
	return p.Engine.Embed(ctx, clean)
}
