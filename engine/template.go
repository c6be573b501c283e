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
type renderer func(turns []speech, open, think bool) (string, error)

type speech struct{ role, content string }

// Marker words: one word each, since templates trim and split what they get.
const (
	wordSystem    = "zqxSYSTEMxqz"
	wordUser      = "zqxUSERxqz"
	wordAssistant = "zqxASSISTANTxqz"
	wordNext      = "zqxNEXTxqz"
)

var (
	systemTurn    = speech{"system", wordSystem}
	userTurn      = speech{"user", wordUser}
	assistantTurn = speech{"assistant", wordAssistant}
	nextTurn      = speech{"user", wordNext}
)

// errTemplate says that the strings of the turns cannot be told apart.
var errTemplate = errors.New("its turns cannot be told apart")

// learnChat finds the strings of a template. bos is the text of the model's BOS
// token; must says that every transcript begins with it.
func learnChat(render renderer, bos string, must bool) (Chat, error) {
	var c Chat
	head, err := c.learnTurns(render)
	if err != nil {
		return Chat{}, err
	}
	c.learnSystem(render, head, bos)
	if must && !strings.HasPrefix(c.Start+c.User.Before, bos) {
		c.Start = bos + c.Start
	}
	c.learnThinking(render)
	return c, nil
}

// learnTurns finds the strings of the user's and the model's turns, and what a
// conversation without a system turn has before its first user turn.
//
// What stands between two texts is the end of one turn and the opening of the
// next. Where it is cut is seen from conversations that stop there; some
// templates add something to those, so what they share is taken.
func (c *Chat) learnTurns(render renderer) (head string, err error) {
	conversations := [][]speech{{userTurn}, {userTurn}, {userTurn, assistantTurn}, {userTurn, assistantTurn, nextTurn}}
	var texts [4]string
	for i, turns := range conversations {
		if texts[i], err = render(turns, i == 1 || i == 3, true); err != nil {
			return "", err
		}
	}
	_, closed, ok0 := strings.Cut(texts[0], wordUser)
	before, opened, ok1 := strings.Cut(texts[1], wordUser)
	_, answered, ok2 := strings.Cut(texts[2], wordAssistant)
	_, rest, ok3 := strings.Cut(texts[3], wordAssistant)
	gap, again, ok4 := strings.Cut(rest, wordNext)
	if !ok0 || !ok1 || !ok2 || !ok3 || !ok4 || again != opened {
		return "", errTemplate
	}
	c.User.After = commonOpening(closed, opened)
	c.Assistant.Before = opened[len(c.User.After):]
	c.Assistant.After = commonOpening(answered, gap)
	c.User.Before = gap[len(c.Assistant.After):]
	head, ok := strings.CutSuffix(before, c.User.Before)
	if !ok {
		// The first user turn is opened in another way, or the model's turn
		// closed in another way before the end: what both openings end in.
		c.User.Before = commonEnd(before, gap)
		c.Assistant.After = strings.TrimSuffix(gap, c.User.Before)
		head = strings.TrimSuffix(before, c.User.Before)
	}
	if c.User.Before == "" && c.Assistant.After == "" || c.User.After+c.Assistant.Before == "" {
		return "", errTemplate
	}
	return head, nil
}

// learnSystem finds the start and the strings of a system turn. head is what a
// conversation without a system turn has before its first user turn: the
// start, and with some models a system text of their own, which is not taken
// over. The system turn stays empty where the template refuses the role or
// puts its text into a user turn.
func (c *Chat) learnSystem(render renderer, head, bos string) {
	if bos != "" && strings.HasPrefix(head+c.User.Before, bos) {
		c.Start = strings.TrimSuffix(bos, c.User.Before)
	}
	text, err := render([]speech{systemTurn, userTurn}, true, true)
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
		text, err := render([]speech{userTurn}, true, think)
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
		shared := commonOpening(on, off)
		if at := strings.Index(off, on); at >= 0 { // "off" may add to the user's turn, too
			c.NoThink = off[at+len(on):]
		} else if rest := on[len(shared):]; strings.TrimSpace(rest) == "" || strings.Contains(rest, "think") {
			c.Assistant.Before, c.NoThink = shared, off[len(shared):]
		}
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

// commonEnd is what two texts end in, from the beginning of a tag on.
func commonEnd(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	end := a[len(a)-n:]
	if n < len(a) && n < len(b) {
		if tag := strings.IndexAny(end, "<["); tag >= 0 {
			return end[tag:]
		}
	}
	return end
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
