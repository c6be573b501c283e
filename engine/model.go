package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// Batch sizes as llama.cpp's own tools have them: greedy text is then theirs to
// the token.
const (
	batchTokens      = 2048
	microBatchTokens = 512
)

// Sequences of the KV cache.
const (
	transcript = 0
	fork       = 1
	branch     = 2 // of the fork
)

// A Model is an opened model in this process. Its methods may be called from
// several goroutines; one request at a time is worked on.
type Model struct {
	model  llama.Model
	ctx    llama.Context
	memory llama.Memory
	vocab  llama.Vocab
	batch  llama.Batch

	devices []llama.GGMLBackendDevice // kept where llama.cpp reads it; ends in 0
	control []bool                    // by token id: ends a generation or is another control token
	eog     []bool                    // by token id: ends a generation
	partial bool                      // the cache can be cut anywhere (false: recurrent models)
	split   bool                      // sequences have cells of their own

	turn   chan struct{} // holds one value while nobody works
	closed atomic.Bool
	reads  sync.RWMutex // the vocabulary is read, or freed
	held   []int32      // what the cache holds as the transcript
	sample sampler      // scratch of the request in work

	breakers map[string][]bool // by breaker list: tokens that break a repetition
	pieces   []string          // text of every token, once something needed it
	adapter  llama.AdapterLora // attached, at scale 0 when detached

	identity        string // of the model file and the settings that shape its state
	adapterIdentity string // of the attached adapter; "" for none

	mu   sync.Mutex // guards info
	info Info
}

// Open loads a model. It can take minutes, and memory of the file's size.
func Open(path string, o Options) (*Model, error) {
	m, err := open(path, o)
	if err != nil {
		return nil, fmt.Errorf("engine: open model %s: %w", filepath.Base(path), err)
	}
	if o.Adapter != "" {
		if err := m.SetAdapter(context.Background(), o.Adapter); err != nil {
			m.Close()
			return nil, err
		}
	}
	return m, nil
}

func open(path string, o Options) (*Model, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	header, err := checkModel(path)
	if err != nil {
		return nil, err
	}
	if err := loadLibrary(o.Library); err != nil {
		return nil, err
	}
	m := &Model{turn: make(chan struct{}, 1), breakers: map[string][]bool{}}
	if err := m.load(path, header, o); err != nil {
		m.free()
		return nil, err
	}
	m.turn <- struct{}{}
	return m, nil
}

func (m *Model) load(path string, header *ggufHeader, o Options) error {
	place, err := placeLayers(header, o)
	if err != nil {
		return err
	}
	params := llama.ModelDefaultParams()
	params.NGpuLayers = int32(place.layers)
	if place.device != nil {
		// Only the device whose memory was looked at.
		m.devices = []llama.GGMLBackendDevice{place.device.handle, 0}
		if err := params.SetDevices(m.devices); err != nil {
			return err
		}
	}
	mark := nativeLog.mark()
	if m.model, err = llama.ModelLoadFromFile(path, params); err != nil {
		return errors.New(nativeLog.since(mark))
	}
	m.vocab = llama.ModelGetVocab(m.model)
	if !llama.ModelHasDecoder(m.model) || llama.ModelHasEncoder(m.model) || llama.ModelIsDiffusion(m.model) {
		return errors.New("not a model that writes text from left to right")
	}
	if llama.GetVocabType(m.vocab) == llama.VocabTypeNone {
		return errors.New("the model has no vocabulary")
	}
	mark = nativeLog.mark()
	if m.ctx, err = llama.InitFromModel(m.model, o.contextParams(header, place.device != nil)); err != nil {
		return fmt.Errorf("no context could be made: %s", nativeLog.since(mark))
	}
	if m.memory, err = llama.GetMemory(m.ctx); err != nil || m.memory == 0 {
		return errors.New("the model has no KV cache")
	}
	m.partial = !llama.ModelIsRecurrent(m.model) && !llama.ModelIsHybrid(m.model)
	m.split = o.Split
	if m.identity, err = fileIdentity(path); err != nil {
		return err
	}
	m.identity += fmt.Sprintf(" %q %q %g %g", o.KVType, o.RopeScaling, o.RopeFreqBase, o.RopeFreqScale)
	m.batch = llama.BatchInit(microBatchTokens, 0, 1)
	m.readVocabulary()
	m.describe(path, header, place, o)
	return nil
}

// readVocabulary notes which tokens end a generation.
func (m *Model) readVocabulary() {
	n := llama.VocabNTokens(m.vocab)
	m.control, m.eog = make([]bool, n), make([]bool, n)
	for id := range n {
		m.eog[id] = llama.VocabIsEOG(m.vocab, llama.Token(id))
		m.control[id] = m.eog[id] || llama.VocabIsControl(m.vocab, llama.Token(id))
	}
}

// Info describes the model as it is opened now.
func (m *Model) Info() Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.info
}

// Close frees the model. It waits for the request in work.
func (m *Model) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	<-m.turn
	m.reads.Lock()
	defer m.reads.Unlock()
	m.free()
	m.turn <- struct{}{} // who waited finds it closed
	return nil
}

func (m *Model) free() {
	if m.batch.Token != nil {
		llama.BatchFree(m.batch)
	}
	if m.ctx != 0 {
		llama.Free(m.ctx)
	}
	if m.model != 0 {
		llama.ModelFree(m.model) // and its adapters
	}
}

// begin waits for the model; the caller calls end when err is nil.
func (m *Model) begin(ctx context.Context) (end func(), err error) {
	if err := m.usable(ctx); err != nil {
		return nil, err
	}
	select {
	case <-m.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if m.closed.Load() {
		m.turn <- struct{}{}
		return nil, errModelClosed
	}
	// A llama.cpp built with OpenMP has a team of threads for each thread that calls it;
	// two that spin take the cores from one another (measured: 0.4 of the speed).
	runtime.LockOSThread()
	return func() {
		runtime.UnlockOSThread()
		m.turn <- struct{}{}
	}, nil
}

var errModelClosed = errors.New("the model is closed")

func (m *Model) usable(ctx context.Context) error {
	if m.closed.Load() {
		return errModelClosed
	}
	return ctx.Err()
}
