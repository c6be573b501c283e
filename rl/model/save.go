package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"longhand/rl/checkpoint"
)

// The files of Save.
const (
	adapterFile   = "adapter.gguf"
	optimizerFile = "optimizer.safetensors"
)

// Save writes adapter.gguf, in F32 as llama.cpp loads it, and optimizer.safetensors,
// with the moments and the step, into a folder, each beside its name and then renamed. Load gives
// back the same bits on a device whose F32 buffers hold float32.
func (m *Model) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("model: save: %w", err)
	}
	a, err := m.Adapter()
	if err != nil {
		return err
	}
	var names []string
	arrays := map[string]checkpoint.Array{}
	for _, p := range m.Params() {
		for _, moment := range []struct {
			name string
			b    Buffer
		}{{".m", p.m}, {".v", p.v}} {
			values := narrow(p.read(moment.b))
			if values == nil {
				return fmt.Errorf("model: save: %w", m.d.Sync())
			}
			names = append(names, p.Name+moment.name)
			arrays[p.Name+moment.name] = checkpoint.Array{Shape: []int{p.Rows, p.Cols}, F32: values}
		}
	}
	meta := map[string]string{
		"format": "longhand optimizer 1", "step": strconv.Itoa(m.step), "adapter_sha256": hash(a),
		"max_rows": strconv.Itoa(m.plan.MaxRows), "plan": m.plan.Identity, "recompute": m.plan.Recompute.String(),
	}
	if err := a.WriteGGUF(filepath.Join(dir, adapterFile), checkpoint.F32); err != nil {
		return err
	}
	return checkpoint.WriteSafetensors(filepath.Join(dir, optimizerFile), names, arrays, meta)
}

// Load goes on from a folder of Save: adapter, moments and step. Gradients are
// zero after it. Nothing changes when it fails.
func (m *Model) Load(dir string) error {
	a, err := checkpoint.ReadAdapter(filepath.Join(dir, adapterFile))
	if err != nil {
		return err
	}
	arrays, step, err := m.readMoments(dir, a)
	if err != nil {
		return err
	}
	given := map[string][]float32{}
	for _, p := range a.Pairs {
		given[p.Name+".lora_a"], given[p.Name+".lora_b"] = p.A, p.B
	}
	params := m.Params()
	for _, p := range params {
		n := p.Rows * p.Cols
		if len(given[p.Name]) != n || len(arrays[p.Name+".m"].F32) != n || len(arrays[p.Name+".v"].F32) != n {
			return fmt.Errorf("model: %s lacks %s, its moments, or has them in another shape", dir, p.Name)
		}
	}
	m.forget()
	for _, p := range params {
		m.d.Upload(p.value, widen(given[p.Name]))
		m.d.Upload(p.m, widen(arrays[p.Name+".m"].F32))
		m.d.Upload(p.v, widen(arrays[p.Name+".v"].F32))
	}
	m.step = step
	m.refresh()
	m.clear()
	if err := m.d.Sync(); err != nil {
		return fmt.Errorf("model: load: %w", err)
	}
	return nil
}

// readMoments reads a folder's optimizer, which must be of the same step as its adapter.
func (m *Model) readMoments(dir string, a *checkpoint.Adapter) (arrays map[string]checkpoint.Array, step int, err error) {
	if err := m.cfg.checkAdapter(a); err != nil {
		return nil, 0, err
	}
	if a.Rank != m.opts.Rank || a.Alpha != float32(m.opts.Alpha) {
		return nil, 0, fmt.Errorf("model: %s has rank %d and alpha %g, the run %d and %g", dir, a.Rank, a.Alpha, m.opts.Rank, m.opts.Alpha)
	}
	arrays, meta, err := checkpoint.ReadSafetensors(filepath.Join(dir, optimizerFile))
	if err != nil {
		return nil, 0, err
	}
	if step, err = strconv.Atoi(meta["step"]); err != nil || step < 0 {
		return nil, 0, fmt.Errorf("model: %s of %s has no step", optimizerFile, dir)
	}
	if meta["adapter_sha256"] != hash(a) {
		return nil, 0, fmt.Errorf("model: %s and %s of %s are of different steps", adapterFile, optimizerFile, dir)
	}
	return arrays, step, nil
}

// SavedPlan reads from a folder of Save what the run's micro-batches were cut by, and the
// identity of its plan: where both equal the plan at hand, a resumed run has the bits
// of one that was not interrupted.
func SavedPlan(dir string) (maxRows int, identity string, err error) {
	_, meta, err := checkpoint.ReadSafetensors(filepath.Join(dir, optimizerFile))
	if err != nil {
		return 0, "", err
	}
	maxRows, err = strconv.Atoi(meta["max_rows"])
	if err != nil || maxRows <= 0 {
		return 0, "", fmt.Errorf("model: %s of %s has no plan", optimizerFile, dir)
	}
	return maxRows, meta["plan"], nil
}

// hash is of an adapter's values in the order of their names, so that the two files of
// a checkpoint can be told to belong together.
func hash(a *checkpoint.Adapter) string {
	h := sha256.New()
	var cell [4]byte
	byName := func(x, y checkpoint.Pair) int { return strings.Compare(x.Name, y.Name) }
	for _, p := range slices.SortedFunc(slices.Values(a.Pairs), byName) {
		for _, values := range [][]float32{p.A, p.B} {
			for _, v := range values {
				binary.LittleEndian.PutUint32(cell[:], math.Float32bits(v))
				h.Write(cell[:])
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
