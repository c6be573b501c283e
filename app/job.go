package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"longhand/app/draft"
	"longhand/app/store"
	"longhand/engine"
)

// A job is one draft to run: a new one, or with Resume one that goes on.
type job struct {
	Prompt      string
	Words       int
	Language    string
	Style       string // text of the style notes
	Model       string // name or path; "": the best that is installed
	Adapter     string
	Resume      string // a draft's id, or "last"
	Out         string // named in the first event only
	Outline     *draft.Outline
	PlanOnly    bool
	OnePass     bool
	Free        bool
	Temperature float64
	Seed        uint64 // 0: one is drawn
	Context     int
	Window      bool // a window is open beside it
	Retell      bool // a draft that goes on first tells, as events, what it holds

	// Begun, where set, is called once with the project before the first event.
	// It is the caller's to read whenever it has an event in hand.
	Begun func(*draft.Project)
}

// start runs a job: it starts the engine in a child process, puts the draft on
// disk and yields what happens. Not asking for the next event pauses the work;
// breaking off stops it, and what was written can be resumed.
func (e *env) start(ctx context.Context, j job) iter.Seq2[draft.Event, error] {
	return func(yield func(draft.Event, error) bool) {
		if err := e.runJob(ctx, j, yield); err != nil {
			yield(nil, err)
		}
	}
}

func (e *env) runJob(ctx context.Context, j job, yield func(draft.Event, error) bool) (err error) {
	p, log, err := e.openProject(&j)
	if err != nil {
		return err
	}
	if log != nil {
		defer func() { err = errors.Join(err, log.Close()) }()
	}
	gen, model, err := e.openEngine(ctx, j)
	if err != nil {
		return err
	}
	defer gen.Close()
	started, err := e.started(j, p, gen.Info(), model)
	if err != nil {
		return err
	}
	if log, err = e.begun(j, started, log); err != nil {
		return err
	}
	if !started.Resumed {
		defer func() { err = errors.Join(err, log.Close()) }()
	}
	hand, err := log.Hand()
	if err != nil {
		return err
	}
	defer hand.Close()
	p = log.Project()
	if j.Begun != nil {
		j.Begun(p)
	}
	if !yield(started, nil) {
		return nil
	}
	if j.Retell && started.Resumed {
		for _, ev := range p.Tell() {
			if !yield(ev, nil) {
				return nil
			}
		}
	}
	if j.Outline != nil && !started.Resumed && !yield(*j.Outline, nil) {
		return nil
	}
	w := &draft.Writer{Engine: gen, Log: hand, PlanOnly: j.PlanOnly}
	for ev, err := range w.Write(ctx, p) {
		if errors.Is(err, engine.ErrContextFull) {
			return hinted{err, "the request does not fit: shorten it, or give more room with --ctx"}
		}
		if err != nil {
			return storeHint(err)
		}
		if !yield(ev, nil) {
			return nil
		}
	}
	return nil
}

// begun puts the first records of a run on disk, into the draft that goes on or
// into a new one.
func (e *env) begun(j job, started draft.Started, log *store.Book) (*store.Book, error) {
	first := []draft.Record{started}
	if started.Resumed {
		return log, appendAll(log, first)
	}
	first = append(first, draft.Request{Prompt: j.Prompt, Words: j.Words, Language: j.Language, Style: j.Style, OnePass: j.OnePass, Free: j.Free, Heat: j.Temperature})
	if j.Outline != nil {
		first = append(first, *j.Outline, draft.PlanDone{Target: j.Outline.Words()})
	}
	s, err := e.books()
	if err != nil {
		return nil, err
	}
	log, err = s.Create(started.ID, first...)
	return log, storeHint(err)
}

func appendAll(log draft.Log, records []draft.Record) error {
	for _, r := range records {
		if err := log.Append(r); err != nil {
			return err
		}
	}
	return nil
}

// openProject reads the draft that is to go on; a new one has neither project
// nor journal yet, so that a job which cannot begin leaves nothing behind.
func (e *env) openProject(j *job) (*draft.Project, *store.Book, error) {
	if j.Resume == "" {
		return nil, nil, nil
	}
	log, err := e.book(j.Resume)
	if err != nil {
		return nil, nil, err
	}
	p := log.Project()
	if p.Request == (draft.Request{}) {
		log.Close()
		return nil, nil, fmt.Errorf("draft %s cannot be resumed: its request is not there", log.ID())
	}
	if j.Model == "" {
		j.Model = p.Started.Model
	}
	if j.Adapter == "" {
		j.Adapter = string(p.Started.Adapter)
	}
	if j.Context == 0 {
		j.Context = p.Started.Context
	}
	return p, log, nil
}

func (e *env) openEngine(ctx context.Context, j job) (*engine.Process, string, error) {
	path, _, err := e.model(j.Model)
	if err != nil {
		return nil, "", err
	}
	folder, _, _, err := e.library()
	if err != nil {
		return nil, "", err
	}
	if j.Adapter != "" {
		if j.Adapter, err = filepath.Abs(j.Adapter); err != nil {
			return nil, "", err
		}
	}
	p, err := engine.Start(ctx, []string{childBinary(), "engine"}, path, engine.Options{Library: folder, Context: j.Context, Window: j.Window, Adapter: j.Adapter})
	return p, path, err
}

// started is the first record of a run. A resumed draft keeps its id, seed and target.
func (e *env) started(j job, p *draft.Project, info engine.Info, model string) (draft.Started, error) {
	sum, err := e.sha256(model)
	if err != nil {
		return draft.Started{}, err
	}
	s := draft.Started{ID: newID(), Model: model, ModelSHA256: draft.OrNull(sum), Adapter: draft.OrNull(info.Adapter), Context: info.Context, Seed: j.Seed,
		Device: info.Device, Threads: info.Threads, Target: j.Words, Out: draft.OrNull(j.Out)}
	if s.Target == 0 {
		s.Target = draft.WordsAsked(j.Prompt)
	}
	if j.Outline != nil {
		s.Target = j.Outline.Words()
	}
	if s.Seed == 0 {
		s.Seed = uint64(time.Now().UnixNano())%1_000_000 + 1
	}
	if p != nil {
		s.ID, s.Seed, s.Target, s.Resumed = p.ID, p.Started.Seed, p.Target, true
	}
	return s, nil
}

func (e *env) projectFolder(id string) string { return filepath.Join(e.home, "projects", id) }

// newID is a draft's id: when it was begun, and four characters against chance.
func newID() string {
	var b [2]byte
	rand.Read(b[:])
	return time.Now().Format("20060102-150405-") + hex.EncodeToString(b[:])
}

// childBinary is the program that serves as a child: longhand-cli beside this
// one, which needs no window libraries, or else this one itself.
func childBinary() string {
	self, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	name := "longhand-cli"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if cli := filepath.Join(filepath.Dir(self), name); cli != self {
		if st, err := os.Stat(cli); err == nil && st.Mode().IsRegular() {
			return cli
		}
	}
	return self
}
