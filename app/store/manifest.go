package store

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"longhand/app/draft"
)

// manifest is what the database holds of a project, written in the same
// transaction as the parts that it lists. A part that is listed and not found,
// or found with another sum, is damage: it is never an empty section.
type manifest struct {
	Rev      int             `json:"rev"`
	Seq      int             `json:"seq"`  // records of the log that are in it
	Mark     mark            `json:"mark"` // where the journal stood
	Title    string          `json:"title"`
	Prompt   string          `json:"prompt"` // its beginning
	Words    int             `json:"words"`
	Target   int             `json:"target"`
	State    State           `json:"state"`
	Created  time.Time       `json:"created"`
	Updated  time.Time       `json:"updated"` // the last record
	Saved    time.Time       `json:"saved"`   // this manifest
	Sections []line          `json:"sections"`
	Parts    map[string]part `json:"parts"`
}

// line names a section, so that damage can be told where the section is lost.
type line struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Words int    `json:"words"`
}

// part is a value of the project: it lies under the revision that wrote it.
type part struct {
	Rev int    `json:"r"`
	Sum string `json:"s"`
}

// State is how far a project is.
type State string

const (
	Planning State = "planning"
	Planned  State = "planned" // it has an outline and no text
	Writing  State = "writing"
	Done     State = "done"
)

// StateOf is how far a project is.
func StateOf(p *draft.Project) State {
	switch {
	case p.Done:
		return Done
	case slices.ContainsFunc(p.Sections, func(s draft.Section) bool { return s.Begun || s.Text != "" }):
		return Writing
	case p.Planned:
		return Planned
	}
	return Planning
}

// Keys of the database.
const (
	keySchema = "schema"
	keyGlobal = "global"
	manifests = "p/"
)

func manifestKey(id string) string { return manifests + id }

func partKey(id, name string, rev int) string {
	return "q/" + id + "/" + name + "/" + strconv.Itoa(rev)
}

func versionKey(id string, section, n int) string {
	return fmt.Sprintf("v/%s/%d/%d", id, section, n)
}

// Names of parts.
const (
	partHead = "head" // all that is small
	partPlan = "plan"
	partMind = "mind" // the thinking
)

func sectionPart(id int) string { return "s" + strconv.Itoa(id) }
func historyPart(id int) string { return "h" + strconv.Itoa(id) }

// Steps and preferences lie in chunks: a new one writes one chunk anew.
const chunk = 16

func stepPart(n int) string   { return "u" + strconv.Itoa(n/chunk) }
func choicePart(i int) string { return "c" + strconv.Itoa(i/chunk) }

// planned is the part with the outline, and which section has which line.
type plannedPart struct {
	Plan []draft.SectionPlan `json:"plan"`
	IDs  []int               `json:"ids"`
}

// partsOf are the parts that a project has, each with a function that gives
// what it holds.
func partsOf(p *draft.Project) map[string]func() any {
	parts := map[string]func() any{
		partHead: func() any {
			head := *p
			head.Outline.Sections, head.Sections, head.Thinking, head.Steps, head.Choices = nil, nil, "", nil, nil
			return head
		},
		partPlan: func() any {
			plan := plannedPart{Plan: p.Outline.Sections}
			for _, s := range p.Sections {
				plan.IDs = append(plan.IDs, s.ID)
			}
			return plan
		},
	}
	if p.Thinking != "" {
		parts[partMind] = func() any { return p.Thinking }
	}
	for i := range p.Sections {
		parts[sectionPart(p.Sections[i].ID)] = func() any { return p.Sections[i] }
	}
	for from, to := range chunks(len(p.Steps), func(i int) int { return p.Steps[i].N / chunk }) {
		parts[stepPart(p.Steps[from].N)] = func() any { return p.Steps[from:to] }
	}
	for from, to := range chunks(len(p.Choices), func(i int) int { return i / chunk }) {
		parts[choicePart(from)] = func() any { return p.Choices[from:to] }
	}
	return parts
}

// chunks divides n things where their chunk's number changes.
func chunks(n int, of func(int) int) func(func(from, to int) bool) {
	return func(yield func(int, int) bool) {
		for from := 0; from < n; {
			to := from + 1
			for to < n && of(to) == of(from) {
				to++
			}
			if !yield(from, to) {
				return
			}
			from = to
		}
	}
}

// projectOf puts a project together from its parts; get gives a part's plain
// bytes.
func projectOf(m *manifest, get func(name string) ([]byte, error)) (*draft.Project, error) {
	read := func(name string, into any) error {
		if _, ok := m.Parts[name]; !ok {
			return nil
		}
		b, err := get(name)
		if err != nil {
			return err
		}
		if u, ok := into.(json.Unmarshaler); ok { // once through it less than Unmarshal
			return u.UnmarshalJSON(b)
		}
		return json.Unmarshal(b, into)
	}
	p := &draft.Project{}
	var plan plannedPart
	if err := read(partHead, p); err != nil {
		return nil, err
	}
	if err := read(partPlan, &plan); err != nil {
		return nil, err
	}
	if err := read(partMind, &p.Thinking); err != nil {
		return nil, err
	}
	p.Outline.Sections = plan.Plan
	if len(plan.IDs) > 0 {
		p.Sections = make([]draft.Section, len(plan.IDs))
	}
	err := each(len(plan.IDs), func(i int) error {
		p.Sections[i].ID = plan.IDs[i]
		if _, ok := m.Parts[sectionPart(plan.IDs[i])]; !ok {
			return fmt.Errorf("store: the manifest does not list section %d", plan.IDs[i])
		}
		return read(sectionPart(plan.IDs[i]), &p.Sections[i])
	})
	if err != nil {
		return nil, err
	}
	for _, name := range m.names('u') {
		var steps []draft.Step
		if err := read(name, &steps); err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, steps...)
	}
	for _, name := range m.names('c') {
		var some []draft.Preference
		if err := read(name, &some); err != nil {
			return nil, err
		}
		p.Choices = append(p.Choices, some...)
	}
	return p, nil
}

// each does n things on all cores and returns the first error.
func each(n int, do func(int) error) error {
	errs := make([]error, n)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for i := range next {
				errs[i] = do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// names are the parts of a kind, in the order of their numbers.
func (m *manifest) names(kind byte) []string {
	var out []string
	for name := range m.Parts {
		if name == "" || name[0] != kind {
			continue
		}
		if _, err := strconv.Atoi(name[1:]); err == nil {
			out = append(out, name)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		x, _ := strconv.Atoi(a[1:])
		y, _ := strconv.Atoi(b[1:])
		return x - y
	})
	return out
}
