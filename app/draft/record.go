package draft

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Record is one thing that happened to a project: an event, or one of the
// types below, which only the log sees.
type Record interface{ event() string }

// Log keeps records. Append returns when a kill of this process can no longer
// lose the record.
type Log interface{ Append(Record) error }

// Cost is what a piece of work took.
type Cost struct {
	Prompt  int     `json:"prompt"`  // tokens decoded, not sampled
	Sampled int     `json:"sampled"` // tokens sampled for the text, kept or not
	Seconds float64 `json:"seconds"`
}

// Parts are the parts of a long outline, before their sections are planned.
type Parts struct {
	Title string `json:"title"` // of the whole
	Parts []Part `json:"parts"`
}

// Part is one of them.
type Part struct {
	Title    string `json:"title"`
	Sections int    `json:"sections"`
}

// planned is an outline in the making: its words are still weights.
type planned Outline

// Thought says that the thinking is over.
type Thought struct{}

// PlanDone says that the outline stands and writing may begin.
type PlanDone struct {
	Target int `json:"target"` // words
	Cost
}

// TurnBegun appends the question to the transcript.
type TurnBegun struct {
	Index  int     `json:"index"`
	Kind   string  `json:"kind"`
	Beat   int     `json:"beat"`
	Tokens []int32 `json:"tokens"`
}

// Stands says that the open turn's text stands up to its end as it is.
type Stands struct {
	Index  int    `json:"index"`
	Tokens int    `json:"tokens"`        // of the transcript up to there
	Why    string `json:"why,omitempty"` // why the turn ends with it
}

// TurnEnded closes the model's turn.
type TurnEnded struct {
	Index   int     `json:"index"`
	Why     string  `json:"why"`
	Chars   int     `json:"chars"`    // what stays of the section
	Keep    int     `json:"keep"`     // and of the transcript
	Forced  int     `json:"forced"`   // words
	PerWord float64 `json:"per_word"` // tokens per word, as the text goes
	Tokens  []int32 `json:"tokens"`   // what closes the turn
	Cost
}

// Compacted replaces the transcript.
type Compacted struct {
	Tokens  []int32   `json:"tokens"`
	Bare    bool      `json:"bare"` // it holds no question yet: the next one carries the material
	Notes   string    `json:"notes"`
	Summary []Summary `json:"summary"`
	Cost
}

func (Request) event() string   { return "request" }
func (Thought) event() string   { return "thought" }
func (planned) event() string   { return "planned" }
func (Parts) event() string     { return "parts" }
func (PlanDone) event() string  { return "plan_done" }
func (TurnBegun) event() string { return "turn" }
func (Stands) event() string    { return "stands" }
func (TurnEnded) event() string { return "turn_done" }
func (Compacted) event() string { return "compacted" }

// Marshal writes a record as one JSON object whose first key is "event".
func Marshal(r Record) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("draft: write %s: %w", r.event(), err)
	}
	body := bytes.TrimSpace(buf.Bytes())
	head := `{"event":"` + r.event() + `"`
	if len(body) > 2 {
		head += ","
	}
	return append([]byte(head), body[1:]...), nil
}

// Unmarshal reads what Marshal wrote. Keys it does not know are passed over; an
// unknown kind of record is an error.
func Unmarshal(line []byte) (Record, error) {
	var kind struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return nil, fmt.Errorf("draft: read a record: %w", err)
	}
	read, ok := readers[kind.Event]
	if !ok {
		return nil, fmt.Errorf("draft: read a record: unknown kind %q", kind.Event)
	}
	r, err := read(line)
	if err != nil {
		return nil, fmt.Errorf("draft: read a %s record: %w", kind.Event, err)
	}
	return r, nil
}

var readers = map[string]func([]byte) (Record, error){
	"started": as[Started], "request": as[Request], "think": as[Think], "outline": as[Outline], "thought": as[Thought], "parts": as[Parts], "planned": as[planned], "plan_done": as[PlanDone],
	"section": as[SectionBegun], "turn": as[TurnBegun], "text": as[Text], "rewind": as[Rewind], "stands": as[Stands], "turn_done": as[TurnEnded],
	"edit": as[Edit], "place": as[Place], "remove": as[Remove], "move": as[Move], "line": as[Line], "title": as[Title], "become": as[Become], "note": as[Note],
	"undo": as[Undo], "redo": as[Redo], "trains": as[Trains], "preference": as[Preference], "version": as[Version], "snapshot": as[Snapshot],
	"compacted": as[Compacted], "engine": as[Engine], "section_done": as[SectionDone], "finished": as[Finished],
}

func as[R Record](line []byte) (Record, error) {
	var r R
	err := json.Unmarshal(line, &r)
	return r, err
}

// Replay folds records into a project and checks that each fits what came
// before, so that a log which was cut or mixed up is refused, not misread.
func Replay(records []Record) (*Project, error) {
	p, err := Extend(nil, records...)
	if err == nil && (p.ID == "" || p.Request == (Request{})) {
		err = fmt.Errorf("draft: replay: the log holds no draft and its request")
	}
	return p, err
}

// Index is the place of the section that a record of the writer's is about;
// false: it is about none.
func Index(r Record) (section int, ok bool) {
	switch r := r.(type) {
	case SectionBegun:
		return r.Index, true
	case Text:
		return r.Index, true
	case Rewind:
		return r.Index, true
	case TurnBegun:
		return r.Index, true
	case TurnEnded:
		return r.Index, true
	case Stands:
		return r.Index, true
	case SectionDone:
		return r.Index, true
	}
	return 0, false
}

// Check says why a record does not fit the project as it stands.
func (p *Project) Check(r Record) error {
	index, ok := Index(r)
	if !ok {
		return p.fits(r)
	}
	if index < 0 || index >= len(p.Sections) {
		return fmt.Errorf("section %d of %d", index, len(p.Sections))
	}
	turns := len(p.Sections[index].Turns)
	switch r := r.(type) {
	case TurnEnded:
		if r.Chars < 0 || r.Keep < 0 || r.Keep > len(p.Transcript) {
			return fmt.Errorf("it keeps %d tokens of %d", r.Keep, len(p.Transcript))
		}
	case Stands:
		if r.Tokens < 0 || r.Tokens > len(p.Transcript) {
			return fmt.Errorf("token %d of %d", r.Tokens, len(p.Transcript))
		}
	default:
		return nil
	}
	if turns == 0 {
		return fmt.Errorf("section %d has no turn yet", index)
	}
	return nil
}

// Extend folds more records into p, or into a new project where p is nil.
func Extend(p *Project, records ...Record) (*Project, error) {
	if p == nil {
		p = &Project{}
	}
	for _, r := range records {
		if err := p.Check(r); err != nil {
			return nil, fmt.Errorf("draft: %s record: %w", r.event(), err)
		}
		p.apply(r)
	}
	return p, nil
}
