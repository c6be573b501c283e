package rl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// save writes a checkpoint folder, unless it is there: beside its name, then renamed. Older
// ones than the job keeps are removed, but never what a warm-up made.
func (t *training) save() error {
	if t.saved != "" && t.savedAt.same(t.state) {
		return nil
	}
	out := t.job.Out
	beside, dir := filepath.Join(out, ".checkpoint"), filepath.Join(out, t.state.folder())
	if err := t.writeCheckpoint(beside); err != nil {
		os.RemoveAll(beside)
		return fmt.Errorf("rl: write the checkpoint %s: %w", dir, err)
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(beside, dir)); err != nil {
		return fmt.Errorf("rl: write the checkpoint %s: %w", dir, err)
	}
	t.saved, t.savedAt = dir, t.state
	if err := errors.Join(t.show(dir), t.prune()); err != nil {
		return err
	}
	return t.emit(Checkpoint{Step: t.state.Step, Dir: dir})
}

// writeCheckpoint fills a folder with all that belongs to a checkpoint.
func (t *training) writeCheckpoint(dir string) error {
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	if err := t.parts.Policy.Save(dir); err != nil {
		return err
	}
	if err := t.parts.Policy.Export(dir); err != nil {
		return err
	}
	state, err := json.MarshalIndent(t.state, "", "  ")
	if err != nil {
		return err
	}
	metrics, err := os.ReadFile(filepath.Join(t.job.Out, metricsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(
		replaceFile(filepath.Join(dir, metricsFile), metrics),
		replaceFile(filepath.Join(dir, stateFile), append(state, '\n')),
	)
}

// shown are the files of a checkpoint that lie in the run's folder, too, so that the
// folder itself is an adapter: the newest.
var shown = []string{"adapter.gguf", "adapter_model.safetensors", "adapter_config.json"}

// show puts a checkpoint's adapter into the run's folder.
func (t *training) show(dir string) error {
	for _, name := range shown {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = replaceFile(filepath.Join(t.job.Out, name), b)
		}
		if err != nil {
			return fmt.Errorf("rl: write the adapter: %w", err)
		}
	}
	return nil
}

// prune removes the oldest checkpoints.
func (t *training) prune() error {
	dirs, err := Checkpoints(t.job.Out)
	if err != nil {
		return err
	}
	for len(dirs) > t.job.Keep {
		if filepath.Base(dirs[0]) != (State{Phase: phaseTrain}).folder() && dirs[0] != t.saved {
			if err := os.RemoveAll(dirs[0]); err != nil {
				return fmt.Errorf("rl: remove an old checkpoint: %w", err)
			}
		}
		dirs = dirs[1:]
	}
	return nil
}
