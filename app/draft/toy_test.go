package draft

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"

	"longhand/engine"
)

// toy is a small language model of nonsense sentences that keeps the engine's
// contract: the next token is a function of the seed, the place in the
// completion and the last tokens, and what agrees with the cache is not decoded
// again.
type toy struct {
	*vocabulary
	cache   []int32
	chatter int  // one turn in so many begins with a preamble and a heading; 0: none
	loops   int  // one turn in so many says one sentence over and over; 0: none
	stuck   int  // one turn in so many is exclamation marks without an end; 0: none
	midway  bool // a turn may end in mid-sentence
	short   int  // words after which a turn likes to end
	context int
	decoded []int // per request that is not a fork: prompt tokens decoded and new
	fresh   []int
}

type vocabulary struct {
	ids   map[string]int32
	texts []string
}

func newVocabulary() *vocabulary { return &vocabulary{ids: map[string]int32{}} }

func newToy() *toy { return &toy{vocabulary: newVocabulary(), short: 90, context: 2048} }

func (t *toy) Info() engine.Info {
	return engine.Info{Name: "toy", Parameters: 1e8, Context: t.context, Chat: engine.Chat{Start: "<s>",
		System: engine.Turn{Before: "<sys>", After: "</sys>"}, User: engine.Turn{Before: "<user>", After: "</user>"}, Assistant: engine.Turn{Before: "<bot>", After: "</bot>"}}}
}

func (t *vocabulary) id(piece string) int32 {
	id, ok := t.ids[piece]
	if !ok {
		id = int32(len(t.texts))
		t.ids[piece], t.texts = id, append(t.texts, piece)
	}
	return id
}

func (t *toy) Tokenize(_ context.Context, pieces ...engine.Piece) ([]int32, error) {
	var out []int32
	for _, p := range pieces {
		if p.Special {
			if p.Text != "" {
				out = append(out, t.id(p.Text))
			}
			continue
		}
		for _, w := range strings.SplitAfter(p.Text, " ") {
			if w != "" {
				out = append(out, t.id(w))
			}
		}
	}
	return out, nil
}

func (t *toy) Generate(ctx context.Context, r engine.Request) iter.Seq2[engine.Token, error] {
	return func(yield func(engine.Token, error) bool) {
		run := append(append([]int32(nil), r.Prompt...), r.Completion...)
		same := 0
		for same < len(run) && same < len(t.cache) && run[same] == t.cache[same] {
			same++
		}
		same = min(same, len(run)-1)
		if !r.Fork {
			t.decoded, t.fresh = append(t.decoded, len(run)-same), append(t.fresh, len(r.Prompt))
			t.cache = append([]int32(nil), run...)
		}
		for i := len(r.Completion); r.MaxTokens == 0 || i < r.MaxTokens; i++ {
			if len(run) >= t.context {
				yield(engine.Token{}, engine.ErrContextFull)
				return
			}
			tok := engine.Token{Text: t.next(r, run, i)}
			if tok.End = tok.Text == ""; !tok.End {
				tok.ID = t.id(tok.Text)
			}
			if i == len(r.Completion) {
				tok.Decoded, tok.Reused = len(r.Prompt)+len(r.Completion)-same, same
			}
			if ctx.Err() != nil {
				yield(engine.Token{}, ctx.Err())
				return
			}
			if !yield(tok, nil) || tok.End {
				return
			}
			run = append(run, tok.ID)
			if !r.Fork {
				t.cache = run
			}
		}
	}
}

// next is the text of the i-th token of a completion, "" for its end.
func (t *toy) next(r engine.Request, run []int32, i int) string {
	h := mix(r.Sampling.Seed, uint64(i))
	whole := mix(r.Sampling.Seed, 77)
	last := t.texts[run[len(run)-1]]
	if t.chatter > 0 && whole%uint64(t.chatter) == 0 && i < 6 {
		return []string{"Sure", " here", " it", " is", ".", "\n\n# A heading\n"}[i]
	}
	if t.loops > 0 && whole%uint64(t.loops) == 1 {
		return []string{" The", " same", " thing", " is", " said", " once", " more", "."}[i%8]
	}
	if t.stuck > 0 && whole%uint64(t.stuck) == 2 {
		return "!"
	}
	if t.midway && !r.Sampling.NoEnd && i > t.short && h%4 == 1 {
		return ""
	}
	if strings.HasSuffix(last, ".") || i == 0 {
		if !r.Sampling.NoEnd && i > t.short && h%3 == 0 {
			return ""
		}
		if h%5 == 0 && i > 0 {
			return "\n\nSo"
		}
		return fmt.Sprintf(" The%d", h%50)
	}
	if h%11 == 0 {
		return "."
	}
	word := fmt.Sprintf(" w%d", h>>8%997)
	for _, b := range r.Sampling.Ban {
		if int(b) < len(t.texts) && t.texts[b] == word {
			return " other"
		}
	}
	return word
}

func mix(seed, x uint64) uint64 {
	x = seed ^ x*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// planned returns the first records of a draft of n sections of so many words.
func plannedDraft(n, words int) []Record {
	o := Outline{Title: "Book"}
	for i := range n {
		o.Sections = append(o.Sections, SectionPlan{Index: i, Title: fmt.Sprintf("Section %c%d", 'A'+i%26, i), Point: fmt.Sprintf("Point %d.", i), Words: words, Flags: []string{},
			Beats: []string{fmt.Sprintf("beat one of %d", i), fmt.Sprintf("beat two of %d", i), fmt.Sprintf("beat three of %d", i)}})
	}
	return []Record{Started{ID: "toy", Seed: 7, Target: n * words}, Request{Prompt: "Write nonsense.", Words: n * words}, o, PlanDone{Target: n * words}}
}

// write runs the draft that records hold to its end and returns all records.
func write(t *testing.T, m *toy, records []Record) (*Project, []Record, []Event) {
	t.Helper()
	log := &memory{records: append([]Record(nil), records...)}
	p, err := Extend(nil, log.records...)
	if err != nil {
		t.Fatal(err)
	}
	var events []Event
	for ev, err := range (&Writer{Engine: m, Log: log}).Write(context.Background(), p) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	return p, log.records, events
}
