package rewards

import (
	"context"
	_ "embed"
	"strings"
	"sync"
)

//go:embed quality.txt
var qualityFile string

// quality is the list that every text is asked about beside what its prompt
// asks for: one yes or no question a line.
var quality = strings.Split(strings.TrimSpace(qualityFile), "\n")

// mostRequirements are taken from a prompt.
const mostRequirements = 4

// Checklists keep what prompts require, as questions, and what lengths a judge
// guessed, so that each prompt is read once. It is safe for many goroutines. The zero value is ready.
type Checklists struct {
	mu      sync.Mutex
	lists   map[[2]string][]string // by judge and prompt
	guesses map[string]Range       // of lengths, by prompt
}

// Set says what a prompt requires, for every judge: a list that a person wrote,
// or one that came with the prompt.
func (l *Checklists) Set(prompt string, questions []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put("", prompt, questions)
}

func (l *Checklists) put(judge, prompt string, questions []string) {
	if l.lists == nil {
		l.lists = map[[2]string][]string{}
	}
	l.lists[[2]string{judge, prompt}] = questions
}

// Of are the questions for a prompt, taken from it by the judge the first time.
func (l *Checklists) Of(ctx context.Context, m Model, prompt string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock() // the model works on one thing at a time anyway
	if q, ok := l.lists[[2]string{"", prompt}]; ok {
		return q, nil
	}
	name, _, _ := m.About()
	if q, ok := l.lists[[2]string{name, prompt}]; ok {
		return q, nil
	}
	q, err := requirements(ctx, m, prompt)
	if err != nil {
		return nil, err
	}
	l.put(name, prompt, q)
	return q, nil
}

// requirementGrammar keeps the judge to short questions about the text, one a line.
const requirementGrammar = `root ::= line line? line? line?
line ::= "Does the text " [^?\n\"]{8,70} "?\n"`

// requirements has the judge turn a prompt into questions.
func requirements(ctx context.Context, m Model, prompt string) ([]string, error) {
	if strings.TrimSpace(prompt) == "" {
		return nil, nil
	}
	open, closing := m.Frame()
	_, room, _ := m.About()
	ids, err := m.Tokenize(ctx, open, "Request:\n"+head(prompt, 2*room)+"\n\nWhat must a text do to fulfil this request? Write at most four questions, one a line, that can be answered with yes or no by someone who reads the text. Say nothing of its length.", closing)
	if err != nil {
		return nil, err
	}
	if len(ids)+120 > room {
		return nil, nil // a prompt that fills the context leaves the fixed list
	}
	text, err := m.Complete(ctx, ids, requirementGrammar, 100)
	if err != nil {
		return nil, err
	}
	var all []string
	seen := map[string]bool{}
	for l := range strings.Lines(text) {
		q := strings.TrimSpace(l)
		key := titleKey(q)
		if !strings.HasSuffix(q, "?") || seen[key] || strings.Contains(key, "request") || len(all) == mostRequirements || strings.ContainsAny(q, "0123456789") {
			continue // cut off, said already, said of every text, or about a number, which other rewards count
		}
		seen[key] = true
		all = append(all, q)
	}
	return all, nil
}

// Reductions are a prompt with one of its requirements left out each: a sentence
// or an item of a list, but never the first, which says what is to be written.
// A text for the whole prompt is better than one for a reduction of it, so the
// two make a pair to learn from (WRL, arXiv 2604.27453).
func Reductions(prompt string) []string {
	var pieces []string // each with the sign that ends it
	for _, s := range sentencesOf(prompt) {
		from := 0
		for i, r := range s {
			if strings.ContainsRune(",;，；、", r) {
				pieces = append(pieces, s[from:i+len(string(r))])
				from = i + len(string(r))
			}
		}
		pieces = append(pieces, s[from:])
	}
	var all []string
	for i := 1; i < len(pieces); i++ {
		if wordsOf(pieces[i]) < 2 {
			continue
		}
		kept := strings.TrimRight(joinPieces(append(pieces[:i:i], pieces[i+1:]...)), " ,;，；、")
		if r := firstRune(lastCharacter(kept)); !strings.ContainsRune(stops, r) {
			end := "."
			if ideographic(r) {
				end = "。"
			}
			kept += end
		}
		all = append(all, kept)
	}
	return all
}

// joinPieces puts a blank between pieces of languages that have them.
func joinPieces(pieces []string) string {
	var b strings.Builder
	for _, p := range pieces {
		p = strings.TrimSpace(p)
		if b.Len() > 0 && p != "" && !ideographic(firstRune(p)) {
			b.WriteByte(' ')
		}
		b.WriteString(p)
	}
	return b.String()
}

// lastCharacter is the last character of a text.
func lastCharacter(s string) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i]&0xC0 != 0x80 {
			return s[i:]
		}
	}
	return ""
}
