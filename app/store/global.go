package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// global is what belongs to no project. It lies in the database and, as a
// second copy, in a file; the one with the higher number holds.
type global struct {
	Seq      int                        `json:"seq"`
	Projects []string                   `json:"projects"` // all that the database holds
	Settings map[string]json.RawMessage `json:"settings"`
	Runs     []Run                      `json:"runs"`
	Badger   string                     `json:"badger"` // the version that wrote the database
	Sum      string                     `json:"sum"`    // in the file: CRC-32 of the file with an empty sum
}

const globalFile = "store.json"

// How a training run stands.
const (
	Running  = "running"
	Finished = "done"
	Stopped  = "stopped"
	Failed   = "failed"
)

// Run is a training run: its files lie in its folder, its job is the trainer's
// own.
type Run struct {
	ID      string          `json:"id"`
	Folder  string          `json:"folder"`
	Job     json.RawMessage `json:"job"`
	Status  string          `json:"status"`
	Message string          `json:"message"` // of a failed one: why
	PID     int             `json:"pid"`     // of the process that runs it
	Started time.Time       `json:"started"`
	Updated time.Time       `json:"updated"`
}

// index is the list of projects in the database and the schema; 0: it is new.
func (s *Store) index() (ids []string, schema int, err error) {
	b, _, err := s.get(keySchema, kindSchema)
	if missing(err) {
		return nil, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &schema)
	}
	if err != nil {
		return nil, 0, err
	}
	b, _, err = s.get(keyGlobal, kindGlobal)
	if err != nil {
		return nil, schema, err
	}
	var g global
	if err := json.Unmarshal(b, &g); err != nil {
		return nil, schema, err
	}
	return g.Projects, schema, nil
}

// readGlobal reads what belongs to no project, the newer of its two copies.
func (s *Store) readGlobal() error {
	b, _, err := s.get(keyGlobal, kindGlobal)
	if err != nil && !missing(err) {
		return err
	}
	var g global
	if err == nil {
		if err := json.Unmarshal(b, &g); err != nil {
			return fmt.Errorf("store: read %s: %w", keyGlobal, err)
		}
	}
	file, err := readGlobalFile(s.home)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		s.notice(Damage{File: globalFile, Kind: "damaged", Mended: "it was written anew from the database"})
		if err := os.Rename(filepath.Join(s.home, globalFile), freeName(filepath.Join(s.home, globalFile)+".damaged")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("store: %w", err)
		}
	case file.Seq > g.Seq:
		file.Projects = slices.Compact(slices.Sorted(slices.Values(append(file.Projects, g.Projects...))))
		file.Projects = slices.DeleteFunc(file.Projects, func(id string) bool { return !slices.Contains(g.Projects, id) && !s.has(id) })
		g = file
	}
	s.global = g
	if s.global.Settings == nil {
		s.global.Settings = map[string]json.RawMessage{}
	}
	if file.Seq != g.Seq || err != nil {
		return s.putGlobal(func(*global) {})
	}
	return nil
}

// has says whether the database holds a project.
func (s *Store) has(id string) bool {
	_, err := s.manifest(id)
	return err == nil
}

func readGlobalFile(home string) (global, error) {
	var g global
	b, err := os.ReadFile(filepath.Join(home, globalFile))
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal(b, &g); err != nil {
		return global{}, fmt.Errorf("store: %s: %w", globalFile, err)
	}
	if sum := g.Sum; g.sealed().Sum != sum {
		return global{}, fmt.Errorf("store: %s: its sum is wrong", globalFile)
	}
	return g, nil
}

func (g global) sealed() global {
	g.Sum = ""
	b, err := json.Marshal(g)
	if err != nil {
		panic("store: " + err.Error()) // strings, numbers, raw JSON that was read
	}
	g.Sum = fmt.Sprintf("%08x", crc32.ChecksumIEEE(b))
	return g
}

// putGlobal changes what belongs to no project, in both copies.
func (s *Store) putGlobal(change func(*global)) error {
	s.putting.Lock()
	defer s.putting.Unlock()
	s.mu.Lock()
	g := s.global
	g.Projects, g.Runs, g.Settings = slices.Clone(g.Projects), slices.Clone(g.Runs), maps.Clone(g.Settings)
	change(&g)
	g.Badger = badgerVersion()
	g.Seq++
	s.mu.Unlock()
	plain, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("store: write %s: %w", keyGlobal, err)
	}
	value, _ := wrap(keyGlobal, kindGlobal, plain)
	if err := s.write(nil, nil, map[string][]byte{keyGlobal: value}); err != nil {
		return err
	}
	s.mu.Lock()
	s.global = g
	s.mu.Unlock()
	b, err := json.MarshalIndent(g.sealed(), "", " ")
	if err != nil {
		return fmt.Errorf("store: write %s: %w", globalFile, err)
	}
	return replace(filepath.Join(s.home, globalFile), b)
}

// Setting reads a setting into v and says whether there is one.
func (s *Store) Setting(name string, v any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, ok := s.global.Settings[name]
	return ok && json.Unmarshal(raw, v) == nil
}

// Set writes a setting.
func (s *Store) Set(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("store: set %s: %w", name, err)
	}
	if s.db == nil {
		return fmt.Errorf("store: set %s: %w", name, ErrHeld)
	}
	return s.putGlobal(func(g *global) { g.Settings[name] = raw })
}

// Runs are the training runs, the newest first.
func (s *Store) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.global.Runs)
	for i, r := range out {
		if r.Status == Running && !alive(r.PID) {
			out[i].Status, out[i].Message = Stopped, "it was broken off"
		}
	}
	slices.SortStableFunc(out, func(a, b Run) int { return b.Started.Compare(a.Started) })
	return out
}

// PutRun keeps a training run, in the place of the one with its id.
func (s *Store) PutRun(r Run) error {
	if s.db == nil {
		return fmt.Errorf("store: keep the run %s: %w", r.ID, ErrHeld)
	}
	if !json.Valid(r.Job) {
		return fmt.Errorf("store: keep the run %s: its job is no JSON", r.ID)
	}
	return s.putGlobal(func(g *global) {
		if i := slices.IndexFunc(g.Runs, func(o Run) bool { return o.ID == r.ID }); i >= 0 {
			g.Runs[i] = r
		} else {
			g.Runs = append(g.Runs, r)
		}
	})
}
