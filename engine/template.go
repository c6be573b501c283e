package engine

import (
	"errors"
	"strings"
)

// A transcript is only ever appended to, but a model's template renders whole
// conversations, and many change the history when they render it again (Qwen3
// drops earlier thoughts). So the strings around a turn are learnt once: a few
// short conversations of marker words are rendered, and what stands around the
// words is kept.

// A renderer turns a conversation into text. open asks for the opening of the
// model's turn, think for its thinking mode.
type renderer func(turns []message, open, think bool) (string, error)

type message struct{ role, content string }

// Marker words: one word each, since templates trim and split what they get.
const (
	wordSystem    = "zqxSYSTEMxqz"
	wordUser      = "zqxUSERxqz"
	wordAssistant = "zqxASSISTANTxqz"
	wordNext      = "zqxNEXTxqz"
)

var (
	systemTurn    = message{"system", wordSystem}
	userTurn      = message{"user", wordUser}
	assistantTurn = message{"assistant", wordAssistant}
	nextTurn      = message{"user", wordNext}
)

// errTemplate says that the strings of the turns cannot be told apart.
var errTemplate = errors.New("its turns cannot be told apart")

// learnChat finds the strings of a template. bos is the text of the model's BOS
// token if every transcript must begin with it, else "".
func learnChat(render renderer, bos string) (Chat, error) {
	var c Chat
	if err := c.learnTurns(render); err != nil {
		return Chat{}, err
	}
	alone, err := render([]message{userTurn}, true, true)
	if err != nil {
		return Chat{}, err
	}
	before, _, found := strings.Cut(alone, wordUser)
	head, ok := strings.CutSuffix(before, c.User.Before)
	if !found || !ok {
		// The first user turn is opened otherwise than later ones: take it as
		// the start of every transcript if it ends in the same role.
		return Chat{}, errTemplate
	}
	c.learnSystem(render, head, bos)
	if bos != "" && !strings.HasPrefix(c.Start+c.System.Before+c.User.Before, bos) && !strings.HasPrefix(c.Start+c.User.Before, bos) {
		c.Start = bos + c.Start
	}
	c.learnThinking(render)
	return c, nil
}

// learnTurns finds the strings of the user's and the model's turns.
func (c *Chat) learnTurns(render renderer) error {
	closed, err := render([]message{userTurn}, false, true)
	if err != nil {
		return err
	}
	open, err := render([]message{userTurn}, true, true)
	if err != nil {
		return err
	}
	answered, err := render([]message{userTurn, assistantTurn}, false, true)
	if err != nil {
		return err
	}
	again, err := render([]message{userTurn, assistantTurn, nextTurn}, true, true)
	if err != nil {
		return err
	}
	var found [4]bool
	_, c.User.After, found[0] = strings.Cut(closed, wordUser)
	_, opening, ok := strings.Cut(open, wordUser)
	c.Assistant.Before, found[1] = strings.CutPrefix(opening, c.User.After)
	_, c.Assistant.After, found[2] = strings.Cut(answered, wordAssistant)
	_, tail, ok2 := strings.Cut(again, wordAssistant)
	gap, _, ok3 := strings.Cut(tail, wordNext)
	c.User.Before, found[3] = strings.CutPrefix(gap, c.Assistant.After)
	if found != [4]bool{true, true, true, true} || !ok || !ok2 || !ok3 {
		return errTemplate
	}
	return nil
}

// learnSystem finds the start and the strings of a system turn. head is what a
// conversation without a system turn has before its first user turn: the
// start, and with some models a system text of their own, which is not taken
// over. The system turn stays empty where the template refuses the role or
// puts its text into a user turn.
func (c *Chat) learnSystem(render renderer, head, bos string) {
	if bos != "" && strings.HasPrefix(head, bos) {
		c.Start = bos
	}
	text, err := render([]message{systemTurn, userTurn}, true, true)
	if err != nil {
		c.Start = head
		return
	}
	before, rest, ok := strings.Cut(text, wordSystem)
	gap, _, ok2 := strings.Cut(rest, wordUser)
	after, ok3 := strings.CutSuffix(gap, c.User.Before)
	if !ok || !ok2 || !ok3 {
		if !strings.Contains(head, "system") {
			c.Start = head
		}
		return
	}
	if strings.HasPrefix(before, head) {
		c.Start = head
	} else if bos != "" && strings.HasPrefix(before, bos) {
		c.Start = bos
	}
	c.System = Turn{strings.TrimPrefix(before, c.Start), after}
}

// learnThinking finds what turns thinking off.
func (c *Chat) learnThinking(render renderer) {
	tail := func(think bool) (string, bool) {
		text, err := render([]message{userTurn}, true, think)
		_, after, ok := strings.Cut(text, wordUser)
		if !ok || err != nil {
			return "", false
		}
		return strings.CutPrefix(after, c.User.After)
	}
	on, ok := tail(true)
	off, ok2 := tail(false)
	if !ok || !ok2 {
		return
	}
	if on != off {
		c.Thinks = true
		c.Assistant.Before = commonOpening(on, off)
		c.NoThink = off[len(c.Assistant.Before):]
		return
	}
	// Always thinking: an empty thought is what hybrid models take as off.
	if strings.HasSuffix(strings.TrimRight(on, "\n"), "<think>") {
		c.Thinks = true
		c.NoThink = strings.Repeat("\n", max(0, 2-strings.Count(on[strings.LastIndex(on, ">"):], "\n"))) + "</think>\n\n"
	}
}

// commonOpening is what two openings of a turn share, cut before a tag that
// they only begin together.
func commonOpening(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n < len(a) && n < len(b) {
		if tag := strings.LastIndexByte(a[:n], '<'); tag >= 0 && !strings.Contains(a[tag:n], ">") {
			n = tag
		}
	}
	return a[:n]
}

// plainChat is for a base model without a template: the raw form that
// LongWriter-Zero was trained on, which other base models continue as well.
func plainChat(bos string) Chat {
	return Chat{
		Start:     bos,
		System:    Turn{"", "\n\n"},
		User:      Turn{"<|user|>: ", " "},
		Assistant: Turn{"<|assistant|>:", "\n\n"},
		Source:    "none",
	}
}
