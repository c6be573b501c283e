package draft

import "encoding/json"

// Event is what happened while drafting. It is one of the types below and
// nothing else. Marshalled as JSON its first key is "event".
type Event interface{ event() string }

// Started comes first, once the draft is on disk.
type Started struct {
	ID          string `json:"id"`
	Resumed     bool   `json:"resumed"`
	Model       string `json:"model"`
	ModelSHA256 OrNull `json:"model_sha256"`
	Adapter     OrNull `json:"adapter"`
	Context     int    `json:"context"` // tokens
	Seed        uint64 `json:"seed"`
	Device      string `json:"device"`
	Threads     int    `json:"threads"`
	Target      int    `json:"target"` // words
	Out         OrNull `json:"out"`
}

// MarshalJSON writes null for a target that is not known yet.
func (s Started) MarshalJSON() ([]byte, error) {
	type plain Started
	out := struct {
		plain
		Target *int `json:"target"`
	}{plain: plain(s)}
	if s.Target > 0 {
		out.Target = &s.Target
	}
	return json.Marshal(out)
}

// OrNull is a string that is null in JSON where it is empty.
type OrNull string

// MarshalJSON writes null for "".
func (s OrNull) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(s))
}

// Think appends to the model's thinking.
type Think struct {
	Text string `json:"text"`
}

// SectionBegun says that a section is being written.
type SectionBegun struct {
	Index  int    `json:"index"`
	Title  string `json:"title"`
	Target int    `json:"target"` // words
}

// Text appends to a section.
type Text struct {
	Index  int     `json:"index"`
	Text   string  `json:"text"`
	Tokens []int32 `json:"tokens,omitempty"` // in the log: what it adds to the transcript
}

// Rewind keeps the first Chars code points of a section.
type Rewind struct {
	Index int   `json:"index"`
	Chars int   `json:"chars"`
	Keep  int   `json:"keep,omitempty"`  // in the log: tokens of the transcript that stay; 0: all
	Again bool  `json:"again,omitempty"` // in the log: the open turn goes on from there with other random numbers
	Ban   int32 `json:"ban,omitempty"`   // in the log: and without this token at first
}

// Engine says that the engine was started again or the transcript compacted.
type Engine struct {
	State        string  `json:"state"` // "restarted", "compacted"
	PromptTokens int     `json:"prompt_tokens"`
	Seconds      float64 `json:"seconds"`
}

// SectionDone says that a section is finished.
type SectionDone struct {
	Index       int      `json:"index"`
	Words       int      `json:"words"`
	Target      int      `json:"target"`
	Flags       []string `json:"flags"` // "short", "long", "loop", "forced"
	ForcedWords int      `json:"forced_words"`
	Scores      *Scores  `json:"scores"`
}

// Finished comes last.
type Finished struct {
	ID              string   `json:"id"`
	Words           int      `json:"words"`
	Target          int      `json:"target"`
	Sections        int      `json:"sections"`
	Flagged         int      `json:"flagged"`
	PromptTokens    int      `json:"prompt_tokens"` // decoded, not sampled
	Tokens          int      `json:"tokens"`        // sampled for the text, kept or not
	Seconds         float64  `json:"seconds"`
	TokensPerSecond float64  `json:"tokens_per_second"`
	Flags           []string `json:"flags"`
	Scores          *Scores  `json:"scores"`
}

// Scores are the rewards of a section or a draft, in [0, 1]; null is unknown.
type Scores struct {
	Total   *float64 `json:"total"`
	Length  *float64 `json:"length"`
	Format  *float64 `json:"format"`
	Writing *float64 `json:"writing"`
}

// Outline is the plan of a draft. As an event it is the plan as it stands now.
type Outline struct {
	Title    string        `json:"title"`
	Sections []SectionPlan `json:"sections"`
}

// SectionPlan is one line of the outline.
type SectionPlan struct {
	Index int      `json:"index"`
	Part  string   `json:"part"` // "" where the draft has no parts
	Title string   `json:"title"`
	Point string   `json:"point"`
	Beats []string `json:"beats"`
	Words int      `json:"words"`
	Flags []string `json:"flags"` // "repeats": its title or point says another's again
}

func (Started) event() string      { return "started" }
func (Think) event() string        { return "think" }
func (Outline) event() string      { return "outline" }
func (SectionBegun) event() string { return "section" }
func (Text) event() string         { return "text" }
func (Rewind) event() string       { return "rewind" }
func (Engine) event() string       { return "engine" }
func (SectionDone) event() string  { return "section_done" }
func (Finished) event() string     { return "finished" }
