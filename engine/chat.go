package engine

// Chat holds the strings around a chat turn, learnt once by rendering the
// model's template. A conversation is a transcript that is only appended to:
// it is never rendered again.
type Chat struct {
	Start     string `json:"start"`     // before the first turn (the BOS token, where the model wants one)
	System    Turn   `json:"system"`    // both strings empty: no system turn; put the text at the head of the first user turn
	User      Turn   `json:"user"`      //
	Assistant Turn   `json:"assistant"` // Before opens the model's turn
	NoThink   string `json:"no_think"`  // after Assistant.Before: thinking is off
	Thinks    bool   `json:"thinks"`    // the template has a thinking mode
	Source    string `json:"source"`    // "template", "built-in NAME", or "none": a base model without turns
}

// Turn is what stands before and after the text of one role.
type Turn struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

// Begin is the head of a transcript: the start string and the system text. For
// a model without a system turn the text is left for the caller's first user
// turn, and folded says so.
func (c Chat) Begin(system string) (pieces []Piece, folded bool) {
	pieces = []Piece{{c.Start, true}}
	if system == "" {
		return pieces, false
	}
	if c.System == (Turn{}) {
		return pieces, true
	}
	return append(pieces, Piece{c.System.Before, true}, Piece{system, false}, Piece{c.System.After, true}), false
}

// Ask is one user turn and the opening of the model's, which begins with answer.
func (c Chat) Ask(user string, think bool, answer string) []Piece {
	pieces := []Piece{{c.User.Before, true}, {user, false}, {c.User.After, true}, {c.Assistant.Before, true}}
	if !think && c.NoThink != "" {
		pieces = append(pieces, Piece{c.NoThink, true})
	}
	return append(pieces, Piece{answer, false})
}

// End closes the model's turn, whether or not it sampled its end token.
func (c Chat) End() Piece { return Piece{c.Assistant.After, true} }
